package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"mime"
	"net/http"
	"strings"

	"isobar.dev/engine/resource"
)

// MaxBody is how many bytes a webhook's body may have: GitHub sends none above it.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
const MaxBody = 25 << 20

// Event is what a webhook tells of.
type Event string

// The events. None of them says what is so now: that is to be read at the forge.
const (
	Pushed    Event = "push"    // a branch or tag moved: Ref
	Pulled    Event = "pull"    // a pull was opened, pushed to, edited, reviewed, closed or merged: Pull
	Commented Event = "comment" // a pull was commented on: Pull
	Pinged    Event = "ping"    // the webhook was set up
	Other     Event = "other"   // nothing to do with us
)

// Delivery is one webhook as it was delivered. It only says what to read again, so
// that late, doubled and swapped ones do no harm.
type Delivery struct {
	ID    string // of this event, the same when the forge delivers it again
	Repo  string // "owner/name"
	Event Event
	Pull  int    // of Pulled and Commented
	Ref   string // of Pushed: "refs/heads/main"
}

// Hear verifies and reads one delivery. The body is taken as it came; the caller
// keeps its reader to MaxBody. Each secret is asked for; a delivery is good if it is
// signed with any of them, so that one can be replaced by the next. It is compared in
// constant time. An error is a *resource.Failure: Denied for a wrong signature,
// which says nothing of the secret; Invalid for what is no delivery.
//
// GitHub signs the body alone (X-Hub-Signature-256), as do Gitea and Forgejo; GitLab
// sends the secret itself (X-Gitlab-Token) or signs id, time and body by Standard
// Webhooks (webhook-signature). So a header is no proof: whoever has seen a delivery
// can send it again under another id, and makes isobar read the forge once more.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
// https://docs.gitea.com/usage/webhooks
// https://docs.gitlab.com/user/project/integrations/webhooks/
func Hear(kind Kind, header http.Header, body []byte, secrets ...func() (string, error)) (Delivery, error) {
	const op = "webhook"
	if len(body) > MaxBody {
		return Delivery{}, invalid(op, "the body is larger than any that a forge sends")
	}
	signed, err := signature(kind, header, body)
	if err != nil {
		return Delivery{}, err
	}
	good := 0
	for _, s := range secrets {
		secret, err := s()
		switch {
		case err != nil:
			return Delivery{}, &resource.Failure{Class: resource.Denied, Op: op, Message: "the webhook's secret can't be read; check where it comes from", Err: err}
		case secret == "":
			return Delivery{}, &resource.Failure{Class: resource.Denied, Op: op, Message: "the webhook's secret is empty: give one here and at the forge"}
		}
		good |= signed(secret)
	}
	if good != 1 {
		return Delivery{}, &resource.Failure{Class: resource.Denied, Op: op, Message: "the signature is wrong: give the webhook the same secret here and at the forge"}
	}
	return read(kind, header, body)
}

// signature gives what tells whether a secret fits, 1 or 0.
func signature(kind Kind, header http.Header, body []byte) (func(secret string) int, error) {
	const op = "webhook"
	unsigned := &resource.Failure{Class: resource.Denied, Op: op, Message: "the delivery is not signed: give the webhook a secret at the forge"}
	var text string
	switch kind {
	case GitHub:
		text = strings.TrimPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
	case Gitea:
		text = first(header, "X-Gitea-Signature", "X-Forgejo-Signature")
		if text == "" {
			text = strings.TrimPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
		}
	case GitLab:
		if token := header.Get("X-Gitlab-Token"); token != "" {
			return func(secret string) int { return equal([]byte(token), []byte(secret)) }, nil
		}
		if header.Get("Webhook-Signature") == "" {
			return nil, unsigned
		}
		return standard(header, body), nil
	default:
		return nil, invalid(op, "the kind of the forge is none of github, gitlab, gitea")
	}
	if text == "" {
		return nil, unsigned
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, &resource.Failure{Class: resource.Denied, Op: op, Message: "the signature is no HMAC of SHA-256"}
	}
	return func(secret string) int { return equal(sum, mac([]byte(secret), body)) }, nil
}

// standard verifies by Standard Webhooks: a list of "v1,BASE64" over id, time and
// body, with a key that is written "whsec_BASE64".
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func standard(header http.Header, body []byte) func(secret string) int {
	content := []byte(header.Get("Webhook-Id") + "." + header.Get("Webhook-Timestamp") + ".")
	content = append(content, body...)
	return func(secret string) int {
		key := []byte(secret)
		if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				key = raw
			}
		}
		want, good := mac(key, content), 0
		for _, one := range strings.Fields(header.Get("Webhook-Signature")) {
			if text, ok := strings.CutPrefix(one, "v1,"); ok {
				if sum, err := base64.StdEncoding.DecodeString(text); err == nil {
					good |= equal(sum, want)
				}
			}
		}
		return good
	}
}

func mac(key, content []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(content)
	return h.Sum(nil)
}

// equal compares in a time that does not tell how far they agree.
func equal(a, b []byte) int {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func first(h http.Header, names ...string) string {
	for _, n := range names {
		if v := h.Get(n); v != "" {
			return v
		}
	}
	return ""
}

// wantJSON refuses the other form that forges offer.
func wantJSON(h http.Header) error {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return invalid("webhook", "the body is not JSON: set the webhook's content type to application/json")
	}
	return nil
}
