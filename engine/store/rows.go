package store

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// Environment is what was last known of an environment.
type Environment struct {
	Name       string    `json:"name"`
	Repo       string    `json:"repo,omitempty"`
	Origin     string    `json:"origin,omitempty"` // where the repository was, without credentials
	Mode       string    `json:"mode,omitempty"`
	Commit     string    `json:"commit,omitempty"` // last seen
	Digest     string    `json:"digest,omitempty"` // of its inputs
	State      string    `json:"state,omitempty"`
	Note       string    `json:"note,omitempty"`
	PlanDigest string    `json:"plan_digest,omitempty"` // of the plan that waits
	Drift      int       `json:"drift,omitempty"`       // drifted resources
	Resources  int       `json:"resources,omitempty"`   // owned resources
	Unread     int       `json:"unread,omitempty"`      // resources that could not be read
	Absent     bool      `json:"absent,omitempty"`      // its repository no longer has it
	CheckedAt  time.Time `json:"checked_at,omitzero"`
	// Orphans are the objects that wait for a person to name them, as Object gives
	// them, with since when they do without a break: an older word is not meant for
	// now.
	Orphans map[string]time.Time `json:"orphans,omitempty"`
	Flaps   json.RawMessage      `json:"flaps,omitempty"` // fields that were put back of late: engine/plan's own, JSON
	Cycle   json.RawMessage      `json:"cycle,omitempty"` // engine/cycle's own state, JSON
}

// RunState is how far a run has come.
type RunState string

// The states of a run.
const (
	Planning  RunState = "planning"
	Waiting   RunState = "waiting"
	Applying  RunState = "applying"
	Applied   RunState = "applied"
	Failed    RunState = "failed"
	Partial   RunState = "partial"
	Denied    RunState = "denied"
	NoChanges RunState = "no changes"
	Held      RunState = "held"    // something is to be done, and may not be
	Differs   RunState = "differs" // mode observe: something is to be done, and is only told
	Drained   RunState = "drained"
	Cancelled RunState = "cancelled" // a person or a newer commit stopped it

	// A run that waited ends in one of these.
	Approved   RunState = "approved"   // a person approved it: another run applies it
	Rejected   RunState = "rejected"   // a person turned it away
	Superseded RunState = "superseded" // the plan is not the one to decide on any more
)

// Counts sums a run up.
type Counts struct {
	Create  int `json:"create,omitempty"`
	Update  int `json:"update,omitempty"`
	Replace int `json:"replace,omitempty"`
	Delete  int `json:"delete,omitempty"`
	Held    int `json:"held,omitempty"`
	Failed  int `json:"failed,omitempty"`
}

// Run is one pass of the reconciler over an environment.
type Run struct {
	ID      string          `json:"id"` // UUIDv7
	Env     string          `json:"env"`
	Repo    string          `json:"repo,omitempty"`
	Trigger string          `json:"trigger"` // push, drift, manual, approve or start
	Commit  string          `json:"commit,omitempty"`
	Subject string          `json:"subject,omitempty"` // the commit's first line
	Actor   string          `json:"actor,omitempty"`
	Digest  string          `json:"digest,omitempty"` // of the plan
	State   RunState        `json:"state"`
	Note    string          `json:"note,omitempty"`
	Thread  string          `json:"thread,omitempty"` // the run whose message in chat it goes on with; "" for one of its own
	Counts  Counts          `json:"counts,omitzero"`
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Plan    json.RawMessage `json:"-"` // JSON; nil in lists
	Report  json.RawMessage `json:"-"` // JSON; nil in lists
	Fence   int64           `json:"-"` // the epoch of the environment's lease under which it is written, 0 for none; not kept
}

// RunFilter selects runs.
type RunFilter struct {
	Env   string // "" for all
	Limit int    // 0 for all
}

// Lease is one process's right to work on an environment.
type Lease struct {
	Env     string
	Owner   string // "" when it was released
	Epoch   int64
	Expires time.Time
}

