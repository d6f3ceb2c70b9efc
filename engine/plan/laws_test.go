package plan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestAPlanConverges is the first law: carried out in any order that its needs
// allow, in a world that enforces what a cloud does, a plan succeeds, and the
// next one has no step and nothing to correct.
func TestAPlanConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, converges)
}

// FuzzPlanConverges lets the fuzzer look for worlds.
func FuzzPlanConverges(f *testing.F) { f.Fuzz(rapid.MakeFuzz(converges)) }

// FuzzPlanIsSafe lets the fuzzer look for worlds with holes.
func FuzzPlanIsSafe(f *testing.F) { f.Fuzz(rapid.MakeFuzz(isSafe)) }

func converges(t *rapid.T) {
	w := settled(t, rapid.IntRange(0, 3).Draw(t, "rounds"))
	desired := drawDesired(t)
	p := plan.Build(w.input(desired))
	if err := w.finish(p, order(t)); err != nil {
		t.Fatalf("%v\n%s", err, brief(p))
	}
	q := plan.Build(w.input(desired))
	untold := slices.ContainsFunc(p.Notes, func(n plan.Note) bool { return strings.Contains(n.Text, "is known once this plan is done") })
	for n := 0; len(q.Steps) > 0 && (len(p.Held) > 0 || untold) && n < 4; n++ { // what was held may go once something else is gone, and what was not known is by now
		if err := w.finish(q, order(t)); err != nil {
			t.Fatalf("%v\n%s", err, brief(q))
		}
		q = plan.Build(w.input(desired))
	}
	if len(q.Steps) > 0 {
		t.Fatalf("there are steps left\n%s\nof\n%s", brief(q), brief(p))
	}
	if len(p.Held) == 0 && !q.Empty() {
		t.Fatalf("something is held that was not\n%s\nof\n%s", brief(q), brief(p))
	}
	if err := w.correct(q); err != nil {
		t.Fatal(err)
	}
	if r := plan.Build(w.input(desired)); len(r.Steps) > 0 || len(r.Ledger) > 0 {
		t.Fatalf("corrections do not settle\n%s\nafter\n%s", brief(r), brief(q))
	}
}

// snapshot writes an input down whole.
func snapshot(t *rapid.T, in *plan.Input) string {
	live := map[string]any{}
	for k, r := range in.Live {
		live[k.Address.String()+" "+k.Token] = []any{r, r.Object.Fields}
	}
	found := map[string]any{}
	for a, r := range in.Found {
		found[a.String()] = []any{r, r.Object.Fields}
	}
	entries := map[string]any{}
	for k, e := range in.Ledger.Entries {
		entries[k.Address.String()+" "+k.Token] = e
	}
	var desired []any
	for i := range in.Desired {
		d := &in.Desired[i]
		desired = append(desired, []any{d.Address, d.Fields, d.Meta, d.Where})
	}
	b, err := json.Marshal([]any{desired, live, found, entries, in.Ledger.Ended, in.Strays, in.Blind, in.Deletes})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPlanIsIndependentOfOrderAndWritesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := settled(t, rapid.IntRange(0, 2).Draw(t, "rounds"))
		in := w.input(drawDesired(t))
		hide(t, &in)
		before := snapshot(t, &in)
		first := plan.Build(in)
		if after := snapshot(t, &in); after != before {
			t.Fatalf("the input was written to\n%s\nbecame\n%s", before, after)
		}
		mixed := in
		mixed.Desired = rapid.Permutation(in.Desired).Draw(t, "desired")
		mixed.Strays = rapid.Permutation(in.Strays).Draw(t, "strays")
		mixed.Live = maps.Clone(in.Live)
		if second := plan.Build(mixed); text(second) != text(first) {
			t.Fatalf("another order: %s", differences(text(first), text(second)))
		}
		moved := in
		moved.Desired = slices.Clone(in.Desired)
		for i := range moved.Desired {
			moved.Desired[i].At.Line += 7
			moved.Desired[i].Where = maps.Clone(in.Desired[i].Where) // which fields somebody wrote says more than a place
			for name := range moved.Desired[i].Where {
				moved.Desired[i].Where[name] = resource.Position{File: "other.cue", Line: 3}
			}
		}
		if third := plan.Build(moved); third.Digest != first.Digest {
			t.Fatal("the digest holds positions")
		}
	})
}

