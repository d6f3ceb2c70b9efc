package vsphere

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// shutdownPatience is how long a guest may take to shut down before it is
// switched off: well within the deadline of a call.
const shutdownPatience = 25 * time.Second

// updateVM brings one aspect to what is wanted, from what the machine is now:
// sent again it does only what is left.
func updateVM(ctx context.Context, s *session, ch change) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	near, err := s.around(ctx, []types.ManagedObjectReference{ch.ref})
	if err != nil {
		return provider.Progress{}, err
	}
	now := near.nodes[ch.ref]
	if now == nil {
		return provider.Progress{}, gone("vim:Locate", ch.live.ID)
	}
	u := &updating{change: ch, s: s, inv: inv, now: now}
	if ch.has("powerState") {
		return u.power(ctx, types.VirtualMachinePowerState(ch.want.Fields.Text("powerState")))
	}
	if err := u.relocate(ctx); err != nil {
		return provider.Progress{}, err
	}
	return u.reconfigure(ctx)
}

// updating is one update under way.
type updating struct {
	change
	s   *session
	inv *inventory // the places
	now *node      // the machine as it is
}

// relocate moves the machine to another folder, pool or datastore, and waits
// until it is there.
func (u *updating) relocate(ctx context.Context) error {
	f := u.want.Fields
	var spec types.VirtualMachineRelocateSpec
	if u.has("folder") && f["folder"] != nil {
		to, err := u.inv.folder(f.Text("folder"))
		if err != nil {
			return err
		}
		if to.ref != u.now.parent {
			spec.Folder = &to.ref
		}
	}
	if u.has("resourcePool") && f["resourcePool"] != nil {
		to, err := u.inv.pool(f.Text("resourcePool"))
		if err != nil {
			return err
		}
		if u.now.props["resourcePool"] != any(to.ref) {
			spec.Pool = &to.ref
		}
	}
	if u.has("datastore") {
		to, err := u.inv.named("datastore", f.Text("datastore"), "Datastore")
		if err != nil {
			return err
		}
		if !resource.Equal(datastoreOf(u.inv, u.now), f["datastore"]) {
			spec.Datastore = &to.ref
		}
	}
	if spec.Folder == nil && spec.Pool == nil && spec.Datastore == nil {
		return nil
	}
	got, err := methods.RelocateVM_Task(ctx, u.s, &types.RelocateVM_Task{This: u.ref, Spec: spec})
	if err != nil {
		return err
	}
	return u.s.await(ctx, got.Returnval)
}

// spec gathers what one reconfiguration changes, and the fields for which the machine
// must stand still.
func (u *updating) spec() (spec types.VirtualMachineConfigSpec, changed bool, still []string, err error) {
	f := u.want.Fields
	text := func(field string, now string, to *string) bool {
		if v := f.Text(field); u.has(field) && v != "" && v != now {
			*to, changed = v, true
			return true
		}
		return false
	}
	stand := func(field string, needed bool) {
		if needed {
			still = append(still, field)
		}
	}
	if text("name", shown(u.now.name), &spec.Name) {
		spec.Name = kept(spec.Name)
	}
	had, _ := u.now.text("config.annotation")
	text("annotation", had, &spec.Annotation)
	guest, _ := u.now.text("config.guestId")
	firmware, _ := u.now.text("config.firmware")
	stand("guestId", text("guestId", guest, &spec.GuestId))
	stand("firmware", text("firmware", firmware, &spec.Firmware))
	if n := intOr(f, "numCPUs", 1); u.has("numCPUs") && u.number("config.hardware.numCPU") != n {
		spec.NumCPUs, changed = int32(n), true
		stand("numCPUs", !u.hot("config.cpuHotAddEnabled", u.number("config.hardware.numCPU"), n))
	}
	if n := intOr(f, "memoryMB", 1024); u.has("memoryMB") && u.number("config.hardware.memoryMB") != n {
		spec.MemoryMB, changed = n, true
		stand("memoryMB", !u.hot("config.memoryHotAddEnabled", u.number("config.hardware.memoryMB"), n))
	}
	if spec.DeviceChange, err = u.devices(); err != nil {
		return spec, false, nil, err
	}
	if fields := u.touched("cloudInit", []string{userData, metaData}); len(fields) > 0 {
		data := mapOf(f["cloudInit"])
		if data == nil {
			data = resource.Map{}
		}
		spec.ExtraConfig = guestInfo(data, fields...)
	}
	return spec, changed || len(spec.DeviceChange) > 0 || len(spec.ExtraConfig) > 0, still, nil
}

func (u *updating) number(prop string) int64 {
	n, _ := u.now.props[prop].(int32)
	return int64(n)
}

// hot reports whether a running machine takes more of something.
func (u *updating) hot(prop string, from, to int64) bool {
	on, _ := u.now.props[prop].(bool)
	return on && to > from
}

