package vcsim

import (
	"context"
	"fmt"
	"path"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// diskKB is the size of the disks that strangers make.
const diskKB = 8 << 10

// Attach makes a disk in a folder of the datastore, "data/db.vmdk", and gives it to
// a machine that has a disk already.
func (s *Server) Attach(ctx context.Context, name, file string) error {
	return s.attach(ctx, name, file, nil)
}

// attach gives the new disk the place of one that was there; nil: any.
func (s *Server) attach(ctx context.Context, name, file string, was *types.VirtualDevice) error {
	full := "[" + Datastore + "] " + file
	return s.visit(ctx, func(c *govmomi.Client, f *find.Finder) error {
		dc, err := f.DefaultDatacenter(ctx)
		if err != nil {
			return err
		}
		if err := object.NewFileManager(c.Client).MakeDirectory(ctx, "["+Datastore+"] "+path.Dir(file), dc, true); err != nil {
			return err
		}
		task, err := object.NewVirtualDiskManager(c.Client).CreateVirtualDisk(ctx, full, dc, &types.FileBackedVirtualDiskSpec{
			VirtualDiskSpec: types.VirtualDiskSpec{DiskType: string(types.VirtualDiskTypeThin), AdapterType: string(types.VirtualDiskAdapterTypeLsiLogic)},
			CapacityKb:      diskKB,
		})
		if err == nil {
			err = task.Wait(ctx)
		}
		if err != nil {
			return err
		}
		vm, err := f.VirtualMachine(ctx, name)
		if err != nil {
			return err
		}
		all, err := vm.Device(ctx)
		if err != nil {
			return err
		}
		controller, err := all.FindDiskController("")
		if err != nil {
			return err
		}
		ds, err := f.Datastore(ctx, Datastore)
		if err != nil {
			return err
		}
		disk := all.CreateDisk(controller, ds.Reference(), full)
		disk.CapacityInKB = diskKB
		if was != nil {
			disk.ControllerKey, disk.UnitNumber = was.ControllerKey, was.UnitNumber
		}
		if task, err = vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: disk},
		}}); err != nil {
			return err
		}
		return task.Wait(ctx)
	})
}

// Exchange takes a machine's first disk off it, whose file stays, and puts one that
// Attach makes in its place.
func (s *Server) Exchange(ctx context.Context, name, file string) error {
	was, err := s.drop(ctx, name, true)
	if err != nil {
		return err
	}
	return s.attach(ctx, name, file, was)
}

// Strip takes a machine's first disk away, file and all.
func (s *Server) Strip(ctx context.Context, name string) error {
	_, err := s.drop(ctx, name, false)
	return err
}

// drop takes a machine's first disk away, and tells where it was.
func (s *Server) drop(ctx context.Context, name string, keepFile bool) (was *types.VirtualDevice, err error) {
	err = s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		vm, err := f.VirtualMachine(ctx, name)
		if err != nil {
			return err
		}
		all, err := vm.Device(ctx)
		if err != nil {
			return err
		}
		disks := all.SelectByType((*types.VirtualDisk)(nil))
		if len(disks) == 0 {
			return fmt.Errorf("%s has no disk", name)
		}
		was = disks[0].GetVirtualDevice()
		return vm.RemoveDevice(ctx, keepFile, disks[0])
	})
	return was, err
}

// HasFile reports whether the datastore has a file.
func (s *Server) HasFile(ctx context.Context, file string) (bool, error) {
	has := false
	err := s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		ds, err := f.Datastore(ctx, Datastore)
		if err != nil {
			return err
		}
		if _, err = ds.Stat(ctx, file); err == nil {
			has = true
		} else if missing(err) {
			err = nil
		}
		return err
	})
	return has, err
}

// missing reports whether a datastore's error says that there is no such file.
func missing(err error) bool {
	switch err.(type) { //nolint:errorlint // it is given as it is
	case object.DatastoreNoSuchFileError, object.DatastoreNoSuchDirectoryError:
		return true
	}
	return soap.IsVimFault(err)
}

// Snapshot takes a snapshot of a machine.
func (s *Server) Snapshot(ctx context.Context, name, of string) error {
	return s.on(ctx, name, func(vm *object.VirtualMachine) (*object.Task, error) {
		return vm.CreateSnapshot(ctx, of, "", false, false)
	})
}

// DropSnapshots removes a machine's snapshots.
func (s *Server) DropSnapshots(ctx context.Context, name string) error {
	return s.on(ctx, name, func(vm *object.VirtualMachine) (*object.Task, error) { return vm.RemoveAllSnapshot(ctx, nil) })
}