// hide makes parts of an input unread, doubtful or blind.
func hide(t *rapid.T, in *plan.Input) {
	in.Live = maps.Clone(in.Live)
	for _, a := range slices.SortedFunc(maps.Keys(in.Found), resource.Address.Compare) {
		switch rapid.IntRange(0, 5).Draw(t, "hide "+a.Local()) {
		case 0:
			in.Found[a] = plan.Reading{Seen: plan.Unread, Why: "denied"}
		case 1:
			delete(in.Found, a)
		}
	}
	for _, e := range in.Ledger.Sorted() {
		r := in.Live[e.Key]
		if r.Seen != plan.Present || len(e.Record.Applied) == 0 || differs(r.Object.Fields, e.Record.Applied, "rules") || differs(r.Object.Fields, e.Record.Applied, "groups") ||
			differs(r.Object.Fields, e.Record.Applied, "name") {
			continue // gone; or its unique name, or a reference that is not of our making, is known by reading alone
		}
		switch rapid.IntRange(0, 14).Draw(t, "hide "+e.Address.Local()) {
		case 0:
			in.Live[e.Key] = plan.Reading{Seen: plan.Unread, Why: "denied"}
		case 1:
			delete(in.Live, e.Key)
		case 2:
			names := r.Object.Fields.Keys()
			r.Object.Fields = maps.Clone(r.Object.Fields)
			r.Object.Fields[rapid.SampledFrom(names).Draw(t, "field")] = resource.Unread{Why: "denied"}
			in.Live[e.Key] = r
		}
	}
	if rapid.IntRange(0, 14).Draw(t, "blind") == 0 {
		in.Blind = map[string]string{"t": "no credentials"}
	}
	if rapid.IntRange(0, 7).Draw(t, "bounded") == 0 {
		in.Deletes = plan.Budget{Count: rapid.IntRange(1, 3).Draw(t, "count"), Percent: rapid.SampledFrom([]int{0, 10, 50}).Draw(t, "percent")}
	}
	in.Desired = slices.Clone(in.Desired)
	for i := range in.Desired {
		lookup := in.Kinds[in.Desired[i].Address.Type()].Lookup // whose fields hold no secret
		if !lookup && rapid.IntRange(0, 14).Draw(t, "unready") == 0 {
			if in.Unready == nil {
				in.Unready = map[resource.Address]plan.Unready{}
			}
			in.Unready[in.Desired[i].Address] = plan.Unready{Text: "no secret", Mend: "find it"}
			in.Desired[i].Fields, _ = resource.Rewrite(in.Desired[i].Fields, func(v resource.Value) resource.Value {
				if s, ok := v.(resource.Secret); ok {
					return resource.Secret{Name: s.Name}
				}
				return v
			}).(resource.Map)
		}
	}
	if rapid.IntRange(0, 14).Draw(t, "lost") == 0 {
		in.Lost, in.Desired = true, nil
	}
	if rapid.IntRange(0, 3).Draw(t, "set back") == 0 {
		in.Restored = time.Unix(1_800_000_000, 0)
	}
	in.Confirmed, in.Released = map[ledger.Key]string{}, map[ledger.Key]string{}
	for _, e := range in.Ledger.Sorted() {
		switch rapid.IntRange(0, 19).Draw(t, "word") {
		case 0, 1:
			in.Confirmed[e.Key] = "ann"
		case 2:
			in.Released[e.Key] = "ann"
		}
	}
}

func differs(a, b resource.Map, field string) bool { return !resource.Equal(a[field], b[field]) }

// doubt leaves intents open in the world's ledger.
func doubt(t *rapid.T, w *world) {
	for _, e := range w.state.Sorted() {
		if w.kinds[e.Address.Type()].Lookup {
			continue
		}
		if rapid.IntRange(0, 11).Draw(t, "doubt "+e.Address.Local()) != 0 {
			continue
		}
		op := rapid.SampledFrom([]ledger.Op{ledger.Update, ledger.Delete}).Draw(t, "op")
		ev := ledger.Event{Address: e.Address, Token: e.Token, Type: ledger.Intended, Intent: &ledger.Intent{Op: op, Record: e.Record}}
		if err := w.write(ev); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsNotKnownIsNotTouched checks the safety laws on inputs with holes,
// and that what is planned around the holes can be carried out.
func TestWhatIsNotKnownIsNotTouched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, isSafe)
}

