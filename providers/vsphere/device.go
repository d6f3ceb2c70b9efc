package vsphere

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/resource"
)

const (
	// pciKey is the key of a machine's PCI controller, the same in all of them,
	// and firstAdapter the slot of its first network adapter.
	pciKey       = 100
	firstAdapter = 7
	kbPerMB      = 1024
)

// bus is a controller of disks.
type bus struct {
	kind   string // "scsi" or "sata"
	number int32
}

// busOf tells what controller a device is.
func busOf(d types.BaseVirtualDevice) (bus, bool) {
	switch c := d.(type) {
	case types.BaseVirtualSCSIController:
		return bus{"scsi", c.GetVirtualSCSIController().BusNumber}, true
	case types.BaseVirtualSATAController:
		return bus{"sata", c.GetVirtualSATAController().BusNumber}, true
	}
	return bus{}, false
}

// devices gives a machine's hardware by the names that specs use.
type devices struct {
	buses    map[bus]int32 // controllers' keys
	disks    map[string]*types.VirtualDisk
	adapters map[string]types.BaseVirtualEthernetCard
}

func devicesOf(n *node) (devices, bool) {
	out := devices{buses: map[bus]int32{}, adapters: map[string]types.BaseVirtualEthernetCard{}}
	list, ok := n.props["config.hardware.device"].(types.ArrayOfVirtualDevice)
	for _, d := range list.VirtualDevice {
		if b, ok := busOf(d); ok {
			out.buses[b] = d.GetVirtualDevice().Key
		}
		if x, ok := d.(types.BaseVirtualEthernetCard); ok && d.GetVirtualDevice().UnitNumber != nil {
			out.adapters[fmt.Sprintf("ethernet%d", *d.GetVirtualDevice().UnitNumber-firstAdapter)] = x
		}
	}
	out.disks = placesOf(list.VirtualDevice)
	return out, ok
}

// placesOf gives disks by the places that specs name: those on other controllers
// have none.
func placesOf(all []types.BaseVirtualDevice) map[string]*types.VirtualDisk {
	out, byKey := map[string]*types.VirtualDisk{}, map[int32]bus{}
	for _, d := range all {
		if b, ok := busOf(d); ok {
			byKey[d.GetVirtualDevice().Key] = b
		}
	}
	for _, d := range all {
		disk, ok := d.(*types.VirtualDisk)
		if !ok || disk.UnitNumber == nil {
			continue
		}
		if b, ok := byKey[disk.ControllerKey]; ok {
			out[fmt.Sprintf("%s%d:%d", b.kind, b.number, *disk.UnitNumber)] = disk
		}
	}
	return out
}

// readDevices fills in the disks and network adapters.
func readDevices(inv *inventory, n *node, f resource.Map) {
	have, ok := devicesOf(n)
	if !ok {
		f["disks"], f["networks"] = n.unread("config.hardware.device"), n.unread("config.hardware.device")
		return
	}
	disks := make(resource.Map, len(have.disks))
	for place, d := range have.disks {
		disk := resource.Map{"capacityMB": resource.Int(d.CapacityInKB / kbPerMB)}
		if thin, known := thinOf(d); known {
			disk["thin"] = resource.Bool(thin)
		}
		if id := uuidOf(d); id != "" {
			disk["uuid"] = resource.String(id)
		}
		disks[place] = disk
	}
	adapters := make(resource.Map, len(have.adapters))
	for number, a := range have.adapters {
		adapters[number] = resource.Map{"network": networkOf(inv, a), "adapterType": resource.String(adapterType(a))}
	}
	f["disks"], f["networks"] = disks, adapters
}

func thinOf(d *types.VirtualDisk) (thin, known bool) {
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		return b.ThinProvisioned != nil && *b.ThinProvisioned, true
	case *types.VirtualDiskSeSparseBackingInfo:
		return true, true
	}
	return false, false
}

