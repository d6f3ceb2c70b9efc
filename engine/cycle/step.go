package cycle

import (
	"cmp"
	"slices"
	"time"
)

// Step says what follows from an event at a time: the next state and what to
// do, in order.
func Step(s State, ev Event, now time.Time, r Rules) (State, []Effect) {
	switch e := ev.(type) {
	case Pushed:
		s.Commit, s.Rejected, s.Halted = e.Commit, "", ""
		return s.plan(Push)
	case Ticked:
		if now.Before(s.Next) && e.Trigger == Drift {
			return s, nil
		}
		if e.Trigger == Drift && s.Fails > 0 {
			return s.plan(Retry)
		}
		return s.plan(e.Trigger)
	case Refreshed:
		s.Refresh = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.Refresh, e.Lookups))))
		return s.plan(Manual)
	case Resumed:
		return s.plan(Manual)
	case Approved:
		s.Consent, s.By, s.Rejected = e.Digest, e.By, ""
		return s.plan(Consent)
	case Turned:
		return s.turned(e)
	case Cancelled:
		s.Halted = e.By // and the apply ends as soon as it can
		return s, nil
	case Planned:
		return s.planned(Facts(e), now, r)
	case Broken:
		return s.broken(e, now, r)
	case Applied:
		return s.applied(e, now, r)
	}
	return s, nil
}

// turned takes a rejection in. One that comes too late for the plan that waits
// now leaves what people were told of that one.
func (s State) turned(e Turned) (State, []Effect) {
	s.Rejected, s.Consent, s.By = e.Digest, "", ""
	if s.Digest == e.Digest {
		s.Asked = time.Time{}
	}
	switch {
	case s.Phase == Waiting && s.Digest == e.Digest:
		s.Phase, s.Refresh = Idle, nil
	case s.Phase == Waiting, s.Phase == Applying:
		return s, []Effect{Tell{What: NewsRejected}}
	}
	s.Told = string(NewsRejected) + " " + e.Digest
	return s, []Effect{Tell{What: NewsRejected}}
}

// plan starts a plan, or notes that one is due once the run under way ends.
func (s State) plan(t Trigger) (State, []Effect) {
	if s.Phase == Planning || s.Phase == Applying {
		if s.Again == "" || t != Drift {
			s.Again = t
		}
		return s, nil
	}
	s.Phase, s.Trigger, s.Again = Planning, t, ""
	return s, []Effect{MakePlan{t}}
}

// rest ends a run: it goes on at once where something came meanwhile.
func (s State) rest(phase Phase, effects []Effect) (State, []Effect) {
	s.Phase = phase
	if s.Again == "" {
		return s, effects
	}
	s, more := s.plan(s.Again)
	return s, append(effects, more...)
}

// refreshed ends what was asked of lookups, unless more came meanwhile: the plan
// that just ended may have been made before it.
func (s *State) refreshed() {
	if s.Again == "" {
		s.Refresh = nil
	}
}

// tell adds news, unless people were told just this last.
func (s *State) tell(n News, key string) []Effect {
	told := string(n) + " " + key
	if s.Told == told {
		return nil
	}
	s.Told = told
	return []Effect{Tell{What: n}}
}

