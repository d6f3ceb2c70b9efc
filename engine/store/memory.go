package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/ledger"
)

// Memory is a store in memory, for simulations and tests. Its data outlives a
// handle: Reopen gives a new one over the same data, as a restart would.
type Memory struct {
	data *memory
	life int // which handle of data this is
}

// memory is what the handles share.
type memory struct {
	mu           sync.Mutex
	life         int // the handle that is open; 0 for none
	lives        int // handles given out
	environments map[string]Environment
	runs         map[string]Run
	leases       map[string]Lease
	events       map[string][]eventRow
	folds        map[string]*ledger.State
	observations map[[2]string]Observation
	evaluations  map[string]evaluation
	approvals    map[[2]string]Approval
	plans        map[string][]Plan // by environment, the last shown first
	outbox       map[string]letter
	heads        map[string]seen
	pulls        map[pullKey]Pull
	deliveries   []Delivery // by number
	audit        []AuditRow
	restored     time.Time
}

// letter is a message on its way.
type letter struct {
	Message
	n    int
	sent bool
	at   time.Time // when it was sent
	ref  string
}

// evaluation is a spec that was evaluated, and when.
type evaluation struct {
	body json.RawMessage
	at   time.Time
}

// seen is a repository's head.
type seen struct {
	commit string
	gen    int64
}

// NewMemory gives an empty store.
func NewMemory() *Memory {
	return &Memory{life: 1, data: &memory{
		life: 1, lives: 1,
		environments: map[string]Environment{}, runs: map[string]Run{}, leases: map[string]Lease{},
		events: map[string][]eventRow{}, folds: map[string]*ledger.State{},
		observations: map[[2]string]Observation{}, evaluations: map[string]evaluation{},
		approvals: map[[2]string]Approval{}, plans: map[string][]Plan{}, outbox: map[string]letter{}, heads: map[string]seen{},
		pulls: map[pullKey]Pull{},
	}}
}

// Reopen gives a new handle over the same data. The old one is closed: what a
// dead process still calls fails with ErrClosed. Folds are made again from the
// events.
func (m *Memory) Reopen() *Memory {
	d := m.data
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lives++
	d.life = d.lives
	d.folds = map[string]*ledger.State{}
	return &Memory{data: d, life: d.life}
}

// Close implements Store. The data stays, for Reopen.
func (m *Memory) Close() error {
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	if m.data.life == m.life {
		m.data.life = 0
	}
	return nil
}

// with runs f with the data to itself. f checks everything before it writes.
func (m *Memory) with(ctx context.Context, f func(*memory) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	if m.data.life != m.life {
		return ErrClosed
	}
	return f(m.data)
}

func (d *memory) record(e AuditEntry) {
	var prev AuditRow
	if n := len(d.audit); n > 0 {
		prev = d.audit[n-1]
	}
	d.audit = append(d.audit, chain(prev, e))
}

// fold gives the environment's state, kept or made from its events.
func (d *memory) fold(env string) (*ledger.State, error) {
	if kept := d.folds[env]; kept != nil {
		return kept, nil
	}
	evs, err := d.decoded(env, 0)
	if err != nil {
		return nil, err
	}
	s, err := ledger.Fold(evs)
	if err != nil {
		return nil, wrap(ErrCorrupt, err)
	}
	d.folds[env] = s
	return s, nil
}

func (d *memory) decoded(env string, after int64) ([]ledger.Event, error) {
	var out []ledger.Event
	rows := d.events[env]
	for _, r := range rows[min(max(after, 0), int64(len(rows))):] {
		ev, err := decodeEvent(r)
		if err != nil {
			return nil, err
		}
		out = append(out, ev)
	}
	return out, nil
}

// Append implements Ledger.
func (m *Memory) Append(ctx context.Context, env string, expect, epoch int64, evs []ledger.Event) ([]ledger.Event, error) {
	if len(evs) == 0 {
		return nil, nil
	}
	var out []ledger.Event
	err := m.with(ctx, func(d *memory) error {
		state, err := d.fold(env)
		if err != nil {
			return err
		}
		l := d.leases[env]
		l.Env = env
		if err := admit(l, epoch, state.Seq, expect); err != nil {
			return err
		}
		b, err := newBatch(env, expect, evs)
		if err != nil {
			return err
		}
		if _, err := fold(state, b.events); err != nil {
			delete(d.folds, env)
			return err
		}
		d.events[env] = append(d.events[env], b.rows...)
		d.record(b.audit(env))
		out = b.out
		return nil
	})
	return out, err
}

// Events implements Ledger.
func (m *Memory) Events(ctx context.Context, env string, after int64) (out []ledger.Event, err error) {
	err = m.with(ctx, func(d *memory) (err error) {
		out, err = d.decoded(env, after)
		return err
	})
	return out, err
}

