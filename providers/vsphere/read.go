package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/resource"
)

// fewVMs is up to how many machines are looked up one by one where wants name
// nothing else; beyond it, and for whole estates, everything is listed.
const fewVMs = 8

// Read implements provider.Session: all wants are answered from one read of
// the inventory.
func (s *session) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	if len(wants) == 0 {
		return out
	}
	at := s.now()
	inv, whole, err := s.survey(ctx, wants)
	for i, w := range wants {
		out[i].At = at
		k, kerr := s.kind(w.Kind)
		switch {
		case kerr != nil:
			out[i].Err = kerr
		case err != nil:
			out[i].Err = err
		case len(w.By.Filter) > 0:
			out[i].Err = invalid("vsphere:Read", "lists of a vCenter take no filter")
		case w.By.IDs == nil && s.datacenter != "" && inv.datacenter == nil:
			out[i].Err = invalid("vsphere:Read", inv.why) // what would be made has no place; what is known by id is read
		default:
			s.answer(&out[i], answering{inv: inv, whole: whole, kind: k, by: w.By})
		}
	}
	return out
}

// survey reads what the wants need: a few machines, or everything.
func (s *session) survey(ctx context.Context, wants []resource.Want) (inv *inventory, whole bool, err error) {
	var ids []resource.ID
	for _, w := range wants {
		if w.Kind != "vm" || w.By.IDs == nil {
			whole = true
		}
		ids = append(ids, w.By.IDs...)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); whole || len(ids) > fewVMs {
		kinds := places()
		if slices.ContainsFunc(wants, func(w resource.Want) bool { return w.Kind == "vm" }) {
			kinds = append(kinds, "VirtualMachine")
		}
		inv, err = s.inventory(ctx, kinds...)
		return inv, true, err
	}
	var refs []types.ManagedObjectReference
	for _, id := range ids {
		ref, err := s.vmRef(ctx, id)
		if err != nil {
			return nil, false, err
		}
		if ref != nil {
			refs = append(refs, *ref)
		}
	}
	if len(refs) == 0 {
		return &inventory{}, false, nil
	}
	if inv, err = s.around(ctx, refs); resource.ClassOf(err) == resource.NotFound {
		// One was deleted in between, and the vCenter answers for none.
		inv, err = s.inventory(ctx, append(places(), "VirtualMachine")...)
		whole = true
	}
	return inv, whole, err
}

// answering is one want and what it is answered from.
type answering struct {
	inv   *inventory
	whole bool
	kind  *kind
	by    resource.Selector
}

func (s *session) answer(a *resource.Answer, q answering) {
	blind := 0 // objects that give away too little to tell what they are
	for _, n := range q.inv.sorted(q.kind.entity) {
		o, ok := q.kind.object(q.inv, n)
		if !ok {
			if q.kind.entity == "VirtualMachine" {
				blind++
			}
			continue
		}
		if picks(q.by, o) || q.by.Named != "" && q.inv.called(n, o.ID, q.by.Named) {
			a.Objects = append(a.Objects, o)
		}
	}
	slices.SortFunc(a.Objects, func(x, y resource.Object) int { return strings.Compare(string(x.ID), string(y.ID)) })
	missing := (q.by.Token != "" || q.by.Named != "") && len(a.Objects) == 0
	for _, id := range q.by.IDs {
		missing = missing || !slices.ContainsFunc(a.Objects, func(o resource.Object) bool { return o.ID == id })
	}
	if missing && blind > 0 {
		a.Err = &resource.Failure{Class: resource.Transient, Op: "vim:RetrievePropertiesEx", Message: fmt.Sprintf(
			"virtual machines of which the vCenter shows no instance UUID now (being created, or on a host that does not answer): %d, of which one may be meant", blind)}
	}
}

// called reports whether people call an object so: by its id, by the vCenter's
// own ("vm-123"), or by its path, from the top ("/DC0/vm/prod/db") or below the
// datacenter's folder ("prod/db").
func (inv *inventory) called(n *node, id resource.ID, name string) bool {
	path := lower(name)
	return strings.EqualFold(string(id), name) || n.ref.Value == name ||
		inv.path(n) == path || "/"+join(inv.names(n)) == strings.TrimSuffix(path, "/")
}

// picks reports whether a selector means an object.
func picks(by resource.Selector, o resource.Object) bool {
	switch {
	case by.All:
		return true
	case by.Estate != "":
		return o.Mark.Estate == by.Estate
	case by.Token != "":
		return o.Mark.Token == by.Token
	}
	return slices.Contains(by.IDs, o.ID)
}
