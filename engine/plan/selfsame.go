package plan

import (
	"cmp"
	"fmt"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// What the ledger owns by its id, and sees there, is its entry's object whatever token
// its mark has by now: somebody wrote a mark from elsewhere onto it, or the store is
// older than the mark. It is never a stray beside itself, which a person might have
// deleted. Where its mark is this store's, of its own address, the ledger's token is
// written anew.

// MarkChanged is the text of the reason to write the ledger's token into a mark.
const MarkChanged = "the token of its mark was changed outside"

// objectOf is an object of a kind; several scopes may have one.
type objectOf struct {
	kind string
	id   resource.ID
}

// seenObjects gives the entries whose objects are there, by these.
func seenObjects(in *Input) map[objectOf][]*ledger.Entry {
	out := make(map[objectOf][]*ledger.Entry, len(in.Ledger.Entries))
	for key, e := range in.Ledger.Entries {
		if r := in.Live[key]; r.Seen == Present && e.Record.ID != "" && r.Object.ID == e.Record.ID {
			at := objectOf{e.Address.Type(), e.Record.ID}
			out[at] = append(out[at], e)
		}
	}
	return out
}

// spoken gives the addresses that a spec names: those that it wants, and those from
// which it moves what it wants.
func spoken(in *Input) map[resource.Address]bool {
	out := make(map[resource.Address]bool, len(in.Desired))
	for i := range in.Desired {
		out[in.Desired[i].Address] = true
		if from := in.Desired[i].Meta.MovedFrom; from != nil {
			out[*from] = true
		}
	}
	return out
}

// selfsame reports whether a stray is an object of one of the entries, which are
// those that have its id. One whose mark names another address that the spec has is
// that address's where the spec has the entry's no more.
func selfsame(in *Input, o *resource.Object, entries []*ledger.Entry, asked map[resource.Address]bool) bool {
	to := o.Mark.Address
	for _, e := range entries {
		home, now := e.Record.Scope, in.Scopes[cmp.Or(in.Homes[o.Mark.Token], to.Provider)]
		if home != "" && now != "" && home != now {
			continue
		}
		if to == e.Address || asked[e.Address] || !asked[to] {
			return true
		}
	}
	return false
}

// disputed gives the entries whose objects bear the marks of other wanted addresses,
// with tokens that are not the ledger's, by those; the spec has the entries', too.
func disputed(in *Input, wanted map[resource.Address]bool) map[resource.Address]*ledger.Entry {
	out := map[resource.Address]*ledger.Entry{}
	var asked map[resource.Address]bool
	for _, e := range in.Ledger.Entries {
		r := in.Live[e.Key]
		m := r.Object.Mark
		to := m.Address
		if r.Seen != Present || r.Object.ID != e.Record.ID || m.Estate != in.Estate || m.Env != in.Env || m.Token == e.Token ||
			to == e.Address || to.Type() != e.Address.Type() || !wanted[to] || foreign(in, &r.Object) != 0 {
			continue
		}
		if asked == nil {
			asked = spoken(in)
		}
		if !asked[e.Address] {
			continue
		}
		if had := out[to]; had == nil || had.Token < e.Token {
			out[to] = e
		}
	}
	return out
}

// otherToken reports whether the item's object, which the ledger owns by its id,
// bears this store's mark of the item's address with another token than the ledger's.
func (b *builder) otherToken(it *item) bool {
	m := it.live.Object.Mark
	return it.kind.Marked && it.entry != nil && !it.stray && it.live.Seen == Present && it.live.Object.ID == it.entry.Record.ID &&
		m.Estate == b.in.Estate && m.Env == b.in.Env && m.Token != it.entry.Token && it.placed() && b.another(&it.live.Object) == 0
}

// retokened reports whether the ledger's token is written into the item's mark.
func (b *builder) retokened(it *item) bool {
	return it.want != nil && b.otherToken(it) && (it.live.Trail == nil || !it.live.Trail.Mark)
}

// holdToken holds a deletion of what bears another token than the ledger's.
func (b *builder) holdToken(it *item) {
	mend := "put it back into the spec and apply, which marks it again; or delete it by hand"
	switch {
	case b.in.Destroy:
		mend = fmt.Sprintf("isobar apply %s marks it again; then destroy it", b.in.Env)
	case it.want != nil:
		mend = "apply the spec as it was, which marks it again; or delete it by hand"
	}
	it.hold(HeldUnowned, fmt.Sprintf("the mark of %s has another token than the ledger", it.live.Object.ID), mend)
}
