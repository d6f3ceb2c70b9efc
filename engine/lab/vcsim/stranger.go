package vcsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Machine is a virtual machine as the vCenter itself shows it.
type Machine struct {
	Path       string // "/DC0/vm/prod/db"
	CPUs       int32
	MemoryMB   int32
	On         bool
	Annotation string
	Networks   int // adapters
	Disks      int
	Options    map[string]string // its extraConfig
}

// visit logs in, does something as somebody else would, and leaves.
func (s *Server) visit(ctx context.Context, do func(c *govmomi.Client, f *find.Finder) error) error {
	u, err := url.Parse(s.url)
	if err != nil {
		return err
	}
	u.User = url.UserPassword(User, Password)
	c, err := govmomi.NewClient(ctx, u, true)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	f := find.NewFinder(c.Client)
	dc, err := f.DefaultDatacenter(ctx)
	if err != nil {
		return err
	}
	f.SetDatacenter(dc)
	return errors.Join(do(c, f), c.Logout(context.WithoutCancel(ctx)))
}

// on works on the machine of a name or path.
func (s *Server) on(ctx context.Context, name string, do func(vm *object.VirtualMachine) (*object.Task, error)) error {
	return s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		vm, err := f.VirtualMachine(ctx, name)
		if err != nil {
			return err
		}
		task, err := do(vm)
		if err != nil {
			return err
		}
		return task.Wait(ctx)
	})
}

// Power starts or stops a machine.
func (s *Server) Power(ctx context.Context, name string, on bool) error {
	return s.on(ctx, name, func(vm *object.VirtualMachine) (*object.Task, error) {
		if on {
			return vm.PowerOn(ctx)
		}
		return vm.PowerOff(ctx)
	})
}

// SetMemory gives a machine another amount of memory.
func (s *Server) SetMemory(ctx context.Context, name string, mb int64) error {
	return s.reconfigure(ctx, name, types.VirtualMachineConfigSpec{MemoryMB: mb})
}

// SetOption sets one of a machine's options; "" removes it. The option
// SET.guest.ipAddress makes the machine's tools tell of an address.
func (s *Server) SetOption(ctx context.Context, name, key, value string) error {
	return s.reconfigure(ctx, name, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: key, Value: value}}})
}

// TellAddress gives a machine's guest an address, as VMware Tools do once the
// guest has started; vcsim takes it from this option.
func (s *Server) TellAddress(ctx context.Context, name, address string) error {
	return s.SetOption(ctx, name, "SET.guest.ipAddress", address)
}

func (s *Server) reconfigure(ctx context.Context, name string, spec types.VirtualMachineConfigSpec) error {
	return s.on(ctx, name, func(vm *object.VirtualMachine) (*object.Task, error) { return vm.Reconfigure(ctx, spec) })
}

// Clone copies a machine, options and all, into the datacenter's own folder. A
// vCenter takes the options over by itself, the simulator only when told.
func (s *Server) Clone(ctx context.Context, name, to string) error {
	return s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		vm, err := f.VirtualMachine(ctx, name)
		if err != nil {
			return err
		}
		folder, err := f.DefaultFolder(ctx)
		if err != nil {
			return err
		}
		var from mo.VirtualMachine
		if err := vm.Properties(ctx, vm.Reference(), []string{"config.extraConfig"}, &from); err != nil {
			return err
		}
		task, err := vm.Clone(ctx, folder, to, types.VirtualMachineCloneSpec{
			Location: types.VirtualMachineRelocateSpec{}, Config: &types.VirtualMachineConfigSpec{ExtraConfig: from.Config.ExtraConfig},
		})
		if err != nil {
			return err
		}
		return task.Wait(ctx)
	})
}

// Rename gives a machine, folder or pool another name.
func (s *Server) Rename(ctx context.Context, path, to string) error {
	return s.visit(ctx, func(c *govmomi.Client, f *find.Finder) error {
		found, err := f.ManagedObjectList(ctx, path)
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("%d objects at %s", len(found), path)
		}
		ref := found[0].Object.Reference()
		if ref.Type == "ResourcePool" { // the simulator's pools know no Rename_Task
			return object.NewResourcePool(c.Client, ref).UpdateConfig(ctx, to, nil)
		}
		task, err := object.NewCommon(c.Client, ref).Rename(ctx, to)
		if err != nil {
			return err
		}
		return task.Wait(ctx)
	})
}

