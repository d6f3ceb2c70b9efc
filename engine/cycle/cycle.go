// Package cycle decides, for one environment, what happens next: a state
// machine from what came about (a push, a tick, a plan, an approval, a report)
// to what is to be done (plan, apply, tell). It must not do any of it, read a
// clock or draw a number: time comes with each event. Pure. Floor 3.
package cycle

import "time"

// Mode is what isobar does unasked (architecture §7, rule 9).
type Mode string

// The modes.
const (
	Observe Mode = "observe" // reports
	Approve Mode = "approve" // waits for a person
	Auto    Mode = "auto"    // applies
)

// Phase is what an environment is busy with.
type Phase string

// The phases.
const (
	Idle     Phase = ""
	Planning Phase = "planning"
	Waiting  Phase = "waiting" // for a person
	Applying Phase = "applying"
)

// Trigger is why a run began.
type Trigger string

// The triggers.
const (
	Push    Trigger = "push"
	Drift   Trigger = "drift"
	Start   Trigger = "start"
	Retry   Trigger = "retry"
	Consent Trigger = "approve"
	Manual  Trigger = "manual"
)

// State is an environment's place in the cycle. The zero State is new and idle.
// It is plain data, kept as JSON between steps.
type State struct {
	Phase    Phase     `json:"phase,omitempty"`
	Commit   string    `json:"commit,omitempty"`   // the newest commit that concerns it
	Settled  string    `json:"settled,omitempty"`  // the commit that the world was last brought to
	Trigger  Trigger   `json:"trigger,omitempty"`  // of the run under way, or the last
	Digest   string    `json:"digest,omitempty"`   // of the plan that waits or is applied
	Consent  string    `json:"consent,omitempty"`  // the digest that a person approved
	By       string    `json:"by,omitempty"`       // who
	Asked    time.Time `json:"asked,omitzero"`     // since when people are asked about Digest without a break; an older approval is not meant for now
	Again    Trigger   `json:"again,omitempty"`    // something came while it was busy
	Fails    int       `json:"fails,omitempty"`    // runs in a row that did not end well
	Next     time.Time `json:"next,omitzero"`      // when to look again
	Told     string    `json:"told,omitempty"`     // what people were last told, so that they are not told again
	Rejected string    `json:"rejected,omitempty"` // the digest that a person rejected
	Drifted  int       `json:"drifted,omitempty"`  // objects that differ, as last planned
	Calm     bool      `json:"calm,omitempty"`     // the last look found everything as wanted
	Halted   string    `json:"halted,omitempty"`   // who cancelled the last run: what it left waits for a person, until a commit comes or nothing is left
	Refresh  []string  `json:"refresh,omitempty"`  // lookups that a person wants asked anew, until what they find is applied, refused or the same
}

// Event is something that came about: one of the event types of this package.
type Event interface{ event() }

type (
	// Pushed says that a commit changed the environment's inputs.
	Pushed struct{ Commit string }
	// Ticked says that it is time to look.
	Ticked struct{ Trigger Trigger }
	// Planned is what a plan came to.
	Planned Facts
	// Broken says that no plan could be made: of a spec with errors it is
	// Final until the next push, else it is tried again.
	Broken struct {
		Why   string // to tell people once
		Final bool
	}
	// Approved says that a person approved a plan.
	Approved struct{ Digest, By string }
	// Turned says that a person rejected a plan.
	Turned struct{ Digest, By string }
	// Applied is how an apply ended.
	Applied struct {
		OK      bool
		Stopped bool   // by a shutdown: it goes on after the restart
		Newer   bool   // by a newer commit, which is planned at once
		Halted  string // by a person's cancel: who
		Key     string
		Held    string    // the Key of a plan that holds what this one held; "" for nothing
		Ripe    time.Time // as that of Facts, after it
		Rest    bool      // it was what is left of an approved plan as it was: what moved is to be planned now
	}
	// Cancelled says that a person stopped the apply under way.
	Cancelled struct{ By string }
	// Resumed says that a person wants fields put back again that were left alone:
	// those named, or all where none is.
	Resumed struct{ Fields []string }
	// Refreshed says that a person wants lookups asked anew, by address or "all".
	Refreshed struct{ Lookups []string }
)

func (Pushed) event()    {}
func (Ticked) event()    {}
func (Planned) event()   {}
func (Broken) event()    {}
func (Approved) event()  {}
func (Turned) event()    {}
func (Applied) event()   {}
func (Cancelled) event() {}
func (Resumed) event()   {}
func (Refreshed) event() {}

// Facts is what the cycle needs to know of a plan.
type Facts struct {
	Digest  string    // "" where there is nothing to do
	Of      string    // the digest of a plan that a person approved, all of whose steps that are as they were then these are; "" for none
	Denied  bool      // a policy forbids it
	Over    bool      // it deletes or replaces more than may be unasked
	Agreed  string    // who approved this very plan while its commit was proposed; "" for nobody
	Unlike  bool      // people approved another plan for its commit: somebody is to look at the difference
	Changes int       // objects that change
	Drift   int       // of them, those that drifted
	Held    int       // what would be done and is not
	Key     string    // tells one report's content from another
	Ripe    time.Time // when something that can't be told yet can be; zero: nothing is so
}

// Effect is something to be done: one of the effect types of this package.
type Effect interface{ effect() }

type (
	// MakePlan asks for a plan of the environment as Commit has it.
	MakePlan struct{ Trigger Trigger }
	// Apply asks for the plan just made to be applied.
	Apply struct {
		Digest string
		By     string // who approved it; "" for nobody
	}
	// Tell asks for a report to people.
	Tell struct {
		What News
		By   string // of NewsApplying: who approved it; "" for nobody
	}
)

func (MakePlan) effect() {}
func (Apply) effect()    {}
func (Tell) effect()     {}

// News is what people are told: state transitions only.
type News string

// The news.
const (
	NewsWaiting  News = "waiting"
	NewsReport   News = "report" // observe: what differs
	NewsDenied   News = "denied"
	NewsHeld     News = "held"
	NewsBroken   News = "broken"
	NewsApplying News = "applying"
	NewsApplied  News = "applied"
	NewsFailed   News = "failed"
	NewsStopped  News = "stopped"
	NewsHalted   News = "cancelled"
	NewsRejected News = "rejected"
	NewsInSync   News = "in sync" // after it was not
)

// Rules are what a cycle runs by.
type Rules struct {
	Mode     Mode
	Interval time.Duration // between looks for drift
	Backoff  time.Duration // before the first retry; doubles up to Interval
}
