package plan

import (
	"fmt"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// MarkGone is the text of the reason to put a lost mark back.
const MarkGone = "its mark was taken off outside"

// misnamed reports whether the live mark is ours and names another address: the
// entry moved, and the mark did not yet.
func (it *item) misnamed() bool {
	m := it.live.Object.Mark
	return it.kind.Marked && m.Token == it.entry.Token && m.Address != it.addr
}

// bare reports whether the item's object, which the ledger owns by its id, bears
// no mark, and not only because the read may be older than ours or broke off.
func (it *item) bare() bool {
	return it.kind.Marked && it.entry != nil && !it.stray && it.live.Seen == Present && it.live.Object.ID == it.entry.Record.ID &&
		it.live.Object.Mark.IsZero() && !it.live.MarkUnread && (it.live.Trail == nil || !it.live.Trail.Mark)
}

// unmarked reports whether the item's mark is lost and is put back unasked. An id
// that is never given twice says by itself that the object is ours; of one whose
// create's mark was dropped the ledger says so.
func (it *item) unmarked() bool {
	return it.want != nil && it.bare() && (!it.kind.Named || it.entry.Record.Bare)
}

// markReason says why the item is unmarked.
func (it *item) markReason() Reason {
	if it.entry.Record.Bare {
		return Reason{Cause: CauseMark, Text: "the mark of its create was dropped"}
	}
	return Reason{Cause: CauseDrift, Text: MarkGone}
}

// markStep writes our mark onto an object that the ledger owns.
func (it *item) markStep() Step {
	return Step{
		ID: "mark " + it.addr.Local(), Op: ledger.Adopt, Address: it.addr, Token: it.entry.Token, Live: it.live.Object.ID, Meta: it.want.Meta,
	}
}

// ofMark notes of an object that stays that its mark would not let it go.
func (b *builder) ofMark(it *item) []Note {
	m := it.live.Object.Mark
	switch {
	case it.want == nil || it.entry == nil || !it.kind.Marked || it.live.Seen != Present || it.fresh:
		return nil
	case it.bare() && it.kind.Named && !it.unmarked():
		return []Note{{Address: it.addr, Drift: true, Text: fmt.Sprintf(
			"%s: deleting it is refused until isobar import %s %s %s puts it back", MarkGone, b.in.Env, it.addr.Local(), it.live.Object.ID)}}
	case m.IsZero() || b.ours(it) || b.returns(it) || b.otherToken(it):
		return nil
	}
	text := fmt.Sprintf("%s bears %s: it is not marked again, and deleting it is refused while that is so", it.live.Object.ID, b.whose(m))
	switch g := b.in.Gone[m.Token]; {
	case m.Token == it.entry.Token && it.usurped(b.in):
		text += "; " + b.twoOwners(it)
	case g.Mend != "":
		text += "; " + g.Mend
	}
	return []Note{{Address: it.addr, Drift: true, Text: text}}
}

// foreign holds what is to be done to an object that another estate, or another
// environment of this one, has marked as its own since: two that put it back in turn
// would never end.
func (b *builder) foreign(it *item) {
	m := it.live.Object.Mark
	switch {
	case it.stray || it.action == "":
	case it.kind.Marked && m.Estate != "" && m.Estate != b.in.Estate && m.Token != it.entry.Token:
		it.hold(HeldUnowned, fmt.Sprintf("%s bears %s", it.live.Object.ID, b.whose(m)), b.oneOwner(m))
	case it.usurped(b.in) && !b.returns(it):
		mend := b.twoOwners(it)
		if g := b.in.Gone[m.Token]; g.Mend != "" {
			mend = g.Mend
		}
		it.hold(HeldUnowned, fmt.Sprintf("%s bears %s", it.live.Object.ID, b.whose(m)), mend)
	}
}

// twoOwners mends that the ledger has what bears the mark of another environment. A
// mark with the ledger's own token was changed by hand.
func (b *builder) twoOwners(it *item) string {
	let := fmt.Sprintf("where that one manages it, let go of it here: isobar forget %s %s", b.in.Env, it.addr.Local())
	m := it.live.Object.Mark
	switch {
	case m.Token != it.entry.Token:
		return let + "; else take its isobar: tags off by hand, and it is marked again"
	case m.Address.Env == b.in.Env:
		return fmt.Sprintf("%s; else set its tag %s back to %s by hand", let, resource.MarkEnv, b.in.Env)
	}
	return fmt.Sprintf("%s; else set its tags %s and %s back to %s and %s by hand", let, resource.MarkEnv, resource.MarkAddress, b.in.Env, it.entry.Address)
}

// renamedEstate holds all there is to do where the ledger's own objects bear their
// marks under another estate's id: the id was changed, and under the new one they
// are nobody's.
func (b *builder) renamedEstate() {
	was := ""
	for _, it := range b.items {
		m := it.live.Object.Mark
		if it.entry != nil && !it.stray && it.live.Seen == Present && it.kind.Marked && m.Token == it.entry.Token && m.Estate != "" && m.Estate != b.in.Estate {
			was = m.Estate
		}
	}
	if was == "" {
		return
	}
	for _, it := range b.items {
		if it.action != "" && it.held == nil && !it.letGo() {
			it.hold(HeldUnowned, fmt.Sprintf("the objects of %s bear the marks of the estate %s, and this one is %s", b.in.Env, was, b.in.Estate),
				fmt.Sprintf("put estate: %q back into isobar.cue", was))
		}
	}
}

// ours reports whether the live mark says that the item's object is this
// environment's, at whatever address.
func (b *builder) ours(it *item) bool {
	m := it.live.Object.Mark
	return m.Token == it.entry.Token && m.Estate == b.in.Estate && m.Env == b.in.Env
}

// whose says what a mark names, with the store that wrote it where that is another.
func (b *builder) whose(m resource.Mark) string {
	text := fmt.Sprintf("the mark of %s, estate %s", m.Address, m.Estate)
	if m.Env != m.Address.Env {
		text = fmt.Sprintf("the mark of %s, environment %s, estate %s", m.Address.Local(), m.Env, m.Estate)
	}
	if by := b.another(&resource.Object{Mark: m}); by != 0 {
		text += fmt.Sprintf(", written by store %s", by)
	}
	return text
}

// oneOwner mends that an object bears another's mark.
func (b *builder) oneOwner(m resource.Mark) string {
	if by := b.another(&resource.Object{Mark: m}); by != 0 {
		return fmt.Sprintf("one place manages an object: with store %s (isobar store info names a store), let go of it there: isobar forget %s %s; "+
			"or take its isobar: tags off by hand if nothing manages it any more", by, m.Env, m.Address.Local())
	}
	return "one place manages an object: release it there first, or take its isobar: tags off by hand if nothing manages it any more"
}

// confirm holds a deletion that the live mark does not confirm.
func (b *builder) confirm(it *item) {
	if !it.kind.Marked {
		b.askAgain(it)
		return
	}
	if b.ours(it) && it.placed() {
		return
	}
	o := it.live.Object
	if b.ours(it) {
		it.hold(HeldUnowned, fmt.Sprintf("%s bears the mark of %s: it was moved there, and this ledger does not know of it", o.ID, o.Mark.Address.Local()),
			fmt.Sprintf("with %s in the spec, and nothing else there in the ledger, isobar apply %s takes the move in; or let go of it: isobar forget %s %s", o.Mark.Address.Local(), b.in.Env, b.in.Env, it.addr.Local()))
		return
	}
	if t := it.live.Trail; t != nil && t.Mark {
		it.holdLate("its mark is not to be seen yet")
		return
	}
	if b.otherToken(it) {
		b.holdToken(it)
		return
	}
	if g, gone := b.in.Gone[o.Mark.Token]; gone && o.Mark.Estate == b.in.Estate {
		it.hold(HeldUnowned, fmt.Sprintf("%s bears %s, and that environment is gone", o.ID, b.whose(o.Mark)), b.fromGone(it, g))
		return
	}
	if !o.Mark.IsZero() {
		mend := b.oneOwner(o.Mark)
		if it.usurped(b.in) && o.Mark.Token == it.entry.Token {
			mend = b.twoOwners(it)
		}
		it.hold(HeldUnowned, fmt.Sprintf("%s bears %s", o.ID, b.whose(o.Mark)), mend)
		return
	}
	mend := "put it back into the spec and apply, which marks it again; or delete it by hand"
	switch {
	case it.want != nil && !it.kind.Named:
		mend = "apply the spec as it was, which marks it again; or delete it by hand"
	case it.kind.Named:
		mend = fmt.Sprintf("with it in the spec as it was, isobar import %s %s %s marks it again; or delete it by hand", b.in.Env, it.addr.Local(), o.ID)
	}
	it.hold(HeldUnowned, string(o.ID)+" no longer bears our mark", mend)
}
