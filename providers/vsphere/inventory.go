package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/resource"
)

// inventory is what one read of a vCenter gave: the objects, with the
// properties that were asked for.
type inventory struct {
	nodes      map[types.ManagedObjectReference]*node
	datacenter *node  // the session's own; nil where it could not be told
	why        string // why not
}

// node is one managed object.
type node struct {
	ref     types.ManagedObjectReference
	parent  types.ManagedObjectReference // zero at the root
	name    string
	props   map[string]any
	missing map[string]string // property → why it could not be read
}

// vmProperties is what is read of a machine: never config as a whole.
func vmProperties() []string {
	return []string{
		"name", "parent", "resourcePool", "datastore", "runtime.powerState", "guest.ipAddress", "summary.config.instanceUuid",
		"config.instanceUuid", "config.annotation", "config.guestId", "config.firmware", "config.extraConfig", "config.files.vmPathName",
		"config.hardware.numCPU", "config.hardware.memoryMB", "config.hardware.device",
		"config.cpuHotAddEnabled", "config.memoryHotAddEnabled", "guest.toolsRunningStatus",
	}
}

// properties is what is read of each type of object.
func properties() []types.PropertySpec {
	return []types.PropertySpec{
		{Type: "ManagedEntity", PathSet: []string{"name", "parent"}},
		{Type: "ResourcePool", PathSet: []string{"name", "parent", "config.cpuAllocation", "config.memoryAllocation"}},
		{Type: "VirtualMachine", PathSet: vmProperties()},
		{Type: "DistributedVirtualPortgroup", PathSet: []string{"name", "parent", "key", "config.distributedVirtualSwitch"}},
		{Type: "DistributedVirtualSwitch", PathSet: []string{"name", "parent", "uuid"}},
	}
}

// places are the types of everything that machines are in or on.
func places() []string {
	return []string{"Folder", "Datacenter", "ComputeResource", "ResourcePool", "Datastore", "Network", "DistributedVirtualSwitch"}
}

// inventory reads all objects of some types: three calls, and one more for
// each further page.
func (s *session) inventory(ctx context.Context, kinds ...string) (inv *inventory, err error) {
	if s.content.ViewManager == nil {
		return nil, &resource.Failure{Class: resource.Bug, Op: "vim:CreateContainerView", Message: "the vCenter has no view manager"}
	}
	view, err := methods.CreateContainerView(ctx, s, &types.CreateContainerView{
		This: *s.content.ViewManager, Container: s.content.RootFolder, Type: kinds, Recursive: true,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		// A view that is left behind ends with the login.
		_, _ = methods.DestroyView(ctx, s, &types.DestroyView{This: view.Returnval})
	}()
	return s.retrieve(ctx, []types.ObjectSpec{{
		Obj: view.Returnval, Skip: types.NewBool(true),
		SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: "ContainerView", Path: "view"}},
	}})
}

// around reads some machines and what they are in and on, in one call.
func (s *session) around(ctx context.Context, vms []types.ManagedObjectReference) (*inventory, error) {
	up := &types.TraversalSpec{
		SelectionSpec: types.SelectionSpec{Name: "up"}, Type: "ManagedEntity", Path: "parent",
		SelectSet: []types.BaseSelectionSpec{&types.SelectionSpec{Name: "up"}},
	}
	to := func(path string, onward ...types.BaseSelectionSpec) *types.TraversalSpec {
		return &types.TraversalSpec{Type: "VirtualMachine", Path: path, SelectSet: onward}
	}
	again := &types.SelectionSpec{Name: "up"}
	// Folders at the top hold datacenters and folders of them alone: they say
	// which datacenter is the only one.
	set := []types.ObjectSpec{{
		Obj: s.content.RootFolder, SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{
			SelectionSpec: types.SelectionSpec{Name: "down"}, Type: "Folder", Path: "childEntity",
			SelectSet: []types.BaseSelectionSpec{&types.SelectionSpec{Name: "down"}},
		}},
	}}
	for _, ref := range vms {
		set = append(set, types.ObjectSpec{
			Obj: ref, Skip: types.NewBool(false),
			SelectSet: []types.BaseSelectionSpec{up, to("resourcePool", again), to("network"), to("datastore")},
		})
	}
	return s.retrieve(ctx, set)
}

