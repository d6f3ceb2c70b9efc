package plan_test

import (
	"fmt"
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// world is a cloud with the ledger of one environment over it.
type world struct {
	*cloud
	state     *ledger.State
	events    []ledger.Event
	tokens    int
	leftovers map[string]bool // deposed objects' tokens, as the plan saw them
	anew      bool            // somebody asks for all lookups anew
}

func newWorld() *world { return &world{cloud: newCloud(), state: &ledger.State{}} }

func (w *world) write(ev ledger.Event) error {
	ev.Seq = int64(len(w.events) + 1)
	if err := w.state.Apply(ev); err != nil {
		return err
	}
	w.events = append(w.events, ev)
	return nil
}

// forget makes the ledger one that never heard of a token, as a restored one is.
func (w *world) forget(token string) error {
	events := slices.DeleteFunc(slices.Clone(w.events), func(ev ledger.Event) bool { return ev.Token == token })
	state, err := ledger.Fold(events)
	if err == nil {
		w.events, w.state = events, state
	}
	return err
}

// input looks at the whole cloud.
func (w *world) input(desired []resource.Desired) plan.Input {
	in := plan.Input{
		Env: "prod", Estate: estate, Desired: desired, Ledger: w.state, Kinds: w.kinds,
		Live: map[ledger.Key]plan.Reading{}, Blind: map[string]string{},
	}
	w.lookUp(&in)
	w.leftovers = map[string]bool{}
	for key, e := range w.state.Entries {
		if w.kinds[e.Address.Type()].Lookup {
			continue
		}
		w.leftovers[key.Token] = e.Role == ledger.Deposed
		in.Live[key] = plan.Reading{Seen: plan.Absent}
		if w.objects[e.Record.ID] != nil {
			o := w.object(e.Record.ID)
			o.Address = e.Address
			in.Live[key] = plan.Reading{Seen: plan.Present, Object: o}
		}
	}
	for _, id := range w.ids() {
		if o := w.object(id); o.Mark.Estate == estate && w.state.Entries[ledger.Key{Address: o.Mark.Address, Token: o.Mark.Token}] == nil {
			o.Address = o.Mark.Address
			in.Strays = append(in.Strays, o)
		}
	}
	return in
}

// lookUp asks the lookups that have no pin, or all of them.
func (w *world) lookUp(in *plan.Input) {
	wanted := map[resource.Address]bool{}
	for i := range in.Desired {
		wanted[in.Desired[i].Address] = true
	}
	in.Found, in.Anew = map[resource.Address]plan.Reading{}, map[resource.Address]bool{}
	for i := range in.Desired {
		d := &in.Desired[i]
		in.Anew[d.Address] = w.anew
		if k := w.kinds[d.Address.Type()]; k.Lookup && (w.anew || !plan.Pinned(plan.EntryOf(w.state, d, wanted), d, k.Descriptor, "")) {
			in.Found[d.Address] = w.cloud.lookUp(d.Fields)
		}
	}
}

// correct writes the plan's corrections.
func (w *world) correct(p *plan.Plan) error {
	for _, c := range p.Ledger {
		if err := w.write(ledger.Event{Address: c.Address, Token: c.Token, Type: c.Type, Record: c.Record, From: c.From, Why: c.Why, Beside: c.Beside}); err != nil {
			return err
		}
	}
	return nil
}

// execute does up to limit of the plan's steps, each when what it needs is
// done, in an order that pick chooses among n ready ones.
func (w *world) execute(p *plan.Plan, limit int, pick func(n int) int) error {
	done := map[string]bool{}
	for range min(limit, len(p.Steps)) {
		var ready []*plan.Step
		for i := range p.Steps {
			s := &p.Steps[i]
			if !done[s.ID] && !slices.ContainsFunc(s.Needs, func(id string) bool { return !done[id] }) {
				ready = append(ready, s)
			}
		}
		if len(ready) == 0 {
			return fmt.Errorf("no step is ready: needs are circular, or name no step")
		}
		s := ready[pick(len(ready))]
		if err := w.step(s); err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		done[s.ID] = true
	}
	return nil
}

// finish carries a plan out whole.
func (w *world) finish(p *plan.Plan, pick func(n int) int) error {
	if err := w.correct(p); err != nil {
		return err
	}
	return w.execute(p, len(p.Steps), pick)
}

func (w *world) step(s *plan.Step) error {
	if s.Op == ledger.Create {
		return w.create(s)
	}
	if s.Op == ledger.Pin {
		return w.pin(s)
	}
	e := w.state.Current(s.Address)
	if s.Token != "" {
		e = w.state.Entries[ledger.Key{Address: s.Address, Token: s.Token}]
	}
	if e == nil || !e.Made {
		return fmt.Errorf("the ledger does not hold it")
	}
	if s.Live != "" && s.Live != e.Record.ID {
		return fmt.Errorf("it is %s in the plan and %s in the ledger", s.Live, e.Record.ID)
	}
	if s.Op == ledger.Forget {
		return w.letGo(e)
	}
	id, key := e.Record.ID, e.Key
	if err := w.write(ledger.Event{Address: key.Address, Token: key.Token, Type: ledger.Intended, Intent: &ledger.Intent{Op: s.Op, Record: e.Record}}); err != nil {
		return err
	}
	end := ledger.Event{Address: key.Address, Token: key.Token, Type: ledger.Done}
	switch s.Op {
	case ledger.Delete, ledger.Release:
		o := w.objects[id]
		if o != nil && w.kinds[o.kind].Marked && o.mark.Token != key.Token {
			return fmt.Errorf("%s does not bear our mark", id)
		}
		if o != nil && w.kinds[o.kind].Found && s.Op == ledger.Delete {
			return fmt.Errorf("%s of a %s", s.Op, o.kind)
		}
		end.Gone = true
		if s.Op == ledger.Release {
			o.mark = resource.Mark{}
		} else if err := w.delete(id); err != nil {
			return err
		}
	case ledger.Adopt:
		rec := e.Record
		end.Record = &rec
		w.objects[id].mark = resource.Mark{Estate: estate, Env: "prod", Address: key.Address, Token: key.Token}
	default:
		rec, err := w.change(s, e.Record)
		if err != nil {
			return err
		}
		end.Record = rec
	}
	return w.write(end)
}

// pin writes what a lookup found.
func (w *world) pin(s *plan.Step) error {
	token := s.Token
	if token == "" {
		w.tokens++
		token = fmt.Sprintf("token-%04d", w.tokens)
	}
	rec := &ledger.Record{ID: s.Live, Applied: s.Want, Outs: s.Outs, Meta: s.Meta, Schema: "1"}
	return w.write(ledger.Event{Address: s.Address, Token: token, Type: ledger.Pinned, Record: rec})
}

// letGo forgets a lookup, which nothing that is left may use.
func (w *world) letGo(e *ledger.Entry) error {
	for _, o := range w.state.Entries {
		for _, d := range o.Record.Deps {
			if d.Token == e.Token && w.objects[o.Record.ID] != nil {
				return fmt.Errorf("%s still uses it", o.Address)
			}
		}
	}
	return w.write(ledger.Event{Address: e.Address, Token: e.Token, Type: ledger.Forgotten})
}

func (w *world) create(s *plan.Step) error {
	w.tokens++
	token := fmt.Sprintf("token-%04d", w.tokens)
	want, err := w.resolve(s.Want)
	if err != nil {
		return err
	}
	rec := ledger.Record{Applied: want, Meta: s.Meta, Schema: "1", Deps: w.deps(s, "")}
	if old := w.state.Current(s.Address); old != nil && !s.Deposes && !w.leftovers[old.Token] {
		return fmt.Errorf("something is there, and the step does not say that it deposes it")
	}
	if err := w.write(ledger.Event{Address: s.Address, Token: token, Type: ledger.Intended, Intent: &ledger.Intent{Op: s.Op, Record: rec}}); err != nil {
		return err
	}
	for _, o := range w.objects { // what bears the address's mark of a ledger that was lost may be found again
		if w.kinds[o.kind].Found && o.mark.Address == s.Address && w.state.Entries[ledger.Key{Address: s.Address, Token: o.mark.Token}] == nil {
			o.mark = resource.Mark{}
		}
	}
	id, err := w.cloud.create(s.Address.Type(), want, resource.Mark{Estate: estate, Env: "prod", Address: s.Address, Token: token})
	if err != nil {
		return err
	}
	rec.ID, rec.Outs = id, w.kinds[s.Address.Type()].Outputs(w.object(id))
	return w.write(ledger.Event{Address: s.Address, Token: token, Type: ledger.Done, Record: &rec})
}

// change updates or clears, and gives the record that follows.
func (w *world) change(s *plan.Step, rec ledger.Record) (*ledger.Record, error) {
	want, err := w.resolve(s.Want)
	if err != nil {
		return nil, err
	}
	applied := maps.Clone(rec.Applied)
	if applied == nil {
		applied = resource.Map{}
	}
	changes := slices.Clone(s.Changes)
	for i, c := range changes {
		if c.After != nil {
			m, err := w.resolve(resource.Map{"v": c.After})
			if err != nil {
				return nil, err
			}
			changes[i].After = m["v"]
		}
		delete(applied, c.Path[0])
		if v := want[c.Path[0]]; v != nil {
			applied[c.Path[0]] = v
		}
	}
	if err := w.update(rec.ID, s.Aspect, changes); err != nil {
		return nil, err
	}
	deps := slices.DeleteFunc(slices.Clone(rec.Deps), func(d ledger.Dep) bool { return d.Aspect == s.Aspect })
	rec.Applied, rec.Meta, rec.Deps = applied, s.Meta, append(deps, w.deps(s, s.Aspect)...)
	rec.Outs = w.kinds[s.Address.Type()].Outputs(w.object(rec.ID))
	return &rec, nil
}

func (w *world) resolve(m resource.Map) (resource.Map, error) {
	var err error
	v := resource.Rewrite(m, func(v resource.Value) resource.Value {
		r, ok := v.(resource.Ref)
		if !ok {
			return v
		}
		if e := w.state.Current(r.Address); e != nil && e.Made && (w.objects[e.Record.ID] != nil || w.kinds[e.Address.Type()].Lookup) && e.Record.Outs[r.Out] != nil {
			return e.Record.Outs[r.Out]
		}
		err = fmt.Errorf("%s is not known yet", r.Short())
		return v
	})
	if err == nil && resource.HasUnknown(v) {
		err = fmt.Errorf("a step holds an unknown value: %s", resource.Encode(v))
	}
	out, _ := v.(resource.Map)
	return out, err
}

func (w *world) deps(s *plan.Step, aspect string) []ledger.Dep {
	var out []ledger.Dep
	for _, d := range s.Deps {
		if d.Aspect != aspect {
			continue
		}
		if e := w.state.Current(d.Address); e != nil {
			d.Token = e.Token
		}
		out = append(out, d)
	}
	return out
}
