package reconcile

import (
	"context"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// owners says whose objects are, among the other environments of the store:
// kinds that bear no mark can be told apart by nothing else.
type owners map[ownedID]resource.Address

type ownedID struct {
	kind, scope string
	id          resource.ID
}

func idOf(e *ledger.Entry) ownedID {
	return ownedID{e.Address.Type(), e.Record.Scope, e.Record.ID}
}

// taken gives what the other environments of the store own; of two the one that is
// there. What an environment takes from a former name those that are gone may still
// hold: whether it may is said by the mark.
func (r *Runner) taken(ctx context.Context, d *Draft) (owners, error) {
	rows, err := r.Ledger.Environments(ctx)
	if err != nil {
		return nil, err
	}
	out, others := owners{}, r.others(d, rows)
	for _, row := range rows {
		gone := others.gone(row.Name)
		if row.Name == d.Job.Env || gone && d.former != "" {
			continue
		}
		state, err := r.Ledger.State(ctx, row.Name)
		if err != nil {
			return nil, err
		}
		for _, e := range state.Entries {
			id := idOf(e)
			if _, twice := out[id]; e.Record.ID != "" && !(twice && gone) {
				out[id] = e.Address
			}
		}
	}
	return out, nil
}

// owner gives the resource whose object something is.
func (o owners) owner(kind, scope string, id resource.ID) (resource.Address, bool) {
	a, ok := o[ownedID{kind, scope, id}]
	if !ok {
		a, ok = o[ownedID{kind, "", id}]
	}
	return a, ok
}

// leave takes out of a session's imports what another environment owns.
func (d *Draft) leave(taken owners, unknown error, imports []Import, alias string) {
	acc, ok := d.opened.accounts[alias]
	if !ok {
		return // nothing was found
	}
	for _, im := range imports {
		found := d.imports[im.Address]
		owner, owned := taken.owner(im.Address.Type(), acc.Session.Scope(), found.Object.ID)
		switch {
		case found.Seen != plan.Present:
			continue
		case unknown != nil:
			found.Reading = plan.Reading{Seen: plan.Unread, Why: "what other environments own is not known: " + unknown.Error()}
		case owned:
			found.Owner = owner
		}
		d.imports[im.Address] = found
	}
}
