package store

import (
	"context"
	"errors"
)

// Deferred is a store that is not made before something is to stay in it: until
// Keep it holds in memory what it is told, and who only looks leaves nothing
// behind.
type Deferred struct {
	Store
	held *Memory                             // what it was told so far
	open func(context.Context) (*SQL, error) // nil once it is made
}

// Defer gives a store that open makes at Keep.
func Defer(open func(context.Context) (*SQL, error)) *Deferred {
	held := NewMemory()
	return &Deferred{Store: held, held: held, open: open}
}

// Keep makes the store, and takes over what was evaluated, and what it was told of
// environments that the store does not know: another process may have made it
// meanwhile. It does nothing once it has. No other call may be under way, and no
// lease be held.
func (d *Deferred) Keep(ctx context.Context) error {
	if d.open == nil {
		return nil
	}
	made, err := d.open(ctx)
	if err != nil {
		return err
	}
	rows, err := d.Environments(ctx)
	for i := range rows {
		_, have := made.Environment(ctx, rows[i].Name)
		if errors.Is(have, ErrNotFound) {
			have = made.PutEnvironment(ctx, rows[i])
		}
		err = errors.Join(err, have)
	}
	if err = errors.Join(err, d.held.copyEvaluations(ctx, made)); err != nil {
		return errors.Join(err, made.Close())
	}
	d.Store, d.open = made, nil
	return d.held.Close()
}