// networkOf gives the name of the network that an adapter is on.
func networkOf(inv *inventory, a types.BaseVirtualEthernetCard) resource.Value {
	switch b := a.GetVirtualEthernetCard().Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		if b.Network != nil && inv.nodes[*b.Network] != nil {
			return resource.String(inv.nodes[*b.Network].name)
		}
		return resource.String(b.DeviceName)
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		for _, n := range inv.sorted("DistributedVirtualPortgroup") {
			if key, _ := n.text("key"); key == b.Port.PortgroupKey || key == "" && n.ref.Value == b.Port.PortgroupKey {
				return resource.String(n.name)
			}
		}
		return resource.Unread{Why: "the port group " + b.Port.PortgroupKey + " is not to be seen"}
	}
	return resource.Unread{Why: "the adapter is on a kind of network that isobar does not know"}
}

func adapterType(a types.BaseVirtualEthernetCard) string {
	switch a.(type) {
	case *types.VirtualVmxnet3:
		return "vmxnet3"
	case *types.VirtualE1000e:
		return "e1000e"
	case *types.VirtualE1000:
		return "e1000"
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", a), "*types.Virtual"))
}

// hardware gathers the device changes of one call.
type hardware struct {
	inv       *inventory
	datastore string
	have      devices
	changes   []types.BaseVirtualDeviceConfigSpec
	temp      int32 // the last key given to a new device: below zero
}

func (h *hardware) add(op types.VirtualDeviceConfigSpecOperation, d types.BaseVirtualDevice, file types.VirtualDeviceConfigSpecFileOperation) {
	h.changes = append(h.changes, &types.VirtualDeviceConfigSpec{Operation: op, FileOperation: file, Device: d})
}

func (h *hardware) key() int32 {
	h.temp--
	return h.temp
}

// disks brings the disks at some places (nil: all of want) to what is wanted. A
// disk that is not wanted any more is destroyed.
func (h *hardware) disks(have map[string]*types.VirtualDisk, want resource.Map, places []string) {
	if places == nil {
		places = slices.Sorted(maps.Keys(want))
	}
	for _, place := range places {
		now, wanted := have[place], mapOf(want[place])
		size := intOr(wanted, "capacityMB", 0) * kbPerMB
		switch {
		case wanted == nil && now != nil:
			h.add(types.VirtualDeviceConfigSpecOperationRemove, now, types.VirtualDeviceConfigSpecFileOperationDestroy)
		case wanted == nil:
		case now == nil:
			h.newDisk(place, size, boolOr(wanted, "thin", true))
		case now.CapacityInKB != size:
			grown := *now
			grown.CapacityInKB, grown.CapacityInBytes = size, size*1024
			h.add(types.VirtualDeviceConfigSpecOperationEdit, &grown, "")
		}
	}
}

func (h *hardware) newDisk(place string, size int64, thin bool) {
	b, unit := placeOf(place)
	h.add(types.VirtualDeviceConfigSpecOperationAdd, &types.VirtualDisk{
		CapacityInKB: size, CapacityInBytes: size * 1024,
		VirtualDevice: types.VirtualDevice{
			Key: h.key(), ControllerKey: h.controller(b), UnitNumber: types.NewInt32(unit),
			Backing: &types.VirtualDiskFlatVer2BackingInfo{
				VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: "[" + h.datastore + "]"},
				DiskMode:                     string(types.VirtualDiskModePersistent), ThinProvisioned: types.NewBool(thin),
			},
		},
	}, types.VirtualDeviceConfigSpecFileOperationCreate)
}

// placeOf reads "scsi0:1", whose form the schema has checked.
func placeOf(place string) (bus, int32) {
	kind := strings.TrimRight(strings.SplitN(place, ":", 2)[0], "0123456789")
	number, unit, _ := strings.Cut(strings.TrimPrefix(place, kind), ":")
	n, _ := strconv.ParseInt(number, 10, 32)
	u, _ := strconv.ParseInt(unit, 10, 32)
	return bus{kind, int32(n)}, int32(u)
}

