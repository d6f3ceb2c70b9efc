package ledger

import (
	"maps"
	"slices"

	"isobar.dev/engine/resource"
)

// Restore gives the state that entries, ended tokens and creates that were given
// up describe, as they were taken from a fold whose last event was seq. It takes
// all over.
func Restore(seq int64, entries []*Entry, ended map[string]string, undone []*Entry) *State {
	s := &State{
		Seq: seq, Ended: ended, Undone: make(map[string]*Entry, len(undone)),
		Entries: make(map[Key]*Entry, len(entries)),
		at:      make(map[resource.Address][]*Entry, len(entries)),
		token:   make(map[string]*Entry, len(entries)),
	}
	if s.Ended == nil {
		s.Ended = map[string]string{}
	}
	for _, e := range entries {
		s.put(e)
	}
	for _, e := range undone {
		s.Undone[e.Token] = e
	}
	return s
}

// At gives every entry at an address, in no order.
func (s *State) At(a resource.Address) []*Entry { return slices.Clone(s.at[a]) }

// Clone gives a copy that shares nothing that can be written to.
func (s *State) Clone() *State {
	c := &State{
		Seq: s.Seq, Ended: maps.Clone(s.Ended), Undone: make(map[string]*Entry, len(s.Undone)),
		Entries: make(map[Key]*Entry, len(s.Entries)),
		at:      make(map[resource.Address][]*Entry, len(s.at)),
		token:   make(map[string]*Entry, len(s.token)),
	}
	if c.Ended == nil {
		c.Ended = map[string]string{}
	}
	for _, e := range s.Entries {
		n := *e
		n.Record = cloneRecord(e.Record)
		n.Prev = cloneMap(e.Prev)
		n.Sent = slices.Clone(e.Sent)
		n.Was = slices.Clone(e.Was)
		n.Past = slices.Clone(e.Past)
		for i := range n.Sent {
			n.Sent[i].Fields = cloneMap(n.Sent[i].Fields)
		}
		if e.Open != nil {
			o := *e.Open
			o.Record = cloneRecord(o.Record)
			o.Paths = clonePaths(o.Paths)
			if o.Doubt != nil {
				d := *o.Doubt
				o.Doubt = &d
			}
			n.Open = &o
		}
		c.put(&n)
	}
	for token, e := range s.Undone {
		n := *e
		n.Record = cloneRecord(e.Record)
		c.Undone[token] = &n
	}
	return c
}

func cloneRecord(r Record) Record {
	r.Settings, r.Outs, r.Applied = cloneMap(r.Settings), cloneMap(r.Outs), cloneMap(r.Applied)
	r.Deps = slices.Clone(r.Deps)
	r.Meta.IgnoreChanges = clonePaths(r.Meta.IgnoreChanges)
	if r.Meta.MovedFrom != nil {
		from := *r.Meta.MovedFrom
		r.Meta.MovedFrom = &from
	}
	return r
}

func clonePaths(ps []resource.Path) []resource.Path {
	out := slices.Clone(ps)
	for i := range out {
		out[i] = slices.Clone(out[i])
	}
	return out
}

func cloneMap(m resource.Map) resource.Map {
	if m == nil {
		return nil
	}
	out := make(resource.Map, len(m))
	for k, v := range m {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v resource.Value) resource.Value {
	switch x := v.(type) {
	case resource.Map:
		return cloneMap(x)
	case resource.List:
		out := slices.Clone(x)
		for i := range out {
			out[i] = cloneValue(out[i])
		}
		return out
	case resource.Template:
		return slices.Clone(x)
	}
	return v
}
