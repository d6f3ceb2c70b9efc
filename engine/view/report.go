package view

import (
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Page says how text is laid out. The zero Page is plain, unfolded and in UTC.
type Page struct {
	Width  int            // columns of the terminal; 0 never folds
	Color  bool           // ANSI colour codes; without it none are written
	Detail bool           // list all fields of what is created and all that is held, however many
	Zone   *time.Location // for times of day; nil is UTC
}

// Plan is the report of one environment's plan.
type Plan struct {
	Plan    plan.Plan
	Commit  string               // the commit's hash, or "" for a working tree
	Subject string               // the commit's first line
	By      string               // who made it, or asked
	Mode    string               // observe, approve or auto; "" where nothing is running
	Policy  diag.List            // decisions: an Error denies, a Warning warns, a Note was waived
	Spec    diag.List            // findings in the spec that did not stop the plan
	Kinds   resource.Descriptors // to mask sensitive fields within lists and structs; may be nil
	Reads   int                  // reads made
	Took    time.Duration        // time that the reads took
	Needs   int                  // approvals that are still missing; 0 is none
	Once    bool                 // made from a local directory: the next step is "isobar apply" there
	Next    string               // what to type next to carry it out; "" for the usual words
	Asked   bool                 // it waits for a person, whatever its mode
	Over    *plan.Excess         // how far it goes beyond its budget of deletes; nil: it does not
	Verb    string               // of the command that shows it, for its title; "" is plan
	Import  bool                 // of objects that a person named: their marks are all that is written

	drift bool // see Drifted
}

// Denied reports whether a policy forbids the plan.
func (p *Plan) Denied() bool { return p.Policy.Errors() > 0 }

// State is how far a run has come.
type State string

// The states of a run.
const (
	Planned  State = "planned"  // nothing to apply was asked for
	Waiting  State = "waiting"  // for an approval
	Denied   State = "denied"   // a policy forbids it; nothing was applied
	Applying State = "applying" //
	Applied  State = "applied"  //
	Partial  State = "partial"  // some steps done, some not
	Failed   State = "failed"   // no step done
	Stopped  State = "stopped"  // a person stopped it
	InSync   State = "in sync"  // nothing to do

	Cancelled State = "cancelled" // by a person's cancel or a newer commit, see Run.Halt

	// A run that waited ends in one of these; Run.Verdict says more.
	Approved   State = "approved"   // a person approved it: another run applies it
	Rejected   State = "rejected"   // a person turned it away
	Superseded State = "superseded" // the plan is not the one to decide on any more
)

// Run is the report of one run: a plan's way through apply.
type Run struct {
	ID      string
	Env     string
	Commit  string
	Subject string
	By      string // who made the commit, or asked
	Pull    string // the pull request, "#42", or ""
	Plan    string // the plan's digest
	State   State
	Trigger string    // why it began: "push", "drift", "retry", …; "" where it does not matter
	Retry   int       // for a retry: the how manieth in a row
	Verdict string    // "approved by ann", "rejected by ann", "superseded by a newer plan"; "" where nobody had to say
	Decided time.Time // when the verdict was given; zero where that is not known
	Halt    *Halt     // for cancelled, and for applying once nothing more is begun: by whom, or what
	Why     string    // for denied, failed and stopped: in words
	Steps   []Step    // in order of the plan
	Changes int       // objects that change
	Known   int       // of them, those that the ledger only takes in: no call is made
	Drifted int       // of them, those that had drifted
	Back    int       // of those, the ones in which nothing else changes
	Took    time.Duration
	Drift   int          // objects found drifted when read again; -1 where not read
	Late    []plan.Late  // of what could not be told when read again
	Lost    []plan.Held  // what was held
	Next    string       // what happens next or what to type; "" for the usual words
	Policy  diag.List    // decisions that matter to the outcome
	Over    *plan.Excess // how far its plan goes beyond its budget of deletes; nil: it does not
	Again   time.Time    // when isobar tries again; zero is not at all
	Spec    diag.List    // for failed: what is wrong with the spec, so that no plan was made
	Daemon  bool         // made by a daemon, which goes on by itself: nobody is told to apply
}

// StepState is how far a step has come.
type StepState string

// The states of a step.
const (
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepDoubt   StepState = "in doubt" // the call may or may not have been done
	StepRunning StepState = "running"
	StepWaiting StepState = "not started"
)

// Step is one step of a run.
type Step struct {
	ID        string // the plan's step id
	Address   resource.Address
	Op        ledger.Op
	Aspect    string
	State     StepState
	Same      bool   // with StepDone: it was so already, and no call was made
	Text      string // for failed and in doubt: the provider's words; for running: how it was refused so far; for not started: what it waits for
	Mend      string // what to do about it
	RequestID string
	At        time.Time // when it ended; for running: when it began
	Took      time.Duration
	Turn      *Turn // for running: it waits for its turn; nil: it does not
}

// Turn is a wait for a turn to call, since calls are bounded.
type Turn struct {
	Scope   string // whose calls are: an account and region, a vCenter
	Service string // "" where all its services count as one
	For     time.Duration
}

// words says for what and how long it is waited.
func (t *Turn) words() string {
	at := clean(t.Scope)
	if t.Service != "" {
		at = clean(t.Service) + " of " + at
	}
	return "waits " + lasting(t.For) + " for its turn in the rate budget of " + at
}

// Status is one environment's line of the status table.
type Status struct {
	Env       string        `json:"environment"`
	Repo      string        `json:"repo,omitempty"`
	Mode      string        `json:"mode"`
	Commit    string        `json:"commit"`
	State     string        `json:"state"`
	Drift     int           `json:"drift"`   // drifted objects; -1 unknown
	Checked   time.Duration `json:"-"`       // since the last look; negative: never
	Seconds   float64       `json:"checked"` // filled from Checked: seconds since the last look; -1 never
	Resources int           `json:"resources"`
	Note      string        `json:"note,omitempty"`
}

// Overview is every environment of a store at a glance.
type Overview struct {
	Environments []Status
	Daemon       bool // a daemon is known to work on the store
}

// Word is what a person said of a run's plan.
type Word struct {
	Verdict string    `json:"verdict"` // "approve", "reject" or "cancel"
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// RunLine is one line of the list of runs.
type RunLine struct {
	ID      string        `json:"id"`
	Env     string        `json:"environment"`
	Repo    string        `json:"repo,omitempty"`
	Commit  string        `json:"commit"`
	Trigger string        `json:"trigger"` // why it began: "push", "drift", "retry", …
	State   State         `json:"state"`
	Changes int           `json:"changes"`
	Ago     time.Duration `json:"-"`       // since it started
	Seconds float64       `json:"started"` // filled from Ago: seconds since it started
	Began   time.Time     `json:"started_at,omitzero"`
	Took    time.Duration `json:"-"`
	Lasted  float64       `json:"took"`               // filled from Took: seconds
	Word    *Word         `json:"decision,omitempty"` // of a plan that a person decided on
	Note    string        `json:"note,omitempty"`
}

// PlanID is a plan's name for people: the first eight digits of its digest as
// "9c1e-44b0", or "" where there is none.
func PlanID(digest string) string {
	if len(digest) < 8 {
		return digest
	}
	return digest[:4] + "-" + digest[4:8]
}

// short is a commit's hash as people read it.
func short(commit string) string {
	if len(commit) > 7 {
		return commit[:7]
	}
	return commit
}
