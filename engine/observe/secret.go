package observe

import (
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

// veiledEntry is an entry with what hides the secrets of its object.
type veiledEntry struct {
	*ledger.Entry
	conceal func(resource.Map) resource.Map
}

// hidden gives an entry whose former values, and whose object, show no text
// where the spec or the ledger has a secret.
func hidden(v *provider.Veil, e *ledger.Entry, d *resource.Descriptor, want resource.Map) veiledEntry {
	if !d.TakesSecrets() || want == nil && !resource.HasSecret(e.Record.Applied) && !resource.HasSecret(e.Prev) {
		return veiledEntry{e, func(m resource.Map) resource.Map { return m }}
	}
	likes := []resource.Map{want, e.Record.Applied, e.Prev}
	conceal := func(m resource.Map) resource.Map { return v.Conceal(m, likes...) }
	h := *e
	h.Record.Applied, h.Prev = conceal(e.Record.Applied), conceal(e.Prev)
	return veiledEntry{&h, conceal}
}
