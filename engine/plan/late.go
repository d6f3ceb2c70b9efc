package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/resource"
)

// Trail is what of an object may be older than our own last write to it.
type Trail struct {
	Wrote  time.Time // when we wrote it last
	Until  time.Time // from when on reads show that for certain
	Seen   time.Time // when it was read
	Fields []string  // top-level fields that read as before the write, and are Unread in the Object; sorted
	Mark   bool      // it reads as if it bore no mark, or an earlier token
}

// Late is an object of which something reads as it was before our own write.
// Nothing is done about it: whether it was changed outside can be told from Until
// on.
type Late struct {
	Address resource.Address
	Fields  []string // top-level, sorted
	Mark    bool     // its mark, too
	Wrote   time.Time
	Until   time.Time
}

// Unsure is what is late, and what is held for it: the latter names no fields.
func (p *Plan) Unsure() []Late {
	out := slices.Clone(p.Late)
	for i := range p.Held {
		if l := p.Held[i].Late; l != nil {
			out = append(out, *l)
		}
	}
	return out
}

// Ripe is when the first of what is late or in doubt, or held for it, can be told;
// zero where nothing is.
func (p *Plan) Ripe() time.Time {
	var out time.Time
	for _, l := range p.Unsure() {
		if out.IsZero() || l.Until.Before(out) {
			out = l.Until
		}
	}
	for i := range p.Held {
		if u := p.Held[i].Until; !u.IsZero() && (out.IsZero() || u.Before(out)) {
			out = u
		}
	}
	return out
}

// trails reports whether a top-level field reads as before our last write.
func (r *Reading) trails(field string) bool {
	return r.Trail != nil && slices.Contains(r.Trail.Fields, field)
}

// late says what of an item that is not held can't be told yet.
func (it *item) late() []Late {
	t := it.live.Trail
	if t == nil || it.diff == nil || it.replaces() {
		return nil
	}
	fields := slices.Compact(slices.Sorted(slices.Values(it.diff.late)))
	if len(fields) == 0 && !t.Mark {
		return nil
	}
	return []Late{{Address: it.addr, Fields: fields, Mark: t.Mark, Wrote: t.Wrote, Until: t.Until}}
}

// holdField holds an item of whose field nothing is known that could be compared.
func (it *item) holdField(p resource.Path) {
	if !it.live.trails(p[0]) {
		it.hold(HeldUnread, it.notRead(p), "")
		return
	}
	it.holdLate(p.String() + " still reads as before")
}

// notRead says that a field could not be read, and why where the provider knows.
func (it *item) notRead(p resource.Path) string {
	why := resource.WhyUnread(it.live.Object.Fields[p[0]])
	if why != "" {
		why = ": " + why
	}
	return p.String() + " could not be read" + why
}

// Blind reports whether it is a field that can't be read, though nothing is to be
// done about it: whether it was changed outside nobody knows. The rest of its object
// goes on.
func (h *Held) Blind() bool { return h.Why == HeldUnread && h.Field != "" }

// blind lists the item's fields that can't be read and are not to be changed.
func (it *item) blind() []Held {
	if it.diff == nil || it.replaces() {
		return nil
	}
	var out []Held
	for _, p := range it.diff.blind {
		out = append(out, Held{
			Address: it.addr, Token: it.key().Token, Action: Update, Why: HeldUnread, Field: p.String(), Text: it.notRead(p),
			Mend: "let isobar read it: till then nobody knows whether it was changed outside",
		})
	}
	return out
}

// holdUnseen holds an item whose object was not read at all.
func (it *item) holdUnseen() {
	if it.live.Trail == nil {
		it.hold(HeldUnread, "it could not be read: "+it.live.Why, "")
		return
	}
	it.holdLate("it is not to be seen yet")
}

func (it *item) holdLate(what string) {
	if it.held != nil {
		return
	}
	t := it.live.Trail
	until := clock(t.Until)
	it.hold(HeldLate, fmt.Sprintf("%s: isobar wrote it %s ago, and reads may trail that until %s", what, age(t.Seen.Sub(t.Wrote)), until),
		"wait until "+until+", then apply again; isobar serve does so by itself")
	it.held.Late = &Late{Address: it.addr, Wrote: t.Wrote, Until: t.Until}
}

// clock writes a time of day. A plan knows no zone but UTC; seconds are rounded
// up, so that what is said of a time is true from then on.
func clock(t time.Time) string {
	return t.UTC().Add(time.Minute - time.Nanosecond).Format("15:04 UTC")
}

// age writes how old a write is, in whole minutes or seconds.
func age(d time.Duration) string {
	n, unit := int(d.Minutes()), "minute"
	if n == 0 {
		n, unit = max(int(d.Seconds()), 0), "second"
	}
	return strings.TrimSuffix(fmt.Sprintf("%d %ss", n, unit), map[bool]string{true: "s"}[n == 1])
}
