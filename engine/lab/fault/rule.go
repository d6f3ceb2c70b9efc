package fault

import (
	"context"
	"net/http"
	"path"
	"time"
)

// Call is one request as the proxy saw it.
type Call struct {
	N      int       // counts all requests from 1
	Method string    // "POST"
	Path   string    // "/"
	Action string    // the AWS action or SOAP method, "CreateVpc", "CreateVM_Task"; "" where the request names none
	Token  string    // its client token, or ""
	Form   string    // the form's text, sorted by key and without signature; "" for other bodies
	At     time.Time // when it came
	Status int       // what was answered; 0 where the connection was cut
	From   string    // who asked, where Caller said so
}

type callerKey struct{}

// Caller wraps a proxy for one of several clients, each of which has a server of
// its own in front of the same proxy: its calls bear the client's name.
func Caller(p *Proxy, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, name)))
	})
}

// Rule says what befalls which requests. Rules are tried in the order in which
// they were added; the first that takes a request decides.
type Rule struct {
	Action string          // a pattern of path.Match over the action, "Create*"; "" is every request
	Match  func(Call) bool // further condition; nil is none
	After  int             // let so many matching requests pass first
	Times  int             // how often it strikes; 0 is always
	Do     Fault
}

func (r *Rule) matches(c Call) bool {
	if r.Action != "" {
		if ok, err := path.Match(r.Action, c.Action); err != nil || !ok {
			return false
		}
	}
	return r.Match == nil || r.Match(c)
}

// Fault is what befalls a request, in this order: the delay, the Before hook,
// then one of an error answer, a cut, a stale answer or the peer's own, the
// After hook, and the loss of the answer. The zero Fault is none.
type Fault struct {
	Delay  time.Duration
	Before func(Call) // before the peer is asked: a crash point
	After  func(Call) // when the peer has done its work and the answer is not yet passed on

	Status  int         // answer this instead of asking the peer; a success has Body and Header alone
	Code    string      // with this AWS error code
	Message string      // and message
	Body    string      // or with this body, whatever the service's form of errors
	Header  http.Header // and these headers

	Cut   bool // close the connection instead of asking the peer
	Stale bool // give the answer of the last equal request again, where there was one; none is kept of SOAP
	Lose  bool // ask the peer, then close the connection instead of answering
	Trim  bool // ask the peer, then cut its answer off in the middle
}

// Refuse answers an AWS error instead of asking the peer.
func Refuse(status int, code, message string) Fault {
	return Fault{Status: status, Code: code, Message: message}
}

// Throttle answers as EC2 does when calls come too fast.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
func Throttle() Fault {
	return Refuse(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
}

// LoseAnswer lets the peer do its work and drops the answer.
func LoseAnswer() Fault { return Fault{Lose: true} }

// LoseRequest drops the request: the peer never sees it.
func LoseRequest() Fault { return Fault{Cut: true} }
