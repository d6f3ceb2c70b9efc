package plan

import "fmt"

// A person may say of an object that it is to be let go of and not deleted, long
// before anything wants to delete it. The word is on the object: it holds where the
// object is renamed, and where another one takes its place.

// spare lets go of the old object of a replacement, where a person asked for it: the
// new one is made first, since the old one makes no room for it. What is found and
// not made is never deleted anyway.
func (b *builder) spare(it *item) {
	if by := b.in.Released[it.entry.Key]; by != "" && !it.kind.Found {
		it.spared, it.first = by, true
		it.reasons = append(it.reasons, Reason{Cause: CauseSpec, Text: "the old one is let go of, requested by " + by})
	}
}

// turnAway lets an object that is replaced, and stays, be let go of once what
// refers to it has turned to the new one.
func (g *graph) turnAway(it *item, release *node) {
	for _, y := range g.b.dependants(it) {
		if update := g.steps[y.it.updateID(y.dep.Aspect)]; update != nil && update.it == y.it {
			release.need(update.ID)
		}
	}
}

// ofWord notes of an object that is wanted, and that the plan shows, that a person
// asked to let go of it.
func (b *builder) ofWord(it *item) []Note {
	if it.want == nil || it.entry == nil || it.kind.Lookup || it.spared != "" || it.action == "" && it.held == nil {
		return nil
	}
	by := b.in.Released[it.entry.Key]
	if by == "" {
		return nil
	}
	return []Note{{Address: it.addr, Text: fmt.Sprintf(
		"once it is not in the spec, %s is let go of and stays, as requested by %s, unless that is taken back: isobar forget --undo %s %s",
		it.entry.Record.ID, by, b.in.Env, it.entry.Address.Local())}} // where the ledger has it yet
}