func isSafe(t *rapid.T) {
	w := settled(t, rapid.IntRange(1, 3).Draw(t, "rounds"))
	doubt(t, w)
	in := w.input(drawDesired(t))
	hide(t, &in)
	p := plan.Build(in)
	if err := safe(&in, p); err != nil {
		t.Fatalf("%v\n%s", err, brief(p))
	}
	if err := w.finish(p, order(t)); err != nil {
		t.Fatalf("%v\n%s", err, brief(p))
	}
}

// safe checks laws 3 to 5, 7 and 9.
func safe(in *plan.Input, p *plan.Plan) error {
	ids := map[string]bool{}
	for _, s := range p.Steps {
		ids[s.ID] = true
	}
	held := map[resource.Address]bool{}
	for _, h := range p.Held {
		if h.Text == "" || h.Why == "" {
			return fmt.Errorf("%s is held without a reason", h.Address)
		}
		if (h.Why != plan.HeldOrphan || in.Lost || h.Action == plan.Replace) && !h.Outgrown() && !h.Blind() { // a stray stands beside the address's own object; a field alone is left
			held[h.Address] = true
		}
	}
	for a := range in.Unready {
		if !in.Lost && !held[a] {
			return fmt.Errorf("%s is unready, and not held", a)
		}
	}
	gone := 0
	for _, s := range p.Steps {
		if _, unready := in.Unready[s.Address]; unready && s.Op != ledger.Delete && s.Op != ledger.Release && s.Op != ledger.Clear {
			return fmt.Errorf("%s is unready, and %s is planned", s.Address, s.ID)
		}
		for _, n := range s.Needs {
			if !ids[n] {
				return fmt.Errorf("%s needs %s, which is no step", s.ID, n)
			}
		}
		if err := safeStep(in, &s, held); err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		if e := in.Ledger.Entries[ledger.Key{Address: s.Address, Token: s.Token}]; s.Op == ledger.Delete && e != nil && e.Role == ledger.Current && (in.Confirmed[e.Key] == "" || !in.Lost && !plan.SetBack(e, in.Kinds[s.Address.Type()], in.Restored)) {
			gone++
		}
	}
	if n := in.Deletes.Count; n > 0 && gone > n {
		return fmt.Errorf("%d deletions, over the budget of %d", gone, n)
	}
	if n := in.Deletes.Percent; n > 0 && gone > (len(in.Ledger.Entries)*n+99)/100 {
		return fmt.Errorf("%d deletions, over the budget of %d %%", gone, n)
	}
	return nil
}

