package apply

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// errUntold says that an object of this environment did not tell an output yet,
// which it may.
var errUntold = errors.New("it is not told yet")

// resolve puts outputs in the place of references.
func (x *execution) resolve(fields resource.Map) (resource.Map, error) {
	var missing []resource.Ref
	var denied error
	v := resource.Rewrite(fields, func(v resource.Value) resource.Value {
		r, ok := v.(resource.Ref)
		if !ok {
			return v
		}
		out, err := x.output(r)
		if out != nil {
			return out
		}
		denied = cmp.Or(denied, err)
		missing = append(missing, r)
		return v
	})
	if denied != nil {
		return nil, denied
	}
	if len(missing) > 0 {
		f := &resource.Failure{Class: resource.NotFound, Message: x.untold(missing)}
		if slices.ContainsFunc(missing, func(r resource.Ref) bool { return r.Address.Env == x.run.Journal.Env }) {
			f.Err = errUntold
		}
		return nil, f
	}
	m, _ := v.(resource.Map)
	return m, nil
}

// untold says which outputs are missing, each once.
func (x *execution) untold(refs []resource.Ref) string {
	said := make([]string, len(refs))
	for i, r := range refs {
		if r.Address.Env == x.run.Journal.Env {
			said[i] = fmt.Sprintf("%s has not told its %s yet: the next apply asks again", r.Address.Local(), r.Out)
		} else {
			said[i] = fmt.Sprintf("%s has not told its %s yet: apply %s first", r.Address, r.Out, r.Address.Env)
		}
	}
	slices.Sort(said)
	return strings.Join(slices.Compact(said), "; ")
}

// output gives what a reference stands for, nil where that is not known yet; the
// error says why nobody can be asked.
func (x *execution) output(r resource.Ref) (resource.Value, error) {
	if r.Address.Env != x.run.Journal.Env {
		return x.run.Outs[r.Address][r.Out], nil
	}
	e, ok := x.run.Journal.current(r.Address)
	if !ok || !e.Made {
		return nil, nil
	}
	if out := e.Record.Outs[r.Out]; out != nil {
		return out, nil
	}
	return x.late(r, e)
}

// late asks an object for an output that it did not tell when it was made: the
// address of a guest that was still starting. The ledger learns it at the next
// look; here another step may have an intent open on the object.
func (x *execution) late(r resource.Ref, e ledger.Entry) (resource.Value, error) {
	acc, err := accountFor(x.run.Accounts, cmp.Or(e.Record.Meta.Alias, r.Address.Provider), e.Record.Scope)
	if err != nil {
		return nil, err
	}
	_, desc, known := x.Kinds.Kind(r.Address.Type())
	if !known || e.Record.ID == "" {
		return nil, nil
	}
	ans := acc.Session.Read(x.calls, []resource.Want{{Kind: r.Address.Kind, By: resource.Selector{IDs: []resource.ID{e.Record.ID}}}})
	if len(ans) != 1 || len(ans[0].Objects) != 1 {
		if len(ans) == 1 && resource.ClassOf(ans[0].Err) == resource.Denied {
			return nil, ans[0].Err
		}
		return nil, nil // it is asked again when the step is tried again
	}
	out := desc.Outputs(ans[0].Objects[0])[r.Out]
	if resource.HasUnread(out) {
		return nil, nil
	}
	return out, nil
}
