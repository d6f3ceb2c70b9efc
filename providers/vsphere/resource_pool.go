package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// resourcePool is the kind vsphere.resource_pool. CreateResourcePool takes a
// name and shares, so a pool bears no mark: its path is its natural key.
func resourcePool() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: "resource_pool", IDs: provider.ReachHost, Settle: provider.SettleNatural, Lag: lag,
			Origin: provider.OriginCreated, Unmarked: true,
		},
		entity: "ResourcePool",
		object: poolObject,
		locate: func(ctx context.Context, s *session, id resource.ID) (*types.ManagedObjectReference, error) {
			return s.placeRef(ctx, "ResourcePool", id)
		},
		create: createPool,
		update: updatePool,
		remove: removePool,
		find:   findPool,
	}
}

// poolObject gives the pools that stand in another: a cluster's own is none of
// a spec's to make.
func poolObject(inv *inventory, n *node) (resource.Object, bool) {
	parent := inv.nodes[n.parent]
	if parent == nil || parent.ref.Type != "ResourcePool" {
		return resource.Object{}, false
	}
	f := resource.Map{
		"name": resource.String(shown(n.name)), "path": resource.String(inv.path(n)), "parent": resource.String(inv.path(parent)),
		"cpuAllocation":    allocationOf(n, "config.cpuAllocation"),
		"memoryAllocation": allocationOf(n, "config.memoryAllocation"),
	}
	return resource.Object{ID: resource.ID(n.ref.Value), Fields: f}, true
}

func allocationOf(n *node, prop string) resource.Value {
	a, ok := n.props[prop].(types.ResourceAllocationInfo)
	if !ok {
		return n.unread(prop)
	}
	f := resource.Map{}
	if a.Reservation != nil {
		f["reservation"] = resource.Int(*a.Reservation)
	}
	if a.Limit != nil {
		f["limit"] = resource.Int(*a.Limit)
	}
	if a.ExpandableReservation != nil {
		f["expandableReservation"] = resource.Bool(*a.ExpandableReservation)
	}
	if a.Shares != nil {
		f["shares"] = resource.String(a.Shares.Level)
	}
	return f
}

// allocation makes the API's form. Without the shares of a level, which the
// vCenter knows itself.
func allocation(v resource.Value) types.ResourceAllocationInfo {
	m, _ := v.(resource.Map)
	level := types.SharesLevel(m.Text("shares"))
	if level == "" {
		level = types.SharesLevelNormal
	}
	return types.ResourceAllocationInfo{
		Reservation:           types.NewInt64(intOr(m, "reservation", 0)),
		Limit:                 types.NewInt64(intOr(m, "limit", -1)),
		ExpandableReservation: types.NewBool(boolOr(m, "expandableReservation", true)),
		Shares:                &types.SharesInfo{Level: level},
	}
}

func poolSpec(f resource.Map) types.ResourceConfigSpec {
	return types.ResourceConfigSpec{CpuAllocation: allocation(f["cpuAllocation"]), MemoryAllocation: allocation(f["memoryAllocation"])}
}

func createPool(ctx context.Context, s *session, want resource.Object, _ resource.Mark) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	parent, err := inv.pool(want.Fields.Text("parent"))
	if err != nil {
		return provider.Progress{}, err
	}
	got, err := methods.CreateResourcePool(ctx, s, &types.CreateResourcePool{
		This: parent.ref, Name: kept(want.Fields.Text("name")), Spec: poolSpec(want.Fields),
	})
	if err != nil {
		return provider.Progress{}, err
	}
	return provider.Progress{Object: resource.Object{ID: resource.ID(got.Returnval.Value)}}, nil
}

// updatePool sets the name where it differs, and the shares as they are wanted.
func updatePool(ctx context.Context, s *session, ch change) (provider.Progress, error) {
	req := types.UpdateConfig{This: ch.ref}
	if ch.has("name") {
		now, err := s.property(ctx, ch.ref, "name")
		if err != nil {
			return provider.Progress{}, err
		}
		if was, _ := now.(string); shown(was) != ch.want.Fields.Text("name") {
			req.Name = kept(ch.want.Fields.Text("name"))
		}
	}
	if ch.has("cpuAllocation", "memoryAllocation") {
		spec := poolSpec(ch.want.Fields)
		req.Config = &spec
	}
	if req.Name == "" && req.Config == nil {
		return provider.Progress{}, nil
	}
	_, err := methods.UpdateConfig(ctx, s, &req)
	return provider.Progress{}, err
}

// removePool destroys a pool that holds nothing. A vCenter would move what is
// in it to the pool above, with other shares.
func removePool(ctx context.Context, s *session, ref types.ManagedObjectReference, _ resource.Object) (provider.Progress, error) {
	held, err := s.property(ctx, ref, "vm")
	if err != nil {
		return provider.Progress{}, err
	}
	vms, _ := held.(types.ArrayOfManagedObjectReference)
	for _, m := range vms.ManagedObjectReference {
		in, err := s.property(ctx, m, "resourcePool")
		switch {
		case resource.ClassOf(err) == resource.NotFound:
		case err != nil:
			return provider.Progress{}, err
		case in == any(ref):
			return provider.Progress{}, &resource.Failure{Class: resource.Conflict, Op: "vim:Destroy_Task", Message: "the pool " +
				s.called(ctx, ref) + " holds the machine " + s.called(ctx, m) + ": move it away first"}
		}
	}
	return s.removeEmpty(ctx, ref, "resourcePool")
}

func findPool(ctx context.Context, s *session, in provider.Intent) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	parent, err := inv.pool(in.Want.Fields.Text("parent"))
	if err != nil {
		return provider.Progress{}, nothing(err)
	}
	for _, n := range inv.sorted("ResourcePool") {
		if n.parent == parent.ref && shown(n.name) == in.Want.Fields.Text("name") {
			return provider.Progress{Object: resource.Object{ID: resource.ID(n.ref.Value)}}, nil
		}
	}
	return provider.Progress{}, nil
}
