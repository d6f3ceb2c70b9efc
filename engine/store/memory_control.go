package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// lease gives the environment's lease, which may never have been taken.
func (d *memory) lease(env string) Lease {
	l := d.leases[env]
	l.Env = env
	return l
}

// Acquire implements Leases.
func (m *Memory) Acquire(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) (epoch int64, err error) {
	err = m.with(ctx, func(d *memory) error {
		was := d.lease(env)
		l, err := acquire(was, owner, ttl, now)
		if err != nil {
			return err
		}
		d.leases[env] = l
		epoch = l.Epoch
		if tookOver(was, l) {
			d.record(leaseEntry(l, millis(now)))
		}
		return nil
	})
	return epoch, err
}

// Heartbeat implements Leases.
func (m *Memory) Heartbeat(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) error {
	return m.with(ctx, func(d *memory) error {
		l, err := heartbeat(d.lease(env), owner, ttl, now)
		if err == nil {
			d.leases[env] = l
		}
		return err
	})
}

// Release implements Leases.
func (m *Memory) Release(ctx context.Context, env, owner string) error {
	return m.with(ctx, func(d *memory) error {
		l, ok := release(d.lease(env), owner)
		if ok {
			d.leases[env] = l
		}
		return nil
	})
}

// Lease implements Leases.
func (m *Memory) Lease(ctx context.Context, env string) (out Lease, err error) {
	err = m.with(ctx, func(d *memory) error {
		out = d.leases[env]
		return nil
	})
	return out, err
}

// PutApproval implements Approvals.
func (m *Memory) PutApproval(ctx context.Context, a Approval) error {
	if err := a.check(); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		a = a.normal()
		if was := d.approvals[[2]string{a.Env, a.Digest}]; was.bars(a) {
			return barred(was)
		}
		a.Asked = time.Time{}
		d.approvals[[2]string{a.Env, a.Digest}] = a
		d.record(approvalEntry(a))
		return nil
	})
}

func (d *memory) approval(env, digest string) (Approval, error) {
	a, ok := d.approvals[[2]string{env, digest}]
	if !ok {
		return Approval{}, errorf(ErrNotFound, "approval of %s in %s", digest, env)
	}
	return a, nil
}

// Approval implements Approvals.
func (m *Memory) Approval(ctx context.Context, env, digest string) (out Approval, err error) {
	err = m.with(ctx, func(d *memory) (err error) {
		out, err = d.approval(env, digest)
		return err
	})
	return out, err
}

// Words implements Approvals.
func (m *Memory) Words(ctx context.Context, env string) (out []Approval, err error) {
	err = m.with(ctx, func(d *memory) error {
		out = nil
		for key, a := range d.approvals {
			if key[0] == env && a.Verdict.OfObject() {
				out = append(out, a)
			}
		}
		slices.SortFunc(out, func(a, b Approval) int { return strings.Compare(a.Digest, b.Digest) })
		return nil
	})
	return out, err
}

// Consume implements Approvals.
func (m *Memory) Consume(ctx context.Context, env, digest, run string, at time.Time) (out Approval, err error) {
	err = m.with(ctx, func(d *memory) error {
		a, err := d.approval(env, digest)
		if err != nil {
			return err
		}
		a, used, err := consume(a, run)
		if err != nil {
			return err
		}
		if used {
			d.approvals[[2]string{env, digest}] = a
			d.record(consumeEntry(a, millis(at)))
		}
		out = a
		return nil
	})
	return out, err
}

// PutPlan implements Plans.
func (m *Memory) PutPlan(ctx context.Context, p Plan) error {
	if err := p.check(); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		p.Shown, p.Body = whole(p.Shown), own(p.Body)
		all := slices.DeleteFunc(slices.Clone(d.plans[p.Env]), func(o Plan) bool { return o.Digest == p.Digest })
		all = append(all, p)
		slices.SortFunc(all, latestFirst)
		d.plans[p.Env] = all[:min(len(all), plansKept)]
		return nil
	})
}

// latestFirst puts plans in the order in which PlansOf gives them.
func latestFirst(a, b Plan) int {
	return cmp.Or(b.Shown.Compare(a.Shown), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Env, b.Env))
}

// PlansOf implements Plans.
func (m *Memory) PlansOf(ctx context.Context, env, prefix string) (out []Plan, err error) {
	err = m.with(ctx, func(d *memory) error {
		for of, all := range d.plans {
			for _, p := range all {
				if (env == "" || env == of) && strings.HasPrefix(p.Digest, prefix) {
					p.Body = own(p.Body)
					out = append(out, p)
				}
			}
		}
		slices.SortFunc(out, latestFirst)
		return nil
	})
	return out, err
}

// Enqueue implements Outbox.
func (m *Memory) Enqueue(ctx context.Context, msg Message) (added bool, err error) {
	if msg.Key == "" {
		return false, errorf(ErrRefused, "a message wants a key")
	}
	if err := check("message "+msg.Key, msg.Body); err != nil {
		return false, err
	}
	err = m.with(ctx, func(d *memory) error {
		if _, ok := d.outbox[msg.Key]; !ok {
			added = true
			d.outbox[msg.Key] = letter{Message: msg.normal(), n: len(d.outbox)}
		}
		return nil
	})
	return added, err
}

