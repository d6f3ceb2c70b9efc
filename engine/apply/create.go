package apply

import (
	"context"
	"maps"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// create makes a new object in one marked call.
func (t *taking) create() event {
	want, err := t.x.resolve(t.step.Want)
	if err != nil {
		return t.failed(err)
	}
	t.entry.Key = ledger.Key{Address: t.step.Address, Token: t.x.NewToken()}
	rec := ledger.Record{
		Scope: t.account.Session.Scope(), Settings: t.account.Settings, Applied: want, Meta: t.step.Meta, Schema: t.x.run.Schema,
		Deps: t.x.deps(t.step, func(aspect string) bool { return aspect == "" }),
	}
	if err := t.intend(rec, nil); err != nil {
		return t.unwritten(err)
	}
	object := resource.Object{Address: t.step.Address, Fields: want}
	p, err := t.account.Session.Create(t.calls, object, markOf(t.x.run.Estate, t.entry.Key))
	if err == nil && p.Handle != "" {
		if werr := t.write(ledger.Event{Type: ledger.Accepted, Handle: p.Handle}); werr != nil {
			return t.unheard("accepted", werr)
		}
		p, err = t.hear(p)
	}
	if err != nil && p.Object.ID != "" && resource.ClassOf(err) != resource.UnknownOutcome {
		rec.ID, rec.Broken = p.Object.ID, err.Error()
		if werr := t.write(ledger.Event{Type: ledger.Done, Record: &rec}); werr != nil {
			return t.unheard("made, and is broken ("+err.Error()+")", werr)
		}
		ev := t.failed(err)
		ev.retry = false // it is there, broken: only a new plan replaces it
		return ev
	}
	if err == nil && p.Dropped {
		return t.dropped(rec, want, p.Object)
	}
	if err == nil {
		seen := t.x.complete(t.calls, t.account.Session, t.step.Address, p.Object)
		seen.Fields = t.x.run.Veil.Conceal(seen.Fields, want)
		rec.ID, rec.Outs, rec.Applied = seen.ID, t.desc.Outputs(seen), t.desc.Identified(want, nil, seen.Fields)
		t.ev.result.ID = seen.ID
		merged := maps.Clone(want)
		maps.Copy(merged, seen.Fields)
		seen.Fields, seen.Address, seen.Mark = merged, t.step.Address, markOf(t.x.run.Estate, t.entry.Key)
		t.x.trail.created(t.entry.Key, seen)
	}
	return t.outcome(ledger.Event{Type: ledger.Done, Record: &rec}, err)
}

func markOf(estate string, k ledger.Key) resource.Mark {
	return resource.Mark{Estate: estate, Env: k.Address.Env, Address: k.Address, Token: k.Token}
}

// complete reads a new object back until all its outputs are there, since
// others may need them and reads may trail the create. What stays unknown is
// left out.
func (e *Engine) complete(ctx context.Context, s provider.Session, a resource.Address, o resource.Object) resource.Object {
	k, d, ok := e.Kinds.Kind(a.Type())
	if !ok {
		return o
	}
	pause := 100 * time.Millisecond
	for range 8 {
		if len(d.Outputs(o)) == len(d.Outs) {
			return o
		}
		ans := s.Read(ctx, []resource.Want{{Kind: a.Kind, By: resource.Selector{IDs: []resource.ID{o.ID}}}})
		if len(ans) == 1 && len(ans[0].Objects) == 1 {
			fields := maps.Clone(ans[0].Objects[0].Fields)
			for name, v := range o.Fields {
				if fields[name] == nil {
					fields[name] = v
				}
			}
			o.Fields = fields
			return o
		}
		if len(ans) == 1 && resource.ClassOf(ans[0].Err) == resource.Denied {
			return o // who may not look sees no more for waiting
		}
		if k.Lag == 0 || e.Sleep(ctx, pause) != nil {
			return o
		}
		pause *= 2
	}
	return o
}
