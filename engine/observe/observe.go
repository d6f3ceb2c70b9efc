// Package observe looks at the world for an environment: it asks each session
// once for everything, joins the answers with the ledger, and says of each
// object whether it is present, absent or unread. It must not decide what to
// do about it, nor write anything. Floor 5.
package observe

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Kinds tells what is known of a kind by its full name, "aws.vpc".
type Kinds interface {
	Kind(name string) (provider.Kind, *resource.Descriptor, bool)
}

// Request is what to look at.
type Request struct {
	Estate   string
	Env      string
	Former   string                // the name that the environment had before, "" for none
	Gone     func(env string) bool // whether an environment is gone; nil: none is
	Ledger   *ledger.State
	Desired  []resource.Desired
	Also     []Place                     // where objects are looked for by their marks, though neither the spec nor the ledger has any
	Beside   []Place                     // the same, but what can't be read there is passed over
	Sessions map[string]provider.Session // by alias
	Blind    map[string]string           // alias → why it has no session
	Veil     *provider.Veil              // hides what is secret in the spec or the ledger; nil hides it without telling values apart
	Refresh  Refresh                     // lookups that are asked although they have a pin
}

// Refresh says which lookups are asked anew: all of them, or some by address.
type Refresh struct {
	All  bool
	Only map[resource.Address]bool
}

// Place is where objects of a kind are.
type Place struct{ Alias, Type string }

// Has reports whether a lookup is asked anew.
func (r Refresh) Has(a resource.Address) bool { return r.All || r.Only[a] }

// World is what was seen.
type World struct {
	Live   map[ledger.Key]plan.Reading
	Found  map[resource.Address]plan.Reading // what the lookups found that were asked: those without a pin, and those to refresh
	Homes  map[string]string                 // token of a stray → the alias whose session sees it
	Former []resource.Object                 // marked by this estate and the environment's former name
	Gone   []resource.Object                 // marked by this estate and an environment that is gone
	Strays []resource.Object                 // marked by this estate and environment, unknown to the ledger; several may bear one mark
	Copies []resource.Object                 // that bear the mark of an object which the ledger knows by another id; without fields
	Blind  map[string]string                 // alias → why it could not be read
	Wants  int                               // what was asked: a kind's objects by their mark, or by their ids, count one

	met map[spot]bool // objects with a mark, as they were met
}

// Observer looks. It is safe for concurrent use; looks at one session by
// several environments at once share a flight. Sessions must be comparable
// (pointers).
type Observer struct {
	kinds   Kinds
	flights flights
}

// New gives an Observer. now is the clock by which answers are dated.
func New(kinds Kinds, now func() time.Time) *Observer {
	return &Observer{kinds: kinds, flights: flights{now: now, open: map[provider.Session]*flight{}}}
}

// Observe looks at everything that the request's ledger and spec concern. It
// never fails as a whole: what could not be read is Unread, with the reason.
func (o *Observer) Observe(ctx context.Context, r Request) World {
	w := World{Live: map[ledger.Key]plan.Reading{}, Found: map[resource.Address]plan.Reading{}, Homes: map[string]string{}, Blind: maps.Clone(r.Blind), met: map[spot]bool{}}
	if w.Blind == nil {
		w.Blind = map[string]string{}
	}
	looks := o.looks(r, w)
	secret := o.secretive(r)
	var wg sync.WaitGroup
	for _, l := range looks {
		wg.Go(func() {
			l.answers = o.flights.read(ctx, l.session, l.wants)
			if more := o.closer(l, r); len(more) > 0 {
				l.wants, l.answers = append(l.wants, more...), slices.Concat(l.answers, o.flights.read(ctx, l.session, more))
			}
		})
	}
	wg.Wait()
	for _, l := range looks {
		w.Wants += l.reads()
		o.join(l, r, secret, &w)
	}
	for _, found := range [][]resource.Object{w.Former, w.Gone, w.Strays, w.Copies} {
		sortMarked(found)
	}
	return w
}

// sortMarked puts objects in order of what their marks say.
func sortMarked(found []resource.Object) {
	slices.SortFunc(found, func(a, b resource.Object) int {
		return cmp.Or(a.Mark.Address.Compare(b.Mark.Address), cmp.Compare(a.Mark.Token, b.Mark.Token), cmp.Compare(a.ID, b.ID))
	})
}

// look is what one session is asked, a kind at a time.
type look struct {
	alias   string
	session provider.Session
	kinds   []string
	byKind  map[string]*kindLook
	lookups []lookup
	desired map[resource.Address]aspects // that the spec sets
	wants   []resource.Want
	answers []resource.Answer
}

type kindLook struct {
	entries []*ledger.Entry
	needs   map[resource.ID]aspects // what is asked of an object by its id
	byMark  int                     // index into wants; -1 is none
	byID    []int                   // indexes into wants, one for each set of aspects
	beside  bool                    // nothing needs it: what can't be read is passed over
}