func safeStep(in *plan.Input, s *plan.Step, held map[resource.Address]bool) error {
	if s.Op == ledger.Create && in.Blind["t"] != "" {
		return fmt.Errorf("created, though nothing could be read")
	}
	current := in.Ledger.Current(s.Address)
	if held[s.Address] && (s.Token == "" || current != nil && current.Token == s.Token) && !deposedHeld(in, s.Address) {
		return fmt.Errorf("its object is held")
	}
	if s.Op == ledger.Pin {
		return safeLookup(in, s)
	}
	var e *ledger.Entry
	for key, o := range in.Ledger.Entries { // by token: the address may have moved
		if key.Token == s.Token {
			e = o
		}
	}
	if s.Op == ledger.Create {
		e = current
	}
	if e == nil {
		if s.Op == ledger.Delete && !slices.ContainsFunc(in.Strays, func(o resource.Object) bool { return o.ID == s.Live && o.Mark.Token == s.Token }) {
			return fmt.Errorf("of something that the ledger does not hold")
		}
		return nil
	}
	if in.Kinds[s.Address.Type()].Lookup {
		return safeLookup(in, s)
	}
	r := in.Live[e.Key]
	switch {
	case e.Open != nil:
		return fmt.Errorf("an intent is open")
	case r.Seen != plan.Present && (s.Op != ledger.Create || r.Seen != plan.Absent):
		return fmt.Errorf("it was %q", r.Seen)
	case s.Op == ledger.Adopt && (r.Object.ID != e.Record.ID || !r.Object.Mark.IsZero() && r.Object.Mark.Token != e.Token && !ofItsAddress(in, e, r.Object.Mark)):
		return fmt.Errorf("marks what is another's, or not known by its id")
	case s.Op == ledger.Release && in.Released[e.Key] == "" && !in.Kinds[s.Address.Type()].Found:
		return fmt.Errorf("nobody lets go of it")
	case s.Op == ledger.Delete && in.Released[e.Key] != "" && !in.Kinds[s.Address.Type()].Found:
		return fmt.Errorf("a person lets go of it")
	case s.Op == ledger.Update || s.Op == ledger.Clear || s.Op == ledger.Adopt || s.Op == ledger.Release:
		return nil
	case resource.HasUnread(r.Object.Fields):
		return fmt.Errorf("a field of it is unread")
	case s.Op != ledger.Delete:
		return nil
	case e.Record.Meta.PreventDestroy || in.Protected[s.Address]:
		return fmt.Errorf("it is protected")
	case plan.SetBack(e, in.Kinds[s.Address.Type()], in.Restored) && in.Confirmed[e.Key] == "" && !(in.Destroy && in.Had[s.Address]):
		return fmt.Errorf("the store was restored, and nothing says that it is ours")
	case in.Lost && e.Role == ledger.Current && in.Confirmed[e.Key] == "":
		return fmt.Errorf("the spec was lost")
	case in.Kinds[s.Address.Type()].Marked && (r.Object.Mark.Token != e.Token || r.Object.Mark.Estate != in.Estate || r.Object.Mark.Env != in.Env):
		return fmt.Errorf("its mark does not confirm it")
	}
	return nil
}

// ofItsAddress reports whether a mark is the environment's own of an address that the
// entry has or had.
func ofItsAddress(in *plan.Input, e *ledger.Entry, m resource.Mark) bool {
	return m.Estate == in.Estate && m.Env == in.Env && (m.Address == e.Address || slices.Contains(e.Was, m.Address))
}

// safeLookup checks that what is pinned is what was just found, and that nothing
// else is ever done with a lookup.
func safeLookup(in *plan.Input, s *plan.Step) error {
	r, asked := in.Found[s.Address]
	switch {
	case s.Op == ledger.Forget && (!in.Lost || in.Confirmed[ledger.Key{Address: s.Address, Token: s.Token}] != ""):
		return nil
	case s.Op != ledger.Pin:
		return fmt.Errorf("%s of a lookup", s.Op)
	case asked && r.Seen == plan.Present && s.Token == "" && !in.Anew[s.Address] && had(in, s.Live):
		return nil
	case !asked || r.Seen != plan.Present || r.Object.ID != s.Live:
		return fmt.Errorf("%s is pinned, and %q was found", s.Live, r.Object.ID)
	}
	return nil
}

// had reports whether an object that is there was made with what a lookup found.
func had(in *plan.Input, id resource.ID) bool {
	names := func(o *resource.Object) bool { return o.Fields.Text("image") == string(id) }
	for _, r := range in.Live {
		if r.Seen == plan.Present && names(&r.Object) {
			return true
		}
	}
	return slices.ContainsFunc(in.Strays, func(o resource.Object) bool { return names(&o) })
}

// rest applies what is wanted until there is nothing left to do, since some are not to
// be had in one go, and gives how many are not to be had at all.
func (w *world) rest(t *rapid.T, desired []resource.Desired) (held int) {
	for range 4 {
		if err := w.finish(plan.Build(w.input(desired)), order(t)); err != nil {
			t.Fatal(err)
		}
	}
	p := plan.Build(w.input(desired))
	if len(p.Steps) > 0 {
		t.Fatalf("it does not come to rest\n%s", brief(p))
	}
	return len(p.Held)
}

