package observe

import (
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

func cutKind(kind string) (prov, name string, ok bool) { return strings.Cut(kind, ".") }

// join says of each entry of a look what was seen, and finds strays.
func (o *Observer) join(l *look, r Request, secret map[resource.Address]resource.Map, w *World) {
	for _, k := range l.lookups {
		w.Found[k.d.Address] = k.reading(l.answers[k.want])
	}
	for _, kind := range l.kinds {
		k := l.byKind[kind]
		spec, desc, known := o.kinds.Kind(kind)
		if !known {
			for _, e := range k.entries {
				w.Live[e.Key] = plan.Reading{Seen: plan.Unread, Why: "this isobar does not know the kind " + kind}
			}
			continue
		}
		seen := gather(l, k, desc)
		if seen.markErr != nil && !k.beside {
			w.Blind[l.alias] = seen.markErr.Error()
		}
		for _, e := range k.entries {
			w.Live[e.Key] = seen.reading(hidden(r.Veil, e, desc, secret[e.Address]), spec, desc)
		}
		for _, bearers := range seen.byToken {
			for _, obj := range bearers {
				if at := (spot{l.session.Scope(), kind, obj.ID}); !w.met[at] { // two aliases may look at one place
					w.met[at] = true
					w.place(obj, Place{l.alias, kind}, r, secret)
				}
			}
		}
	}
}

// spot is an object where it is.
type spot struct {
	scope, kind string
	id          resource.ID
}

// place says of an object that bears a mark whose it is, where it is no entry's.
func (w *World) place(obj resource.Object, at Place, r Request, secret map[resource.Address]resource.Map) {
	m := obj.Mark
	if m.Estate != r.Estate || m.Address.Type() != at.Type || m.Address.Env != m.Env {
		return // another estate's, or a mark that was copied onto another kind
	}
	if r.Former != "" && m.Env == r.Former {
		w.Former = append(w.Former, obj)
	}
	if m.Env != r.Env {
		if r.Gone != nil && r.Gone(m.Env) {
			obj.Fields = nil // nobody compares it
			w.Gone = append(w.Gone, obj)
		}
		return
	}
	switch e := r.Ledger.Holding(m.Token); {
	case e == nil:
		obj.Fields = r.Veil.Conceal(obj.Fields, secret[m.Address])
		w.Strays = append(w.Strays, obj)
		w.Homes[m.Token] = at.Alias
	case e.Record.ID != "" && e.Record.ID != obj.ID && e.Address.Type() == at.Type:
		obj.Fields = nil // nobody compares it
		w.Copies = append(w.Copies, obj)
	}
}

// sight is what came back for one kind.
type sight struct {
	byID           map[resource.ID]resource.Object
	byToken        map[string]map[resource.ID]resource.Object // whoever copies an object's tags copies its mark
	ended          map[resource.ID]bool                       // gone for certain
	half           map[resource.ID]bool                       // something of the object could not be read
	idErr, markErr error
	at             time.Time // the earliest of the answers
}

func gather(l *look, k *kindLook, d *resource.Descriptor) sight {
	s := sight{byID: map[resource.ID]resource.Object{}, byToken: map[string]map[resource.ID]resource.Object{}, half: map[resource.ID]bool{}, ended: map[resource.ID]bool{}}
	take := func(i int) error {
		if i < 0 {
			return nil
		}
		a := l.answers[i]
		if s.at.IsZero() || a.At.Before(s.at) {
			s.at = a.At
		}
		for _, id := range a.Ended {
			s.ended[id] = true
		}
		for _, obj := range a.Objects {
			if resource.HasUnread(obj.Fields) {
				s.half[obj.ID] = true
			}
			obj = k.trim(d, obj)
			s.byID[obj.ID] = obj
			if token := obj.Mark.Token; token != "" {
				if s.byToken[token] == nil {
					s.byToken[token] = map[resource.ID]resource.Object{}
				}
				s.byToken[token][obj.ID] = obj
			}
		}
		return a.Err
	}
	s.markErr = take(k.byMark)
	for _, i := range k.byID { // after the mark's, which asks for less of each
		if err := take(i); err != nil && s.idErr == nil {
			s.idErr = err
		}
	}
	return s
}

// reading says of one entry whether its object is present, absent or unread.
// An absence that nothing proves, or a value that a write of ours replaced, is unread while reads
// may trail that write.
func (s *sight) reading(h veiledEntry, k provider.Kind, d *resource.Descriptor) plan.Reading {
	e := h.Entry
	young := s.at.Before(e.At.Add(k.Lag))
	obj, found := s.byID[e.Record.ID] // by nothing else: what bears its token beside it is a copy
	if bearers := s.byToken[e.Token]; e.Record.ID == "" && len(bearers) == 1 {
		for _, obj = range bearers {
			found = true
		}
	}
	switch {
	case found:
		obj.Fields = h.conceal(obj.Fields)
		r := plan.Reading{Seen: plan.Present, MarkUnread: s.half[obj.ID] && obj.Mark.IsZero(), Sent: s.sent(e)}
		if young {
			r.Trail = s.trail(e, k)
			obj, r.Trail.Fields = hideStale(obj, h, d)
			r.Trail.Mark = !k.Unmarked && (obj.Mark.IsZero() || retokened(e, obj.Mark))
			if len(r.Trail.Fields) == 0 && !r.Trail.Mark {
				r.Trail = nil
			}
		}
		obj.Address = e.Address
		r.Object = obj
		return r
	case s.ended[e.Record.ID]:
		return plan.Reading{Seen: plan.Absent}
	case s.idErr != nil:
		return plan.Reading{Seen: plan.Unread, Why: s.idErr.Error()}
	case s.markErr != nil:
		return plan.Reading{Seen: plan.Unread, Why: s.markErr.Error()}
	case young:
		return plan.Reading{Seen: plan.Unread, Why: "it was written so lately that reads may not show it yet", Trail: s.trail(e, k)}
	}
	return plan.Reading{Seen: plan.Absent}
}

// retokened reports whether a mark names the entry's address with another token, as
// before the entry's own was written.
func retokened(e *ledger.Entry, m resource.Mark) bool {
	return m.Token != e.Token && m.Address == e.Address && m.Env == e.Address.Env
}

// sent gives what calls that were settled as not done may have set since.
func (s *sight) sent(e *ledger.Entry) []resource.Map {
	var out []resource.Map
	for _, x := range e.Sent {
		if s.at.Before(x.At.Add(ledger.SentFor)) {
			out = append(out, x.Fields)
		}
	}
	return out
}

// trail says how long reads may be older than the entry's last write.
func (s *sight) trail(e *ledger.Entry, k provider.Kind) *plan.Trail {
	return &plan.Trail{Wrote: e.At, Until: e.At.Add(k.Lag), Seen: s.at}
}

// hideStale marks as unread each field whose live value is the one that our
// last write replaced; not one that no read ever shows. It names them, sorted.
func hideStale(obj resource.Object, e veiledEntry, d *resource.Descriptor) (resource.Object, []string) {
	former := e.former(obj.Fields)
	var fields resource.Map
	var stale []string
	for name, prev := range e.Prev {
		live := obj.Fields[name]
		f := d.Field(name)
		if f != nil && f.Unseen() || alike(f, live, e.Record.Applied[name]) || !alike(f, former[name], prev) {
			continue
		}
		if fields == nil {
			fields = make(resource.Map, len(obj.Fields)+1)
			for k, v := range obj.Fields {
				fields[k] = v
			}
		}
		fields[name] = resource.Unread{Why: "it may be older than our last write"}
		stale = append(stale, name)
	}
	if fields != nil {
		obj.Fields = fields
	}
	slices.Sort(stale)
	return obj, stale
}

// alike compares a field's values as plan does; nothing, null and an empty list
// or map are one.
func alike(f *resource.Field, a, b resource.Value) bool {
	return resource.Empty(a) && resource.Empty(b) || f != nil && plan.Same(f, a, b)
}
