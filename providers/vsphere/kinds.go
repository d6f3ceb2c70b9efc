package vsphere

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// name is the provider's name, the first part of its kinds' full names.
const name = "vsphere"

// lag covers a request that the vCenter has taken in and not yet made a task of
// when its answer is lost. What is done shows at once, since reads come from the
// inventory that calls write to, and a create that runs is seen as a task.
const lag = 5 * time.Second

// kind is what the session needs to know to drive one kind. Every func is safe
// for concurrent use; errors are classified.
type kind struct {
	provider.Kind
	entity string // the managed object type

	// object makes a live object of an inventory's node; ok is false for one
	// that is none of this kind's.
	object func(inv *inventory, n *node) (o resource.Object, ok bool)
	// locate gives the managed object of an id; nil where there is none.
	locate func(ctx context.Context, s *session, id resource.ID) (*types.ManagedObjectReference, error)

	// rehearse says by reads why create would be refused; nil where nobody looks.
	rehearse func(ctx context.Context, s *session, want resource.Object) error
	create   func(ctx context.Context, s *session, want resource.Object, m resource.Mark) (provider.Progress, error)
	update   func(ctx context.Context, s *session, ch change) (provider.Progress, error)
	remove   func(ctx context.Context, s *session, ref types.ManagedObjectReference, applied resource.Object) (provider.Progress, error)
	find     func(ctx context.Context, s *session, in provider.Intent) (provider.Progress, error)
}

// change is one aspect's update of one object.
type change struct {
	ref        types.ManagedObjectReference
	live, want resource.Object
	changes    []resource.Change
}

// has reports whether a top-level field changes.
func (c change) has(fields ...string) bool {
	return slices.ContainsFunc(c.changes, func(ch resource.Change) bool {
		return len(ch.Path) > 0 && slices.Contains(fields, ch.Path[0])
	})
}

// kinds is the package's table of kinds, sorted by name. A new kind is a file
// of its own and one line here.
func kinds() []*kind {
	ks := []*kind{
		folder(),
		resourcePool(),
		vm(),
	}
	slices.SortFunc(ks, func(a, b *kind) int { return strings.Compare(a.Name, b.Name) })
	return ks
}

// Type is the provider, for the list of all providers.
func Type() provider.Type {
	ks := kinds()
	t := provider.Type{Name: name, Open: open, Kinds: make([]provider.Kind, len(ks))}
	for i, k := range ks {
		t.Kinds[i] = k.Kind
	}
	return t
}