// TestALostPinMakesNothingAnew is the law of lookups whose pins are lost with the
// ledger: whatever they find by now, nothing is made anew, changed or deleted for
// it, and what is made beside has what stands there has; until a person asks anew.
func TestALostPinMakesNothingAnew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		desired := drawDesired(t)
		w.rest(t, desired)
		for _, e := range w.state.Sorted() {
			if k := w.kinds[e.Address.Type()]; k.Marked && rapid.IntRange(0, 3).Draw(t, "lost "+e.Address.Local()) > 0 || k.Lookup {
				if err := w.forget(e.Token); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.images["old"]++
		w.images["new"] += 2
		in := w.input(desired)
		p := plan.Build(in)
		if err := safe(&in, p); err != nil {
			t.Fatalf("%v\n%s", err, brief(p))
		}
		for _, s := range p.Steps {
			if s.Op != ledger.Pin && s.Op != ledger.Adopt {
				t.Fatalf("%s, and only the ledger was lost\n%s", s.ID, brief(p))
			}
		}
		if err := w.finish(p, order(t)); err != nil {
			t.Fatalf("%v\n%s", err, brief(p))
		}
		if q := plan.Build(w.input(desired)); len(q.Steps) > 0 {
			t.Fatalf("there are steps left\n%s\nof\n%s", brief(q), brief(p))
		}
	})
}

// TestAPinStays is the law of lookups: whatever the world holds by now, a plan
// is the same until somebody asks anew or a lookup's fields change; and then
// what is pinned is what is there.
func TestAPinStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := settled(t, rapid.IntRange(1, 2).Draw(t, "rounds"))
		desired := drawDesired(t)
		w.anew = false
		before := w.input(desired)
		w.images["old"]++
		w.images["new"] += 2
		after := w.input(desired)
		for a := range after.Found { // only those that were held for want of an answer
			if _, waits := before.Found[a]; !waits {
				t.Fatalf("%s is asked", a)
			}
			delete(before.Found, a)
			delete(after.Found, a)
		}
		if a, b := text(plan.Build(before)), text(plan.Build(after)); a != b {
			t.Fatalf("a newer image changed the plan: %s", differences(a, b))
		}
		w.anew = true
		p := plan.Build(w.input(desired))
		for i := range desired {
			d := &desired[i]
			held := slices.ContainsFunc(p.Held, func(h plan.Held) bool { return h.Address == d.Address })
			if d.Address.Kind != "image" || held {
				continue
			}
			now := w.cloud.lookUp(d.Fields).Object.ID
			pins := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Address == d.Address && s.Op == ledger.Pin && s.Live == now })
			if e := w.state.Current(d.Address); !pins && d.Meta.MovedFrom == nil && (e == nil || e.Record.ID != now) {
				t.Fatalf("%s was asked for anew, holds %v, and %s is not pinned\n%s", d.Address, e, now, brief(p))
			}
		}
	})
}

// deposedHeld reports whether it may be another object of the address that is held.
func deposedHeld(in *plan.Input, a resource.Address) bool {
	n := 0
	for key := range in.Ledger.Entries {
		if key.Address == a {
			n++
		}
	}
	for i := range in.Strays {
		if in.Strays[i].Mark.Address == a {
			n++
		}
	}
	return n > 1
}

// TestDigestChangesWithTheSteps compares two plans.
func TestDigestChangesWithTheSteps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := settled(t, rapid.IntRange(0, 1).Draw(t, "rounds"))
		var ps [2]*plan.Plan
		for i := range ps {
			ps[i] = plan.Build(w.input(drawDesired(t)))
			if rapid.Bool().Draw(t, "disturbed") {
				disturb(t, w)
			}
		}
		a, _ := json.Marshal(stepsOf(ps[0]))
		b, _ := json.Marshal(stepsOf(ps[1]))
		if (string(a) == string(b)) != (ps[0].Digest == ps[1].Digest) {
			t.Fatalf("digests %q and %q of\n%s\nand\n%s", ps[0].Digest, ps[1].Digest, a, b)
		}
		if (ps[0].Digest == "") != (len(ps[0].Steps) == 0) {
			t.Fatalf("digest %q of %d steps", ps[0].Digest, len(ps[0].Steps))
		}
	})
}
