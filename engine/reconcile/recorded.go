package reconcile

import (
	"context"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Recorded gives the report of a run whose process did not live to write it, and
// whose end nobody has put on record yet.
func Recorded(ctx context.Context, st store.Store, r *store.Run) (*view.Run, error) {
	run, _ := report(r) // one that can't be read is made anew
	run.State, run.Why, run.Next = view.Stopped, endedFirst, "the next apply settles what it had begun"
	var err error
	run.Steps, err = recorded(ctx, st, r, run.Steps)
	return run, err
}

// recorded gives the steps of a run whose process did not live to report them: as
// its report has them from when it began, and what the ledger knows became of each.
func recorded(ctx context.Context, st store.Store, r *store.Run, begun []view.Step) ([]view.Step, error) {
	evs, err := st.Events(ctx, r.Env, 0)
	if err != nil {
		return nil, err
	}
	steps := append([]view.Step(nil), begun...)
	at := map[string]int{}
	for i := range steps {
		steps[i].State = view.StepWaiting
		at[steps[i].ID] = i
	}
	open := map[ledger.Key]int{} // objects whose call's end is not known, to their step
	for i := range evs {
		ev := &evs[i]
		if ev.Run != r.ID {
			continue
		}
		key := ledger.Key{Address: ev.Address, Token: ev.Token}
		if in := ev.Intent; in != nil {
			n, known := at[in.Step]
			if !known { // it follows from one of them: a mark that a create lacked
				n = len(steps)
				at[in.Step] = n
				steps = append(steps, view.Step{ID: in.Step, Address: ev.Address, Op: in.Op, Aspect: in.Aspect})
			}
			steps[n].State, steps[n].At, open[key] = view.StepDoubt, ev.At, n
			continue
		}
		n, is := open[key]
		switch {
		case is:
			if ended(&steps[n], ev); steps[n].State != view.StepDoubt {
				delete(open, key)
			}
		case ev.Type == ledger.Pinned || ev.Type == ledger.Forgotten: // no call, so no intent
			if n := slices.IndexFunc(steps, func(s view.Step) bool { return s.Address == ev.Address && uncalled(s.Op, ev.Type) }); n >= 0 {
				steps[n].State, steps[n].At = view.StepDone, ev.At
			}
		}
	}
	return steps, nil
}

// uncalled reports whether an event that stands alone may be a step's.
func uncalled(op ledger.Op, ev ledger.Type) bool {
	return (ev == ledger.Pinned) == (op == ledger.Pin) && (op == ledger.Pin || op == ledger.Forget || op == ledger.Release || op == ledger.Delete)
}

// ended notes on a step that was begun what an event tells of its call.
func ended(s *view.Step, ev *ledger.Event) {
	switch ev.Type {
	case ledger.Done:
		s.State = view.StepDone
	case ledger.Settled:
		if s.State = view.StepFailed; ev.Record != nil || ev.Gone {
			s.State, s.Text = view.StepDone, ""
		}
	case ledger.Failed:
		s.State = view.StepFailed
	case ledger.Intended, ledger.Accepted, ledger.Doubted, ledger.Adopted, ledger.Pinned, ledger.Moved, ledger.Restored, ledger.Forgotten:
	}
	if ev.Fault != nil {
		s.Text, s.RequestID = ev.Fault.Message, ev.Fault.RequestID
	}
	if ev.Type != ledger.Accepted {
		s.Took, s.At = max(ev.At.Sub(s.At), 0), ev.At
	}
}

// relate tells in a run's thread what it did, where its process did not live to.
func (t *turn) relate(ctx context.Context, r *store.Run, run *view.Run) {
	if t.d.Chat == nil || t.head.channel == "" {
		return
	}
	lines := slices.DeleteFunc(run.Chat().Thread, func(l view.ChatLine) bool { return l.Once != "" }) // what went wrong is in the head
	if len(lines) > maxLines {
		return // its own process told as many, and where the rest is
	}
	for _, l := range lines {
		if _, err := t.enqueue(ctx, store.Message{Key: store.MessageOfRun(r.ID) + " " + l.Key, Thread: root(r), Kind: replyMessage, Body: body(l.Text)}); err != nil {
			return // nor can the run be kept
		}
	}
	t.d.ring()
}
