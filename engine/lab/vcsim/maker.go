package vcsim

import (
	"context"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// Make makes a machine in the folder at a path, as somebody else would: one
// disk, one adapter, stopped.
func (s *Server) Make(ctx context.Context, folder, name string) error {
	return s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		in, err := f.Folder(ctx, folder)
		if err != nil {
			return err
		}
		pool, err := f.ResourcePool(ctx, Pool)
		if err != nil {
			return err
		}
		net, err := f.Network(ctx, Network)
		if err != nil {
			return err
		}
		devices, err := hardware(ctx, net)
		if err != nil {
			return err
		}
		task, err := in.CreateVM(ctx, types.VirtualMachineConfigSpec{
			Name: name, GuestId: "ubuntu64Guest", NumCPUs: 2, MemoryMB: 128, Annotation: "made by hand", DeviceChange: devices,
			Files: &types.VirtualMachineFileInfo{VmPathName: "[" + Datastore + "]"},
		}, pool, nil)
		if err != nil {
			return err
		}
		return task.Wait(ctx)
	})
}

// hardware is a SCSI controller with a disk of 32 MB, and an adapter.
func hardware(ctx context.Context, net object.NetworkReference) ([]types.BaseVirtualDeviceConfigSpec, error) {
	var devices object.VirtualDeviceList
	scsi, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return nil, err
	}
	devices = append(devices, scsi)
	controller, err := devices.FindDiskController(devices.Name(scsi))
	if err != nil {
		return nil, err
	}
	disk := &types.VirtualDisk{
		CapacityInKB: 32 * 1024,
		VirtualDevice: types.VirtualDevice{Backing: &types.VirtualDiskFlatVer2BackingInfo{
			DiskMode: string(types.VirtualDiskModePersistent), ThinProvisioned: types.NewBool(true),
		}},
	}
	devices.AssignController(disk, controller)
	backing, err := net.EthernetCardBackingInfo(ctx)
	if err != nil {
		return nil, err
	}
	card, err := devices.CreateEthernetCard("vmxnet3", backing)
	if err != nil {
		return nil, err
	}
	return append(devices, disk, card).ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
}
