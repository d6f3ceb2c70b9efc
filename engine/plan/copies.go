package plan

import (
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// Who copies an object's tags copies its mark: then several objects bear one
// token. Where the ledger knows which of them is ours, the others are told and left
// alone. Where it does not, neither does isobar, and a person says which.

// tagsOff makes a copy an object like any other.
const tagsOff = "take the isobar: tags off by hand"

// twins gives the strays that bear one mark with o, and o itself; nil where it
// is alone.
func twins(in *Input, o *resource.Object) []resource.Object {
	var out []resource.Object
	for i := range in.Strays {
		if m := in.Strays[i].Mark; m.Token == o.Mark.Token && m.Address == o.Mark.Address {
			out = append(out, in.Strays[i])
		}
	}
	if len(out) < 2 {
		return nil
	}
	slices.SortFunc(out, func(x, y resource.Object) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return out
}

// words lists objects by their ids.
func words(objects []resource.Object) string {
	ids := make([]string, len(objects))
	for i := range objects {
		ids[i] = string(objects[i].ID)
	}
	return strings.Join(ids, ", ")
}

// ofCopies notes what bears the mark of an object that the ledger knows.
func (b *builder) ofCopies() []Note {
	by := map[string][]resource.Object{}
	for _, o := range b.in.Copies {
		if e := b.in.Ledger.Holding(o.Mark.Token); e != nil && e.Record.ID != "" && e.Record.ID != o.ID {
			by[o.Mark.Token] = append(by[o.Mark.Token], o)
		}
	}
	var out []Note
	for _, token := range sortedKeys(by) {
		copies := by[token]
		slices.SortFunc(copies, func(x, y resource.Object) int { return strings.Compare(string(x.ID), string(y.ID)) })
		e := b.in.Ledger.Holding(token)
		n := Note{Address: e.Address, Drift: true}
		n.Text = fmt.Sprintf("%s: %s, left alone; to be rid of this note, %s", copied(copies, string(e.Record.ID)), aCopy(copies), tagsOff)
		if it := b.byKey[e.Key]; it != nil && it.lost && it.want != nil {
			n.Address = it.addr
			n.Text = fmt.Sprintf("%s, which is gone: %s, left alone; to give it the address, isobar import %s %s %s, else %s",
				copied(copies, string(e.Record.ID)), aCopy(copies), b.in.Env, it.addr.Local(), oneID(copies), tagsOff)
		}
		out = append(out, n)
	}
	return out
}

// copied says whose mark copies bear.
func copied(copies []resource.Object, of string) string {
	if len(copies) == 1 {
		return fmt.Sprintf("%s bears the mark of %s", copies[0].ID, of)
	}
	return fmt.Sprintf("%s bear the mark of %s", words(copies), of)
}

func aCopy(copies []resource.Object) string {
	if len(copies) == 1 {
		return "a copy"
	}
	return "copies"
}

// oneID is the id to type, where there is but one.
func oneID(objects []resource.Object) string {
	if len(objects) == 1 {
		return string(objects[0].ID)
	}
	return "ID"
}

// undecided holds an item whose object is one of several that bear its mark.
func (b *builder) undecided(it *item) {
	if len(it.rivals) == 0 {
		return
	}
	it.held = nil
	it.hold(HeldUnowned, oneOf(it.rivals), fmt.Sprintf("name the right one: isobar import %s %s ID; or take the isobar: tags off the others by hand", b.in.Env, it.addr.Local()))
}

func oneOf(rivals []resource.Object) string {
	return fmt.Sprintf("%d objects bear one mark, and the ledger knows none of them: %s", len(rivals), words(rivals))
}

// unresolved is a mark that several strays bear and nothing wants, as it is held:
// no word tells which one it means.
func (b *builder) unresolved(rivals []resource.Object) Held {
	m := rivals[0].Mark
	return Held{
		Address: m.Address, Token: m.Token, Action: Delete, Why: HeldUnowned, Text: oneOf(rivals),
		Mend: fmt.Sprintf("take the isobar: tags off by hand of what is to be left alone; or, with it in the spec, name the right one: isobar import %s %s ID", b.in.Env, m.Address.Local()),
	}
}

// rival reports whether an object is one of those that bear the item's mark.
func (it *item) rival(id resource.ID) bool {
	return slices.ContainsFunc(it.rivals, func(o resource.Object) bool { return o.ID == id })
}

// decided gives what an import of one of them writes: the ledger takes it in under
// the mark that it bears, so that the others are its copies.
func (b *builder) decided(it *item) (Correction, Step) {
	rec := it.entry.Record
	rec.Applied, rec.Meta, rec.Schema, rec.Deps = it.diff.applied, it.want.Meta, it.kind.Schema, b.bonds(it)
	return Correction{Address: it.addr, Token: it.entry.Token, Type: ledger.Adopted, Record: &rec}, it.markStep()
}
