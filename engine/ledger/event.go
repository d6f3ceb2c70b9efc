// Package ledger says what isobar owns: events, and their fold. The store keeps
// the events; everything that isobar believes to own is Fold of them and
// nothing else. It must not read a clock or make ids: both are inputs. Pure.
// Floor 1.
package ledger

import (
	"time"

	"isobar.dev/engine/resource"
)

// Type is what an event says.
type Type string

// The types of events.
const (
	Intended  Type = "intent"    // a mutating call is about to be made
	Accepted  Type = "accepted"  // it was accepted as long-running work: Handle
	Done      Type = "done"      // it was done: Record, or Gone for a delete
	Failed    Type = "failed"    // it was definitely not done: Fault; Record where it left part of it
	Doubted   Type = "unknown"   // it may or may not have been done: Fault
	Settled   Type = "settled"   // an open intent was found done (Record or Gone) or not done (neither); without an open intent, Record corrects the entry
	Adopted   Type = "adopted"   // an object that bears our mark came under management: Record
	Pinned    Type = "pinned"    // a lookup's value was taken for good: Record; no object is ours behind it
	Moved     Type = "moved"     // the entry changed its address: From
	Restored  Type = "restored"  // a deposed object is current again, and what had replaced it is deposed: Why
	Forgotten Type = "forgotten" // the entry is no longer ours: Why
)

// Op is what a mutating call does.
type Op string

// The operations.
const (
	Create  Op = "create"
	Update  Op = "update"
	Clear   Op = "clear" // an update that empties an aspect, so that what it refers to can go
	Delete  Op = "delete"
	Adopt   Op = "adopt"   // writes our mark onto an existing object
	Release Op = "release" // removes our mark and leaves the object
	Pin     Op = "pin"     // writes down what a lookup found; no call, so never an intent
	Forget  Op = "forget"  // lets go of a lookup's value; no call, so never an intent
)

// Event is one line of the ledger. Events of an environment are totally
// ordered by Seq.
type Event struct {
	Seq     int64              `json:"-"` // given by the store, rising within an environment
	At      time.Time          `json:"-"` // UTC, whole milliseconds
	Run     string             `json:"-"` // the run that wrote it
	Address resource.Address   `json:"-"` // whose
	Token   string             `json:"-"` // which object at the address
	Type    Type               `json:"-"` //
	Intent  *Intent            `json:"intent,omitempty"`
	Handle  resource.Handle    `json:"handle,omitempty"`
	Record  *Record            `json:"record,omitempty"`
	Gone    bool               `json:"gone,omitempty"`   // the object is gone
	Beside  bool               `json:"beside,omitempty"` // adopted to be deleted: the address keeps the current object that it has; moved: it deposes that one, which moves too
	Fault   *Fault             `json:"fault,omitempty"`
	From    *resource.Address  `json:"from,omitempty"` // the old address
	Past    []resource.Address `json:"past,omitempty"` // an import's: what the object was called before, as in Entry
	Why     string             `json:"why,omitempty"`
}

// Intent is what a call is going to do, complete enough to settle it when the
// spec has moved on.
type Intent struct {
	Step   string          `json:"step"` // the plan step's id
	Op     Op              `json:"op"`
	Aspect string          `json:"aspect,omitempty"`
	Paths  []resource.Path `json:"paths,omitempty"` // the fields that it sets
	Record Record          `json:"record"`          // what is true once it is done; a create's has no ID yet
	Epoch  int64           `json:"epoch,omitempty"` // the lease under which it was written
}

// Record is what the ledger holds of one object: enough to read, update, order
// and delete it when its spec is gone.
type Record struct {
	ID       resource.ID        `json:"id,omitempty"`
	Scope    string             `json:"scope,omitempty"`    // the session's Scope
	Settings resource.Map       `json:"settings,omitempty"` // the provider settings of its alias, non-secret
	Outs     resource.Map       `json:"outs,omitempty"`
	Applied  resource.Map       `json:"applied,omitempty"` // the fields that we set, references resolved
	Deps     []Dep              `json:"deps,omitempty"`    // what it refers to
	Meta     resource.Lifecycle `json:"meta,omitzero"`
	Schema   string             `json:"schema,omitempty"` // the schema's version
	Broken   string             `json:"broken,omitempty"` // why it must be replaced, or ""
	Bare     bool               `json:"bare,omitempty"`   // its create's mark was dropped, and none has been put yet
}

// Dep is one dependency: this object refers to that one, by a field of aspect.
type Dep struct {
	Address resource.Address `json:"address"`
	Token   string           `json:"token,omitempty"`
	Aspect  string           `json:"aspect,omitempty"`
}

// Fault is a failed call as it is kept: the provider's words, no secrets.
type Fault struct {
	Class     resource.Class `json:"class"`
	Message   string         `json:"message"`
	RequestID string         `json:"request_id,omitempty"`
}
