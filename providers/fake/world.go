// Package fake is a provider without a cloud: an in-memory World with the rules
// that real ones have, and knobs for what goes wrong with them. Its kinds
// exercise every settle rule and descriptor attribute. Tests and simulations
// use it; it is no part of the daemon. It must not be more forgiving than a
// real provider: engine/provider/providertest keeps it honest. Floor 4.
package fake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/resource"
)

// Options shape a World.
type Options struct {
	Now       func() time.Time            // required: the world's clock
	Lag       time.Duration               // reads trail an own write by as much; kinds declare it
	LagReads  int                         // where > 0, a write also shows after so many reads of the object
	Polls     int                         // a long-running create is done at its Polls-th poll; 0 means 2
	PollAfter time.Duration               // the advice when to poll first
	Lasts     time.Duration               // a long-running create that nobody polls is done after it, its handle forgotten; 0: never
	Epoch     func(context.Context) int64 // the lease's epoch under which a call is made, for the log; may be nil
}

// World holds objects. Sessions share it, and it outlives them. Safe for
// concurrent use.
type World struct {
	opt Options

	mu     sync.Mutex
	seq    int
	kinds  []kind
	things map[key]*thing
	order  map[place][]*thing        // oldest first
	images map[[2]string]image       // by name and channel
	tokens map[key]used              // by kind and idempotency token
	tasks  map[resource.Handle]*task // running
	log    []Call
	calls  int
	knobs  knobs
}

type key struct {
	kind string
	id   resource.ID
}

type place struct{ scope, kind string }

// used remembers an idempotency token for ever, as the create that it came with.
type used struct {
	id     resource.ID
	fields resource.Map
}

// thing is one object and its past, as far as reads may still show it.
type thing struct {
	key
	scope   string
	born    int
	past    []version // oldest first; the last one is the truth
	pending resource.Handle
}

type version struct {
	fields resource.Map
	mark   resource.Mark
	gone   bool
	at     time.Time
	reads  int // how often it was passed by
	sure   bool
}

// NewWorld gives an empty world.
func NewWorld(o Options) *World {
	if o.Polls <= 0 {
		o.Polls = 2
	}
	return &World{opt: o, kinds: kinds(), things: map[key]*thing{}, images: map[[2]string]image{}, order: map[place][]*thing{}, tokens: map[key]used{}, tasks: map[resource.Handle]*task{}}
}

func (t *thing) now() *version { return &t.past[len(t.past)-1] }

// write makes v the truth. The lock is held.
func (w *World) write(t *thing, v version) {
	v.at = w.opt.Now()
	t.past = append(t.past, v)
}

// seen gives the version that a read shows, or nil for absent, and counts the
// read. The lock is held.
func (w *World) seen(t *thing) *version {
	now := w.opt.Now()
	for i := len(t.past) - 1; i >= 0; i-- {
		v := &t.past[i]
		shows := v.sure || now.Sub(v.at) >= w.opt.Lag || w.opt.LagReads > 0 && v.reads >= w.opt.LagReads
		v.reads++
		if !shows {
			continue
		}
		t.past = t.past[i:]
		if t.past[0].gone {
			return nil
		}
		return &t.past[0]
	}
	return nil
}

// find gives a living thing by id within a scope, or nil. The lock is held.
func (w *World) find(scope, kind string, id resource.ID) *thing {
	t := w.things[key{kind, id}]
	if t == nil || t.scope != scope || t.now().gone {
		return nil
	}
	return t
}

// all lists a kind's things in a scope, oldest first, gone ones too. The lock
// is held.
func (w *World) all(scope, kind string) []*thing { return w.order[place{scope, kind}] }

// add puts a new thing in the world. The lock is held.
func (w *World) add(scope, kind string, id resource.ID, v version) *thing {
	w.seq++
	if id == "" {
		id = resource.ID(fmt.Sprintf("%s-%04d", kind, w.seq))
	}
	t := &thing{key: key{kind, id}, scope: scope, born: w.seq}
	w.write(t, v)
	w.things[t.key] = t
	w.order[place{scope, kind}] = append(w.order[place{scope, kind}], t)
	return t
}

// object shows a version as a read does: what no read shows stays out.
func (t *thing) object(k *kind, v *version) resource.Object {
	o := resource.Object{Address: resource.Address{Provider: Name, Kind: t.kind}, ID: t.id, Mark: v.mark, Fields: resource.Map{}}
	for name, f := range v.fields {
		if d := k.desc.Field(name); d == nil || !d.Unseen() {
			o.Fields[name] = f
		}
	}
	return o
}

// Objects lists all that lives, as it truly is: without lag, with write-only
// fields, and also what is still being made. Sorted by age.
func (w *World) Objects() []resource.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []resource.Object
	things := slices.SortedFunc(maps.Values(w.things), func(a, b *thing) int { return cmp.Compare(a.born, b.born) })
	for _, t := range things {
		if v := t.now(); !v.gone {
			out = append(out, resource.Object{Address: resource.Address{Provider: Name, Kind: t.kind}, ID: t.id, Mark: v.mark, Fields: v.fields})
		}
	}
	return out
}