func (s State) planned(f Facts, now time.Time, r Rules) (State, []Effect) {
	asked := s.Asked
	if s.Digest != f.Digest {
		asked = time.Time{}
	}
	s.Digest, s.Drifted, s.Asked = f.Digest, f.Changes, time.Time{}
	s.Next = r.next(now, f.Ripe)
	fails := s.Fails
	s.Fails = 0
	wasCalm := s.Calm || s.Told == ""
	s.Calm = false
	if f.Denied || f.Digest == "" || r.Mode == Observe {
		s.refreshed()
	}
	switch {
	case f.Denied:
		s.Consent, s.By = "", "" // given to a plan that may not be
		return s.rest(Idle, s.tell(NewsDenied, f.Key))
	case f.Digest == "" && f.Held > 0:
		s.Consent, s.By = "", ""
		return s.rest(Idle, s.tell(NewsHeld, f.Key))
	case f.Digest == "":
		s.Calm, s.Consent, s.By, s.Halted, s.Settled = true, "", "", "", s.Commit
		var out []Effect
		if !wasCalm {
			out = s.tell(NewsInSync, s.Commit)
		}
		return s.rest(Idle, out)
	case s.Again == Push:
		return s.rest(Idle, nil) // a newer commit is there: plan that instead
	case r.Mode == Observe:
		s.Consent, s.By = "", ""
		return s.rest(Idle, s.tell(NewsReport, f.Key))
	case r.Mode == Auto && !f.Over && !f.Unlike && s.Halted == "" || s.consents(f) || s.agrees(f):
		by := ""
		switch {
		case s.consents(f):
			by = s.By
		case s.agrees(f):
			by = f.Agreed
		}
		s.Phase, s.Consent, s.By, s.Halted = Applying, "", "", ""
		s.Fails = fails // that a plan could be made is no success yet
		s.Told = string(NewsApplying) + " " + f.Key
		return s, []Effect{Tell{NewsApplying, by}, Apply{f.Digest, by}}
	case s.Rejected == f.Digest: // told, unless something else was told since
		return s.rest(Idle, s.tell(NewsRejected, f.Digest))
	}
	if asked.IsZero() {
		asked = now
	}
	s.Consent, s.By, s.Asked = "", "", asked
	return s.rest(Waiting, s.tell(NewsWaiting, f.Digest))
}

// consents reports whether a person approved a plan, or the one that it is what is
// left of.
func (s *State) consents(f Facts) bool {
	return s.Consent != "" && (s.Consent == f.Digest || s.Consent == f.Of)
}

// agrees reports whether people approved a plan before its commit came, and nobody
// has said otherwise since.
func (s *State) agrees(f Facts) bool {
	return f.Agreed != "" && s.Halted == "" && s.Rejected != f.Digest
}

func (s State) broken(e Broken, now time.Time, r Rules) (State, []Effect) {
	s.Fails++
	s.Next = now.Add(r.pause(s.Fails))
	if e.Final {
		s.Next = now.Add(r.Interval)
	}
	s.Calm = false
	return s.rest(Idle, s.tell(NewsBroken, e.Why))
}

func (s State) applied(e Applied, now time.Time, r Rules) (State, []Effect) {
	switch {
	case e.Stopped:
		s.Told = ""
		s.Phase = Idle // after a shutdown nothing starts by itself
		return s, []Effect{Tell{What: NewsStopped}}
	case e.Newer:
		s.Told, s.Again = "", Push
		return s.rest(Idle, []Effect{Tell{What: NewsHalted}})
	case e.Halted != "":
		s.Told, s.Halted = "", e.Halted
		if s.Again == "" {
			s.Again = Retry // what is left is planned, so that people see it
		}
		return s.rest(Idle, []Effect{Tell{What: NewsHalted}})
	case e.OK:
		s.Fails, s.Settled, s.Calm, s.Digest, s.Halted = 0, s.Commit, true, "", ""
		s.refreshed()
		s.Next = r.next(now, e.Ripe)
		s.Told = string(NewsApplied) + " " + e.Key
		if e.Held != "" { // its report said so
			s.Told = string(NewsHeld) + " " + e.Held
		}
		if e.Rest && s.Again == "" {
			s.Again = cmp.Or(s.Trigger, Consent) // it is one change, in two runs
		}
		return s.rest(Idle, []Effect{Tell{What: NewsApplied}})
	}
	s.Fails++
	s.Next = now.Add(r.pause(s.Fails))
	s.Told = string(NewsFailed) + " " + e.Key
	return s.rest(Idle, []Effect{Tell{What: NewsFailed}})
}

// next is when to look again: after the interval, or as soon as what could not be
// told can be.
func (r Rules) next(now, ripe time.Time) time.Time {
	at := now.Add(r.Interval)
	if ripe.IsZero() || ripe.After(at) {
		return at
	}
	return ripe
}

// pause is how long to wait after so many failures in a row: Backoff, doubled
// each time, at most Interval (or Backoff, where that is longer).
func (r Rules) pause(fails int) time.Duration {
	d := r.Backoff
	for range min(fails-1, 20) {
		d *= 2
		if d >= r.Interval {
			return max(r.Interval, r.Backoff)
		}
	}
	return d
}
