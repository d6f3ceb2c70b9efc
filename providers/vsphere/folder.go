package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// folder is the kind vsphere.folder. CreateFolder takes nothing but a name, so
// a folder bears no mark: its path is its natural key.
func folder() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: "folder", IDs: provider.ReachHost, Settle: provider.SettleNatural, Lag: lag,
			Origin: provider.OriginCreated, Unmarked: true,
		},
		entity: "Folder",
		object: folderObject,
		locate: func(ctx context.Context, s *session, id resource.ID) (*types.ManagedObjectReference, error) {
			return s.placeRef(ctx, "Folder", id)
		},
		create: createFolder,
		update: updateFolder,
		remove: func(ctx context.Context, s *session, ref types.ManagedObjectReference, _ resource.Object) (provider.Progress, error) {
			return s.removeEmpty(ctx, ref, "childEntity")
		},
		find: findFolder,
	}
}

// folderObject gives the folders of VM folders: those of hosts, networks and
// datastores, and the datacenters' own, are none.
func folderObject(inv *inventory, n *node) (resource.Object, bool) {
	chain := inv.chain(n)
	at := -1
	for i, c := range chain {
		if c.ref.Type == "Datacenter" {
			at = i
			break
		}
	}
	if at < 2 || chain[at-1].name != "vm" {
		return resource.Object{}, false
	}
	f := resource.Map{"name": resource.String(shown(n.name)), "path": resource.String(inv.path(n))}
	if up := inv.path(chain[1]); up != "" {
		f["parent"] = resource.String(up)
	}
	return resource.Object{ID: resource.ID(n.ref.Value), Fields: f}, true
}

func createFolder(ctx context.Context, s *session, want resource.Object, _ resource.Mark) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	parent, err := inv.folder(want.Fields.Text("parent"))
	if err != nil {
		return provider.Progress{}, err
	}
	got, err := methods.CreateFolder(ctx, s, &types.CreateFolder{This: parent.ref, Name: sent(want.Fields.Text("name"))})
	if err != nil {
		return provider.Progress{}, err
	}
	return provider.Progress{Object: resource.Object{ID: resource.ID(got.Returnval.Value)}}, nil
}

// updateFolder moves the folder, then renames it.
func updateFolder(ctx context.Context, s *session, ch change) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	now := inv.nodes[ch.ref]
	if now == nil {
		return provider.Progress{}, gone("vim:Locate", ch.live.ID)
	}
	var p provider.Progress
	if ch.has("parent") {
		parent, err := inv.folder(ch.want.Fields.Text("parent"))
		if err != nil {
			return p, err
		}
		if parent.ref != now.parent {
			got, err := methods.MoveIntoFolder_Task(ctx, s, &types.MoveIntoFolder_Task{This: parent.ref, List: []types.ManagedObjectReference{ch.ref}})
			if err != nil {
				return p, err
			}
			p = handed(got.Returnval, "")
		}
	}
	if to := ch.want.Fields.Text("name"); ch.has("name") && to != shown(now.name) {
		if p.Handle != "" {
			if err := s.await(ctx, types.ManagedObjectReference{Type: "Task", Value: string(p.Handle)}); err != nil {
				return provider.Progress{}, err
			}
		}
		got, err := methods.Rename_Task(ctx, s, &types.Rename_Task{This: ch.ref, NewName: kept(to)})
		if err != nil {
			return provider.Progress{}, err
		}
		p = handed(got.Returnval, "")
	}
	return p, nil
}

func findFolder(ctx context.Context, s *session, in provider.Intent) (provider.Progress, error) {
	inv, err := s.inventory(ctx, places()...)
	if err != nil {
		return provider.Progress{}, err
	}
	parent, err := inv.folder(in.Want.Fields.Text("parent"))
	if err != nil {
		return provider.Progress{}, nothing(err)
	}
	for _, n := range inv.sorted("Folder") {
		if n.parent == parent.ref && shown(n.name) == in.Want.Fields.Text("name") {
			return provider.Progress{Object: resource.Object{ID: resource.ID(n.ref.Value)}}, nil
		}
	}
	return provider.Progress{}, nil
}

// nothing takes the error of a place that is not there, under which nothing can
// have been made, for none.
func nothing(err error) error {
	if resource.ClassOf(err) == resource.Invalid {
		return nil
	}
	return err
}