// reads counts what is asked; how it is parted by aspects does not tell.
func (l *look) reads() int {
	n := len(l.wants)
	for _, k := range l.byKind {
		n -= max(len(k.byID)-1, 0)
	}
	return n
}

// looks sorts what must be asked by session. Entries without a session become
// unread at once.
func (o *Observer) looks(r Request, w World) []*look {
	byAlias, desired := map[string]*look{}, o.desired(r)
	lookAt := func(alias string) *look {
		l := byAlias[alias]
		if s := r.Sessions[alias]; l == nil && s != nil {
			l = &look{alias: alias, session: s, byKind: map[string]*kindLook{}, desired: desired}
			byAlias[alias] = l
		}
		return l
	}
	at := func(alias, kind string) *kindLook {
		l := lookAt(alias)
		if l == nil {
			return nil
		}
		k := l.byKind[kind]
		if k == nil {
			k = &kindLook{byMark: -1, needs: map[resource.ID]aspects{}}
			l.byKind[kind] = k
			l.kinds = append(l.kinds, kind)
		}
		return k
	}
	for _, d := range o.unpinned(r) {
		alias := cmp.Or(d.Meta.Alias, d.Address.Provider)
		if l := lookAt(alias); l != nil {
			l.lookups = append(l.lookups, lookup{d: d})
		} else {
			w.Found[d.Address] = plan.Reading{Seen: plan.Unread, Why: cmp.Or(w.Blind[alias], "no provider "+alias+" is configured")}
		}
	}
	for i := range r.Desired {
		d := &r.Desired[i]
		if !o.looksUp(d.Address) {
			at(cmp.Or(d.Meta.Alias, d.Address.Provider), d.Address.Type())
		}
	}
	for _, p := range r.Also {
		at(p.Alias, p.Type)
	}
	for _, e := range r.Ledger.Sorted() {
		if o.looksUp(e.Address) {
			continue // its pin is in the ledger
		}
		alias, why := o.sessionOf(r, e)
		k, l := at(alias, e.Address.Type()), byAlias[alias]
		if k == nil || why != "" {
			w.Live[e.Key] = plan.Reading{Seen: plan.Unread, Why: cmp.Or(why, w.Blind[alias], "no provider "+alias+" is configured")}
			continue
		}
		k.entries = append(k.entries, e)
		if id := e.Record.ID; id != "" {
			_, desc, _ := o.kinds.Kind(e.Address.Type())
			need := l.needs(desc, e.Address, e)
			maps.Copy(need, k.needs[id])
			k.needs[id] = need
		}
	}
	for _, e := range r.Ledger.GivenUp() { // its mark may show yet, where nothing else of its kind is looked for
		if alias, why := o.sessionOf(r, e); why == "" && !o.looksUp(e.Address) {
			at(alias, e.Address.Type())
		}
	}
	for _, p := range r.Beside {
		if l := lookAt(p.Alias); l != nil && l.byKind[p.Type] == nil {
			at(p.Alias, p.Type).beside = true
		}
	}
	var out []*look
	for _, alias := range slices.Sorted(maps.Keys(byAlias)) {
		l := byAlias[alias]
		slices.Sort(l.kinds)
		for _, kind := range l.kinds {
			o.ask(l, kind, r.Estate)
		}
		l.askLookups()
		out = append(out, l)
	}
	return out
}

// sessionOf finds the alias whose session sees an entry: its own, or another
// one of the same scope.
func (o *Observer) sessionOf(r Request, e *ledger.Entry) (alias, why string) {
	alias = cmp.Or(e.Record.Meta.Alias, e.Address.Provider)
	s := r.Sessions[alias]
	if s == nil || e.Record.Scope == "" || s.Scope() == e.Record.Scope {
		return alias, ""
	}
	for _, other := range slices.Sorted(maps.Keys(r.Sessions)) {
		if r.Sessions[other].Scope() == e.Record.Scope {
			return other, ""
		}
	}
	return alias, fmt.Sprintf("it lives in %s, and the provider %s now looks at %s", e.Record.Scope, alias, s.Scope())
}

func (o *Observer) ask(l *look, kind, estate string) {
	k := l.byKind[kind]
	_, name, _ := cutKind(kind)
	spec, _, known := o.kinds.Kind(kind)
	if !known {
		return
	}
	if !spec.Unmarked {
		k.byMark = len(l.wants)
		l.wants = append(l.wants, resource.Want{Kind: name, By: resource.Selector{Estate: estate}, Aspects: []string{""}})
	}
	for _, w := range byAspects(name, k.needs) {
		k.byID = append(k.byID, len(l.wants))
		l.wants = append(l.wants, w)
	}
}
