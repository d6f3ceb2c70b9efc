package view

import (
	"strings"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// RunJSON is a run's JSON form.
type RunJSON struct {
	Schema      int        `json:"schema_version"`
	ID          string     `json:"id,omitempty"`
	Environment string     `json:"environment"`
	Commit      string     `json:"commit,omitempty"`
	Subject     string     `json:"subject,omitempty"`
	By          string     `json:"by,omitempty"`
	Pull        string     `json:"pull,omitempty"`
	Plan        string     `json:"plan,omitempty"`
	Digest      string     `json:"digest,omitempty"`
	Trigger     string     `json:"trigger,omitempty"` // why it began: "push", "drift", "retry", …
	Retry       int        `json:"retry,omitempty"`   // for a retry: the how manieth in a row
	State       State      `json:"state"`
	Outcome     string     `json:"outcome"`
	Verdict     string     `json:"verdict,omitempty"` // what a person said of it, or how it stopped waiting for one
	Cancelled   *Halt      `json:"cancelled,omitempty"`
	Decided     *time.Time `json:"decided,omitempty"` // when the verdict was given, UTC
	Why         string     `json:"why,omitempty"`
	Changes     int        `json:"changes"`
	TakenIn     int        `json:"taken_in,omitempty"` // of the changes, those that need no call: the ledger takes them in
	Drifted     int        `json:"drifted,omitempty"`  // of the changes, those to what had drifted
	PutBack     int        `json:"put_back"`           // of those, the ones in which nothing else changes
	Done        int        `json:"done"`
	Same        int        `json:"so_already"` // steps that needed no call; done has none of them
	Failed      int        `json:"failed"`
	InDoubt     int        `json:"in_doubt"`
	NotStarted  int        `json:"not_started"`
	TookMillis  int64      `json:"took_ms"`
	Drift       *int       `json:"drift"` // null where not read again
	Steps       []RunStep  `json:"steps"`
	Held        []HeldJSON `json:"held"`
	Policy      diag.List  `json:"policy"`
	Spec        diag.List  `json:"spec,omitempty"` // what is wrong with the spec
	Late        []LateJSON `json:"late,omitempty"` // of what could not be told when read again
	Over        *OverJSON  `json:"over_budget,omitempty"`
	Again       *time.Time `json:"again,omitempty"` // when isobar tries again, UTC
	Next        string     `json:"next,omitempty"`
}

// RunStep is one step of a run's JSON form.
type RunStep struct {
	ID         string     `json:"id"`
	Address    string     `json:"address"`
	Op         string     `json:"op"`
	Aspect     string     `json:"aspect,omitempty"`
	State      StepState  `json:"state"`
	Same       bool       `json:"same,omitempty"` // done: it was so already, and no call was made
	Text       string     `json:"text,omitempty"`
	Mend       string     `json:"mend,omitempty"`
	RequestID  string     `json:"request_id,omitempty"`
	At         *time.Time `json:"at,omitempty"` // UTC
	TookMillis int64      `json:"took_ms"`
	Turn       *TurnJSON  `json:"waits,omitempty"` // running: it waits for its turn in a rate budget
}

// TurnJSON is a wait's JSON form.
type TurnJSON struct {
	Scope   string `json:"scope"`
	Service string `json:"service,omitempty"`
	Millis  int64  `json:"for_ms"`
}

func (t *Turn) json() *TurnJSON {
	if t == nil {
		return nil
	}
	return &TurnJSON{Scope: clean(t.Scope), Service: clean(t.Service), Millis: t.For.Milliseconds()}
}

// JSON renders the run as indented JSON, see RunJSON.
func (r *Run) JSON() []byte { return encode(r.Report()) }

// Report gives the run's JSON form, for callers that embed it in their own.
func (r *Run) Report() RunJSON {
	n, same := r.tallySteps()
	out := RunJSON{
		Schema: SchemaVersion, ID: r.ID, Environment: r.Env, Commit: r.Commit, Subject: clean(r.Subject), By: clean(r.By),
		Pull: clean(r.Pull), Plan: PlanID(r.Plan), Digest: r.Plan, Trigger: r.Trigger, Retry: r.Retry, State: r.State, Outcome: r.Outcome(), Verdict: clean(r.Verdict),
		Why: clean(r.Why), Changes: r.Changes, TakenIn: r.Known, Drifted: r.Drifted, PutBack: r.Back,
		Done: n[StepDone], Same: same, Failed: n[StepFailed], InDoubt: n[StepDoubt], NotStarted: n[StepWaiting], TookMillis: r.Took.Milliseconds(),
		Steps: []RunStep{}, Held: []HeldJSON{}, Policy: diag.List{}, Next: r.next(),
	}
	if r.Halt != nil {
		out.Cancelled = &Halt{By: clean(r.Halt.By), At: r.Halt.At.UTC(), Commit: r.Halt.Commit, Subject: clean(r.Halt.Subject)}
	}
	if r.Drift >= 0 {
		out.Drift = &r.Drift
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		j := RunStep{
			ID: s.ID, Address: s.Address.Local(), Op: string(s.Op), Aspect: s.Aspect, State: s.State, Same: s.Same, Text: clean(s.Text),
			Mend: clean(s.Mend), RequestID: s.RequestID, TookMillis: s.Took.Milliseconds(), Turn: s.Turn.json(),
		}
		j.At = utc(s.At)
		out.Steps = append(out.Steps, j)
	}
	for _, h := range r.Lost {
		out.Held = append(out.Held, heldJSON(h))
	}
	out.Policy = append(out.Policy, decided(r.Policy)...)
	out.Spec, out.Late = decided(r.Spec), lateJSON(r.Late)
	out.Decided, out.Again, out.Over = utc(r.Decided), utc(r.Again), overJSON(r.Over)
	return out
}

// Run gives back the run that has this JSON form: its faces read as they did
// when it was kept. Times are whole milliseconds. It fails on an address that
// is none.
func (j *RunJSON) Run() (*Run, error) {
	out := &Run{
		ID: j.ID, Env: j.Environment, Commit: j.Commit, Subject: j.Subject, By: j.By, Pull: j.Pull, Plan: j.Digest, State: j.State,
		Verdict: j.Verdict, Why: j.Why, Changes: j.Changes, Drifted: j.Drifted, Back: j.PutBack, Took: time.Duration(j.TookMillis) * time.Millisecond,
		Drift: -1, Next: j.Next, Policy: j.Policy, Spec: j.Spec, Trigger: j.Trigger, Retry: j.Retry, Over: j.Over.excess(), Halt: j.Cancelled,
	}
	if j.Decided != nil {
		out.Decided = *j.Decided
	}
	if j.Again != nil {
		out.Again = *j.Again
	}
	if j.Drift != nil {
		out.Drift = *j.Drift
	}
	for _, h := range j.Held {
		addr, err := resource.ParseAddress(j.Environment + "/" + h.Address)
		if err != nil {
			return nil, err
		}
		held := plan.Held{Address: addr, Action: h.Action, Why: h.Why, Field: h.Field, Text: h.Text, Mend: h.Mend}
		held.Mend = strings.ReplaceAll(h.Mend, " "+h.Address, " "+plan.Named) // so that one reason is told once, as it was
		switch {
		case h.Why == plan.HeldDoubt:
			held.Until = h.Until
		case !h.Until.IsZero():
			held.Late = &plan.Late{Address: addr, Until: h.Until}
		}
		out.Lost = append(out.Lost, held)
	}
	for _, l := range j.Late {
		addr, err := resource.ParseAddress(j.Environment + "/" + l.Address)
		if err != nil {
			return nil, err
		}
		out.Late = append(out.Late, plan.Late{Address: addr, Fields: l.Fields, Mark: l.Mark, Wrote: l.Wrote, Until: l.Until})
	}
	for _, s := range j.Steps {
		addr, err := resource.ParseAddress(j.Environment + "/" + s.Address)
		if err != nil {
			return nil, err
		}
		step := Step{
			ID: s.ID, Address: addr, Op: ledger.Op(s.Op), Aspect: s.Aspect, State: s.State, Same: s.Same, Text: s.Text, Mend: s.Mend,
			RequestID: s.RequestID, Took: time.Duration(s.TookMillis) * time.Millisecond,
		}
		if s.At != nil {
			step.At = *s.At
		}
		out.Steps = append(out.Steps, step)
	}
	return out, nil
}

// utc is a moment, or nil for none.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func heldJSON(h plan.Held) HeldJSON {
	out := HeldJSON{Address: h.Address.Local(), Action: h.Action, Why: h.Why, Field: h.Field, Text: clean(h.Text), Mend: clean(heldGroup{h}.mend())}
	switch {
	case h.Late != nil:
		out.Until = h.Late.Until.UTC()
	case !h.Until.IsZero():
		out.Until = h.Until.UTC()
	}
	return out
}
