package observe

import (
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// secretive gives the fields of each wanted resource that holds a secret.
func (o *Observer) secretive(r Request) map[resource.Address]resource.Map {
	var out map[resource.Address]resource.Map
	for i := range r.Desired {
		d := &r.Desired[i]
		_, desc, _ := o.kinds.Kind(d.Address.Type())
		if desc.TakesSecrets() && resource.HasSecret(d.Fields) {
			if out == nil {
				out = map[resource.Address]resource.Map{}
			}
			out[d.Address] = d.Fields
		}
	}
	return out
}

// veiledEntry is an entry that shows no text where the spec or the ledger has a
// secret, with what hides the same of its object.
type veiledEntry struct {
	*ledger.Entry
	conceal func(resource.Map) resource.Map
	former  func(resource.Map) resource.Map // as the values before our last write were
}

// sentSecret reports whether a call that may still land was to set a secret.
func sentSecret(e *ledger.Entry) bool {
	return slices.ContainsFunc(e.Sent, func(s ledger.Sent) bool { return resource.HasSecret(s.Fields) })
}

// hidden hides an entry's secrets.
func hidden(v *provider.Veil, e *ledger.Entry, d *resource.Descriptor, want resource.Map) veiledEntry {
	if !d.TakesSecrets() || want == nil && !resource.HasSecret(e.Record.Applied) && !resource.HasSecret(e.Prev) && !sentSecret(e) {
		same := func(m resource.Map) resource.Map { return m }
		return veiledEntry{e, same, same}
	}
	h := veiledEntry{
		conceal: func(m resource.Map) resource.Map {
			like := []resource.Map{want, e.Record.Applied}
			for _, s := range e.Sent {
				like = append(like, s.Fields)
			}
			return v.Conceal(m, like...)
		},
		former: func(m resource.Map) resource.Map { return v.Conceal(m, e.Prev) },
	}
	shown := *e
	shown.Record.Applied, shown.Prev = h.conceal(e.Record.Applied), h.conceal(e.Prev)
	h.Entry = &shown
	return h
}
