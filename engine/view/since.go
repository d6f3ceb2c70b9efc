package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// sinceFields is how many fields of an object are named of those that differ.
const sinceFields = 3

// Sums gives what each step of the plan does, by its id: see plan.Step.
func (p *PlanJSON) Sums() map[string]string {
	out := make(map[string]string, len(p.Steps))
	for _, s := range p.Steps {
		out[s.ID] = s.Sum
	}
	return out
}

// Since says how what the plan would do to an object differs from what an
// earlier plan would have done: which field, its value then and its value now.
// The address is without its environment.
func (p *PlanJSON) Since(then *PlanJSON, address string) string {
	was, is := then.change(address), p.change(address)
	switch {
	case was == nil && is == nil:
		return "plan " + then.Plan + " did not touch it"
	case was == nil:
		return join(": ", "it is not in plan "+then.Plan, is.Why)
	case is == nil:
		return fmt.Sprintf("plan %s had it to %s: nothing of that is left to do", then.Plan, was.Action)
	case was.Action != is.Action:
		return join(": ", fmt.Sprintf("plan %s had it to %s, and now it is to %s", then.Plan, was.Action, is.Action), is.Why)
	case was.ID != is.ID:
		return fmt.Sprintf("plan %s was about %s, and its object is %s now", then.Plan, was.ID, is.ID)
	}
	var parts []string
	for _, path := range paths(was, is) {
		if text := fieldSince(path, was.field(path), is.field(path)); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return "it is not quite what plan " + then.Plan + " had: its $meta, what it refers to or its order changed"
	}
	if more := len(parts) - sinceFields; more > 0 {
		parts = append(parts[:sinceFields], count(more, "more field"))
	}
	return strings.Join(parts, "; ")
}

// Differs says of each object that either plan changes how what this one would do
// differs from what the earlier one would have done.
func (p *PlanJSON) Differs(then *PlanJSON) []string {
	was, is := then.Sums(), p.Sums()
	var out []string
	seen := map[string]bool{}
	for _, list := range [][]ChangeJSON{p.Changes, then.Changes} {
		for i := range list {
			a := list[i].Address
			if !seen[a] && !slices.Equal(stepsOf(was, a), stepsOf(is, a)) {
				out = append(out, a+": "+p.Since(then, a))
			}
			seen[a] = true
		}
	}
	return out
}

// stepsOf gives the steps of an object with what they do, in order.
func stepsOf(sums map[string]string, address string) []string {
	var out []string
	for id, sum := range sums {
		if words := strings.Fields(id); len(words) > 1 && words[1] == address {
			out = append(out, id+" "+sum)
		}
	}
	slices.Sort(out)
	return out
}

// change gives the plan's change to what lives at an address, or else to what it
// deposed there; nil for none.
func (p *PlanJSON) change(address string) *ChangeJSON {
	var out *ChangeJSON
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Address == address && (out == nil || !c.Deposed) {
			out = c
		}
	}
	return out
}

// paths gives the fields that either change names, in order.
func paths(a, b *ChangeJSON) []string {
	var out []string
	for _, c := range []*ChangeJSON{a, b} {
		for i := range c.Fields {
			out = append(out, c.Fields[i].Path)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *ChangeJSON) field(path string) *FieldJSON {
	i := slices.IndexFunc(c.Fields, func(f FieldJSON) bool { return f.Path == path })
	if i < 0 {
		return nil
	}
	return &c.Fields[i]
}

// fieldSince says how one field's change differs, "" where it does not.
func fieldSince(path string, was, is *FieldJSON) string {
	switch {
	case was == nil:
		return join(", ", path+" is "+kept(is.Before)+" now, and is to become "+is.becomes(), is.by())
	case is == nil:
		return path + " was " + kept(was.Before) + ", and nothing of it is left to do"
	case kept(was.Before) != kept(is.Before):
		return join(", ", path+" was "+kept(was.Before)+" and is "+kept(is.Before), is.by())
	case was.becomes() != is.becomes():
		return path + " was to become " + was.becomes() + ", and now " + is.becomes()
	}
	return ""
}

// becomes is the value that the field is to have.
func (f *FieldJSON) becomes() string {
	if f.Unknown {
		return unknownText
	}
	return kept(f.After)
}

// by says who changed the field outside, where that is known.
func (f *FieldJSON) by() string {
	if f.Cause == "drift" {
		return f.Why
	}
	return ""
}

// kept is a value as a plan's JSON holds it, on one line and in short.
func kept(v json.RawMessage) string {
	var b bytes.Buffer
	if len(v) == 0 || json.Compact(&b, v) != nil {
		return "not set"
	}
	return brief(clean(b.String()), foldAt)
}