// Destroy removes a machine or an object at a path with all that is in it.
func (s *Server) Destroy(ctx context.Context, path string) error {
	return s.visit(ctx, func(c *govmomi.Client, f *find.Finder) error {
		found, err := f.ManagedObjectList(ctx, path)
		if err != nil {
			return err
		}
		for _, e := range found {
			task, err := object.NewCommon(c.Client, e.Object.Reference()).Destroy(ctx)
			if err != nil {
				return err
			}
			if err := task.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// EndSessions ends the logins of everybody else.
func (s *Server) EndSessions(ctx context.Context) error {
	return s.visit(ctx, func(c *govmomi.Client, _ *find.Finder) error {
		own, err := c.SessionManager.UserSession(ctx)
		if err != nil {
			return err
		}
		var m mo.SessionManager
		if err := c.RetrieveOne(ctx, c.SessionManager.Reference(), []string{"sessionList"}, &m); err != nil {
			return err
		}
		var ids []string
		for _, l := range m.SessionList {
			if own == nil || l.Key != own.Key {
				ids = append(ids, l.Key)
			}
		}
		return c.SessionManager.TerminateSession(ctx, ids)
	})
}

// Machines gives all machines by name.
func (s *Server) Machines(ctx context.Context) (map[string]Machine, error) {
	out := map[string]Machine{}
	err := s.visit(ctx, func(c *govmomi.Client, _ *find.Finder) error {
		v, err := view.NewManager(c.Client).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
		if err != nil {
			return err
		}
		var vms []mo.VirtualMachine
		if err := v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "config", "runtime.powerState"}, &vms); err != nil {
			return err
		}
		for i := range vms {
			path, err := find.InventoryPath(ctx, c.Client, vms[i].Self)
			if err != nil {
				return err
			}
			out[vms[i].Name] = machine(&vms[i], path)
		}
		return nil
	})
	return out, err
}

func machine(vm *mo.VirtualMachine, path string) Machine {
	devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
	m := Machine{
		Path: path, CPUs: vm.Config.Hardware.NumCPU, MemoryMB: vm.Config.Hardware.MemoryMB, Annotation: vm.Config.Annotation,
		On: vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn, Options: map[string]string{},
		Disks:    len(devices.SelectByType((*types.VirtualDisk)(nil))),
		Networks: len(devices.SelectByType((*types.VirtualEthernetCard)(nil))),
	}
	for _, o := range vm.Config.ExtraConfig {
		if text, ok := o.GetOptionValue().Value.(string); ok {
			m.Options[o.GetOptionValue().Key] = text
		}
	}
	return m
}

// Folder makes a folder of machines below the one at a path.
func (s *Server) Folder(ctx context.Context, path, name string) error {
	return s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		parent, err := f.Folder(ctx, path)
		if err != nil {
			return err
		}
		_, err = parent.CreateFolder(ctx, name)
		return err
	})
}

// Pool makes a resource pool below the one at a path, with a limit of memory in
// MB.
func (s *Server) Pool(ctx context.Context, path, name string, limit int64) error {
	return s.visit(ctx, func(_ *govmomi.Client, f *find.Finder) error {
		parent, err := f.ResourcePool(ctx, path)
		if err != nil {
			return err
		}
		spec := types.DefaultResourceConfigSpec()
		spec.MemoryAllocation.Limit = &limit
		_, err = parent.Create(ctx, name, spec)
		return err
	})
}

// Describe gives the managed object id of what is at a path, and all that the
// vCenter shows of its configuration, as JSON.
func (s *Server) Describe(ctx context.Context, path string) (id, config string, err error) {
	err = s.visit(ctx, func(c *govmomi.Client, f *find.Finder) error {
		found, err := f.ManagedObjectList(ctx, path)
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("%d objects at %s", len(found), path)
		}
		ref := found[0].Object.Reference()
		props := map[string][]string{
			"VirtualMachine": {"config", "runtime.powerState", "name", "parent", "resourcePool", "network", "datastore"},
			"ResourcePool":   {"config", "name", "parent"},
		}[ref.Type]
		if props == nil {
			props = []string{"name", "parent"}
		}
		var got []types.ObjectContent
		if err := c.Retrieve(ctx, []types.ManagedObjectReference{ref}, props, &got); err != nil {
			return err
		}
		id = ref.Value
		text, err := json.MarshalIndent(got, "", " ")
		config = string(text)
		return err
	})
	return id, config, err
}
