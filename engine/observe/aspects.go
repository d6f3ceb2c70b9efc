package observe

import (
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// An aspect may cost a call an object, so a look asks of each object for those
// in which the spec sets, or the ledger has set, a field of this very object,
// and for the bare fields.

// aspects is a set of them; the bare fields' is "".
type aspects map[string]bool

// uses adds the aspects of the fields that are set.
func (a aspects) uses(d *resource.Descriptor, set resource.Map) {
	if d == nil {
		return
	}
	for name := range set {
		if f := d.Field(name); f != nil {
			a[f.Aspect] = true
		}
	}
}

// unread reports whether a field of one of the aspects, beside the bare ones, is
// unread.
func (a aspects) unread(d *resource.Descriptor, fields resource.Map) bool {
	for name, v := range fields {
		if f := d.Field(name); f != nil && f.Aspect != "" && a[f.Aspect] && resource.HasUnread(v) {
			return true
		}
	}
	return false
}

// hold reports whether all of b are among them.
func (a aspects) hold(b aspects) bool {
	for name := range b {
		if !a[name] {
			return false
		}
	}
	return true
}

// asked lists the aspects that a want names.
func (a aspects) asked() []string { return slices.Sorted(maps.Keys(a)) }

// desired gives the aspects that the spec sets, by the addresses at which an
// object may be known: its own and the one that it moved from.
func (o *Observer) desired(r Request) map[resource.Address]aspects {
	out := make(map[resource.Address]aspects, len(r.Desired))
	for i := range r.Desired {
		d := &r.Desired[i]
		_, desc, _ := o.kinds.Kind(d.Address.Type())
		at := []resource.Address{d.Address}
		if d.Meta.MovedFrom != nil {
			at = append(at, *d.Meta.MovedFrom)
		}
		for _, a := range at {
			if out[a] == nil {
				out[a] = aspects{"": true}
			}
			out[a].uses(desc, d.Fields)
		}
	}
	return out
}

// needs gives the aspects of the object of an entry that the environment has to
// do with; e is nil for an object that the ledger does not know.
func (l *look) needs(d *resource.Descriptor, at resource.Address, e *ledger.Entry) aspects {
	out := aspects{"": true}
	maps.Copy(out, l.desired[at])
	if e != nil {
		out.uses(d, e.Record.Applied)
		if e.Open != nil {
			out.uses(d, e.Open.Record.Applied)
		}
	}
	return out
}

// byAspects sorts ids into one want for each set of aspects that is asked for.
func byAspects(kind string, needs map[resource.ID]aspects) []resource.Want {
	groups := map[string]*resource.Want{}
	for _, id := range slices.Sorted(maps.Keys(needs)) {
		asked := needs[id].asked()
		key := strings.Join(asked, "\x00")
		if groups[key] == nil {
			groups[key] = &resource.Want{Kind: kind, Aspects: asked}
		}
		groups[key].By.IDs = append(groups[key].By.IDs, id)
	}
	out := make([]resource.Want, 0, len(groups))
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, *groups[key])
	}
	return out
}

// closer gives the wants for aspects of objects that came by their mark alone,
// and without them: the ledger does not know them, or not their ids, or knows
// them at another address than their mark. Mostly there are none.
func (o *Observer) closer(l *look, r Request) []resource.Want {
	var out []resource.Want
	for _, kind := range l.kinds {
		k := l.byKind[kind]
		if k.byMark < 0 {
			continue
		}
		_, d, _ := o.kinds.Kind(kind)
		needs := map[resource.ID]aspects{}
		for _, obj := range l.answers[k.byMark].Objects {
			m := obj.Mark
			if m.Estate != r.Estate || m.Env != r.Env || m.Address.Type() != kind || k.needs[obj.ID] != nil && k.needs[obj.ID].hold(l.desired[m.Address]) {
				continue
			}
			need := l.needs(d, m.Address, r.Ledger.Entries[ledger.Key{Address: m.Address, Token: m.Token}])
			maps.Copy(need, k.needs[obj.ID])
			if k.needs[obj.ID] = need; need.unread(d, obj.Fields) {
				needs[obj.ID] = need
			}
		}
		_, name, _ := cutKind(kind)
		for _, w := range byAspects(name, needs) {
			k.byID = append(k.byID, len(l.wants)+len(out))
			out = append(out, w)
		}
	}
	return out
}

// trim drops what is unread in the aspects that nobody needs of the object:
// nothing in the environment has to do with it, so that it must not hold
// anything up.
func (k *kindLook) trim(d *resource.Descriptor, o resource.Object) resource.Object {
	var fields resource.Map
	for name, v := range o.Fields {
		f := d.Field(name)
		if f == nil || f.Aspect == "" || k.needs[o.ID][f.Aspect] || !resource.HasUnread(v) {
			continue
		}
		if fields == nil {
			fields = maps.Clone(o.Fields)
		}
		delete(fields, name)
	}
	if fields != nil {
		o.Fields = fields
	}
	return o
}