// Due implements Outbox.
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) (out []Message, err error) {
	err = m.with(ctx, func(d *memory) error {
		var due []letter
		for _, l := range d.outbox {
			if !l.sent && millis(l.NotBefore) <= millis(now) {
				due = append(due, l)
			}
		}
		slices.SortFunc(due, func(a, b letter) int { return cmp.Compare(a.n, b.n) })
		for _, l := range due[:min(max(limit, 0), len(due))] {
			out = append(out, l.normal())
		}
		return nil
	})
	return out, err
}

// Sent implements Outbox.
func (m *Memory) Sent(ctx context.Context, key, ref string, at time.Time) error {
	return m.with(ctx, func(d *memory) error {
		l, ok := d.outbox[key]
		if !ok {
			return errorf(ErrNotFound, "message %s", key)
		}
		l.sent, l.ref, l.at = true, ref, at
		d.outbox[key] = l
		return nil
	})
}

// Retry implements Outbox.
func (m *Memory) Retry(ctx context.Context, key string, notBefore time.Time, why string) error {
	return m.with(ctx, func(d *memory) error {
		l, ok := d.outbox[key]
		if !ok || l.sent {
			return errorf(ErrNotFound, "unsent message %s", key)
		}
		l.NotBefore, l.LastError = whole(notBefore), why
		l.Tries++
		d.outbox[key] = l
		return nil
	})
}

// Ref implements Outbox.
func (m *Memory) Ref(ctx context.Context, key string) (ref string, err error) {
	err = m.with(ctx, func(d *memory) error {
		l, ok := d.outbox[key]
		if !ok || !l.sent {
			return errorf(ErrNotFound, "delivered message %s", key)
		}
		ref = l.ref
		return nil
	})
	return ref, err
}

// Audit implements AuditLog.
func (m *Memory) Audit(ctx context.Context, e AuditEntry) error {
	if err := e.check(); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		d.record(e)
		return nil
	})
}

// AuditRows implements AuditLog.
func (m *Memory) AuditRows(ctx context.Context, f AuditFilter) (out []AuditRow, err error) {
	err = m.with(ctx, func(d *memory) error {
		for _, r := range d.audit[min(max(f.After, 0), int64(len(d.audit))):] {
			if (f.Env == "" || r.Env == f.Env) && millis(r.At) >= millis(f.Since) {
				r.Body = own(r.Body)
				out = append(out, r)
			}
		}
		return nil
	})
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[len(out)-f.Limit:]
	}
	return out, err
}

// VerifyAudit implements AuditLog.
func (m *Memory) VerifyAudit(ctx context.Context, known string) (out Proof, err error) {
	err = m.with(ctx, func(d *memory) (err error) {
		v := verifier{known: known, seen: map[string]int64{}}
		v.events = func(env string, first, last int64) ([]eventRow, error) {
			rows := d.events[env]
			if first < 1 || last < first || last > int64(len(rows)) {
				return nil, nil
			}
			return rows[first-1 : last], nil
		}
		for _, r := range d.audit {
			if err := v.row(r); err != nil {
				return err
			}
		}
		last := map[string]int64{}
		for env, rows := range d.events {
			last[env] = int64(len(rows))
		}
		out, err = v.done(last)
		return err
	})
	return out, err
}

// Info implements Upkeep.
func (m *Memory) Info(ctx context.Context) (Info, error) {
	out := Info{Kind: "memory"}
	err := m.with(ctx, func(d *memory) error {
		out.Environments, out.Runs, out.AuditRows = int64(len(d.environments)), int64(len(d.runs)), int64(len(d.audit))
		for env, evs := range d.events {
			out.Events += int64(len(evs))
			s, err := d.fold(env)
			if err != nil {
				return err
			}
			out.Resources += int64(len(s.Entries))
		}
		if n := len(d.audit); n > 0 {
			out.Since, out.Until, out.LastHash = d.audit[0].At, d.audit[n-1].At, d.audit[n-1].Hash
		}
		return nil
	})
	return out, err
}

// Restored implements Upkeep.
func (m *Memory) Restored(ctx context.Context) (out time.Time, err error) {
	err = m.with(ctx, func(d *memory) error {
		out = d.restored
		return nil
	})
	return out, err
}

// SetBack puts on record that the data is a backup's, which was restored at now.
func (m *Memory) SetBack(ctx context.Context, now time.Time) error {
	return m.with(ctx, func(d *memory) error {
		d.restored = fromMillis(millis(now))
		d.record(AuditEntry{At: now, Kind: restoredRow, Body: mustJSON(map[string]any{})})
		return nil
	})
}

// Copy implements Upkeep: what is in memory goes with its process.
func (m *Memory) Copy(ctx context.Context, _ string) error {
	return m.with(ctx, func(*memory) error { return errorf(ErrBackup, "the store is in memory alone") })
}
