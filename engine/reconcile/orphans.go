package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// Word is what a person says of objects: to delete orphans, to let go of
// objects, or to take back what was said before.
type Word struct {
	Env       string
	Addresses []string // "aws.vpc/main"
	By        string
	Verdict   store.Verdict
}

// ErrNotNamed says that a word is on something that it can't be said of.
var ErrNotNamed = errors.New("nothing was recorded")

// objectName is an object as a word and a row name it: one address may have had
// several, and a word is on one of them.
func objectName(k ledger.Key) string { return k.Address.Local() + " " + k.Token }

// say records a word, once it is known to be on objects that are there.
func say(ctx context.Context, st store.Store, w Word, now time.Time) error {
	row, err := st.Environment(ctx, w.Env)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: nothing is known of %s", ErrNotNamed, w.Env)
	}
	if err != nil {
		return err
	}
	state, err := st.State(ctx, w.Env)
	if err != nil {
		return err
	}
	said, err := hearing{st, st}.spoken(ctx, w.Env, tokensOf(state), nil)
	if err != nil {
		return err
	}
	var objects []string
	for _, text := range w.Addresses {
		found, err := named(row, state, w, text)
		if err != nil {
			return err
		}
		if w.Verdict == store.Keep {
			if found = spokenOf(said, found); len(found) == 0 {
				return fmt.Errorf("%w: nobody said anything of %s that could be taken back", ErrNotNamed, text)
			}
		}
		objects = append(objects, found...)
	}
	for _, o := range objects {
		at := now
		if last, ok := said[tokenIn(o)]; ok && !at.After(last.At) { // which may be kept under another name: the later of the two counts
			at = last.At.Add(time.Millisecond)
		}
		if err := st.PutApproval(ctx, store.Approval{Env: w.Env, Digest: o, By: w.By, At: at, Verdict: w.Verdict}); err != nil {
			return err
		}
	}
	return nil
}

// spokenOf leaves those objects of which a word is in force.
func spokenOf(said map[string]store.Approval, objects []string) []string {
	return slices.DeleteFunc(slices.Clone(objects), func(o string) bool {
		word, ok := said[tokenIn(o)]
		return !ok || word.Verdict == store.Keep
	})
}

