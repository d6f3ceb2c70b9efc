package apply

import (
	"isobar.dev/engine/ledger"
)

// pin writes down what a lookup found. The plan that is applied names it, so
// nothing is asked again: what people saw and approved is what is used.
func (t *taking) pin(known bool) event {
	if t.step.Token != "" && !known {
		return t.moved("the ledger no longer has it")
	}
	acc, err := t.x.account(t.step, "")
	if err != nil {
		return t.failed(err)
	}
	if !known {
		t.entry.Key = ledger.Key{Address: t.step.Address, Token: t.x.NewToken()}
	}
	rec := ledger.Record{
		ID: t.step.Live, Scope: acc.Session.Scope(), Outs: t.step.Outs, Applied: t.step.Want, Meta: t.step.Meta, Schema: t.x.run.Schema,
	}
	t.ev.result.ID = rec.ID
	if err := t.write(ledger.Event{Type: ledger.Pinned, Record: &rec}); err != nil {
		return t.unwritten(err)
	}
	return t.end(Done)
}

// forget lets go of what a lookup found; the thing itself was never ours.
func (t *taking) forget(known bool) event {
	if !known {
		return t.end(Converged)
	}
	t.ev.result.ID = t.entry.Record.ID
	if err := t.write(ledger.Event{Type: ledger.Forgotten, Why: "no longer looked up"}); err != nil {
		return t.unwritten(err)
	}
	return t.end(Done)
}
