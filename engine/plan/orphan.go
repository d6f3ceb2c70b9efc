package plan

import (
	"fmt"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// An orphan is an object whose spec was lost rather than edited, or one that
// bears this estate's mark and that neither spec nor ledger knows. It waits for
// a person who names it, in every mode: to be deleted, or to be let go of.

// Named stands in a Held's Mend for the addresses of what is held.
const Named = "ADDRESS…"

// strayEntry is the entry that a stray would have if the ledger had known it.
func strayEntry(o *resource.Object, k Kind) *ledger.Entry {
	return &ledger.Entry{
		Key: ledger.Key{Address: o.Mark.Address, Token: o.Mark.Token}, Role: ledger.Current, Made: true,
		Record: ledger.Record{ID: o.ID, Outs: k.Outputs(*o)},
	}
}

// namedStrays gives items of the strays that a person named, as if the ledger
// had known them. What the spec adopts, by the tokens of taken, is none of them, nor
// what is one of several that bear its mark; elsewhere one may stand beside the
// object that its address has.
func namedStrays(in *Input, taken map[string]bool) []*item {
	var out []*item
	for i := range in.Strays {
		o := &in.Strays[i]
		key := ledger.Key{Address: o.Mark.Address, Token: o.Mark.Token}
		kind, known := in.Kinds[key.Address.Type()]
		ended := in.Ledger.Ended[key.Token]
		if in.Confirmed[key] == "" && in.Released[key] == "" || !known || ended != "" && ended != "not done" || taken[key.Token] || twins(in, o) != nil {
			continue
		}
		e := strayEntry(o, kind)
		if in.Ledger.Current(key.Address) != nil {
			e.Role = ledger.Deposed
		}
		if home := in.Homes[key.Token]; home != key.Address.Provider {
			e.Record.Meta.Alias = home
		}
		out = append(out, &item{addr: key.Address, entry: e, stray: true, live: Reading{Seen: Present, Object: *o}})
	}
	return out
}

// pending reports whether an item that nothing wants waits for a person to name
// it.
func (b *builder) pending(it *item) bool {
	return (it.untold() || !b.replaced(it) && (b.in.Lost || it.stray)) && b.in.Confirmed[it.entry.Key] == ""
}

// untold reports whether all that tells of an item's object is that it once bore the
// mark of an address that has another: nothing says that it was replaced by that one.
func (it *item) untold() bool {
	return it.entry.Role == ledger.Deposed && it.entry.Adopted && !it.stray && it.kind.Marked && !it.kind.Found
}

// replaced reports whether an item's object has been replaced and only waits to
// be deleted.
func (b *builder) replaced(it *item) bool {
	return it.entry.Role == ledger.Deposed && b.byAddr[it.addr] != nil
}

// name takes in what a person said of an item that nothing wants.
func (b *builder) name(it *item) {
	by := b.in.Released[it.entry.Key]
	switch w, waits := b.in.Awaited[it.entry.Key]; {
	case waits && by != "":
		it.hold(HeldMove, fmt.Sprintf("it is to be let go of, requested by %s, and %s", by, w.Text), "")
		return
	case waits && b.in.Destroy && it.live.Seen != Absent:
		it.hold(HeldMove, w.Text, w.Mend+", then destroy again")
		return
	case waits && !b.in.Destroy && it.live.Seen != Absent:
		if sure := b.in.Confirmed[it.entry.Key]; sure != "" {
			w.Text = fmt.Sprintf("it is to be deleted, confirmed by %s, and %s", sure, w.Text)
		}
		it.hold(HeldMove, w.Text, w.Mend)
		return
	}
	if by != "" && !it.kind.Lookup {
		it.named, it.action = true, Forget
		it.reasons = []Reason{{Cause: CauseSpec, Text: "let go of, requested by " + by}}
		return
	}
	if by := b.in.Confirmed[it.entry.Key]; by != "" && (it.stray || it.untold() || b.in.Lost && !b.replaced(it) || b.setBack(it) || it.namesake != nil) {
		it.named = true
		it.reasons = []Reason{{Cause: CauseSpec, Text: "an orphan, confirmed by " + by}}
	}
}

// orphaned holds an item until a person names it.
func (b *builder) orphaned(it *item) {
	if it.untold() {
		it.hold(HeldOrphan, fmt.Sprintf("%s bore the mark of %s when the ledger took it in, and another is there now: nothing says that it was made to be replaced", it.live.Object.ID, it.addr.Local()),
			fmt.Sprintf("delete it: isobar confirm %s %s, or let go of it: isobar forget %s %s", b.in.Env, Named, b.in.Env, Named))
		return
	}
	it.hold(HeldOrphan, "its spec is gone or empty, not edited", fmt.Sprintf(
		"bring the spec back; or name what is to be deleted: isobar confirm %s %s, or let go of: isobar forget %s %s", b.in.Env, Named, b.in.Env, Named))
}

// adrift is a stray that nobody named, as it is held.
func (b *builder) adrift(o *resource.Object) Held {
	if b.in.Destroy {
		return b.unknown(o)
	}
	h := Held{
		Address: o.Mark.Address, Token: o.Mark.Token, Action: Delete, Why: HeldOrphan,
		Text: fmt.Sprintf("%s bears this estate's mark, but neither the spec nor the ledger knows it", o.ID),
		Mend: fmt.Sprintf("put it back into the spec to adopt it; or delete it: isobar confirm %s %s, or let go of it: isobar forget %s %s",
			b.in.Env, Named, b.in.Env, Named),
	}
	switch by, it := b.another(o), b.byAddr[o.Mark.Address]; {
	case it != nil && it.entry != nil && it.live.Seen == Unread:
		return it.whichLives(o)
	case by == 0 && it != nil && it.entry != nil:
		h.Text = fmt.Sprintf("%s bears its mark, but its object is %s, and the ledger does not know this one", o.ID, it.entry.Record.ID)
		h.Mend = fmt.Sprintf("delete it: isobar confirm %s %s, or let go of it: isobar forget %s %s", b.in.Env, Named, b.in.Env, Named)
	case by == 0:
	case b.in.Ledger.Current(o.Mark.Address) == nil:
		h.Text = fmt.Sprintf("%s was made by store %s, and neither the spec nor this store's ledger knows it", o.ID, by)
	default:
		h.Text = fmt.Sprintf("%s was made by store %s, and this store, %s, has an object of its own at that address", o.ID, by, b.in.Holder)
		h.Mend = fmt.Sprintf("one store works on an environment: stop the other one there (isobar store info names a store), then delete what it made: "+
			"isobar confirm %s %s, or let go of it: isobar forget %s %s", b.in.Env, Named, b.in.Env, Named)
	}
	return h
}

// whichLives holds a stray at the address of an object that can't be seen: either
// may be the one that lives, as where a store is older than a replacement.
func (it *item) whichLives(o *resource.Object) Held {
	of := &item{addr: it.addr, live: it.live, action: Delete}
	of.holdUnseen()
	of.held.Token = o.Mark.Token
	of.held.Text = fmt.Sprintf("%s bears its mark, and whether %s, which the ledger has, is there yet can't be told: %s", o.ID, it.entry.Record.ID, of.held.Text)
	return *of.held
}

// another gives the store that an object's mark names, 0 where it is this one or
// where none is known.
func (b *builder) another(o *resource.Object) ledger.Holder { return foreign(b.in, o) }

func foreign(in *Input, o *resource.Object) ledger.Holder {
	if by := ledger.HolderIn(o.Mark.Token); in.Holder != 0 && by != in.Holder {
		return by
	}
	return 0
}

// unknown is a stray that a destroy found, as it is held: what another store
// holds is not this one's to delete, nor what no ledger tells of.
func (b *builder) unknown(o *resource.Object) Held {
	h := Held{
		Address: o.Mark.Address, Token: o.Mark.Token, Action: Delete, Why: HeldOrphan,
		Text: fmt.Sprintf("%s bears this environment's mark, but the store's ledger does not know it", o.ID),
		Mend: fmt.Sprintf("isobar apply %s adopts what the spec has, and destroy deletes that then; what it has no more: isobar confirm %s %s, or isobar forget %s %s",
			b.in.Env, b.in.Env, Named, b.in.Env, Named),
	}
	if by := b.another(o); by != 0 {
		h.Why, h.Text = HeldElsewhere, fmt.Sprintf("store %s holds %s: its marks are on the objects", by, b.in.Env)
		h.Mend = b.letTheOther() + "; then destroy it"
	}
	return h
}
