package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// pollAfter is when work that AWS still does is asked for again: EC2 takes
// some seconds for each of its changes of state.
const pollAfter = 2 * time.Second

// stateGone is what a delete that AWS takes its time for waits for.
const stateGone = "gone"

// condition is how far an object is on its way to a state.
type condition struct {
	object  resource.Object
	reached bool
	failed  string // why it will never get there, in AWS's words
}

// work is the part of a kind whose calls are not finished when they are
// answered.
type work struct {
	// until names the state that an object is in once op on its aspect is
	// done; "" where the answer says that it is.
	until func(op provider.Op, aspect string, want resource.Object) string
	// look tells how far objects are from a state. What it leaves out is not
	// to be seen.
	look func(ctx context.Context, s *session, state string, by []types.Filter) ([]condition, error)
}

// progress is what a call of op has come to: finished, or with the handle of
// work that goes on.
func (k *kind) progress(op provider.Op, aspect string, obj, want resource.Object) provider.Progress {
	p := provider.Progress{Object: obj}
	if k.work == nil {
		return p
	}
	if state := k.work.until(op, aspect, want); state != "" {
		p.Handle = resource.Handle(strings.Join([]string{k.Name, string(obj.ID), state}, "/"))
	}
	return p
}

// Poll implements provider.Session. A handle reads kind/id/state, and one list
// answers all handles that wait for the same state of one kind.
func (s *session) Poll(ctx context.Context, hs []resource.Handle) []provider.Polled {
	out := make([]provider.Polled, len(hs))
	groups := map[[2]string][]int{}
	for i, h := range hs {
		part := strings.Split(string(h), "/")
		if len(part) != 3 || s.kinds[part[0]] == nil || s.kinds[part[0]].work == nil {
			out[i] = provider.Polled{Done: true, Err: &resource.Failure{
				Class: resource.Bug, Op: "aws:Poll", Message: fmt.Sprintf("no AWS kind gave the handle %q", h),
			}}
			continue
		}
		key := [2]string{part[0], part[2]}
		groups[key] = append(groups[key], i)
	}
	for key, is := range groups {
		for part := range slices.Chunk(is, maxFilterValues) {
			ids := make([]string, len(part))
			for j, i := range part {
				ids[j] = strings.Split(string(hs[i]), "/")[1]
			}
			for j, p := range s.pollKind(ctx, s.kinds[key[0]], key[1], ids) {
				p.Handle = ""
				if !p.Done {
					p.Handle, p.After = hs[part[j]], pollAfter
				}
				out[part[j]] = p
			}
		}
	}
	return out
}

// pollKind tells of objects of one kind, in the order of ids, whether they
// have come to a state.
func (s *session) pollKind(ctx context.Context, k *kind, state string, ids []string) []provider.Polled {
	got, err := k.work.look(ctx, s, state, []types.Filter{filter(k.idFilter, ids...)})
	seen := make(map[resource.ID]condition, len(got))
	for _, c := range got {
		seen[c.object.ID] = c
	}
	out := make([]provider.Polled, len(ids))
	for i, id := range ids {
		c, there := seen[resource.ID(id)]
		p := &out[i]
		p.Object = c.object
		switch {
		case err != nil && !there:
			p.Err = err
		case !there && state == stateGone:
			p.Done, p.Object.ID = true, resource.ID(id)
		case !there:
			p.Err = notSeen(k.Name, id)
		case c.failed != "":
			p.Done, p.Err = true, &resource.Failure{
				Class: resource.Invalid, Op: "aws:Poll", Message: fmt.Sprintf("%s %s will not be %s: %s", k.Name, id, state, c.failed),
			}
		default:
			p.Done = c.reached
		}
	}
	return out
}

func notSeen(kind, id string) error {
	return &resource.Failure{Class: resource.NotFound, Op: "aws:Read", Message: "there is no " + kind + " " + id}
}

const (
	// patience bounds how long one call waits for a state between two steps of
	// it: less than the deadline of a call, so that the step after has time.
	patience = 40 * time.Second
	// firstPause and longestPause lie between the looks.
	firstPause, longestPause = 200 * time.Millisecond, 3 * time.Second
)

// await looks until ok holds, for a call that has to pass through a state of
// an object. What is not there in time is a conflict: the whole call can be
// made again, and finds it further.
func await(ctx context.Context, what string, ok func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		done, err := ok(ctx)
		switch {
		case done:
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		case err != nil && errors.Is(context.Cause(ctx), context.Canceled):
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return &resource.Failure{Class: resource.Conflict, Op: "aws:Wait", Message: what + ": AWS is still at it, try again later"}
		}
	}
}
