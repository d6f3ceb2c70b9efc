package vsphere

import (
	"context"
	"slices"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/resource"
)

// strangers gives a machine's disks that isobar did not put there: those at other
// places, and those that took the place of one of its own. Destroy_Task would delete their files with the machine.
func strangers(all []types.BaseVirtualDevice, applied resource.Map) []*types.VirtualDisk {
	ours := mapOf(applied["disks"])
	own := map[int32]bool{} // by key
	for place, d := range placesOf(all) {
		was := mapOf(ours[place])
		own[d.Key] = was != nil && !exchanged(was, d)
	}
	var out []*types.VirtualDisk
	for _, d := range all {
		if disk, ok := d.(*types.VirtualDisk); ok && !own[disk.Key] {
			out = append(out, disk)
		}
	}
	return out
}

// exchanged reports whether another disk is where one was applied. A disk keeps its
// UUID when its file is moved; where it has none, the place is all that tells.
func exchanged(applied resource.Map, d *types.VirtualDisk) bool {
	was, is := applied.Text("uuid"), uuidOf(d)
	return was != "" && is != "" && was != is
}

// uuidOf gives what the vCenter tells a disk by, "" where it has no such.
func uuidOf(d *types.VirtualDisk) string {
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		return b.Uuid
	case *types.VirtualDiskSeSparseBackingInfo:
		return b.Uuid
	case *types.VirtualDiskSparseVer2BackingInfo:
		return b.Uuid
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		return b.Uuid
	case *types.VirtualDiskRawDiskVer2BackingInfo:
		return b.Uuid
	case *types.VirtualDiskLocalPMemBackingInfo:
		return b.Uuid
	}
	return ""
}

// fileOf names a disk as people find it: by its file.
func fileOf(d *types.VirtualDisk) string {
	if b, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		return b.GetVirtualDeviceFileBackingInfo().FileName
	}
	if d.DeviceInfo != nil {
		return d.DeviceInfo.GetDescription().Label
	}
	return "without a file"
}

func filesOf(disks []*types.VirtualDisk) string {
	names := make([]string, len(disks))
	for i, d := range disks {
		names[i] = fileOf(d)
	}
	slices.Sort(names)
	return few(names)
}

// hardwareOf reads the devices of a machine, or of a snapshot of one.
func (s *session) hardwareOf(ctx context.Context, ref types.ManagedObjectReference) ([]types.BaseVirtualDevice, error) {
	v, err := s.property(ctx, ref, "config.hardware.device")
	if err != nil {
		return nil, err
	}
	list, ok := v.(types.ArrayOfVirtualDevice)
	if !ok {
		return nil, &resource.Failure{Class: resource.Transient, Op: "vim:Destroy_Task", Message: "the vCenter does not show the machine's devices now, among which may be disks of others"}
	}
	return list.VirtualDevice, nil
}

// snapshotsHold refuses a deletion while a snapshot holds a disk that is not ours:
// its file would go with the snapshot, detached or not.
func (s *session) snapshotsHold(ctx context.Context, ref types.ManagedObjectReference, applied resource.Map) error {
	v, err := s.property(ctx, ref, "snapshot")
	if err != nil {
		return err
	}
	info, _ := v.(types.VirtualMachineSnapshotInfo)
	for left := info.RootSnapshotList; len(left) > 0; {
		at := left[0]
		left = append(left[1:], at.ChildSnapshotList...)
		held, err := s.hardwareOf(ctx, at.Snapshot)
		if err != nil {
			return err
		}
		if others := strangers(held, applied); len(others) > 0 {
			return &resource.Failure{Class: resource.Invalid, Op: "vim:Destroy_Task", Message: "the machine's snapshot " + at.Name +
				" holds disks that are not isobar's, whose files would go with it: " + filesOf(others) + "; remove the snapshot first"}
		}
	}
	return nil
}

// detach takes the disks that are not ours off a machine that stands still, and
// leaves their files where they are. A try that ended in between has only the rest
// to do.
func (s *session) detach(ctx context.Context, ref types.ManagedObjectReference, applied resource.Map) error {
	all, err := s.hardwareOf(ctx, ref)
	if err != nil {
		return err
	}
	others := strangers(all, applied)
	if len(others) == 0 {
		return nil
	}
	spec := types.VirtualMachineConfigSpec{}
	for _, d := range others {
		spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: d})
	}
	got, err := methods.ReconfigVM_Task(ctx, s, &types.ReconfigVM_Task{This: ref, Spec: spec})
	if err != nil {
		return err
	}
	return s.await(ctx, got.Returnval)
}
