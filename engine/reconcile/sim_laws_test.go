package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// lawbook watches over a simulated world: what no process may ever do, and what
// must be so in the end. Safe for concurrent use.
type lawbook struct {
	life *life

	mu     sync.Mutex
	broken []error
	stale  map[ticket]int // calls that went on the wire past their lease, by intent
}

// ticket is the intent that a mutating call goes out under.
type ticket struct {
	env   string
	seq   string // which intent
	epoch int64
}

// breach notes a broken law; nil is none.
func (b *lawbook) breach(err error) {
	if err == nil {
		return
	}
	b.life.tell("BROKEN: %v", err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = append(b.broken, err)
}

func (b *lawbook) verdict() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.broken...)
}

// leaves holds a call that goes out against the laws of writing ahead, of the
// fence and of what is foreign.
func (b *lawbook) leaves(p *process, c simCall) ticket {
	if !c.mutates() || p.dead() {
		return ticket{}
	}
	if c.id != "" && b.life.isForeign(c.id) {
		b.breach(fmt.Errorf("a foreign object was called upon: %s", c))
	}
	t, ok := b.intent(c)
	if !ok {
		b.breach(fmt.Errorf("%s went out without an intent in the store", c))
		return t
	}
	lease, err := b.life.disk().Lease(context.Background(), t.env)
	b.breach(err)
	if c.op == provider.OpFind {
		t.epoch = lease.Epoch // whoever holds the lease now settles what another left
	}
	if !strings.HasPrefix(lease.Owner, p.seat.owner) || lease.Epoch != t.epoch {
		b.breach(fmt.Errorf("%s went out under epoch %d by %s, while %s holds %s at epoch %d", c, t.epoch, p.name, lease.Owner, t.env, lease.Epoch))
	}
	return t
}

// intent finds the open intent of a mutating call.
func (b *lawbook) intent(c simCall) (ticket, bool) {
	ops := map[provider.Op]string{
		provider.OpCreate: "create", provider.OpFind: "create", provider.OpUpdate: "update clear", provider.OpDelete: "delete", provider.OpMark: "adopt release",
	}
	for _, r := range b.life.story.realms {
		st, err := b.life.disk().State(context.Background(), r.name)
		b.breach(err)
		if err != nil {
			continue
		}
		for _, e := range st.Entries {
			if c.token != "" && e.Token != c.token || c.id != "" && e.Record.ID != c.id && (e.Open == nil || e.Open.Record.ID != c.id) || e.Open == nil {
				continue
			}
			if strings.Contains(ops[c.op], string(e.Open.Op)) {
				return ticket{r.name, e.Token + " " + e.Open.Step + b.which(r.name, st.Seq, e.Token), e.Open.Epoch}, true
			}
		}
	}
	return ticket{}, false
}

// which tells an intent from others of its step. Only where there are several
// processes does it matter.
func (b *lawbook) which(env string, last int64, token string) string {
	if len(b.life.seats) == 1 {
		return ""
	}
	events, err := b.life.disk().Events(context.Background(), env, max(last-40, 0))
	b.breach(err)
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Type == ledger.Intended && events[i].Token == token {
			return fmt.Sprint(", event ", events[i].Seq)
		}
	}
	return ""
}

// departs notes that a call goes on the wire, its fence asked: of those of one
// intent, one at most may after the lease went on to somebody else. One that left
// in time may land at any later one.
func (b *lawbook) departs(t ticket) {
	if t.env == "" {
		return
	}
	lease, err := b.life.disk().Lease(context.Background(), t.env)
	if b.breach(err); lease.Epoch == t.epoch {
		return
	}
	b.mu.Lock()
	b.stale[t]++
	n := b.stale[t]
	b.mu.Unlock()
	if n > 1 {
		b.breach(fmt.Errorf("%d calls of one intent (%s) left past their lease", n, t.seq))
	}
}

// atEnd holds the world against what is wanted, and the store against what was
// done.
func (b *lawbook) atEnd() {
	l := b.life
	ctx := context.Background()
	st := l.disk().Reopen()
	states := map[string]*ledger.State{}
	released := map[resource.ID]bool{}
	for _, r := range l.story.realms {
		events, err := st.Events(ctx, r.name, 0)
		b.breach(err)
		s := &ledger.State{}
		for _, ev := range events {
			var id resource.ID
			if e := s.Entries[ledger.Key{Address: ev.Address, Token: ev.Token}]; e != nil {
				id = e.Record.ID
			}
			if err := s.Apply(ev); err != nil {
				b.breach(fmt.Errorf("%s: %w", r.name, err))
				return
			}
			if s.Ended[ev.Token] == "released" {
				released[id] = true
			}
		}
		states[r.name] = s
	}
	_, err := st.VerifyAudit(ctx, "")
	b.breach(err)
	if len(b.broken) > 0 {
		return // what follows from it says nothing more
	}
	b.breach(b.world(states, released))
	b.breach(b.reports(st))
}

