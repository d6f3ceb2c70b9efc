package store

import (
	"strings"
	"time"
)

// The rules that both back ends share: pure functions of the rows they read.

// acquire gives the lease after owner asks for it.
func acquire(l Lease, owner string, ttl time.Duration, now time.Time) (Lease, error) {
	if owner == "" || ttl <= 0 {
		return l, errorf(ErrRefused, "a lease wants an owner and a positive time to live")
	}
	if l.Owner != "" && l.Owner != owner && now.Before(l.Expires) {
		return l, errorf(ErrHeld, "%s holds %s until %s", l.Owner, l.Env, l.Expires.Format(time.RFC3339))
	}
	if l.Owner != owner {
		l.Epoch++
	}
	l.Owner, l.Expires = owner, whole(now.Add(ttl))
	return l, nil
}

// tookOver reports whether a lease passed on though its owner had not given it
// up: that owner died, or lost the store. Only this is worth an audit row, since
// every look at an environment takes and gives up a lease.
func tookOver(was, l Lease) bool { return was.Owner != "" && was.Owner != l.Owner }

func heartbeat(l Lease, owner string, ttl time.Duration, now time.Time) (Lease, error) {
	if owner == "" || l.Owner != owner {
		return l, errorf(ErrFenced, "%s of %s is not the lease's owner", owner, l.Env)
	}
	l.Expires = whole(now.Add(ttl))
	return l, nil
}

// release gives the lease after owner gave it up; ok is false where it was not
// owner's.
func release(l Lease, owner string) (Lease, bool) {
	if owner == "" || l.Owner != owner {
		return l, false
	}
	l.Owner, l.Expires = "", time.Time{}
	l.Epoch++
	return l, true
}

// admit checks an append's fence and expectation.
func admit(l Lease, epoch, last, expect int64) error {
	if err := within(l, epoch); err != nil {
		return err
	}
	if last != expect {
		return errorf(ErrConflict, "%s is at event %d, the writer at %d", l.Env, last, expect)
	}
	return nil
}

// within checks that a writer's lease is still in force.
func within(l Lease, epoch int64) error {
	if l.Epoch != epoch {
		return errorf(ErrFenced, "%s is at epoch %d, the writer at %d", l.Env, l.Epoch, epoch)
	}
	return nil
}

// succeeds checks that no look at a repository ended since the one that gave gen.
func succeeds(repo string, have, gen int64) error {
	if have != gen {
		return errorf(ErrConflict, "%s was seen anew meanwhile: look again", repo)
	}
	return nil
}

func (a Approval) check() error {
	if a.Env == "" || a.Digest == "" || a.By == "" {
		return errorf(ErrRefused, "an approval wants an environment, a digest and a name")
	}
	if a.Verdict != Approve && a.Verdict != Reject && a.Verdict != Cancel && !a.Verdict.OfObject() {
		return errorf(ErrRefused, "%q is no verdict: it is approve, reject or cancel, or of an object delete, let go or keep", a.Verdict)
	}
	if a.Verdict == Cancel && a.Run == "" {
		return errorf(ErrRefused, "a cancel wants the run that it is meant for")
	}
	return nil
}

// normal is the approval as it is kept: only a cancel names a run from the
// beginning.
func (a Approval) normal() Approval {
	a.At, a.By, a.Asked = whole(a.At), text(a.By), whole(a.Asked)
	if a.Verdict != Cancel {
		a.Run = ""
	}
	return a
}

func (p Plan) check() error {
	if p.Env == "" || p.Digest == "" {
		return errorf(ErrRefused, "a plan wants an environment and a digest")
	}
	return check("plan "+p.Digest, p.Body)
}

// barred says whose word keeps a plan from being approved.
func barred(by Approval) error {
	return errorf(ErrRejected, "%s of %s, by %s at %s", by.Digest, by.Env, by.By, by.At.Format(time.RFC3339))
}

// bars reports whether a standing word keeps a plan from being approved: one that
// turned it away since people are asked about it.
func (a Approval) bars(later Approval) bool {
	asked := millis(later.Asked) // as SQL compares
	return later.Verdict == Approve && asked != 0 && (a.Verdict == Reject || a.Verdict == Cancel) && millis(a.At) >= asked
}

// consume gives the approval after run used it; used is false where it had
// done so before.
func consume(a Approval, run string) (_ Approval, used bool, err error) {
	switch {
	case run == "":
		return a, false, errorf(ErrRefused, "an approval is used by a run")
	case a.Verdict.OfObject():
		return a, false, errorf(ErrRefused, "%s of %s is no approval of a plan", a.Digest, a.Env)
	case a.Verdict == Reject || a.Verdict == Cancel:
		return a, false, errorf(ErrRejected, "%s of %s, by %s", a.Digest, a.Env, a.By)
	case a.Run == run:
		return a, false, nil
	case a.Run != "":
		return a, false, errorf(ErrConsumed, "%s of %s, by run %s", a.Digest, a.Env, a.Run)
	}
	a.Run = run
	return a, true, nil
}

func (r Run) check() error {
	if r.ID == "" || r.Env == "" {
		return errorf(ErrRefused, "a run wants an id and an environment")
	}
	return check("run "+r.ID, r.Plan, r.Report)
}

// audited reports whether a run's step from one state to another is put on
// record. What ended its waiting is there already: a verdict has its own row,
// and a newer run speaks for its environment.
func audited(was, is RunState) bool {
	return was != is && is != Superseded && is != Approved && is != Rejected
}

// oneRun picks the id that is prefix or, alone, begins with it.
func oneRun(prefix string, ids []string) (string, error) {
	var found []string
	for _, id := range ids {
		if id == prefix {
			return id, nil
		}
		if prefix != "" && strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", errorf(ErrNotFound, "run %q", prefix)
	case 1:
		return found[0], nil
	}
	return "", errorf(ErrAmbiguous, "%q begins %d of them, give more of it", prefix, len(found))
}

func (e AuditEntry) check() error {
	if e.Kind == "" || e.Kind == kindEvents {
		return errorf(ErrRefused, "%q is no kind for an audit row", e.Kind)
	}
	return check("an audit row", e.Body)
}
