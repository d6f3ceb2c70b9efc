package apply

import (
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// unbar looks at the barred steps once ended is over (nil: since one was added).
// Where what one wants was taken away since its last try began it is tried again;
// where nothing left in the run can, it ends: waiting alone brings it nothing.
func (x *execution) unbar(ended *stepState) {
	if ended != nil && (ended.result.Outcome == Done || ended.result.Outcome == Converged) {
		kind := ended.step.Address.Type()
		x.freed[kind] = append(x.freed[kind], ended)
	}
	var still []*stepState
	for _, st := range x.barred {
		since := x.freed[st.step.Address.Type()][st.freed:]
		switch {
		case slices.ContainsFunc(since, func(o *stepState) bool { return x.frees(o, st) }):
			x.enqueue(st)
		case x.hopeful(st):
			still = append(still, st)
		default:
			x.lose(st)
		}
	}
	x.barred = still
}

// frees reports whether a step of the same kind may take away what st wants: an
// object; its value in a field that no two may share; or the very value that st
// wants in that field, since names may be unique within a place alone.
func (x *execution) frees(o, st *stepState) bool {
	switch o.step.Op {
	case ledger.Delete:
		return true
	case ledger.Update:
	case ledger.Create, ledger.Clear, ledger.Adopt, ledger.Release, ledger.Pin, ledger.Forget:
		return false
	}
	_, d, known := x.Kinds.Kind(o.step.Address.Type())
	return known && slices.ContainsFunc(o.step.Changes, func(c resource.Change) bool {
		f := d.Field(c.Path[0])
		return f != nil && f.Unique || len(c.Path) == 1 && c.Before != nil && resource.Equal(c.Before, wanted(st.step, c.Path[0]))
	})
}

// wanted is what a step gives a top-level field, or nil.
func wanted(s *plan.Step, field string) resource.Value {
	for _, c := range s.Changes {
		if len(c.Path) == 1 && c.Path[0] == field {
			return c.After
		}
	}
	if s.Op != ledger.Create {
		return nil
	}
	return s.Want[field]
}

// hopeful reports whether a step is still to come that may free what st wants: of
// the same kind, and in no need of st.
func (x *execution) hopeful(st *stepState) bool {
	after := map[*stepState]bool{st: true}
	for queue := []*stepState{st}; len(queue) > 0; queue = queue[1:] {
		for _, f := range queue[0].feeds {
			if !after[f] {
				after[f] = true
				queue = append(queue, f)
			}
		}
	}
	for _, o := range x.state {
		if !after[o] && o.result.Outcome == "" && o.step.Address.Type() == st.step.Address.Type() && x.frees(o, st) {
			return true
		}
	}
	return false
}
