package vsphere

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// vm is the kind vsphere.vm. CreateVM_Task takes an instance UUID, so a lost
// create is settled by the one that was chosen.
func vm() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: "vm", IDs: provider.ReachHost, Settle: provider.SettleChosen, Lag: lag, Origin: provider.OriginCreated,
		},
		entity: "VirtualMachine",
		object: vmObject,
		locate: func(ctx context.Context, s *session, id resource.ID) (*types.ManagedObjectReference, error) {
			return s.vmRef(ctx, id)
		},
		rehearse: rehearseVM,
		create:   createVM,
		update:   updateVM,
		remove:   removeVM,
		find:     findVM,
	}
}

// chosenID is the instance UUID of the machine that a mark's create makes: a
// name-based UUID (RFC 9562 §5.5) of the token within isobar's own namespace.
func chosenID(m resource.Mark) resource.ID {
	space := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://isobar.dev/vsphere/vm"))
	return resource.ID(uuid.NewSHA1(space, []byte(m.Estate+"/"+m.Token)).String())
}

// vmRef gives the machine of an instance UUID, nil where there is none.
func (s *session) vmRef(ctx context.Context, id resource.ID) (*types.ManagedObjectReference, error) {
	if s.content.SearchIndex == nil {
		return nil, &resource.Failure{Class: resource.Bug, Op: "vim:FindByUuid", Message: "the vCenter has no search index"}
	}
	got, err := methods.FindByUuid(ctx, s, &types.FindByUuid{
		This: *s.content.SearchIndex, Uuid: string(id), VmSearch: true, InstanceUuid: types.NewBool(true),
	})
	if err != nil {
		return nil, err
	}
	return got.Returnval, nil
}

// vmObject gives a machine; ok is false where it does not show who it is.
func vmObject(inv *inventory, n *node) (resource.Object, bool) {
	id, ok := n.text("config.instanceUuid")
	if !ok || id == "" {
		if id, ok = n.text("summary.config.instanceUuid"); !ok || id == "" {
			return resource.Object{}, false
		}
	}
	f := resource.Map{"name": resource.String(shown(n.name)), "moid": resource.String(n.ref.Value)}
	if parent := inv.nodes[n.parent]; parent != nil {
		if path := inv.path(parent); path != "" {
			f["folder"] = resource.String(path)
		}
	}
	if ref, ok := n.props["resourcePool"].(types.ManagedObjectReference); ok && inv.nodes[ref] != nil {
		f["resourcePool"] = resource.String(inv.path(inv.nodes[ref]))
	}
	f["datastore"] = datastoreOf(inv, n)
	for field, prop := range map[string]string{"guestId": "config.guestId", "firmware": "config.firmware", "annotation": "config.annotation"} {
		if text, ok := n.text(prop); !ok && field != "annotation" {
			f[field] = n.unread(prop)
		} else if text != "" {
			f[field] = resource.String(text)
		}
	}
	for field, prop := range map[string]string{"numCPUs": "config.hardware.numCPU", "memoryMB": "config.hardware.memoryMB"} {
		if v, ok := n.props[prop].(int32); ok {
			f[field] = resource.Int(v)
		} else {
			f[field] = n.unread(prop)
		}
	}
	if state, ok := n.props["runtime.powerState"].(types.VirtualMachinePowerState); ok {
		f["powerState"] = resource.String(state)
	} else {
		f["powerState"] = n.unread("runtime.powerState")
	}
	if ip, _ := n.text("guest.ipAddress"); ip != "" { // else VMware Tools tell of none yet
		f["ipAddress"] = resource.String(ip)
	}
	readDevices(inv, n, f)
	o := resource.Object{ID: resource.ID(strings.ToLower(id)), Fields: f}
	readExtra(n, &o)
	return o, true
}

// datastoreOf gives the datastore that all of a machine lies on, else the one
// of its configuration file.
func datastoreOf(inv *inventory, n *node) resource.Value {
	if on, ok := n.props["datastore"].(types.ArrayOfManagedObjectReference); ok && len(on.ManagedObjectReference) == 1 {
		if ds := inv.nodes[on.ManagedObjectReference[0]]; ds != nil {
			return resource.String(ds.name)
		}
	}
	path, _ := n.text("config.files.vmPathName")
	if ds, _, ok := strings.Cut(strings.TrimPrefix(path, "["), "]"); ok {
		return resource.String(ds)
	}
	return n.unread("config.files.vmPathName")
}

// site is where a machine is to be made, and what with.
type site struct {
	folder, pool types.ManagedObjectReference
	hw           hardware
}

// siteOf looks everything up that a machine names, and tells of all that is not there.
func siteOf(ctx context.Context, s *session, f resource.Map) (site, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return site{}, err
	}
	in, noFolder := inv.folder(f.Text("folder"))
	pool, noPool := inv.pool(f.Text("resourcePool"))
	_, noStore := inv.named("datastore", f.Text("datastore"), "Datastore")
	out := site{hw: hardware{inv: inv, datastore: f.Text("datastore")}}
	noNetwork := out.hw.adapters(nil, mapOf(f["networks"]), nil)
	if err := together(noFolder, noPool, noStore, noNetwork); err != nil {
		return site{}, err
	}
	out.folder, out.pool = in.ref, pool.ref
	out.hw.disks(nil, mapOf(f["disks"]), nil)
	return out, nil
}