// Verdict is what a person said of a plan.
type Verdict string

// The verdicts.
const (
	Approve Verdict = "approve"
	Reject  Verdict = "reject"
	Cancel  Verdict = "cancel" // the run of it, whether it waits or is under way

	// Of an object, in place of a plan: what a person said of it by name.
	Delete  Verdict = "delete"
	Release Verdict = "let go"
	Keep    Verdict = "keep" // takes back what was said before
)

// OfObject reports whether a verdict is on an object and not on a plan.
func (v Verdict) OfObject() bool { return v == Delete || v == Release || v == Keep }

// Approval is a person's verdict on a plan's digest, used up by one run; or on an
// object, which its Digest then names.
type Approval struct {
	Env     string
	Digest  string
	By      string
	At      time.Time
	Verdict Verdict
	Run     string // the run that used it up, or ""; of a Cancel, the run that is meant
	// Asked is since when people are asked about the plan, for PutApproval: it is
	// not kept.
	Asked time.Time
}

// Plan is a plan that people were shown.
type Plan struct {
	Env    string
	Digest string
	Shown  time.Time // last
	Body   json.RawMessage
}

// plansKept is how many plans of an environment are kept: a person names one of
// the last.
const plansKept = 50

// Message is something to deliver.
type Message struct {
	Key       string          `json:"-"` // for deduplication
	Channel   string          `json:"channel,omitempty"`
	Thread    string          `json:"thread,omitempty"` // the Key of the message that it answers or edits
	Kind      string          `json:"kind,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"`
	NotBefore time.Time       `json:"-"`
	Tries     int             `json:"tries,omitempty"` // failed deliveries
	LastError string          `json:"last_error,omitempty"`
}

// Observation is what was last seen of a scope.
type Observation struct {
	Env   string
	Scope string
	Seen  time.Time
	Body  json.RawMessage
}

// AuditEntry is something to put on record. Body is JSON, without secrets.
type AuditEntry struct {
	At    time.Time
	Kind  string
	Env   string
	Run   string
	Actor string
	Body  json.RawMessage
}

// AuditRow is an entry in its chain. Hash is SHA-256 over Prev and the entry,
// in hex.
type AuditRow struct {
	Seq int64
	AuditEntry
	Prev string
	Hash string
}

// AuditFilter selects audit rows. Limit takes the last of those that fit.
type AuditFilter struct {
	Env   string    // "" for all
	After int64     // rows after this Seq
	Since time.Time // rows at or after it; zero for all
	Limit int       // 0 for all
}

// millis gives unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// whole cuts a time to what the store keeps.
func whole(t time.Time) time.Time { return fromMillis(millis(t)) }

// text is s as a text column takes it: names come from outside, and PostgreSQL
// refuses bytes that are no UTF-8, and zeros.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// raw gives what a text column held: nil where it was empty.
func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

func (e Environment) normal() Environment {
	e.CheckedAt, e.Cycle, e.Orphans = whole(e.CheckedAt), compact(e.Cycle), maps.Clone(e.Orphans)
	e.Flaps = compact(e.Flaps)
	for object, since := range e.Orphans {
		e.Orphans[object] = whole(since)
	}
	return e
}

func (r Run) normal() Run {
	r.Started, r.Ended = whole(r.Started), whole(r.Ended)
	r.Plan, r.Report, r.Fence = own(r.Plan), own(r.Report), 0
	return r
}

func (m Message) normal() Message {
	m.NotBefore, m.Body = whole(m.NotBefore), compact(m.Body)
	return m
}

func own(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

// compact copies JSON as it comes out of a larger body: without spaces, and
// with "<", ">" and "&" escaped.
func compact(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return mustJSON(b)
}

// check refuses bytes that are no JSON, so that both back ends refuse the same.
func check(what string, bodies ...json.RawMessage) error {
	for _, b := range bodies {
		if len(b) > 0 && !json.Valid(b) {
			return errorf(ErrRefused, "%s holds text that is not JSON", what)
		}
	}
	return nil
}
