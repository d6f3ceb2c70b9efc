package vsphere

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// A handle is "<task>" or, where the work makes an object, "<task>/<id>".

// taskPause is how long to wait before a task is asked for first: most take
// longer.
const taskPause = 250 * time.Millisecond

func handleOf(task types.ManagedObjectReference, id resource.ID) resource.Handle {
	if id == "" {
		return resource.Handle(task.Value)
	}
	return resource.Handle(task.Value + "/" + string(id))
}

// Poll implements provider.Session: one call for all handles, and one more for
// each task that the vCenter no longer knows.
func (s *session) Poll(ctx context.Context, hs []resource.Handle) []provider.Polled {
	out := make([]provider.Polled, len(hs))
	tasks := make([]string, len(hs))
	ids := make([]string, len(hs))
	ask := map[string]bool{}
	for i, h := range hs {
		tasks[i], ids[i], _ = strings.Cut(string(h), "/")
		ask[tasks[i]] = true
	}
	states, err := s.tasks(ctx, ask)
	for i, h := range hs {
		st, known := states[tasks[i]]
		switch {
		case err != nil:
			out[i].Err = err
		case !known:
			// vCenter keeps a finished task for some ten minutes: the world tells
			// how it ended.
			out[i] = provider.Polled{Done: true, Err: &resource.Failure{
				Class: resource.UnknownOutcome, Op: "vim:Task", Code: "ManagedObjectNotFound", Message: "the vCenter has forgotten the task " + tasks[i],
			}}
		case st.State == types.TaskInfoStateSuccess:
			out[i] = provider.Polled{Done: true, Progress: provider.Progress{Object: resource.Object{ID: resource.ID(ids[i])}}}
		case st.State == types.TaskInfoStateError:
			out[i] = provider.Polled{Done: true, Err: st.failure()}
		default:
			out[i].Progress = provider.Progress{Handle: h, After: taskPause}
		}
	}
	return out
}

// taskState is a task as far as it is known.
type taskState struct {
	types.TaskInfo
}

func (t taskState) failure() error {
	op := "vim:" + t.DescriptionId
	if t.Error == nil {
		return &resource.Failure{Class: resource.UnknownOutcome, Op: op, Message: "the task failed and does not say why"}
	}
	f := ofFault(op, t.Error.Fault, t.Error.LocalizedMessage, true)
	f.RequestID = t.Key
	return f
}

// tasks reads the state of some tasks by id. One that is not among the answer
// is gone.
func (s *session) tasks(ctx context.Context, ask map[string]bool) (map[string]taskState, error) {
	out := map[string]taskState{}
	left := map[string]bool{}
	for id := range ask {
		left[id] = true
	}
	for len(left) > 0 {
		spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{{Type: "Task", PathSet: []string{"info"}}}}
		for id := range left {
			spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: types.ManagedObjectReference{Type: "Task", Value: id}})
		}
		err := s.collect(ctx, []types.PropertyFilterSpec{spec}, func(o types.ObjectContent) {
			for _, p := range o.PropSet {
				if info, ok := p.Val.(types.TaskInfo); ok {
					out[o.Obj.Value] = taskState{info}
				}
			}
		})
		if resource.ClassOf(err) != resource.NotFound {
			return out, err
		}
		// One of them is forgotten, and the vCenter answers for none: without it.
		id := missingObject(err)
		if !left[id] {
			if len(left) > 1 {
				return s.eachTask(ctx, left)
			}
			return out, nil
		}
		delete(left, id)
	}
	return out, nil
}

// eachTask asks for tasks one by one.
func (s *session) eachTask(ctx context.Context, left map[string]bool) (map[string]taskState, error) {
	out := map[string]taskState{}
	for id := range left {
		got, err := s.tasks(ctx, map[string]bool{id: true})
		if err != nil {
			return nil, err
		}
		for k, v := range got {
			out[k] = v
		}
	}
	return out, nil
}

// await waits until a task has ended, within ctx, where a call is made of
// several.
func (s *session) await(ctx context.Context, task types.ManagedObjectReference) error {
	pause := 20 * time.Millisecond
	for {
		got, err := s.tasks(ctx, map[string]bool{task.Value: true})
		st, known := got[task.Value]
		switch {
		case err != nil && ctx.Err() == nil:
			return doubt(err)
		case err == nil && !known:
			return doubt(fmt.Errorf("the vCenter has forgotten the task %s", task.Value))
		case known && st.State == types.TaskInfoStateSuccess:
			return nil
		case known && st.State == types.TaskInfoStateError:
			return st.failure()
		}
		if err := sleep(ctx, pause); err != nil {
			return doubt(err)
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// doubt says that a task was started and its end not seen.
func doubt(err error) error {
	return &resource.Failure{Class: resource.UnknownOutcome, Op: "vim:Task", Message: "the end of the task was not seen: " + err.Error(), Err: err}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handed makes a started task the progress of a call.
func handed(task types.ManagedObjectReference, id resource.ID) provider.Progress {
	return provider.Progress{Object: resource.Object{ID: id}, Handle: handleOf(task, id), After: taskPause}
}
