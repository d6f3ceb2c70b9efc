package observe

import (
	"cmp"
	"errors"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// lookup is one that is asked.
type lookup struct {
	d    *resource.Desired
	want int // index into wants
}

// looksUp reports whether an address is of a kind that is looked up.
func (o *Observer) looksUp(a resource.Address) bool {
	_, d, ok := o.kinds.Kind(a.Type())
	return ok && d.Lookup
}

// unpinned lists the lookups that must be asked: those of which the ledger holds
// nothing that still fits, and those to refresh. In the steady state there are
// none, and lookups cost no call.
func (o *Observer) unpinned(r Request) []*resource.Desired {
	var out []*resource.Desired
	var wanted map[resource.Address]bool
	for i := range r.Desired {
		d := &r.Desired[i]
		_, desc, ok := o.kinds.Kind(d.Address.Type())
		if !ok || !desc.Lookup {
			continue
		}
		if wanted == nil {
			wanted = make(map[resource.Address]bool, len(r.Desired))
			for j := range r.Desired {
				wanted[r.Desired[j].Address] = true
			}
		}
		scope := ""
		if s := r.Sessions[cmp.Or(d.Meta.Alias, d.Address.Provider)]; s != nil {
			scope = s.Scope()
		}
		if r.Refresh.Has(d.Address) || !plan.Pinned(plan.EntryOf(r.Ledger, d, wanted), d, desc, scope) {
			out = append(out, d)
		}
	}
	return out
}

// askLookups adds a want for each lookup; the session batches them.
func (l *look) askLookups() {
	for i := range l.lookups {
		k := &l.lookups[i]
		k.want = len(l.wants)
		l.wants = append(l.wants, resource.Want{Kind: k.d.Address.Kind, By: resource.Selector{Lookup: k.d.Fields}})
	}
}

// reading says what a lookup found.
func (k *lookup) reading(a resource.Answer) plan.Reading {
	switch {
	case resource.ClassOf(a.Err) == resource.NotFound:
		return plan.Reading{Seen: plan.Absent, Why: words(a.Err)}
	case a.Err != nil:
		return plan.Reading{Seen: plan.Unread, Why: a.Err.Error()}
	case len(a.Objects) != 1 || a.Objects[0].ID == "":
		return plan.Reading{Seen: plan.Absent, Why: "nothing was found"}
	}
	obj := a.Objects[0]
	obj.Address = k.d.Address
	return plan.Reading{Seen: plan.Present, Object: obj}
}

// words is what a provider says was not there, without its code.
func words(err error) string {
	var f *resource.Failure
	if errors.As(err, &f) && f.Message != "" {
		return f.Message
	}
	return err.Error()
}
