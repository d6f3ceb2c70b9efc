package provider

import (
	"context"
	"errors"
	"sync"

	"isobar.dev/engine/resource"
)

// Secrets reads the secrets that one environment binds. Safe for concurrent
// use. Its errors are *SecretError and hold nothing of a value.
type Secrets interface {
	// Read gives what the source of s holds now: a rotated secret is a new value.
	Read(ctx context.Context, s resource.Secret) (string, error)
	// MAC gives the hex HMAC-SHA256 of a value, by which values are told apart.
	MAC(value string) (string, error)
}

// SecretError says why a secret can't be had.
type SecretError struct {
	Name  string // as secrets: binds it
	What  string // "the environment variable SHOP_PASSWORD is not set"
	Mend  string
	Moved bool // it can be read, and is another value than the plan was made with
}

// Error gives name and reason; Mend is left to faces.
func (e *SecretError) Error() string { return "secret " + e.Name + ": " + e.What }

// Veil stands between one run and the sessions that it uses: secrets pass it as
// values on their way to a provider, and as references on their way back. Only
// what is sent through it ever holds a value. A nil Veil knows no secrets. Safe
// for concurrent use.
type Veil struct {
	secrets Secrets

	mu   sync.Mutex
	over map[Session]Session
	known
}

// NewVeil gives a veil over an environment's secrets; nil stands for none.
func NewVeil(s Secrets) *Veil { return &Veil{secrets: s, over: map[Session]Session{}} }

// Stamp reads the secrets among fields and gives the fields with the MAC of
// each. The error is a *SecretError of the first that can't be had.
func (v *Veil) Stamp(ctx context.Context, fields resource.Map) (resource.Map, error) {
	out, err := v.rewrite(fields, func(s resource.Secret) (resource.Value, error) {
		_, mac, err := v.read(ctx, s)
		s.MAC = mac
		return s, err
	})
	m, _ := out.(resource.Map)
	return m, err
}

// Conceal is resource.Conceal with the environment's MACs. Where they can't be
// had, what is concealed equals nothing but its own name.
func (v *Veil) Conceal(fields resource.Map, likes ...resource.Map) resource.Map {
	if v == nil || v.secrets == nil {
		return resource.Conceal(fields, func(string) string { return "" }, likes...)
	}
	return resource.Conceal(fields, func(value string) string {
		v.learn(value)
		mac, err := v.secrets.MAC(value)
		if err != nil {
			return ""
		}
		return mac
	}, likes...)
}

// Over gives the session with the veil before it, the same one each time. Reads
// pass through it as they are, but for their errors: Conceal what they find.
func (v *Veil) Over(s Session) Session {
	if v == nil {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over[s] == nil {
		v.over[s] = &veiled{Session: s, veil: v}
	}
	return v.over[s]
}

// reveal puts values in the place of secrets, which must be those that the plan
// was made with.
func (v *Veil) reveal(ctx context.Context, val resource.Value) (resource.Value, error) {
	return v.rewrite(val, func(s resource.Secret) (resource.Value, error) {
		value, mac, err := v.read(ctx, s)
		if err == nil && mac != s.MAC {
			err = &SecretError{Name: s.Name, What: "its value has changed since the plan was made: plan again", Moved: true}
		}
		return resource.String(value), err
	})
}

// read gives a secret's value and its MAC.
func (v *Veil) read(ctx context.Context, s resource.Secret) (value, mac string, err error) {
	if v == nil || v.secrets == nil {
		return "", "", &SecretError{Name: s.Name, What: "no source of secrets is set up here"}
	}
	if value, err = v.secrets.Read(ctx, s); err == nil {
		v.learn(value)
		mac, err = v.secrets.MAC(value)
	}
	var se *SecretError
	if errors.As(err, &se) && se.Name == "" {
		named := *se
		named.Name = s.Name
		err = &named
	}
	if err != nil {
		return "", "", err
	}
	return value, mac, nil
}

func (v *Veil) rewrite(val resource.Value, f func(resource.Secret) (resource.Value, error)) (resource.Value, error) {
	if !resource.HasSecret(val) {
		return val, nil
	}
	var errs []error
	out := resource.Rewrite(val, func(e resource.Value) resource.Value {
		s, ok := e.(resource.Secret)
		if !ok {
			return e
		}
		n, err := f(s)
		if err != nil {
			errs = append(errs, err)
			return e
		}
		return n
	})
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return out, nil
}

// refusal makes the failure of a call that was not sent for want of a secret.
func refusal(err error) error {
	class := resource.Denied
	var se *SecretError
	if errors.As(err, &se) && se.Moved {
		class = resource.Conflict
	}
	return &resource.Failure{Class: class, Message: err.Error(), Err: err}
}