// world is the law of the end: each object that is wanted is there once, as
// wanted, and what is foreign or was let go of is as it was; nothing else is.
func (b *lawbook) world(states map[string]*ledger.State, released map[resource.ID]bool) error {
	l := b.life
	live, owned := map[resource.ID]resource.Object{}, map[resource.ID]bool{}
	for _, o := range l.world.Objects() {
		live[o.ID] = o
	}
	for _, o := range l.strangers() {
		now, ok := live[o.ID]
		if !ok || now.Mark != o.Mark || !resource.Equal(now.Fields, o.Fields) {
			return fmt.Errorf("the foreign %s was touched: %s, was %s", o.ID, resource.Encode(now.Fields), resource.Encode(o.Fields))
		}
		owned[o.ID] = true
	}
	for _, r := range l.story.realms {
		wants := r.items
		if r.gone {
			wants = nil
		}
		if err := b.entries(states[r.name], live, owned); err != nil {
			return err
		}
		if n := len(states[r.name].Entries); n != len(wants) {
			return fmt.Errorf("%s has %d entries in the ledger, %d resources are wanted", r.name, n, len(wants))
		}
		for i := range wants {
			if err := asWanted(l.box, states, live, &wants[i]); err != nil {
				return err
			}
		}
	}
	for id, o := range live {
		if !owned[id] && !(released[id] && o.Mark.IsZero()) {
			return fmt.Errorf("%s is an orphan: %+v", id, o.Mark)
		}
	}
	return nil
}

// entries is the law of the ledger: each entry has its object, which says so.
func (b *lawbook) entries(st *ledger.State, live map[resource.ID]resource.Object, owned map[resource.ID]bool) error {
	for _, e := range st.Sorted() {
		o, ok := live[e.Record.ID]
		switch {
		case e.Open != nil:
			return fmt.Errorf("the intent to %s %s is still open", e.Open.Op, e.Address)
		case e.Address.Kind == "image":
			continue // a pin: what it names is nobody's
		case !ok:
			return fmt.Errorf("the ledger holds %s as %q, which does not live", e.Address, e.Record.ID)
		case owned[e.Record.ID]:
			return fmt.Errorf("%s holds what another holds or is foreign: %s", e.Address, e.Record.ID)
		case o.Address.Kind != "record" && (o.Mark.Token != e.Token || o.Mark.Address != e.Address || o.Mark.Estate != estate):
			return fmt.Errorf("%s bears the mark %+v, the ledger says %s %s", o.ID, o.Mark, e.Address, e.Token)
		}
		owned[e.Record.ID] = true
	}
	return nil
}

// reports is the law of telling: no run is left as if it went on, and each one's
// message went out.
func (b *lawbook) reports(st *store.Memory) error {
	ctx := context.Background()
	runs, err := st.Runs(ctx, store.RunFilter{})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.State == store.Planning || r.State == store.Applying || r.Ended.IsZero() && r.State != store.Waiting {
			return fmt.Errorf("run %s of %s is left %s", r.ID, r.Env, r.State)
		}
		if b.life.room == nil || b.life.deadly {
			continue // a process may die between keeping a run and what is to be told of it
		}
		if _, err := st.Ref(ctx, rootOf(r)); err != nil {
			return fmt.Errorf("nobody was told of run %s of %s, %s: %w", r.ID, r.Env, r.State, err)
		}
	}
	due, err := st.Due(ctx, b.life.began.AddDate(1, 0, 0), 10)
	if err == nil && len(due) > 0 && !b.life.deadly {
		return fmt.Errorf("%d messages wait for ever, the first is %s of thread %s", len(due), due[0].Key, due[0].Thread)
	}
	return err
}

func rootOf(r store.Run) string {
	if r.Thread != "" {
		return "run " + r.Thread
	}
	return "run " + r.ID
}

// mend is what a person does by hand about what is held and says so. It reports
// whether there was anything to do.
func (l *life) mend(held []plan.Held) (did bool) {
	for _, h := range held {
		if h.Why != plan.HeldUnowned {
			continue
		}
		st, err := l.disk().State(context.Background(), h.Address.Env)
		l.laws.breach(err)
		for _, e := range st.At(h.Address) {
			if l.world.Remove(h.Address.Kind, e.Record.ID) == nil {
				l.tell("ann deletes %s by hand: %s", e.Record.ID, h.Text)
				did = true
			}
		}
	}
	return did
}
