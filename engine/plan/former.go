package plan

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// An environment that was renamed takes what it had under its former name, an
// object at a time: each by an import, which writes its mark anew. The former
// one's ledger lets go of it once this one's has it.

// HeldMove is why something is not made that exists under the environment's
// former name.
const HeldMove HeldWhy = "not moved yet"

// formerly gives an address as it was under the environment's former name, the
// zero one where it had none.
func (b *builder) formerly(a resource.Address) resource.Address {
	if b.in.Former == "" {
		return resource.Address{}
	}
	if from := b.in.Imports[a].From; !from.IsZero() {
		return from
	}
	a.Env = b.in.Former
	return a
}

// untaken holds in a destroy what the former name's ledger still has.
func (b *builder) untaken() {
	for a, w := range b.in.Waiting {
		if b.in.Destroy {
			b.held = append(b.held, Held{Address: a, Action: Delete, Why: HeldMove, Text: w.Text, Mend: w.Mend})
		}
	}
}

// MovedFrom begins the reason of a change by which an object gets another name; the one
// that it had follows.
const MovedFrom = "moved from "

// MovedTo begins the word of the ledger that lets go of what another environment's
// has; its address follows.
const MovedTo = "moved to "

// Wait is why something is not taken that stands under a former name, and what
// a person may do.
type Wait struct{ Text, Mend string }

// Gone is a mark of this estate and this store under the name of an environment
// that is gone, where no environment that is there owns the object: the trace of a
// rename. Mend says what must be done before ours is written in its place, "" for
// nothing.
type Gone struct{ Mend string }

// over gives the token of the mark under a former name in whose place an import's
// is written.
func (b *builder) over(it *item) string {
	if m := it.live.Object.Mark; b.in.Former != "" && (m.Address == b.formerly(it.addr) || b.passed(m, it.addr)) {
		return m.Token
	}
	return ""
}

// passed reports whether a mark says that what comes from the former name has been
// the same resource under yet another one, which is gone too.
func (b *builder) passed(m resource.Mark, a resource.Address) bool {
	g, gone := b.in.Gone[m.Token]
	a.Env = m.Env
	return b.in.Former != "" && gone && g.Mend == "" && m.Estate == b.in.Estate && m.Address == a
}

// returns reports whether the item's object, which the ledger owns by its id, bears
// the mark of a rename that was taken back: it is marked again.
func (b *builder) returns(it *item) bool {
	m := it.live.Object.Mark
	if it.want == nil || it.entry == nil || it.stray || !it.kind.Marked || it.live.Seen != Present || it.live.Object.ID != it.entry.Record.ID {
		return false
	}
	g, gone := b.in.Gone[m.Token]
	return gone && g.Mend == "" && m.Estate == b.in.Estate && m.Token != it.entry.Token
}

// returnReason says why the item returns.
func (it *item) returnReason() Reason {
	m := it.live.Object.Mark.Address
	return Reason{Cause: CauseMark, Text: fmt.Sprintf("marked as %s, and %s is gone", m, m.Env)}
}

// fromGone mends that an object is to be deleted which bears the mark of an
// environment that is gone.
func (b *builder) fromGone(it *item, g Gone) string {
	switch {
	case b.in.Destroy:
		return fmt.Sprintf("isobar apply %s marks it again; then destroy it", b.in.Env)
	case it.want != nil && g.Mend != "":
		return "apply the spec as it was, and " + g.Mend
	case it.want != nil:
		return "apply the spec as it was, which marks it again"
	case g.Mend != "":
		return fmt.Sprintf("put it back into the spec, and %s; or let go of it: isobar forget %s %s", g.Mend, b.in.Env, it.addr.Local())
	}
	return fmt.Sprintf("put it back into the spec and apply, which marks it again; or let go of it: isobar forget %s %s", b.in.Env, it.addr.Local())
}

// otherName mends that what is to come from the former name bears another one's
// mark.
func (b *builder) otherName(m resource.Mark) string {
	switch g, gone := b.in.Gone[m.Token]; {
	case !gone || b.in.Former == "" || m.Estate != b.in.Estate:
		return b.oneOwner(m)
	case g.Mend != "":
		return g.Mend
	}
	return fmt.Sprintf("movedFrom: %q at the top of %s, in the place of %q, takes what stands there", m.Env, b.in.Env, b.in.Former)
}
