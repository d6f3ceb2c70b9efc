package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"isobar.dev/engine/resource"
)

// Flap is what is kept of a field that was put back of late.
type Flap struct {
	Backs  []time.Time `json:"backs"`           // when it was put back, oldest first
	By     string      `json:"by,omitempty"`    // who changed it last, where a provider knows
	Paused time.Time   `json:"paused,omitzero"` // since when it is left alone; zero: it is not
	Seen   time.Time   `json:"seen,omitzero"`   // paused: when it was last found changed

	Refused *Refusal `json:"refused,omitempty"` // what was refused of it at the cost of an interruption, or nil
}

// blank reports whether nothing is kept.
func (f *Flap) blank() bool { return f.Paused.IsZero() && len(f.Backs) == 0 && f.Refused == nil }

// Flaps are what is kept of an environment's fields, by FieldName.
type Flaps map[string]Flap

// FieldName names a field of an object within its environment:
// "aws.vpc/main.tags.owner".
func FieldName(a resource.Address, p resource.Path) string { return a.Local() + "." + p.String() }

// Flapping says how often a field is put back before it is left alone: somebody
// means it, or another program. Times 0 is without end.
type Flapping struct {
	Times  int           // that it is put back
	Within time.Duration // counted over the last so long
}

// Paused gives the fields that are not put back any more, each with why.
func (l Flapping) Paused(flaps Flaps, now time.Time) map[string]string {
	out := map[string]string{}
	for name, f := range flaps {
		if !f.Paused.IsZero() || l.Times > 0 && len(l.lately(f, now)) >= l.Times {
			out[name] = l.words(f)
		}
	}
	return out
}

// words say how often, and who it was last.
func (l Flapping) words(f Flap) string {
	text := fmt.Sprintf("put back %s within %s", times(len(f.Backs)), span(l.Within))
	if n := len(f.Backs); n > 0 {
		text += ", last at " + f.Backs[n-1].UTC().Format("15:04 UTC")
	}
	if f.By != "" {
		text += ", last changed by " + f.By
	}
	return text
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// span writes a duration for people: "1 h", "90 min".
func span(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}

// lately are the times within the span that counts.
func (l Flapping) lately(f Flap, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(f.Backs), func(at time.Time) bool { return now.Sub(at) > l.Within })
}

// Back notes that fields were put back at a time, each with who had changed it.
func (l Flapping) Back(flaps Flaps, back map[string]string, now time.Time) Flaps {
	out := maps.Clone(flaps)
	if l.Times == 0 || len(back) == 0 {
		return out
	}
	if out == nil {
		out = Flaps{}
	}
	for name, by := range back {
		f := out[name]
		f.Backs, f.By = append(l.lately(f, now), now), cmp.Or(by, f.By)
		out[name] = f
	}
	return out
}

// Look notes which fields a plan found changed and left alone: they are paused
// from then on. What was put back too long ago to count is forgotten, and so is
// a pause once its field was as wanted for as long.
func (l Flapping) Look(flaps Flaps, left []string, now time.Time) Flaps {
	var out Flaps
	for name, f := range flaps {
		switch {
		case slices.Contains(left, name):
			if f.Seen = now; f.Paused.IsZero() {
				f.Paused, f.Backs = now, l.lately(f, now)
			}
		case f.Paused.IsZero():
			f.Backs = l.lately(f, now)
		}
		if !f.Paused.IsZero() && now.Sub(f.Seen) > l.Within {
			f.Backs, f.By, f.Paused, f.Seen = nil, "", time.Time{}, time.Time{}
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

// fought lists the item's fields that are left alone.
func (b *builder) fought(it *item) []Held {
	if it.diff == nil || it.replaces() {
		return nil
	}
	var out []Held
	for _, p := range it.diff.paused {
		name := FieldName(it.addr, p)
		out = append(out, Held{
			Address: it.addr, Token: it.key().Token, Action: Update, Why: HeldFlapping, Field: p.String(), Text: p.String() + " flaps, " + b.in.Paused[name],
			Mend: "end what changes it, then isobar resume " + b.in.Env + " " + name + "; or change it in the spec, or name it in ignoreChanges",
		})
	}
	return out
}
