package vsphere

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// placeRef gives the folder or pool of an id, nil where it is gone.
func (s *session) placeRef(ctx context.Context, kind string, id resource.ID) (*types.ManagedObjectReference, error) {
	ref := types.ManagedObjectReference{Type: kind, Value: string(id)}
	_, err := s.property(ctx, ref, "name")
	if resource.ClassOf(err) == resource.NotFound {
		return nil, nil
	}
	return &ref, err
}

// property reads one property of one object; nil where it is unset.
func (s *session) property(ctx context.Context, ref types.ManagedObjectReference, path string) (any, error) {
	var val any
	var missing error
	err := s.collect(ctx, []types.PropertyFilterSpec{{
		ObjectSet: []types.ObjectSpec{{Obj: ref}},
		PropSet:   []types.PropertySpec{{Type: ref.Type, PathSet: []string{path}}},
	}}, func(o types.ObjectContent) {
		for _, p := range o.PropSet {
			val = p.Val
		}
		for _, m := range o.MissingSet {
			missing = ofFault("vim:RetrievePropertiesEx", m.Fault.Fault, m.Fault.LocalizedMessage, false)
		}
	})
	if err == nil {
		err = missing
	}
	return val, err
}

// missingObject gives the id that a ManagedObjectNotFound names, or "".
func missingObject(err error) string {
	var f *resource.Failure
	if !errors.As(err, &f) || f.Err == nil || !soap.IsSoapFault(f.Err) {
		return ""
	}
	if m, ok := soap.ToSoapFault(f.Err).VimFault().(types.ManagedObjectNotFound); ok {
		return m.Obj.Value
	}
	return ""
}

// removeEmpty destroys a folder or pool that holds nothing. A vCenter would
// destroy a folder with every machine in it.
func (s *session) removeEmpty(ctx context.Context, ref types.ManagedObjectReference, contents ...string) (provider.Progress, error) {
	for _, path := range contents {
		v, err := s.property(ctx, ref, path)
		if err != nil {
			return provider.Progress{}, err
		}
		if held, ok := v.(types.ArrayOfManagedObjectReference); ok && len(held.ManagedObjectReference) > 0 {
			return provider.Progress{}, &resource.Failure{Class: resource.Conflict, Op: "vim:Destroy_Task", Message: fmt.Sprintf(
				"%s holds what is not isobar's to delete, %s: move it away first", s.called(ctx, ref), s.allCalled(ctx, held.ManagedObjectReference))}
		}
	}
	got, err := methods.Destroy_Task(ctx, s, &types.Destroy_Task{This: ref})
	if err != nil {
		return provider.Progress{}, err
	}
	return handed(got.Returnval, ""), nil
}

// called names an object in words for people: by its name, or by its id where that
// can't be had now.
func (s *session) called(ctx context.Context, ref types.ManagedObjectReference) string {
	if v, err := s.property(ctx, ref, "name"); err == nil {
		if name, _ := v.(string); name != "" {
			return shown(name) + " (" + ref.Value + ")"
		}
	}
	return ref.Value
}

// allCalled names some objects, the first three of very many.
func (s *session) allCalled(ctx context.Context, refs []types.ManagedObjectReference) string {
	var names []string
	for _, r := range refs[:min(len(refs), 3)] {
		names = append(names, s.called(ctx, r))
	}
	if more := len(refs) - len(names); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	}
	return strings.Join(names, ", ")
}
