package preview

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/git"
	"isobar.dev/engine/reconcile"
)

// pin says that a pull request was applied to an environment before its merge. It
// holds as long as the pull request is open, and then until the branch has the merge.
// Nothing else keeps it: no lease is held.
type pin struct {
	Head    string    `json:"head"`               // the pull's commit
	Base    string    `json:"base"`               // the base branch's, on which it is merged
	Fetch   string    `json:"fetch"`              // the ref that has Head
	Digest  string    `json:"digest"`             // of the plan that was approved
	By      string    `json:"by"`                 // who asked for it
	At      time.Time `json:"at"`                 // when
	Of      string    `json:"of"`                 // the comment in which they did
	Applied bool      `json:"applied,omitempty"`  // the plan was carried out
	Freed   bool      `json:"freed,omitempty"`    // the branch has the merge, and the environment was told to be looked at
	Ended   time.Time `json:"ended,omitzero"`     // when it was given up: the environment is on its way back to the branch
	EndedBy string    `json:"ended_by,omitempty"` // by whom or what
}

// holds reports whether a pull's pin of an environment holds, but for a merge that
// the branch has already.
func (r *record) holds(env string) bool {
	p, ok := r.Pins[env]
	return ok && p.Ended.IsZero() && r.State != forge.Closed
}

// runs reports whether the daemon does in an environment what a pull says: it is
// merged, or was applied before that.
func (r *record) runs(env string) bool {
	_, pinned := r.Pins[env]
	return r.State == forge.Merged || pinned
}

// all gives the environments that a pull concerns, or holds, sorted.
func (r *record) all() []string {
	out := append(slices.Collect(maps.Keys(r.Pins)), r.Envs...)
	slices.Sort(out)
	return slices.Compact(out)
}

// held gives the environments that a pull holds, sorted.
func (r *record) held() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.Pins)), func(env string) bool { return !r.holds(env) })
}

// Pinned implements reconcile.Reviews.
func (d *Desk) Pinned(ctx context.Context, env, head string) (*reconcile.Pin, error) {
	d.ready()
	kept, err := d.records(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Sorted(maps.Keys(kept)) {
		r := kept[n]
		if !r.holds(env) {
			continue
		}
		g := d.mirror()
		if r.State == forge.Merged && (r.Merged == "" || g != nil && has(ctx, g, r.Merged, head)) {
			continue // it is on the branch
		}
		out := d.pinOf(n, &r, env)
		out.Tree, out.Commit, out.Why = mergeOf(ctx, g, r.Pins[env])
		out.Commit.Hash, out.Commit.Subject = r.Pins[env].Head, r.Title+" ("+out.Where+", before its merge)"
		return &out, nil
	}
	return nil, nil //nolint:nilnil // none
}

// Pins implements reconcile.Reviews.
func (d *Desk) Pins(ctx context.Context) (map[string]reconcile.Pin, error) {
	d.ready()
	kept, err := d.records(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]reconcile.Pin{}
	for n, r := range kept {
		for _, env := range r.held() {
			if r.Pins[env].Freed {
				continue
			}
			out[env] = d.pinOf(n, &r, env)
		}
	}
	return out, nil
}

func (d *Desk) pinOf(number int, r *record, env string) reconcile.Pin {
	return reconcile.Pin{Where: d.sign() + strconv.Itoa(number), By: r.Pins[env].By, Since: r.Pins[env].At}
}

// mirror gives the repository to those who are not called by Follow; nil before it
// has begun.
func (d *Desk) mirror() Git {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.git
}

func has(ctx context.Context, g Git, merged, head string) bool {
	in, err := g.Contains(ctx, merged, head)
	return in && err == nil
}

var (
	errNotFetched = errors.New("the repository was not fetched yet")
	errConflict   = errors.New("it can't be merged any more")
)

// mergeOf makes the merge of a pin anew: it is the same for as long as both commits
// are there.
func mergeOf(ctx context.Context, g Git, p pin) (tree fs.FS, head git.Commit, err error) {
	if g == nil {
		return nil, head, errNotFetched
	}
	m, err := g.Merge(ctx, p.Base, p.Head)
	if git.KindOf(err) == git.NoRevision { // another process has it, so far
		if _, ferr := g.FetchRefs(ctx, []string{p.Fetch}); ferr != nil {
			return nil, head, errors.Join(err, ferr)
		}
		m, err = g.Merge(ctx, p.Base, p.Head)
	}
	if err != nil {
		return nil, head, err
	}
	if len(m.Conflicts) > 0 {
		return nil, head, errConflict
	}
	head, err = g.Resolve(ctx, p.Head)
	return m.Files, head, err
}