// touched gives the keys of a map or struct that the changes name; all of them
// where it changes as a whole.
func (u *updating) touched(field string, all []string) []string {
	var out []string
	for _, c := range u.changes {
		switch {
		case len(c.Path) == 0 || c.Path[0] != field:
		case len(c.Path) > 1:
			out = append(out, c.Path[1])
		default:
			out = append(out, all...)
			for _, side := range []resource.Value{c.Before, c.After} {
				out = append(out, mapOf(side).Keys()...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (u *updating) devices() ([]types.BaseVirtualDeviceConfigSpec, error) {
	disks, adapters := u.touched("disks", nil), u.touched("networks", nil)
	if len(disks)+len(adapters) == 0 {
		return nil, nil
	}
	have, ok := devicesOf(u.now)
	if !ok {
		return nil, &resource.Failure{Class: resource.Transient, Op: "vim:ReconfigVM_Task", Message: "the vCenter does not show the machine's devices now"}
	}
	on, _ := datastoreOf(u.inv, u.now).(resource.String)
	if ds := u.want.Fields.Text("datastore"); ds != "" {
		on = resource.String(ds)
	}
	h := hardware{inv: u.inv, datastore: string(on), have: have}
	if len(disks) > 0 {
		h.disks(have.disks, mapOf(u.want.Fields["disks"]), disks)
	}
	if len(adapters) > 0 {
		if err := h.adapters(have.adapters, mapOf(u.want.Fields["networks"]), adapters); err != nil {
			return nil, err
		}
	}
	return h.changes, nil
}

// reconfigure makes the change in one task. A machine that must stand still for it
// is stopped, and started again however it went: see restart.
func (u *updating) reconfigure(ctx context.Context) (provider.Progress, error) {
	spec, changed, still, err := u.spec()
	if err != nil {
		return provider.Progress{}, err
	}
	runs := u.now.props["runtime.powerState"] == any(types.VirtualMachinePowerStatePoweredOn)
	stopped := !runs && u.live.Fields.Text(fieldPower) == poweredOn // by an earlier try of this step
	switch {
	case !changed && stopped && u.has("guestId", "firmware", "numCPUs", "memoryMB"):
		return u.restart(ctx, "", nil)
	case !changed:
		return provider.Progress{}, nil
	case len(still) == 0 || !runs && !stopped:
		got, err := methods.ReconfigVM_Task(ctx, u.s, &types.ReconfigVM_Task{This: u.ref, Spec: spec})
		if err != nil {
			return provider.Progress{}, err
		}
		return handed(got.Returnval, u.live.ID), nil
	}
	if runs {
		if err := u.stop(ctx); err != nil {
			return provider.Progress{}, err
		}
	}
	err = insist(ctx, func() error {
		got, err := methods.ReconfigVM_Task(ctx, u.s, &types.ReconfigVM_Task{This: u.ref, Spec: spec})
		if err != nil {
			return err
		}
		return u.s.await(ctx, got.Returnval)
	})
	return u.restart(ctx, still[0], err)
}

// power starts or stops the machine.
func (u *updating) power(ctx context.Context, want types.VirtualMachinePowerState) (provider.Progress, error) {
	switch {
	case u.now.props["runtime.powerState"] == any(want):
		return provider.Progress{}, nil
	case want == types.VirtualMachinePowerStatePoweredOff:
		return provider.Progress{}, u.stop(ctx)
	}
	got, err := methods.PowerOnVM_Task(ctx, u.s, &types.PowerOnVM_Task{This: u.ref})
	if err != nil {
		return provider.Progress{}, err
	}
	return handed(got.Returnval, u.live.ID), nil
}

// stop asks the guest to shut down where VMware Tools run in it, and switches
// the machine off where that does not help; it waits until the machine is off.
func (u *updating) stop(ctx context.Context) error {
	if tools, _ := u.now.text("guest.toolsRunningStatus"); tools == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		if off, err := u.shutDown(ctx); off || err != nil {
			return err
		}
	}
	got, err := methods.PowerOffVM_Task(ctx, u.s, &types.PowerOffVM_Task{This: u.ref})
	if err == nil {
		err = u.s.await(ctx, got.Returnval)
	}
	var f *resource.Failure
	if errors.As(err, &f) && f.Code == "InvalidPowerState" {
		return nil // it went off by itself meanwhile
	}
	return err
}

// shutDown asks the guest and waits a while.
func (u *updating) shutDown(ctx context.Context) (off bool, err error) {
	_, err = methods.ShutdownGuest(ctx, u.s, &types.ShutdownGuest{This: u.ref})
	switch resource.ClassOf(err) {
	case "":
	case resource.Conflict, resource.Invalid:
		return false, nil // the guest takes no requests now
	default:
		return false, err
	}
	wait, cancel := context.WithTimeout(ctx, shutdownPatience)
	defer cancel()
	for {
		state, err := u.s.property(ctx, u.ref, "runtime.powerState")
		if err != nil {
			return false, doubt(err)
		}
		if state == any(types.VirtualMachinePowerStatePoweredOff) {
			return true, nil
		}
		if sleep(wait, time.Second) != nil {
			return false, nil
		}
	}
}