// named gives the objects at an address that a word may be on: for a deletion
// orphans, else whatever isobar owns or finds by its mark.
func named(row store.Environment, state *ledger.State, w Word, text string) ([]string, error) {
	a, err := resource.ParseAddress(w.Env + "/" + text)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no address, such as aws.vpc/main", ErrNotNamed, text)
	}
	found := map[string]bool{}
	for o := range row.Orphans {
		if strings.HasPrefix(o, a.Local()+" ") {
			found[o] = true
		}
	}
	if w.Verdict == store.Delete && len(found) == 0 {
		return nil, fmt.Errorf("%w: %s is no orphan (%s)", ErrNotNamed, text, orphanNames(row))
	}
	if w.Verdict == store.Keep || w.Verdict == store.Release && len(found) == 0 { // a stray may bear the mark of something wanted
		for _, e := range state.At(a) { // with what was replaced and waits to be deleted: a person thinks of either
			found[objectName(e.Key)] = true
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: isobar owns no %s in %s", ErrNotNamed, text, w.Env)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// orphanNames lists what waits to be named.
func orphanNames(row store.Environment) string {
	var names []string
	for o := range row.Orphans {
		address, _, _ := strings.Cut(o, " ")
		names = append(names, address)
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(slices.Compact(names), ", "), "nothing is, as last looked")
}

// Say records what a person says of objects.
func (o *Once) Say(ctx context.Context, w Word) error {
	return say(ctx, o.Store, w, o.Runner.Now())
}

// Say records what a person says of objects, and looks at their environment: a
// plan takes it up, and goes the environment's way from there.
func (d *Daemon) Say(ctx context.Context, w Word) error {
	d.ready()
	if err := say(ctx, d.Store, w, d.Runner.Now()); err != nil {
		return err
	}
	return d.queue.add(ctx, w.Env, cycle.Ticked{Trigger: cycle.Manual})
}

// words are what people said of a draft's objects.
type words struct {
	confirmed, released map[ledger.Key]string // with who said so
}

// hear gathers what people said of the objects: to delete only of those that
// nothing wants.
func (r *Runner) hear(ctx context.Context, d *Draft) error {
	d.words = words{map[ledger.Key]string{}, map[ledger.Key]string{}}
	if r.Words == nil || d.Job.Imports != nil {
		return nil
	}
	wanted := map[resource.Address]bool{}
	for i := range d.Spec.Desired {
		wanted[d.Spec.Desired[i].Address] = true
	}
	unwanted, kinds := map[ledger.Key]bool{}, r.kinds()
	var tokens map[ownedID]string
	d.journal.View(func(s *ledger.State) {
		for k, e := range s.Entries {
			unwanted[k] = !wanted[k.Address] || e.Role == ledger.Deposed || plan.SetBack(e, kinds[k.Address.Type()], d.restored) // its replacement waits, too
		}
		tokens = tokensOf(s)
	})
	said, err := hearing{r.Words, r.Ledger}.spoken(ctx, d.Job.Env, tokens, d.Estate.Environments)
	if err != nil {
		return err
	}
	for i := range d.world.Strays {
		unwanted[ledger.Key{Address: d.world.Strays[i].Mark.Address, Token: d.world.Strays[i].Mark.Token}] = true
	}
	for k, asked := range unwanted {
		a, ok := said[k.Token]
		since, waits := d.Job.Orphans[objectName(k)]
		switch {
		case !ok:
		case a.Verdict == store.Release:
			d.words.released[k] = a.By
		case a.Verdict == store.Delete && asked && waits && !a.At.Before(since) && !a.At.Before(d.restored): // a backup may hold a word that was taken back since
			d.words.confirmed[k] = a.By
		}
	}
	return nil
}

// orphans gives what waits to be named after a draft, with since when: what was
// named and is not gone yet still does.
func (d *Draft) orphans(now time.Time) map[string]time.Time {
	if d.Job.Imports != nil || d.Job.Destroy {
		return d.Job.Orphans // it says nothing of them
	}
	out := map[string]time.Time{}
	add := func(k ledger.Key) {
		since, waits := d.Job.Orphans[objectName(k)]
		if !waits {
			since = now
		}
		out[objectName(k)] = since
	}
	for _, h := range d.Plan.Held {
		if h.Why == plan.HeldOrphan {
			add(ledger.Key{Address: h.Address, Token: h.Token})
		}
	}
	for k := range d.words.confirmed {
		if !d.stays(k) {
			add(k)
		}
	}
	d.journal.View(func(s *ledger.State) {
		for k := range d.words.released { // a stray: nothing else knows its name, for a word that takes that back
			if s.Entries[k] == nil {
				add(k)
			}
		}
	})
	return out
}

// stays reports whether the plan leaves an object that the spec wants where it is:
// what was said of its deletion is over.
func (d *Draft) stays(k ledger.Key) bool {
	if !slices.ContainsFunc(d.Spec.Desired, func(w resource.Desired) bool { return w.Address == k.Address }) {
		return false
	}
	current := false
	d.journal.View(func(s *ledger.State) {
		e := s.Entries[k]
		current = e != nil && e.Role == ledger.Current
	})
	return current && !slices.ContainsFunc(d.Plan.Changes, func(c plan.Change) bool { return c.Token == k.Token && c.Action == plan.Replace }) &&
		!slices.ContainsFunc(d.Plan.Held, func(h plan.Held) bool { return h.Token == k.Token && h.Action == plan.Replace })
}

// addresses are those of resources, or nil where there are none.
func addresses(of []resource.Desired) map[resource.Address]bool {
	if len(of) == 0 {
		return nil
	}
	out := make(map[resource.Address]bool, len(of))
	for i := range of {
		out[of[i].Address] = true
	}
	return out
}

// meant reports whether a plan deletes nothing but what a person named.
func (d *Draft) meant() bool {
	n := 0
	for i := range d.Plan.Changes {
		c := &d.Plan.Changes[i]
		switch {
		case c.Action == plan.Delete && c.Named:
			n++
		case c.Action == plan.Delete || c.Action == plan.Replace:
			return false
		}
	}
	return n > 0
}
