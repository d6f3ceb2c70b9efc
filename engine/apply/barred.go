package apply

import (
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// unbar looks at the barred steps once ended is over (nil: since one was added).
// Where something was taken away since their last try began they are tried again;
// where nothing left in the run can, they end: waiting alone brings them nothing.
func (x *execution) unbar(ended *stepState) {
	if ended != nil && x.frees(ended) && (ended.result.Outcome == Done || ended.result.Outcome == Converged) {
		x.freed[ended.step.Address.Type()]++
	}
	var still []*stepState
	for _, st := range x.barred {
		switch {
		case x.freed[st.step.Address.Type()] > st.freed:
			x.enqueue(st)
		case x.hopeful(st):
			still = append(still, st)
		default:
			x.lose(st)
		}
	}
	x.barred = still
}

// frees reports whether a step takes away what is one object's alone: the object,
// or its value in a field that no two may share.
func (x *execution) frees(st *stepState) bool {
	if st.step.Op == ledger.Delete {
		return true
	}
	_, d, known := x.Kinds.Kind(st.step.Address.Type())
	return known && st.step.Op == ledger.Update && slices.ContainsFunc(st.step.Changes, func(c resource.Change) bool {
		f := d.Field(c.Path[0])
		return f != nil && f.Unique
	})
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
		if !after[o] && o.result.Outcome == "" && o.step.Address.Type() == st.step.Address.Type() && x.frees(o) {
			return true
		}
	}
	return false
}
