package plan

import (
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// ofData notes what of an item's change no spec undoes: data that went with what
// somebody deleted, and data of others that is still on what is to go.
func (it *item) ofData() []Note {
	switch {
	case it.held != nil:
		return nil
	case it.lost && it.action == Create && it.kind.Data:
		return []Note{{Address: it.addr, Drift: true, Text: "the data that was on it is gone with it: the new one is made without it"}}
	case it.action == Update:
		return it.emptied()
	case it.goes() && !it.releases():
		return it.outlived()
	}
	return nil
}

// emptied notes parts that somebody took away and that are put back empty.
func (it *item) emptied() []Note {
	var out []Note
	for _, c := range it.diff.changes {
		f := it.kind.Field(c.Path[0])
		if len(c.Path) == 2 && f != nil && f.Data && c.Cause == CauseDrift && c.Before == nil && c.After != nil {
			out = append(out, Note{Address: it.addr, Drift: true, Text: c.Path.String() + " was taken away: the one that is made in its place is empty, without the data that was on it"})
		}
	}
	return out
}

// others reports whether a part with data is wanted where somebody else's is: that is
// not isobar's to take, nor to delete once the spec wants it no more.
func (d *differ) others(path resource.Path, f *resource.Field, key string, t trio) bool {
	if !f.Data || t.want == nil || t.applied != nil || t.live == nil || d.item.stray {
		return false
	}
	d.foreign = append(d.foreign, append(slices.Clone(path), key))
	return true
}

// exchanged gives what the ledger keeps of a part for which somebody put another one
// there: that is not isobar's to change nor to delete. One that the spec wants no more
// is forgotten.
func (d *differ) exchanged(path resource.Path, f *resource.Field, key string, t trio) resource.Value {
	if t.want == nil || !f.Exchanged(t.applied, t.live) {
		return nil
	}
	d.swapped = append(d.swapped, append(slices.Clone(path), key))
	return t.applied
}

// occupiedBy holds parts that are wanted where somebody else's are.
func (b *builder) occupiedBy(it *item) []Held {
	if it.diff == nil || it.replaces() {
		return nil
	}
	var out []Held
	hold := func(p resource.Path, text, mend string) {
		out = append(out, Held{
			Address: it.addr, Token: it.key().Token, Action: Update, Why: HeldUnowned, Field: p.String(), Text: p.String() + text,
			Mend: fmt.Sprintf("%s; or take it over with all that %s has: isobar forget %s %s, then isobar import %s %s %s",
				mend, it.addr.Local(), b.in.Env, it.addr.Local(), b.in.Env, it.addr.Local(), it.entry.Record.ID),
		})
	}
	for _, p := range it.diff.foreign {
		hold(p, " is there already, and isobar did not put it there: its data is somebody else's", "choose another place")
	}
	for _, p := range it.diff.swapped {
		hold(p, " is another one than isobar put there: its data is somebody else's", "put back the one that isobar made")
	}
	return out
}

// ours gives what of a live field is isobar's: of parts with data, those that it put
// there or is to put there.
func (it *item) ours(name string, v resource.Value) resource.Value {
	f, live := it.kind.Field(name), resource.Map(nil)
	if live, _ = v.(resource.Map); f == nil || !f.Data || live == nil || it.stray {
		return v
	}
	applied, _ := it.entry.Record.Applied[name].(resource.Map)
	out := make(resource.Map, len(live))
	for k, e := range live {
		if applied[k] != nil && !f.Exchanged(applied[k], e) {
			out[k] = e
		}
	}
	return out
}

// outlived notes parts of what is deleted that isobar never put there.
func (it *item) outlived() []Note {
	var out []Note
	for i := range it.kind.Fields {
		f := &it.kind.Fields[i]
		live, _ := it.live.Object.Fields[f.Name].(resource.Map)
		ours, _ := it.entry.Record.Applied[f.Name].(resource.Map)
		if !f.Data {
			continue
		}
		var others []string
		for _, k := range live.Keys() {
			if ours[k] == nil || f.Exchanged(ours[k], live[k]) {
				others = append(others, resource.Path{f.Name, k}.String())
			}
		}
		text := "%s is not isobar's: it is taken off %s first, and stays"
		if len(others) > 1 {
			text = "%s are not isobar's: they are taken off %s first, and stay"
		}
		if len(others) > 0 {
			out = append(out, Note{Address: it.addr, Drift: true, Text: fmt.Sprintf(text, strings.Join(others, ", "), it.entry.Record.ID)})
		}
	}
	return out
}
