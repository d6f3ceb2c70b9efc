package provider

import (
	"context"
	"errors"
	"slices"

	"isobar.dev/engine/resource"
)

// veiled is a session behind a veil: behind a pointer, so that it can be the
// key of a map.
type veiled struct {
	Session
	veil *Veil
}

func (s *veiled) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := s.Session.Read(ctx, wants)
	for i := range out {
		out[i].Err = s.veil.scrub(out[i].Err)
	}
	return out
}

func (s *veiled) Create(ctx context.Context, want resource.Object, m resource.Mark) (Progress, error) {
	sent, err := s.revealed(ctx, want)
	if err != nil {
		return Progress{}, refusal(err)
	}
	p, err := s.Session.Create(ctx, sent, m)
	return s.heard(p, want), s.veil.scrub(err)
}

func (s *veiled) Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (Progress, error) {
	sent, err := s.revealed(ctx, want)
	if err != nil {
		return Progress{}, refusal(err)
	}
	changes = slices.Clone(changes)
	for i := range changes {
		if changes[i].After, err = s.veil.reveal(ctx, changes[i].After); err != nil {
			return Progress{}, refusal(err)
		}
	}
	p, err := s.Session.Update(ctx, live, sent, changes)
	return s.heard(p, want), s.veil.scrub(err)
}

func (s *veiled) Delete(ctx context.Context, live, applied resource.Object) (Progress, error) {
	p, err := s.Session.Delete(ctx, live, applied)
	return s.heard(p, applied), s.veil.scrub(err)
}

// Find looks, and replays a create only with the very values that it was sent
// with: where one is not to be had any more, it looks alone.
func (s *veiled) Find(ctx context.Context, in Intent) (Progress, error) {
	want := in.Want
	sent, err := s.revealed(ctx, want)
	if err != nil {
		in.LookOnly = true
		left, _ := resource.Rewrite(want.Fields, func(v resource.Value) resource.Value {
			if _, ok := v.(resource.Secret); ok {
				return nil
			}
			return v
		}).(resource.Map)
		sent.Fields = left
	}
	in.Want = sent
	p, err := s.Session.Find(ctx, in)
	return s.heard(p, want), s.veil.scrub(err)
}

func (s *veiled) Rehearse(ctx context.Context, want resource.Object) error {
	sent, err := s.revealed(ctx, want)
	if err != nil {
		return s.veil.scrub(err)
	}
	return s.veil.scrub(s.Session.Rehearse(ctx, sent))
}

func (s *veiled) Poll(ctx context.Context, hs []resource.Handle) []Polled {
	out := s.Session.Poll(ctx, hs)
	for i := range out {
		out[i].Progress = s.heard(out[i].Progress, resource.Object{})
		out[i].Err = s.veil.scrub(out[i].Err)
	}
	return out
}

func (s *veiled) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	return s.veil.scrub(s.Session.Mark(ctx, live, m))
}

// revealed is an object with its secrets' values.
func (s *veiled) revealed(ctx context.Context, o resource.Object) (resource.Object, error) {
	v, err := s.veil.reveal(ctx, o.Fields)
	if err != nil {
		return o, err
	}
	o.Fields, _ = v.(resource.Map)
	return o, nil
}

// heard hides what an answer's object repeats of secrets: by its place where
// want has one, else by its value.
func (s *veiled) heard(p Progress, want resource.Object) Progress {
	if len(p.Object.Fields) == 0 {
		return p
	}
	f := s.veil.Conceal(p.Object.Fields, want.Fields)
	p.Object.Fields, _ = resource.Rewrite(f, s.veil.hide).(resource.Map)
	return p
}

// scrub hides secrets in an error's texts. One that holds none stays as it is.
func (v *Veil) scrub(err error) error {
	var fenced *FencedError
	if err == nil || errors.As(err, &fenced) || !v.tells(err) {
		return err
	}
	out := &resource.Failure{Class: resource.ClassOf(err), Message: v.text(err.Error())}
	var f *resource.Failure
	if errors.As(err, &f) {
		out.Op, out.Code, out.RequestID, out.After, out.Taken = f.Op, v.text(f.Code), v.text(f.RequestID), f.After, f.Taken
		out.Interrupted, out.Became = f.Interrupted, v.text(f.Became)
		if out.Message = v.text(f.Message); f.Message == "" && f.Err != nil {
			out.Message = v.text(f.Err.Error())
		}
	}
	return out
}

// tells reports whether the text of an error, or of a cause, holds a secret.
func (v *Veil) tells(err error) bool {
	if text := err.Error(); v.text(text) != text {
		return true
	}
	switch x := err.(type) { //nolint:errorlint // every error of the chain is looked at
	case interface{ Unwrap() error }:
		if cause := x.Unwrap(); cause != nil {
			return v.tells(cause)
		}
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(x.Unwrap(), v.tells)
	}
	return false
}