// controller gives the key of a controller, adding it where the machine has
// none.
func (h *hardware) controller(b bus) int32 {
	if key, ok := h.have.buses[b]; ok {
		return key
	}
	if h.have.buses == nil {
		h.have.buses = map[bus]int32{}
	}
	c := types.VirtualController{BusNumber: b.number, VirtualDevice: types.VirtualDevice{Key: h.key(), ControllerKey: pciKey}}
	h.have.buses[b] = c.Key
	if b.kind == "sata" {
		h.add(types.VirtualDeviceConfigSpecOperationAdd, &types.VirtualAHCIController{VirtualSATAController: types.VirtualSATAController{VirtualController: c}}, "")
	} else {
		h.add(types.VirtualDeviceConfigSpecOperationAdd, &types.ParaVirtualSCSIController{VirtualSCSIController: types.VirtualSCSIController{
			VirtualController: c, SharedBus: types.VirtualSCSISharingNoSharing,
		}}, "")
	}
	return c.Key
}

// adapters brings some network adapters (nil: all of want) to what is wanted.
func (h *hardware) adapters(have map[string]types.BaseVirtualEthernetCard, want resource.Map, numbers []string) error {
	if numbers == nil {
		numbers = slices.Sorted(maps.Keys(want))
	}
	var wrong []error
	for _, number := range numbers {
		now, wanted := have[number], mapOf(want[number])
		if wanted == nil {
			if now != nil {
				h.add(types.VirtualDeviceConfigSpecOperationRemove, now.(types.BaseVirtualDevice), "")
			}
			continue
		}
		backing, err := h.backing(wanted.Text("network"))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if now != nil && adapterType(now) == wanted.Text("adapterType") {
			if !resource.Equal(networkOf(h.inv, now), wanted["network"]) {
				now.GetVirtualEthernetCard().Backing = backing
				h.add(types.VirtualDeviceConfigSpecOperationEdit, now.(types.BaseVirtualDevice), "")
			}
			continue
		}
		if now != nil {
			h.add(types.VirtualDeviceConfigSpecOperationRemove, now.(types.BaseVirtualDevice), "")
		}
		h.newAdapter(number, wanted.Text("adapterType"), backing)
	}
	return together(wrong...)
}

func (h *hardware) newAdapter(number, kind string, backing types.BaseVirtualDeviceBackingInfo) {
	slot, _ := strconv.ParseInt(strings.TrimPrefix(number, "ethernet"), 10, 32)
	card := types.VirtualEthernetCard{
		AddressType: string(types.VirtualEthernetCardMacTypeGenerated),
		VirtualDevice: types.VirtualDevice{
			Key: h.key(), ControllerKey: pciKey, UnitNumber: types.NewInt32(int32(slot) + firstAdapter), Backing: backing,
			Connectable: &types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true, Connected: true},
		},
	}
	var d types.BaseVirtualDevice
	switch kind {
	case "e1000":
		d = &types.VirtualE1000{VirtualEthernetCard: card}
	case "e1000e":
		d = &types.VirtualE1000e{VirtualEthernetCard: card}
	default:
		d = &types.VirtualVmxnet3{VirtualVmxnet: types.VirtualVmxnet{VirtualEthernetCard: card}}
	}
	h.add(types.VirtualDeviceConfigSpecOperationAdd, d, "")
}

// backing gives what puts an adapter on a network.
func (h *hardware) backing(network string) (types.BaseVirtualDeviceBackingInfo, error) {
	n, err := h.inv.named("network", network, "Network", "DistributedVirtualPortgroup", "OpaqueNetwork")
	if err != nil {
		return nil, err
	}
	switch n.ref.Type {
	case "Network":
		return &types.VirtualEthernetCardNetworkBackingInfo{
			VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: n.name}, Network: &n.ref,
		}, nil
	case "DistributedVirtualPortgroup":
		dvs, _ := n.props["config.distributedVirtualSwitch"].(types.ManagedObjectReference)
		key, _ := n.text("key")
		if sw := h.inv.nodes[dvs]; sw != nil && key != "" {
			id, _ := sw.text("uuid")
			return &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
				Port: types.DistributedVirtualSwitchPortConnection{PortgroupKey: key, SwitchUuid: id},
			}, nil
		}
		return nil, &resource.Failure{
			Class: resource.Denied, Op: "vsphere:Locate",
			Message: "the switch of the network " + network + " is not to be seen: the account lacks the privilege",
		}
	}
	return nil, invalid("vsphere:Locate", "the network "+network+" is an opaque one, which isobar cannot put adapters on")
}
