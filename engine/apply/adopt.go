package apply

import (
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// imports reports whether a step brings an object under management that the
// ledger does not hold yet.
func imports(s *plan.Step) bool { return s.Op == ledger.Adopt && s.Token == "" }

// adopt writes our mark onto an object that nobody has marked, and takes it into
// the ledger. Where its kind carries no mark, the ledger alone says that it is
// ours.
func (t *taking) adopt() event {
	live := t.seen.object
	switch {
	case t.seen.err != nil:
		return t.failed(t.seen.err)
	case !t.seen.found:
		return t.moved("%s is gone", t.step.Live)
	case !live.Mark.IsZero() && (live.Mark.Estate != t.x.run.Estate || live.Mark.Address != t.step.Address && (t.step.Over == "" || live.Mark.Token != t.step.Over)):
		return t.moved("%s bears the mark of %s, estate %s, by now", live.ID, live.Mark.Address, live.Mark.Estate)
	}
	t.ev.result.ID = live.ID
	t.entry.Key = ledger.Key{Address: t.step.Address, Token: t.x.NewToken()}
	rec := ledger.Record{
		ID: live.ID, Scope: t.account.Session.Scope(), Settings: t.account.Settings, Outs: resource.Map{}, Applied: t.step.Want,
		Meta: t.step.Meta, Schema: t.x.run.Schema, Deps: t.x.deps(t.step, func(string) bool { return true }),
	}
	for name, v := range t.desc.Outputs(live) {
		if !resource.HasUnread(v) {
			rec.Outs[name] = v
		}
	}
	if t.kind.Unmarked {
		if err := t.write(ledger.Event{Type: ledger.Adopted, Record: &rec, Past: t.step.Past}); err != nil {
			return t.unwritten(err)
		}
		return t.end(Done)
	}
	if err := t.intend(rec, nil); err != nil {
		return t.unwritten(err)
	}
	m := markOf(t.x.run.Estate, t.entry.Key)
	err := t.account.Session.Mark(t.calls, live, &m)
	return t.outcome(ledger.Event{Type: ledger.Done, Record: &rec}, err)
}
