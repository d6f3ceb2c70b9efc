package aws

import (
	"context"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// sealed is what the engine holds of a session: its methods, and nothing that
// leads to its clients. Where a type is put into an interface, the linker keeps
// every method of it and of what its fields lead to, since reflection may ask
// for one by name; so kept, the clients of EC2, S3 and Systems Manager are a
// third of the program, all of it calls that isobar never makes.
type sealed struct {
	scope  func() string
	read   func(context.Context, []resource.Want) []resource.Answer
	tries  func(context.Context, resource.Object) error
	create func(context.Context, resource.Object, resource.Mark) (provider.Progress, error)
	update func(ctx context.Context, live, want resource.Object, changes []resource.Change) (provider.Progress, error)
	remove func(ctx context.Context, live, applied resource.Object) (provider.Progress, error)
	find   func(context.Context, provider.Intent) (provider.Progress, error)
	poll   func(context.Context, []resource.Handle) []provider.Polled
	mark   func(context.Context, resource.Object, *resource.Mark) error
}

func seal(s *session) *sealed {
	return &sealed{s.Scope, s.Read, s.Rehearse, s.Create, s.Update, s.Delete, s.Find, s.Poll, s.Mark}
}

// Scope implements provider.Session.
func (s *sealed) Scope() string { return s.scope() }

// Read implements provider.Session.
func (s *sealed) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	return s.read(ctx, wants)
}

// Create implements provider.Session.
func (s *sealed) Create(ctx context.Context, want resource.Object, m resource.Mark) (provider.Progress, error) {
	return s.create(ctx, want, m)
}

// Update implements provider.Session.
func (s *sealed) Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (provider.Progress, error) {
	return s.update(ctx, live, want, changes)
}

// Delete implements provider.Session.
func (s *sealed) Delete(ctx context.Context, live, applied resource.Object) (provider.Progress, error) {
	return s.remove(ctx, live, applied)
}

// Find implements provider.Session.
func (s *sealed) Find(ctx context.Context, in provider.Intent) (provider.Progress, error) {
	return s.find(ctx, in)
}

// Rehearse implements provider.Session.
func (s *sealed) Rehearse(ctx context.Context, want resource.Object) error {
	return s.tries(ctx, want)
}

// Poll implements provider.Session.
func (s *sealed) Poll(ctx context.Context, hs []resource.Handle) []provider.Polled {
	return s.poll(ctx, hs)
}

// Mark implements provider.Session.
func (s *sealed) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	return s.mark(ctx, live, m)
}