// retrieve collects the properties of a set of objects, all pages.
func (s *session) retrieve(ctx context.Context, set []types.ObjectSpec) (*inventory, error) {
	inv := &inventory{nodes: map[types.ManagedObjectReference]*node{}}
	err := s.collect(ctx, []types.PropertyFilterSpec{{ObjectSet: set, PropSet: properties()}}, inv.add)
	if err != nil {
		return nil, err
	}
	inv.settle(s.datacenter)
	return inv, nil
}

// pageSize is how many objects one answer of the property collector holds: some
// megabytes of XML for machines, which are read into a fraction of that.
const pageSize = 125

// collect makes one property collector's read.
func (s *session) collect(ctx context.Context, specs []types.PropertyFilterSpec, take func(types.ObjectContent)) error {
	got, err := methods.RetrievePropertiesEx(ctx, s, &types.RetrievePropertiesEx{
		This: s.content.PropertyCollector, SpecSet: specs, Options: types.RetrieveOptions{MaxObjects: pageSize},
	})
	if err != nil {
		return err
	}
	for page := got.Returnval; page != nil; {
		for _, o := range page.Objects {
			take(o)
		}
		if page.Token == "" {
			return nil
		}
		next, err := methods.ContinueRetrievePropertiesEx(ctx, s, &types.ContinueRetrievePropertiesEx{This: s.content.PropertyCollector, Token: page.Token})
		if err != nil {
			return err
		}
		page = &next.Returnval
	}
	return nil
}

func (inv *inventory) add(o types.ObjectContent) {
	n := inv.nodes[o.Obj]
	if n == nil {
		n = &node{ref: o.Obj, props: make(map[string]any, len(o.PropSet))}
		inv.nodes[o.Obj] = n
	}
	for _, p := range o.PropSet {
		switch p.Name {
		case "name":
			n.name, _ = p.Val.(string)
		case "parent":
			n.parent, _ = p.Val.(types.ManagedObjectReference)
		default:
			n.props[p.Name] = p.Val
		}
	}
	for _, m := range o.MissingSet {
		if n.missing == nil {
			n.missing = map[string]string{}
		}
		n.missing[m.Path] = faultName(m.Fault.Fault)
	}
}

// settle finds the datacenter that paths start from.
func (inv *inventory) settle(wanted string) {
	var all, match []string
	for _, n := range inv.sorted("Datacenter") {
		all = append(all, n.name)
		if p := strings.Join(inv.names(n), "/"); wanted == "" || wanted == n.name || wanted == p {
			match = append(match, n.name)
			inv.datacenter = n
		}
	}
	switch {
	case len(match) == 1:
		return
	case len(all) == 0:
		inv.why = "the vCenter shows no datacenter: does its account have the privilege to see one?"
	case len(match) == 0:
		inv.why = fmt.Sprintf("the vCenter has no datacenter %s, but %s: mend providers.vsphere.datacenter", wanted, strings.Join(all, ", "))
	default:
		inv.why = fmt.Sprintf("the vCenter has the datacenters %s: name one in providers.vsphere.datacenter", strings.Join(all, ", "))
	}
	inv.datacenter = nil
}

// sorted gives the objects of a type, by id.
func (inv *inventory) sorted(kinds ...string) []*node {
	var out []*node
	for ref, n := range inv.nodes {
		if slices.Contains(kinds, ref.Type) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b *node) int { return strings.Compare(a.ref.Value, b.ref.Value) })
	return out
}

// names gives the names from the top down to a node, without the root's.
func (inv *inventory) names(n *node) []string {
	var out []string
	for depth := 0; n != nil && n.parent.Value != "" && depth < 100; depth++ {
		out = append(out, n.name)
		n = inv.nodes[n.parent]
	}
	slices.Reverse(out)
	return out
}

// chain gives the ancestors of a node, itself first.
func (inv *inventory) chain(n *node) []*node {
	var out []*node
	for n != nil && len(out) < 100 {
		out = append(out, n)
		n = inv.nodes[n.parent]
	}
	return out
}

