package plan

import (
	"fmt"
	"slices"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// An environment is held by one store: the one whose ledger its objects' marks
// come from. Another one does nothing there until a person has it take over.

// HeldElsewhere is why all of an environment is held whose objects bear the marks
// of another store.
const HeldElsewhere HeldWhy = "held elsewhere"

// elsewhere is what says that another store holds the environment.
type elsewhere struct {
	by    ledger.Holder
	since time.Time          // the last of its marks was written
	took  bool               // objects of this store's ledger are among them
	items map[*item]bool     // that bear its marks
	rest  []*resource.Object // the same, of which the spec knows nothing
}

// otherStore looks for another store's marks on what this one would work on; nil
// where there are none.
func (b *builder) otherStore() *elsewhere {
	if b.in.Holder == 0 {
		return nil
	}
	var out *elsewhere
	for _, it := range b.items {
		m := it.live.Object.Mark
		if len(it.rivals) > 0 {
			m = it.rivals[0].Mark
		}
		by := ledger.HolderIn(m.Token)
		if len(it.rivals) == 0 && (it.entry == nil || it.live.Seen != Present) || !it.kind.Marked || by == 0 || by == b.in.Holder || m.Estate != b.in.Estate || m.Env != b.in.Env {
			continue
		}
		if it.stray && it.want == nil || it.entry != nil && !it.stray && (m.Token == it.entry.Token || m.Address != it.entry.Address) {
			continue // nobody's any more, or ours after all
		}
		if out == nil {
			out = &elsewhere{items: map[*item]bool{}}
		}
		if at := ledger.TokenTime(m.Token); out.by == 0 || at.After(out.since) {
			out.by, out.since = by, at
		}
		out.took = out.took || it.entry != nil && !it.stray
		out.items[it] = true
	}
	if out == nil && !b.in.Destroy {
		return b.occupied()
	}
	return out
}

// owns reports whether the ledger has an object that can bear a mark: the store
// has worked on the environment.
func (b *builder) owns() bool {
	for _, e := range b.in.Ledger.Entries {
		if e.Made && b.in.Kinds[e.Address.Type()].Marked {
			return true
		}
	}
	return false
}

// occupied is another store's work in an environment that is new to this one,
// though their specs may have no address in common; nil for none.
func (b *builder) occupied() *elsewhere {
	if b.owns() {
		return nil
	}
	var out *elsewhere
	for i := range b.in.Strays {
		o := &b.in.Strays[i]
		by := b.another(o)
		if by == 0 {
			continue
		}
		if out == nil {
			out = &elsewhere{items: map[*item]bool{}}
		}
		if at := ledger.TokenTime(o.Mark.Token); out.by == 0 || at.After(out.since) {
			out.by, out.since = by, at
		}
		out.rest = append(out.rest, o)
	}
	return out
}

// Elsewhere gives the objects that bear another store's marks where this one
// would work, by address; there may be others of it that the spec knows nothing
// of. It is false where no other store is seen to work on the environment.
func Elsewhere(in Input) (map[resource.Address]resource.ID, bool) {
	b := newBuilder(in)
	e := b.otherStore()
	if e == nil {
		return nil, false
	}
	out := map[resource.Address]resource.ID{}
	for it := range e.items {
		if it.want != nil && it.entry != nil {
			out[it.addr] = it.live.Object.ID
		}
	}
	return out, true
}

// bar is the plan of an environment that another store holds: nothing, not even
// a word in the ledger.
func (b *builder) bar(e *elsewhere) *Plan {
	at := e.since.Format(time.RFC3339)
	text := fmt.Sprintf("store %s holds %s: its marks are on the objects, the last written at %s", e.by, b.in.Env, at)
	if e.took {
		text = fmt.Sprintf("store %s has taken %s over: its marks are on the objects, the last written at %s", e.by, b.in.Env, at)
	}
	mend := b.letTheOther()
	p := &Plan{Env: b.in.Env}
	for _, it := range b.items {
		if len(it.rivals) > 0 {
			it.held = nil
			b.undecided(it)
			p.Held = append(p.Held, *it.held)
			continue
		}
		if e.items[it] || it.action != "" || it.held != nil {
			p.Held = append(p.Held, Held{Address: it.addr, Token: it.key().Token, Action: it.action, Why: HeldElsewhere, Text: text, Mend: mend})
		}
	}
	for a := range b.in.Imports {
		p.Held = append(p.Held, Held{Address: a, Action: Adopt, Why: HeldElsewhere, Text: text, Mend: mend})
	}
	for _, o := range e.rest {
		if len(b.in.Imports) > 0 {
			break
		}
		p.Held = append(p.Held, Held{Address: o.Mark.Address, Token: o.Mark.Token, Why: HeldElsewhere, Text: text, Mend: mend})
	}
	slices.SortStableFunc(p.Held, func(x, y Held) int { return x.Address.Compare(y.Address) })
	return p
}

// letTheOther is what a person may do where another store holds the environment.
func (b *builder) letTheOther() string {
	return fmt.Sprintf("let that one do the work (isobar store info names a store); or, where it is gone or is to stop, isobar apply %s --take-over: "+
		"that writes the marks of this one, %s, and changes nothing else, and the other does nothing from then on", b.in.Env, b.in.Holder)
}

// takes reports whether an import takes an object of the ledger back from another
// store.
func (b *builder) takes(it *item, im Import) bool {
	m := im.Object.Mark
	by := ledger.HolderIn(m.Token)
	return b.in.TakeOver && it.entry != nil && it.entry.Record.ID == im.Object.ID && it.kind.Marked && m.Token != it.entry.Token &&
		by != 0 && by != b.in.Holder
}
