package apply

import (
	"errors"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// unseen sorts what a call that answered NotFound may have missed. Only what was
// written a moment ago can be not there yet: the cloud's parts learn of a write
// one after the other. What nobody wrote just now stays missing, however long one
// waits.
type unseen struct {
	fresh []string // texts that name what this run, or one within its kind's Lag, wrote
	stale []naming // texts that name what nobody wrote just now
}

// naming is a text of a call, and what to do where it names nothing.
type naming struct{ text, mend string }

// missing gathers what the step's call names.
func (t *taking) missing() unseen {
	var u unseen
	if e := t.entry; e.Record.ID != "" {
		u.add(string(e.Record.ID), "it is gone: plan again", t.x.young(&e))
	}
	t.gather(&u, nil, t.step.Want)
	for _, c := range t.step.Changes {
		t.gather(&u, c.Path, c.After)
	}
	return u
}

// gather walks a value that the call set at a path.
func (t *taking) gather(u *unseen, at resource.Path, v resource.Value) {
	switch v := v.(type) {
	case resource.Map:
		for name, e := range v {
			t.gather(u, append(slices.Clip(at), name), e)
		}
	case resource.List:
		for _, e := range v {
			t.gather(u, at, e)
		}
	case resource.Template:
		for _, e := range v {
			if r, ok := e.(resource.Ref); ok { // what else is in it names nothing whole
				t.gather(u, at, r)
			}
		}
	case resource.Ref:
		out, _ := t.x.output(v) // the call was made: it was told before
		if s, ok := out.(resource.String); ok {
			u.add(string(s), v.Address.Local()+" is gone: plan again", t.x.recent(v.Address))
		}
	case resource.String:
		u.add(string(v), at.String()+" names what is not in "+t.account.Session.Scope()+": correct it in the spec", t.x.wrote(resource.ID(v)))
	}
}

func (u *unseen) add(text, mend string, fresh bool) {
	switch {
	case text == "":
	case fresh:
		u.fresh = append(u.fresh, text)
	default:
		u.stale = append(u.stale, naming{text, mend})
	}
}

// blames gives the stale naming that the provider's words are about; ok is false
// where they are about something fresh, or may be.
func (u *unseen) blames(words string) (n naming, ok bool) {
	if slices.ContainsFunc(u.fresh, func(s string) bool { return mentions(words, s) }) {
		return n, false
	}
	for _, s := range u.stale { // the longest: one id may hold another
		if mentions(words, s.text) && len(s.text) > len(n.text) {
			n = s
		}
	}
	return n, n.text != "" || len(u.fresh) == 0
}

// mentions reports whether words hold a text that is no part of a longer name.
func mentions(words, text string) bool {
	for at := 0; ; {
		i := strings.Index(words[at:], text)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(text)
		if (i == 0 || !inName(words[i-1])) && (end == len(words) || !inName(words[end])) {
			return true
		}
		at = i + 1
	}
}

// inName reports whether a byte may be within an id.
func inName(c byte) bool {
	return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// recent reports whether what stands at an address may not be seen yet: this run
// writes to it, or the last write was within its kind's Lag. When another
// environment wrote it, nobody here knows.
func (x *execution) recent(a resource.Address) bool {
	if a.Env != x.run.Journal.Env || x.touched[a] {
		return true
	}
	e, ok := x.run.Journal.current(a)
	return ok && x.young(&e)
}

// young reports whether reads, and calls that name the entry's object, may not
// know of its last write yet.
func (x *execution) young(e *ledger.Entry) bool {
	k, _, _ := x.Kinds.Kind(e.Address.Type())
	return x.Now().Before(e.At.Add(k.Lag))
}

// wrote reports whether an id that the spec spells out is that of something
// written just now.
func (x *execution) wrote(id resource.ID) bool {
	found := false
	x.run.Journal.View(func(s *ledger.State) {
		for _, e := range s.Entries {
			found = found || e.Record.ID == id && x.young(e)
		}
	})
	return found
}

// writes reports whether a step's call makes or changes its object.
func writes(op ledger.Op) bool {
	switch op {
	case ledger.Create, ledger.Update, ledger.Clear, ledger.Adopt:
		return true
	case ledger.Delete, ledger.Release, ledger.Pin, ledger.Forget:
	}
	return false
}

// passes reports whether a refusal may pass by itself.
func (t *taking) passes(err error) bool {
	switch resource.ClassOf(err) {
	case resource.Conflict:
		return true
	case resource.NotFound:
		if t.step.Op == ledger.Delete {
			return false
		}
		missed := t.missing()
		_, lasts := missed.blames(err.Error())
		return errors.Is(err, errUntold) || !lasts
	case resource.Invalid, resource.Denied, resource.Throttled, resource.Transient, resource.UnknownOutcome, resource.Bug:
	}
	return false
}

// pointed adds to a NotFound that does not pass which name is the wrong one, and
// what to do about it.
func (t *taking) pointed(err error) error {
	var f *resource.Failure
	if !errors.As(err, &f) || f.Class != resource.NotFound || t.step.Op == ledger.Delete {
		return err
	}
	missed := t.missing()
	n, lasts := missed.blames(f.Message)
	if !lasts || n.mend == "" {
		return err
	}
	told := *f
	told.Message = strings.TrimRight(f.Message, ". ") + ": " + n.mend
	return &told
}
