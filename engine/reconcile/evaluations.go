package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// Evaluated evaluates environments once for each digest of their inputs: what
// was evaluated is kept in the store, so that neither a look for drift nor a
// restart evaluates again. Safe for concurrent use.
type Evaluated struct {
	Specs
	Kept store.Evaluations
	Now  func() time.Time
}

// Environment gives the kept evaluation, or evaluates and keeps it. Specs with
// mistakes are not kept.
func (e *Evaluated) Environment(ctx context.Context, tree fs.FS, env string) (spec.Environment, error) {
	digest, err := e.Digest(ctx, tree, env)
	if err != nil || digest == "" {
		return e.Specs.Environment(ctx, tree, env)
	}
	body, err := e.Kept.Evaluation(ctx, digest)
	var out spec.Environment
	if err == nil && json.Unmarshal(body, &out) == nil && out.Digest == digest {
		return out, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return spec.Environment{}, err
	}
	if out, err = e.Specs.Environment(ctx, tree, env); err != nil {
		return out, err
	}
	if body, err = json.Marshal(out); err != nil {
		return out, err
	}
	return out, e.Kept.PutEvaluation(ctx, digest, body, e.Now())
}
