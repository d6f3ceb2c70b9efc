package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// vault is secrets told in Go: values by name.
type vault map[string]string

func (v vault) Read(_ context.Context, s resource.Secret) (string, error) {
	value, ok := v[s.Name]
	if !ok {
		return "", &provider.SecretError{Name: s.Name, What: "it is lost"}
	}
	return value, nil
}

func (vault) MAC(value string) (string, error) {
	if value == "" {
		return "", &provider.SecretError{What: "there is no key"}
	}
	return fmt.Sprintf("%x", len(value)) + "-" + value[:1], nil // enough to tell a test's values apart
}

// echo is a session that repeats what it is sent, in its answers and errors.
type echo struct {
	provider.Session
	say  func(fields resource.Map) error
	sent []resource.Value
	find provider.Intent
}

func (e *echo) Scope() string { return "echo" }

func (e *echo) told(fields resource.Map) (provider.Progress, error) {
	e.sent = append(e.sent, fields)
	p := provider.Progress{Object: resource.Object{ID: "o-1", Fields: fields}}
	if e.say == nil {
		return p, nil
	}
	return p, e.say(fields)
}

func (e *echo) Create(_ context.Context, want resource.Object, _ resource.Mark) (provider.Progress, error) {
	return e.told(want.Fields)
}

func (e *echo) Update(_ context.Context, _, want resource.Object, changes []resource.Change) (provider.Progress, error) {
	for _, c := range changes {
		e.sent = append(e.sent, c.After)
	}
	return e.told(want.Fields)
}

func (e *echo) Delete(_ context.Context, _, applied resource.Object) (provider.Progress, error) {
	return e.told(applied.Fields)
}

func (e *echo) Find(_ context.Context, in provider.Intent) (provider.Progress, error) {
	e.find = in
	return e.told(in.Want.Fields)
}

func (e *echo) Poll(_ context.Context, hs []resource.Handle) []provider.Polled {
	p, err := e.told(nil)
	return []provider.Polled{{Progress: p, Done: true, Err: err}}
}

func (e *echo) Mark(context.Context, resource.Object, *resource.Mark) error {
	_, err := e.told(nil)
	return err
}

func (e *echo) Read(_ context.Context, wants []resource.Want) []resource.Answer {
	_, err := e.told(nil)
	return []resource.Answer{{Err: err}}
}

const longValue = "#!/bin/sh\necho 'p&ss <word> \"q\"' > /etc/shop\n"

