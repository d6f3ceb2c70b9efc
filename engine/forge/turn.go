package forge

import "context"

// turn lets one in at a time, and those who wait leave with their context, which a
// mutex does not allow.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unsent(reading, ctx.Err())
	}
}

func (t turn) leave() { <-t }

// once keeps the first answer that is no error. Safe for concurrent use.
type once struct {
	turn  turn
	value string
}

func newOnce() *once { return &once{turn: newTurn()} }

func (o *once) get(ctx context.Context, ask func() (string, error)) (string, error) {
	if err := o.turn.take(ctx); err != nil {
		return "", err
	}
	defer o.turn.leave()
	if o.value != "" {
		return o.value, nil
	}
	v, err := ask()
	if err != nil {
		return "", err
	}
	o.value = v
	return v, nil
}
