package secret

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Options are what a Keeper works with.
type Options struct {
	Allow     Allowance
	KeyFile   string                      // the path of the key; it is made at first need
	LookupEnv func(string) (string, bool) // os.LookupEnv
	// Agree is asked once, before the key is used, with what tells it from other
	// keys: processes that share a ledger must have the same one, or each takes
	// every secret of the other for changed. It may be nil.
	Agree func(fingerprint string) error
}

// Keeper reads secrets for one process. Safe for concurrent use.
type Keeper struct {
	opts Options
	key  key
}

// New gives a Keeper. Nothing is read before a secret is asked for.
func New(o Options) *Keeper { return &Keeper{opts: o, key: key{path: o.KeyFile, agree: o.Agree}} }

// Bind gives the secrets that an environment binds to sources.
func (k *Keeper) Bind(sources map[string]resource.SecretSource) *Bound {
	return &Bound{keeper: k, sources: sources}
}

// Bound are one environment's secrets. Safe for concurrent use.
type Bound struct {
	keeper  *Keeper
	sources map[string]resource.SecretSource
}

// Read gives what the source of s holds now, anew each time. The error is a
// *provider.SecretError.
func (b *Bound) Read(_ context.Context, s resource.Secret) (string, error) {
	src, ok := b.sources[s.Name]
	if !ok {
		return "", &provider.SecretError{Name: s.Name, What: "the spec does not bind it any more", Mend: "bind it under secrets"}
	}
	text, wrong := b.keeper.source(src)
	if wrong == nil && s.Field != "" {
		text, wrong = member(text, s.Field, where(src))
	}
	if wrong != nil {
		wrong.Name = s.Name
		return "", wrong
	}
	return text, nil
}

// MAC gives the hex HMAC-SHA256 of a value under the keeper's key. Name and
// field are not in it: a value stays itself when its name changes. The error is
// a *provider.SecretError.
func (b *Bound) MAC(value string) (string, error) {
	k, err := b.keeper.key.get()
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, k)
	h.Write([]byte("isobar secret 1\x00"))
	h.Write([]byte(value))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// member gives a member of a JSON object: text as it is, a number or truth
// value as it is written.
func member(text, field, from string) (string, *provider.SecretError) {
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &all) != nil || all == nil {
		return "", trouble("store a JSON object there, or refer to the secret without field", "%s holds no JSON object, and field %q is a member of one", from, field)
	}
	raw, ok := all[field]
	if !ok {
		return "", trouble("add the member, or correct field", "the JSON object in %s has no member %q", from, field)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil && raw[0] == '"' {
		if s == "" {
			return "", trouble("put the value there", "member %q of %s is empty", field, from)
		}
		return s, nil
	}
	if strings.IndexByte("{[n", raw[0]) >= 0 {
		return "", trouble("make it text", "member %q of %s is no text, number or truth value", field, from)
	}
	return string(raw), nil
}
