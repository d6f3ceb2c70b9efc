package apply

import (
	"slices"
	"sync"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// trail is what this run did so far, so that its own footsteps are not taken
// for somebody else's. Safe for concurrent use.
type trail struct {
	mu    sync.Mutex
	gone  map[resource.String]bool       // ids and outputs of what it deleted
	wrote map[ledger.Key]map[string]bool // top-level fields that it set
	made  map[ledger.Key]resource.Object // objects that it made, as the calls told
	taken map[string]bool                // texts that it put into lists of references, by kind and field
}

func (t *trail) deleted(id resource.ID, outs resource.Map) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone == nil {
		t.gone = map[resource.String]bool{}
	}
	t.gone[resource.String(id)] = true
	for _, v := range outs {
		if s, ok := v.(resource.String); ok {
			t.gone[s] = true
		}
	}
}

func (t *trail) set(k ledger.Key, changes []resource.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrote == nil {
		t.wrote = map[ledger.Key]map[string]bool{}
	}
	if t.wrote[k] == nil {
		t.wrote[k] = map[string]bool{}
	}
	for _, c := range changes {
		t.wrote[k][c.Path[0]] = true
		list, _ := c.After.(resource.List)
		for _, e := range list {
			if s, ok := e.(resource.String); ok && len(c.Path) == 1 {
				if t.taken == nil {
					t.taken = map[string]bool{}
				}
				t.taken[inField(k, c.Path[0], s)] = true
			}
		}
	}
}

// inField names a text within a field of a kind.
func inField(k ledger.Key, field string, s resource.String) string {
	return k.Address.Type() + " " + field + " " + string(s)
}

func (t *trail) created(k ledger.Key, o resource.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made == nil {
		t.made = map[ledger.Key]resource.Object{}
	}
	t.made[k] = o
}

func (t *trail) object(k ledger.Key) (resource.Object, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.made[k]
	return o, ok
}

// explains reports whether a field's live value, though it is not the one
// planned, is this run's own doing: it set the field, or the cloud took out of
// it what the run deleted, or gave to another object's list of references.
func (t *trail) explains(k ledger.Key, f *resource.Field, planned, live resource.Value) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrote[k][f.Name] {
		return true
	}
	l, ok := planned.(resource.List)
	if !ok || len(t.gone)+len(t.taken) == 0 {
		return false
	}
	dead := func(v resource.Value) bool {
		return resource.Contains(v, func(e resource.Value) bool {
			s, ok := e.(resource.String)
			return ok && (t.gone[s] || f.Ref != "" && t.taken[inField(k, f.Name, s)])
		})
	}
	if live == nil {
		live = resource.List{}
	}
	return plan.Same(f, slices.DeleteFunc(slices.Clone(l), dead), live)
}