func stamped(t *testing.T, v *provider.Veil, fields resource.Map) resource.Map {
	t.Helper()
	out, err := v.Stamp(t.Context(), fields)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVeilReveals(t *testing.T) {
	t.Parallel()
	box := vault{"a": longValue, "b": "short"}
	v, inner := provider.NewVeil(box), &echo{}
	s := v.Over(inner)
	if v.Over(inner) != s {
		t.Error("one session has two veils")
	}
	plain := resource.Map{"data": resource.Secret{Name: "a"}, "in": resource.Map{"pin": resource.Secret{Name: "b", Field: "f"}}, "size": resource.Int(1)}
	want := stamped(t, v, plain)
	if m := want["data"].(resource.Secret).MAC; m == "" || plain["data"].(resource.Secret).MAC != "" {
		t.Errorf("the MAC is %q, and that of what was given %v", m, plain)
	}
	sent := resource.Map{"data": resource.String(longValue), "in": resource.Map{"pin": resource.String("short")}, "size": resource.Int(1)}
	p, err := s.Create(t.Context(), resource.Object{Fields: want}, resource.Mark{})
	if err != nil || !resource.Equal(inner.sent[0], sent) {
		t.Fatalf("sent %v, %v", inner.sent, err)
	}
	if !resource.Equal(p.Object.Fields, want) {
		t.Errorf("heard %s", resource.Encode(p.Object.Fields))
	}
	inner.sent = nil
	changes := []resource.Change{{Path: resource.Path{"data"}, After: want["data"]}, {Path: resource.Path{"size"}}}
	if _, err = s.Update(t.Context(), resource.Object{}, resource.Object{Fields: want}, changes); err != nil || inner.sent[0] != resource.String(longValue) || inner.sent[1] != nil {
		t.Errorf("sent %v, %v", inner.sent, err)
	}
	if changes[0].After == resource.Value(resource.String(longValue)) {
		t.Error("the caller's change was written to")
	}
	if _, err = s.Find(t.Context(), provider.Intent{Want: resource.Object{Fields: want}}); err != nil || inner.find.LookOnly || !resource.Equal(inner.find.Want.Fields, sent) {
		t.Errorf("looked for %+v, %v", inner.find, err)
	}
}

func TestVeilRefuses(t *testing.T) {
	t.Parallel()
	box := vault{"a": "one-value"}
	v, inner := provider.NewVeil(box), &echo{}
	s := v.Over(inner)
	want := stamped(t, v, resource.Map{"data": resource.Secret{Name: "a"}, "size": resource.Int(1)})
	for _, c := range []struct {
		now   string
		class resource.Class
		says  string
		moved bool
	}{
		{"another-value", resource.Conflict, "secret a: its value has changed since the plan was made: plan again", true},
		{"", resource.Denied, "secret a: it is lost", false},
	} {
		box["a"] = c.now
		if c.now == "" {
			delete(box, "a")
		}
		_, err := s.Create(t.Context(), resource.Object{Fields: want}, resource.Mark{})
		_, err2 := s.Update(t.Context(), resource.Object{}, resource.Object{}, []resource.Change{{After: want["data"]}})
		for _, err := range []error{err, err2} {
			var se *provider.SecretError
			if resource.ClassOf(err) != c.class || err.Error() != c.says || !errors.As(err, &se) || se.Moved != c.moved {
				t.Errorf("got %v", err)
			}
		}
		if len(inner.sent) > 0 {
			t.Fatalf("sent %v", inner.sent)
		}
		_, err = s.Find(t.Context(), provider.Intent{Want: resource.Object{Fields: want}})
		if err != nil || !inner.find.LookOnly || !resource.Equal(inner.find.Want.Fields, resource.Map{"size": resource.Int(1)}) {
			t.Errorf("looked for %+v, %v", inner.find, err)
		}
		inner.sent = nil
	}
}

func TestNoSecretsHere(t *testing.T) {
	t.Parallel()
	fields := resource.Map{"data": resource.Secret{Name: "a"}}
	for _, v := range []*provider.Veil{nil, provider.NewVeil(nil)} {
		if _, err := v.Stamp(t.Context(), fields); err == nil || err.Error() != "secret a: no source of secrets is set up here" {
			t.Errorf("got %v", err)
		}
		if out, err := v.Stamp(t.Context(), resource.Map{"n": resource.Int(1)}); err != nil || out["n"] != resource.Int(1) {
			t.Errorf("got %v, %v", out, err)
		}
		if got := v.Conceal(resource.Map{"data": resource.String("x")}, fields); !resource.Equal(got, fields) {
			t.Errorf("got %s", resource.Encode(got))
		}
	}
	var none *provider.Veil
	if inner := (&echo{}); none.Over(inner) != provider.Session(inner) {
		t.Error("no veil is one")
	}
	_, err := provider.NewVeil(vault{"a": ""}).Stamp(t.Context(), fields)
	if err == nil || err.Error() != "secret a: there is no key" {
		t.Errorf("got %v", err)
	}
}

// TestVeilScrubs: whatever of a secret an API repeats, and however it spells
// it, nobody hears it; class, code and request stay.
func TestVeilScrubs(t *testing.T) {
	t.Parallel()
	jsonText, _ := json.Marshal(longValue)
	spelt := map[string]string{
		"as it is": longValue, "in base64": base64.StdEncoding.EncodeToString([]byte(longValue)),
		"within base64": base64.StdEncoding.EncodeToString([]byte("x" + longValue + "yz")), "in JSON": string(jsonText),
		"in a URL": url.QueryEscape(longValue), "in XML": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\n", "&#xA;").Replace(longValue),
		"a line of it": "echo 'p&ss <word>", "cut off": longValue[:20], "quoted": fmt.Sprintf("%q", longValue),
	}
	for name, text := range spelt {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := provider.NewVeil(vault{"a": longValue})
			want := stamped(t, v, resource.Map{"data": resource.Secret{Name: "a"}})
			cause := errors.New("cause: " + text)
			for _, failure := range []error{
				&resource.Failure{Class: resource.Invalid, Op: "ec2:RunInstances", Code: "Bad", Message: "bad data " + text + " there", RequestID: "r-1", Err: cause, Interrupted: "size"},
				&resource.Failure{Class: resource.Invalid, Op: "ec2:RunInstances", Code: "Bad", RequestID: "r-1", Err: cause, Interrupted: "size"},
				&resource.Failure{Class: resource.Invalid, Op: "ec2:RunInstances", Code: "Bad", Message: "bad", RequestID: "r-1", Err: errors.Join(errors.New("other"), cause), Interrupted: "size"},
			} {
				s := v.Over(&echo{say: func(resource.Map) error { return failure }})
				for op, err := range everyError(t, s, want) {
					wantHidden(t, op, err, longValue, text)
					var f *resource.Failure
					if !errors.As(err, &f) || f.Class != resource.Invalid || f.Code != "Bad" || f.RequestID != "r-1" || f.Op != "ec2:RunInstances" || f.Interrupted != "size" {
						t.Errorf("%s: got %+v", op, f)
					}
				}
			}
		})
	}
}

