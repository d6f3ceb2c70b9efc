package fault

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"sync"
)

// replay is the one answer that a client token has.
type replay struct {
	mu     sync.Mutex // held while the peer is asked
	form   string     // the parameters of the first call
	answer *answer    // nil until the call went well
}

// once gives the first answer of a client token again. Other parameters under
// the same token are refused, as EC2 does.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func (p *Proxy) once(ctx context.Context, r *request) (*answer, error) {
	key := scopeOf(r.Request) + "\n" + r.call.Action + "\n" + r.call.Token
	p.mu.Lock()
	t := p.tokens[key]
	if t == nil {
		t = &replay{}
		p.tokens[key] = t
	}
	p.mu.Unlock()

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answer != nil {
		if t.form != r.call.Form {
			return refusal(r, Refuse(http.StatusBadRequest, "IdempotentParameterMismatch",
				"The client token was used before with other parameters.")), nil
		}
		return t.answer, nil
	}
	a, err := p.ask(ctx, r)
	if err == nil && a.status < 300 {
		t.form, t.answer = r.call.Form, a
	}
	return a, err
}

var credentialScope = regexp.MustCompile(`Credential=([^/]+)/[0-9]{8}/([^/]+)/([^/]+)/`)

// scopeOf gives the caller's key and region from the signature, so that tokens
// and answers of different accounts and regions stay apart.
func scopeOf(r *http.Request) string {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return url.PathEscape(m[1]) + "/" + m[2]
	}
	return ""
}

// serviceOf gives the service that a request is signed for, "s3".
func serviceOf(r *http.Request) string {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[3]
	}
	return ""
}
