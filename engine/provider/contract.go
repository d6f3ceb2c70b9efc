// Package provider is the contract between isobar and a cloud, hypervisor or
// appliance: what a provider is (Type, Kind), what a session on it does
// (Session), and the wrappers that stand around every session (retry, budget,
// fence, trace, fault). It must not know any SDK, nor decide what to change:
// that is engine/plan's. Authors read providers/README.md first; the suite in
// engine/provider/providertest holds every provider to this text. Floor 3.
package provider

import (
	"context"
	"net/http"
	"time"

	"isobar.dev/engine/resource"
)

// Type is what a provider is. It is static: build it with a function, share it
// freely.
type Type struct {
	Name  string // "aws"
	Kinds []Kind // sorted by name; joined with their descriptors by "<Name>.<Kind.Name>"
	// Open gives a session on one account and region, one vCenter, one host. It
	// makes at most the calls that tell its Scope. Its error is a *Failure of
	// package resource.
	Open func(ctx context.Context, c Config) (Session, error)
}

// Service gives the service of a kind, "" for reads of several and where all share
// one: as Options wants it.
func (t Type) Service(kind string) string {
	for i := range t.Kinds {
		if t.Kinds[i].Name == kind {
			return t.Kinds[i].Service
		}
	}
	return ""
}

// Kind is the static part of a kind's behaviour that no schema field carries.
type Kind struct {
	Name   string        // "vpc"
	IDs    Reach         // ids are unique within it
	Settle Settle        // how a create of unknown outcome is settled
	Lag    time.Duration // how long reads may trail our own write
	Origin Origin        // created, found or looked up
	// Service is the API that its calls go to, which throttles apart from others
	// of the provider ("ec2", "s3"); "" where all kinds share one.
	Service string
	// Unmarked says that its objects cannot carry a mark: a natural key stands
	// in for it, and what the ledger does not own is never touched.
	Unmarked bool
	// Lane names what takes one mutating call at a time (a VM, a zone); nil or
	// "" is no lane. It must be pure.
	Lane func(resource.Object) string
}

// Reach is how far a kind's ids are unique.
type Reach string

// The reaches.
const (
	ReachRegion  Reach = "region"
	ReachAccount Reach = "account"
	ReachHost    Reach = "host"
	ReachWorld   Reach = "world"
)

// Settle is how a create whose answer was lost is settled.
type Settle string

// The settle rules (architecture §5).
const (
	SettleToken   Settle = "token"   // the API honours an idempotency token: look first, replay only with identical fields
	SettleMark    Settle = "mark"    // search by mark over the Lag window
	SettleChosen  Settle = "chosen"  // the id is ours, derived from the mark's token
	SettleNatural Settle = "natural" // the name is unique in scope
)

// Origin says where objects of a kind come from.
type Origin string

// The origins. Create of a found kind finds and marks, Delete releases. A kind
// that is looked up has no settle rule and no mark: Read answers its Lookup, and
// every other method refuses it with class Bug.
const (
	OriginCreated  Origin = "created"
	OriginFound    Origin = "found"
	OriginLookedUp Origin = "looked-up"
)

// Config opens a session.
type Config struct {
	Alias    string       // the name under which specs use it
	Estate   string       // the estate id that marks carry
	Settings resource.Map // the spec's settings for the alias, concrete: region, profile, …
	// Credentials are those that the settings name, nil where they name none: then
	// the process's own are used, as the provider's SDK finds them.
	Credentials *Credentials
	// HTTP, where set, is the client for every request, with the fence in its
	// transport. Providers that do not speak HTTP call CheckFence themselves.
	HTTP *http.Client
}

// Session is bound to one alias. All methods are safe for concurrent use,
// honour ctx, retry nothing themselves and return *resource.Failure errors.
// Mutating methods check the fence that ctx carries just before each send.
//
// Every object that is handed in has an Address that names its provider and
// kind; live ones have their ID. Want's fields and the After of changes are
// resolved: no Ref, Template, Secret or Unknown is among them. What else is
// handed in (live objects, what the ledger holds) may have a Secret where a
// value was: it came from there, and no provider needs it again.
type Session interface {
	// Scope says what the session sees: "aws/123456789012/eu-west-1".
	Scope() string

	// Read answers all wants, in their order. It plans the calls: lists are
	// shared between wants, pages and batches stay inside. A failed call makes
	// the Err of each want that needed it, never an absence.
	Read(ctx context.Context, wants []resource.Want) []resource.Answer

	// Rehearse says, by reads alone, why a Create of want would be refused as things are:
	// an image, a network or a type that it names is not there. It is asked before an
	// object is deleted in whose place want comes, so that what that one still has, its
	// name among it, is no reason. Nil promises nothing.
	Rehearse(ctx context.Context, want resource.Object) error

	// Create makes exactly one mutating call, the one that carries the mark.
	// want holds the fields without an aspect, references resolved. The
	// Progress's Object holds the ID, even beside an error if something of it
	// was made: then it is ours, broken, to be replaced.
	Create(ctx context.Context, want resource.Object, m resource.Mark) (Progress, error)

	// Update brings the fields of one aspect ("" for those without) from live to
	// want. changes lists what differs, all of one aspect. It may make several
	// calls, each repeatable. Beside an error the Progress's Object holds the
	// fields that are not among changes and were left otherwise than they were
	// found: a machine that was stopped for a change, and stands still.
	Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (Progress, error)

	// Delete removes the object. applied brings what the ledger holds of it. An
	// object that is gone already is success.
	Delete(ctx context.Context, live, applied resource.Object) (Progress, error)

	// Find settles a create of unknown outcome: a Progress with an Object where
	// it was done, with a Handle where it is still running, and the zero
	// Progress where nothing of it is to be seen (the caller waits out Lag).
	// For SettleToken kinds it may replay the call with identical fields, unless
	// the intent says LookOnly. Where several objects bear the intent's mark it is
	// Undecided which of them the call made.
	Find(ctx context.Context, in Intent) (Progress, error)

	// Poll asks for the state of handles, in their order.
	Poll(ctx context.Context, hs []resource.Handle) []Polled

	// Mark writes m onto a live object (adoption); nil removes isobar's mark
	// (release).
	Mark(ctx context.Context, live resource.Object, m *resource.Mark) error
}

// Progress is how far a call came. Without a Handle it is finished.
type Progress struct {
	Object resource.Object // as far as the call's answer tells; Fields may be partial
	Handle resource.Handle // long work to poll
	After  time.Duration   // when to poll first
	// Dropped says of a create that the object, read back, lacks the mark that
	// the call carried: the peer took the call and dropped its tags. The Object
	// is then as it was read. The caller marks it and sets what else it lacks,
	// by calls of their own.
	Dropped bool
}

// Polled is a handle's state.
type Polled struct {
	Progress
	Done bool  // finished: Err says how
	Err  error // with Done: the work failed; without: the poll did (ask again)
}

// Intent is a create that was sent, or may have been.
type Intent struct {
	Want   resource.Object // the fields that it was sent with
	Mark   resource.Mark
	Handle resource.Handle // the task, where one was journalled
	Since  time.Time       // when the intent was written
	// LookOnly says that Want is not all that was sent, since a secret in it is
	// another by now: a replay would be another call.
	LookOnly bool
}