func everyError(t *testing.T, s provider.Session, want resource.Map) map[string]error {
	t.Helper()
	o := resource.Object{Fields: want}
	out := map[string]error{}
	_, out["create"] = s.Create(t.Context(), o, resource.Mark{})
	_, out["update"] = s.Update(t.Context(), o, o, nil)
	_, out["delete"] = s.Delete(t.Context(), o, o)
	_, out["find"] = s.Find(t.Context(), provider.Intent{Want: o})
	out["poll"] = s.Poll(t.Context(), make([]resource.Handle, 1))[0].Err
	out["mark"] = s.Mark(t.Context(), o, nil)
	out["read"] = s.Read(t.Context(), make([]resource.Want, 1))[0].Err
	return out
}

// wantHidden checks every text of an error and its causes.
func wantHidden(t *testing.T, op string, err error, texts ...string) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		shown := fmt.Sprintf("%v %+v", e, e)
		for _, text := range texts {
			for i := 0; i+12 <= len(text); i++ {
				if strings.Contains(shown, text[i:i+12]) {
					t.Fatalf("%s tells %q in %s", op, text[i:i+12], shown)
				}
			}
		}
	}
}

func TestVeilLeavesTheRest(t *testing.T) {
	t.Parallel()
	v := provider.NewVeil(vault{"a": longValue})
	stamped(t, v, resource.Map{"data": resource.Secret{Name: "a"}})
	for _, err := range []error{
		&resource.Failure{Class: resource.Invalid, Message: "no such image"},
		&provider.FencedError{Cause: errors.New("the lease is lost")},
	} {
		s := v.Over(&echo{say: func(resource.Map) error { return err }})
		if _, got := s.Delete(t.Context(), resource.Object{}, resource.Object{}); got != err { //nolint:errorlint // the very error
			t.Errorf("got %v", got)
		}
	}
	p, err := v.Over(&echo{}).Delete(t.Context(), resource.Object{}, resource.Object{Fields: resource.Map{"state": resource.String("running")}})
	if err != nil || p.Object.Fields["state"] != resource.String("running") {
		t.Errorf("got %v, %v", p, err)
	}
}

// TestVeilLaw: for whatever secret, an answer that repeats it in any field and
// an error that repeats it in any spelling hold nothing of it.
func TestVeilLaw(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.StringN(12, 60, -1).Draw(rt, "value")
		v := provider.NewVeil(vault{"a": value})
		want, err := v.Stamp(ctx, resource.Map{"data": resource.Secret{Name: "a"}})
		if err != nil {
			rt.Fatal(err)
		}
		spell := rapid.SampledFrom([]func(string) string{
			func(s string) string { return s }, url.QueryEscape, url.PathEscape,
			func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
			func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
			func(s string) string { b, _ := json.Marshal(s); return string(b) },
		}).Draw(rt, "spelling")
		repeated := rapid.StringMatching(`[a-z ]{0,9}`).Draw(rt, "before") + spell(value) + rapid.StringMatching(`[ a-z]{0,9}`).Draw(rt, "after")
		inner := &echo{say: func(resource.Map) error { return &resource.Failure{Class: resource.Invalid, Message: repeated} }}
		s := v.Over(inner)
		fields := resource.Map{"data": want["data"], "note": resource.String(repeated), "list": resource.List{resource.String(repeated)}}
		p, err := s.Create(ctx, resource.Object{Fields: fields}, resource.Mark{})
		for _, shown := range []string{fmt.Sprint(err), string(resource.Encode(p.Object.Fields))} {
			if strings.Contains(shown, spell(value)) || strings.Contains(shown, value) {
				rt.Fatalf("told: %s", shown)
			}
		}
	})
}