// path gives the path of a folder or pool: below the datacenter's own VM or
// host folder, and from the top, "/other/vm/x", in another datacenter. It is ""
// for that folder itself.
func (inv *inventory) path(n *node) string {
	chain := inv.chain(n)
	for i, c := range chain {
		if c.ref.Type != "Datacenter" {
			continue
		}
		if inv.datacenter == nil || c.ref != inv.datacenter.ref {
			break
		}
		var parts []string
		for _, below := range chain[:max(i-1, 0)] {
			parts = append(parts, below.name)
		}
		slices.Reverse(parts)
		return join(parts)
	}
	return "/" + join(inv.names(n))
}

// within reports whether a node stands in the session's datacenter.
func (inv *inventory) within(n *node) bool {
	return inv.datacenter != nil && slices.ContainsFunc(inv.chain(n), func(c *node) bool { return c.ref == inv.datacenter.ref })
}

// base gives the datacenter's own folder, "vm" or "host".
func (inv *inventory) base(which string) (*node, error) {
	if inv.datacenter == nil {
		return nil, invalid("vsphere:Locate", inv.why)
	}
	for _, n := range inv.sorted("Folder") {
		if n.parent == inv.datacenter.ref && n.name == which {
			return n, nil
		}
	}
	return nil, invalid("vsphere:Locate", "the folder "+which+" of datacenter "+inv.datacenter.name+" is not to be seen: the account lacks the privilege")
}

// folder gives the folder of a path below the datacenter's VM folder.
func (inv *inventory) folder(path string) (*node, error) {
	root, err := inv.base("vm")
	if err != nil || path == "" {
		return root, err
	}
	for _, n := range inv.sorted("Folder") {
		if under(inv.chain(n), root) && inv.path(n) == path {
			return n, nil
		}
	}
	return nil, invalid("vsphere:Locate", "there is no folder "+path+" in datacenter "+inv.datacenter.name)
}

func under(chain []*node, root *node) bool {
	return slices.ContainsFunc(chain, func(c *node) bool { return c.ref == root.ref })
}

// pool gives the resource pool of a path; "" is the pool of the datacenter's
// only cluster or host.
func (inv *inventory) pool(path string) (*node, error) {
	if inv.datacenter == nil {
		return nil, invalid("vsphere:Locate", inv.why)
	}
	var known []string
	var roots []*node
	for _, n := range inv.sorted("ResourcePool", "VirtualApp") {
		if !inv.within(n) {
			continue
		}
		p := inv.path(n)
		if p == path {
			return n, nil
		}
		if known = append(known, p); inv.nodes[n.parent] != nil && inv.nodes[n.parent].ref.Type != "ResourcePool" && n.ref.Type == "ResourcePool" {
			roots = append(roots, n)
		}
	}
	if path == "" && len(roots) == 1 {
		return roots[0], nil
	}
	slices.Sort(known)
	if path == "" {
		return nil, invalid("vsphere:Locate", fmt.Sprintf("datacenter %s has %d clusters and hosts: name a resourcePool, one of %s",
			inv.datacenter.name, len(roots), few(known)))
	}
	return nil, invalid("vsphere:Locate", fmt.Sprintf("there is no resource pool %s in datacenter %s: it has %s", path, inv.datacenter.name, few(known)))
}

// named gives the datacenter's only object of some types with a name.
func (inv *inventory) named(what, name string, kinds ...string) (*node, error) {
	if inv.datacenter == nil {
		return nil, invalid("vsphere:Locate", inv.why)
	}
	var known []string
	var match []*node
	for _, n := range inv.sorted(kinds...) {
		if !inv.within(n) {
			continue
		}
		if n.name == name {
			match = append(match, n)
		}
		known = append(known, n.name)
	}
	switch len(match) {
	case 1:
		return match[0], nil
	case 0:
		slices.Sort(known)
		return nil, invalid("vsphere:Locate", fmt.Sprintf("there is no %s %s in datacenter %s: it has %s", what, name, inv.datacenter.name, few(known)))
	}
	return nil, invalid("vsphere:Locate", fmt.Sprintf("datacenter %s has %d %ss with the name %s: rename one", inv.datacenter.name, len(match), what, name))
}

// few lists names, not all of very many.
func few(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > 10:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:10], ", "), len(names)-10)
	}
	return strings.Join(names, ", ")
}