// State implements Ledger.
func (m *Memory) State(ctx context.Context, env string) (out *ledger.State, err error) {
	err = m.with(ctx, func(d *memory) error {
		s, err := d.fold(env)
		if err == nil {
			out = s.Clone()
		}
		return err
	})
	return out, err
}

// PutEnvironment implements Environments.
func (m *Memory) PutEnvironment(ctx context.Context, e Environment) error {
	if e.Name == "" {
		return errorf(ErrRefused, "an environment wants a name")
	}
	if err := check("environment "+e.Name, e.Cycle, e.Flaps); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		d.environments[e.Name] = e.normal()
		return nil
	})
}

// Environment implements Environments.
func (m *Memory) Environment(ctx context.Context, name string) (out Environment, err error) {
	err = m.with(ctx, func(d *memory) error {
		e, ok := d.environments[name]
		if !ok {
			return errorf(ErrNotFound, "environment %s", name)
		}
		out = e.normal()
		return nil
	})
	return out, err
}

// Environments implements Environments.
func (m *Memory) Environments(ctx context.Context) (out []Environment, err error) {
	err = m.with(ctx, func(d *memory) error {
		for _, name := range slices.Sorted(maps.Keys(d.environments)) {
			out = append(out, d.environments[name].normal())
		}
		return nil
	})
	return out, err
}

// PutRun implements Runs.
func (m *Memory) PutRun(ctx context.Context, r Run) error {
	if err := r.check(); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		if r.Fence != 0 {
			l := d.leases[r.Env]
			l.Env = r.Env
			if err := within(l, r.Fence); err != nil {
				return err
			}
		}
		was := d.runs[r.ID].State
		d.runs[r.ID] = r.normal()
		if audited(was, r.State) {
			d.record(runEntry(r.normal()))
		}
		return nil
	})
}

// Run implements Runs.
func (m *Memory) Run(ctx context.Context, id string) (out Run, err error) {
	err = m.with(ctx, func(d *memory) error {
		found, err := oneRun(id, slices.Collect(maps.Keys(d.runs)))
		if err == nil {
			out = d.runs[found].normal()
		}
		return err
	})
	return out, err
}

// Runs implements Runs.
func (m *Memory) Runs(ctx context.Context, f RunFilter) (out []Run, err error) {
	err = m.with(ctx, func(d *memory) error {
		for _, r := range d.runs {
			if f.Env == "" || f.Env == r.Env {
				r.Plan, r.Report = nil, nil
				out = append(out, r)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Run) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID)) })
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out, err
}

// PutObservation implements Observations.
func (m *Memory) PutObservation(ctx context.Context, o Observation) error {
	if err := check("observation "+o.Scope, o.Body); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		o.Seen, o.Body = whole(o.Seen), own(o.Body)
		k := [2]string{o.Env, o.Scope}
		if old, ok := d.observations[k]; !ok || millis(old.Seen) <= millis(o.Seen) {
			d.observations[k] = o
		}
		return nil
	})
}

// Observation implements Observations.
func (m *Memory) Observation(ctx context.Context, env, scope string) (out Observation, err error) {
	err = m.with(ctx, func(d *memory) error {
		o, ok := d.observations[[2]string{env, scope}]
		if !ok {
			return errorf(ErrNotFound, "observation %s of %s", scope, env)
		}
		out, out.Body = o, own(o.Body)
		return nil
	})
	return out, err
}

// PutEvaluation implements Evaluations.
func (m *Memory) PutEvaluation(ctx context.Context, digest string, body []byte, at time.Time) error {
	if err := check("evaluation "+digest, body); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		d.evaluations[digest] = evaluation{own(body), at}
		return nil
	})
}

// Evaluation implements Evaluations.
func (m *Memory) Evaluation(ctx context.Context, digest string) (out []byte, err error) {
	err = m.with(ctx, func(d *memory) error {
		e, ok := d.evaluations[digest]
		if !ok {
			return errorf(ErrNotFound, "evaluation %s", digest)
		}
		out = own(e.body)
		return nil
	})
	return out, err
}

func (m *Memory) copyEvaluations(ctx context.Context, to Evaluations) error {
	return m.with(ctx, func(d *memory) error {
		for digest, e := range d.evaluations {
			if err := to.PutEvaluation(ctx, digest, e.body, e.at); err != nil {
				return err
			}
		}
		return nil
	})
}

// Head implements Heads.
func (m *Memory) Head(ctx context.Context, repo string) (commit string, gen int64, err error) {
	err = m.with(ctx, func(d *memory) error {
		h := d.heads[repo]
		commit, gen = h.commit, h.gen
		return nil
	})
	return commit, gen, err
}

// PutHead implements Heads.
func (m *Memory) PutHead(ctx context.Context, repo, commit string, gen int64) error {
	return m.with(ctx, func(d *memory) error {
		if err := succeeds(repo, d.heads[repo].gen, gen); err != nil {
			return err
		}
		d.heads[repo] = seen{commit, gen + 1}
		return nil
	})
}