// rehearseVM looks up what createVM would.
func rehearseVM(ctx context.Context, s *session, want resource.Object) error {
	_, err := siteOf(ctx, s, want.Fields)
	return err
}

// createVM makes the machine with its disks, adapters, cloud-init data and
// mark, stopped. The disks and adapters stand on what exists by name.
func createVM(ctx context.Context, s *session, want resource.Object, m resource.Mark) (provider.Progress, error) {
	f := want.Fields
	at, err := siteOf(ctx, s, f)
	if err != nil {
		return provider.Progress{}, err
	}
	id := chosenID(m)
	spec := types.VirtualMachineConfigSpec{
		Name: sent(f.Text("name")), InstanceUuid: string(id), GuestId: f.Text("guestId"), Firmware: f.Text("firmware"),
		NumCPUs: int32(intOr(f, "numCPUs", 1)), MemoryMB: intOr(f, "memoryMB", 1024), Annotation: f.Text("annotation"),
		Files: &types.VirtualMachineFileInfo{VmPathName: "[" + at.hw.datastore + "]"}, DeviceChange: at.hw.changes,
		ExtraConfig: append(markOptions(&m, id), guestInfo(mapOf(f["cloudInit"]), userData, metaData)...),
	}
	got, err := methods.CreateVM_Task(ctx, s, &types.CreateVM_Task{This: at.folder, Config: spec, Pool: at.pool})
	if err != nil {
		return provider.Progress{}, err
	}
	return handed(got.Returnval, id), nil
}

func mapOf(v resource.Value) resource.Map {
	m, _ := v.(resource.Map)
	return m
}

// findVM looks by the UUID that was chosen. While machines are being made in
// the folder, one of them may be it, so that is asked first: what has ended by
// then shows, with its mark.
func findVM(ctx context.Context, s *session, in provider.Intent) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	folder, err := inv.folder(in.Want.Fields.Text("folder"))
	if nothing(err) != nil {
		return provider.Progress{}, err
	}
	if err == nil {
		busy, err := s.creating(ctx, folder.ref)
		if err == nil && busy {
			err = &resource.Failure{Class: resource.Conflict, Op: "vim:FindByUuid", Message: "a machine is being made in the folder " + folder.name + ": ask again when it is done"}
		}
		if err != nil {
			return provider.Progress{}, err
		}
	}
	id := chosenID(in.Mark)
	ref, err := s.vmRef(ctx, id)
	if err != nil || ref == nil {
		return provider.Progress{}, err
	}
	return provider.Progress{Object: resource.Object{ID: id, Mark: in.Mark}}, nil
}

// creating reports whether a create of a machine runs or waits in a folder.
func (s *session) creating(ctx context.Context, folder types.ManagedObjectReference) (bool, error) {
	if s.content.TaskManager == nil {
		return false, nil
	}
	v, err := s.property(ctx, *s.content.TaskManager, "recentTask")
	if err != nil {
		return false, err
	}
	recent, _ := v.(types.ArrayOfManagedObjectReference)
	ask := map[string]bool{}
	for _, t := range recent.ManagedObjectReference {
		ask[t.Value] = true
	}
	states, err := s.tasks(ctx, ask)
	for _, t := range states {
		open := t.State == types.TaskInfoStateQueued || t.State == types.TaskInfoStateRunning
		if open && t.Entity != nil && *t.Entity == folder && strings.HasSuffix(strings.ToLower(t.DescriptionId), "createvm") {
			return true, err
		}
	}
	return false, err
}

// removeVM stops the machine, takes off the disks that somebody else attached, and
// destroys it with its own.
func removeVM(ctx context.Context, s *session, ref types.ManagedObjectReference, applied resource.Object) (provider.Progress, error) {
	if err := s.snapshotsHold(ctx, ref, applied.Fields); err != nil {
		return provider.Progress{}, err
	}
	state, err := s.property(ctx, ref, "runtime.powerState")
	if err != nil {
		return provider.Progress{}, err
	}
	if state != any(types.VirtualMachinePowerStatePoweredOff) {
		got, err := methods.PowerOffVM_Task(ctx, s, &types.PowerOffVM_Task{This: ref})
		if err != nil {
			return provider.Progress{}, err
		}
		if err := s.await(ctx, got.Returnval); err != nil {
			return provider.Progress{}, err
		}
	}
	if err := s.detach(ctx, ref, applied.Fields); err != nil {
		return provider.Progress{}, err
	}
	got, err := methods.Destroy_Task(ctx, s, &types.Destroy_Task{This: ref})
	if err != nil {
		return provider.Progress{}, err
	}
	return handed(got.Returnval, ""), nil
}
