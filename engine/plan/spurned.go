package plan

import (
	"fmt"
	"maps"
	"time"

	"isobar.dev/engine/resource"
)

// refusedFor is how long a change waits that a provider refused for a reason
// that may pass, such as want of capacity, once it had interrupted the object.
const refusedFor = 6 * time.Hour

// Refusal is kept of a field's change that a provider refused only once it had
// interrupted what the object serves: each further try would interrupt it again.
type Refusal struct {
	Want  string    `json:"want"`           // the value that was asked for, encoded
	Why   string    `json:"why"`            // the provider's words
	At    time.Time `json:"at"`             // when
	Again time.Time `json:"again,omitzero"` // when it is asked for once more; zero: time changes nothing
}

// RefusalOf is what is kept of a failure that says that it interrupted an object
// for a value.
func RefusalOf(f *resource.Failure, want resource.Value, now time.Time) Refusal {
	said := *f
	said.Became = ""
	r := Refusal{Want: encoded(want), Why: said.Error(), At: now}
	if f.Class != resource.Invalid {
		r.Again = now.Add(refusedFor)
	}
	return r
}

// Spurned gives the refusals that still hold, by FieldName.
func (fs Flaps) Spurned(now time.Time) map[string]Refusal {
	out := map[string]Refusal{}
	for name, f := range fs {
		if r := f.Refused; r != nil && (r.Again.IsZero() || now.Before(r.Again)) {
			out[name] = *r
		}
	}
	return out
}

// Refuse notes refusals, by FieldName, in place of earlier ones.
func (fs Flaps) Refuse(refused map[string]Refusal) Flaps {
	if len(refused) == 0 {
		return fs
	}
	out := maps.Clone(fs)
	if out == nil {
		out = Flaps{}
	}
	for name, r := range refused {
		f := out[name]
		f.Refused = &r
		out[name] = f
	}
	return out
}

// Past forgets the refusals of fields of which a plan says nothing any more: they
// are as wanted, wanted otherwise, or asked for again. open reports whether it
// holds something of a field's object.
func (fs Flaps) Past(open func(name string) bool) Flaps {
	var out Flaps
	for name, f := range fs {
		if f.Refused != nil && !open(name) {
			f.Refused = nil
		}
		if f.blank() {
			continue
		}
		if out == nil {
			out = Flaps{}
		}
		out[name] = f
	}
	return out
}

func encoded(v resource.Value) string { return string(resource.Encode(v)) }

// spurns reports whether a change was refused as it is, after an interruption.
func (d *differ) spurns(c FieldChange) bool {
	r, ok := d.spurned[FieldName(d.item.addr, c.Path)]
	if !ok || r.Want != encoded(c.After) {
		return false
	}
	d.waits = append(d.waits, c)
	return true
}

// spurned lists the item's fields that are not asked for again.
func (b *builder) spurned(it *item) []Held {
	if it.diff == nil || it.replaces() {
		return nil
	}
	var out []Held
	for _, c := range it.diff.waits {
		name := FieldName(it.addr, c.Path)
		r := b.in.Spurned[name]
		text := fmt.Sprintf("%s stays %s: %s was refused at %s once the object had been interrupted for it, and would interrupt it again (%s)",
			c.Path, encoded(c.Before), r.Want, r.At.UTC().Format("2006-01-02 15:04 UTC"), r.Why)
		mend := "write another " + c.Path.String() + "; or mend what was refused, then isobar resume " + b.in.Env + " " + name
		if !r.Again.IsZero() {
			mend = "wait until " + r.Again.UTC().Format("2006-01-02 15:04 UTC") + ", when it is tried again; or mend what was refused, then isobar resume " + b.in.Env + " " + name
		}
		out = append(out, Held{Address: it.addr, Token: it.key().Token, Action: Update, Why: HeldSpurned, Field: c.Path.String(), Text: text, Mend: mend})
	}
	return out
}
