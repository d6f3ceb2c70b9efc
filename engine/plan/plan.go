// Package plan says what to do: from what is wanted, what the ledger holds and
// what was seen, it makes a Plan of changes for people and steps for apply. It
// must not do I/O, read a clock, or know any provider: the same input always
// gives the same plan, whatever the order of its parts. Pure. Floor 2.
package plan

import (
	"slices"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// Plan is what isobar would do to one environment, and why.
type Plan struct {
	Env     string
	Digest  string       // hex SHA-256 over environment, steps and Before of the fields touched; "" where there are no steps
	Changes []Change     // for people and policy: one an object, sorted by address then token
	Steps   []Step       // for apply: sorted by ID
	Held    []Held       // what would be done and is not, sorted by address
	Notes   []Note       // what is worth saying and needs no call, sorted by address
	Late    []Late       // objects of which not all can be told yet, sorted by address
	Ledger  []Correction // events to write without any call, sorted by address
	Kept    int          // objects that are as wanted; none of those in Late
}

// Empty reports whether there is nothing to do and nothing held.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Held) == 0 }

// Action is what happens to an object as a whole.
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Adopt   Action = "adopt"  // comes under management, by its mark
	Forget  Action = "forget" // is released, and left alone
	Pin     Action = "pin"    // what a lookup found is taken for good
)

// Risk orders actions for people: deletions, replacements, disruptive updates,
// updates, creations, and the rest; lower is riskier.
func (c *Change) Risk() int {
	switch {
	case c.Action == Delete:
		return 0
	case c.Action == Replace:
		return 1
	case c.Action == Update && c.Disruptive:
		return 2
	case c.Action == Update:
		return 3
	case c.Action == Create:
		return 4
	}
	return 5
}

// Change is what happens to one object.
type Change struct {
	Address    resource.Address
	Token      string // of the existing object; "" for a creation
	ID         resource.ID
	Action     Action
	Deposed    bool          // a replaced object that waited for its deletion
	Named      bool          // a person named the object: no budget counts it
	Before     resource.Map  // the live fields that isobar manages, and its outputs; nil for a creation
	After      resource.Map  // all wanted fields, Unknown where only apply will tell; nil for a deletion
	Fields     []FieldChange // sorted by path; for a creation each field set
	Disruptive bool          // service is interrupted
	First      bool          // replace: the new one is made before the old one goes
	Spares     bool          // replace: the old one is let go of and not deleted, as a person asked
	Reasons    []Reason      // why, the weightiest first
	At         resource.Position
	Drifter    string // who changed it outside, where a provider knows; "" else
}

// Drifted reports whether the object was changed outside, whatever else changes
// in it now.
func (c *Change) Drifted() bool {
	return slices.ContainsFunc(c.Reasons, func(r Reason) bool { return r.Cause == CauseDrift }) ||
		slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Conflict })
}

// OnlyDrifted reports whether a change has no cause but that the object was
// changed outside.
func (c *Change) OnlyDrifted() bool {
	return len(c.Reasons) > 0 && !slices.ContainsFunc(c.Reasons, func(r Reason) bool { return r.Cause != CauseDrift })
}

// FieldChange is one field of a Change.
type FieldChange struct {
	Path      resource.Path
	Before    resource.Value // nil: absent
	After     resource.Value // nil: absent; Unknown: known after apply
	Cause     Cause
	At        resource.Position // where the spec says so, for Cause Spec
	Replaces  bool              // it forces the replacement
	Sensitive bool              // its values are not to be shown
	Conflict  bool              // it drifted and its spec changed too: the spec wins
}

// Cause is why something changes.
type Cause string

// The causes.
const (
	CauseSpec       Cause = "spec"       // the spec changed
	CauseDrift      Cause = "drift"      // it was changed outside
	CauseDefault    Cause = "default"    // a default of the schema
	CauseDependency Cause = "dependency" // something it refers to is made anew
	CauseBroken     Cause = "broken"     // an earlier run left it half made
	CauseMark       Cause = "mark"       // it bears our mark, but the ledger did not know it
	CauseImport     Cause = "import"     // a person named it
	CauseLookup     Cause = "lookup"     // it was looked up
)

// Reason is a cause with its details.
type Reason struct {
	Cause Cause
	At    resource.Position // for CauseSpec
	Of    resource.Address  // for CauseDependency
	Text  string            // details in words, "deleted outside", or ""
}

// Step is one unit of apply's work: one intent, and the calls it covers.
type Step struct {
	ID      string // unique and stable within the plan: "create aws.vpc/main"
	Op      ledger.Op
	Address resource.Address
	Token   string // of the existing object; "" for a create, for updates of what is created and for an import, which has none yet
	Aspect  string
	Want    resource.Map      // create: all fields without aspect; update, clear: the aspect's whole fields; Refs unresolved. Import: the fields in which spec and object agree, and the write-only ones; pin: the lookup's fields; delete: the settings that say how, where they are not the defaults
	Outs    resource.Map      // pin: what was found
	Changes []resource.Change // update, clear: what differs; After may hold Refs
	Left    []resource.Path   // update: what is left as it is live, whatever Want says of it
	Before  resource.Map      // the live value of each top-level field touched, as planned; pin: what was pinned before
	Live    resource.ID       // of the existing object; pin: of what was found
	Needs   []string          // ids of the steps that must be done first, sorted
	Meta    resource.Lifecycle
	Deps    []ledger.Dep       // of the object as a whole once this plan is done, tokens filled where known
	Over    string             // adopt: the token of the mark in whose place ours is written, where that is not the ledger's; "" where there is none
	Past    []resource.Address // import: what the object was called before, in this environment's name
	Deposes bool               // create: the current object of the address lives on, deposed, until its delete
}

// Held is something that is not done, and why.
type Held struct {
	Address resource.Address
	Token   string // of the existing object; "" for what is to be made
	Action  Action
	Why     HeldWhy
	Text    string    // in words, with the names concerned
	Mend    string    // what a person may do; Named in it stands for the addresses that it is said of
	Field   string    // of what holds a field alone: its path
	Late    *Late     // for HeldLate: what can't be told yet
	Until   time.Time // for HeldDoubt: when what became of the call can be told; zero where time alone tells nothing
}

// HeldWhy is why something is held.
type HeldWhy string

// The reasons to hold.
const (
	HeldUnread   HeldWhy = "unread"   // it, or what decides on it, could not be read
	HeldLate     HeldWhy = "too soon" // it was read, and the read may be older than our own write
	HeldDoubt    HeldWhy = "in doubt" // an earlier call's outcome is not settled yet
	HeldProtect  HeldWhy = "preventDestroy"
	HeldGuarded  HeldWhy = "guarded" // the provider would refuse to delete it, as somebody told it to
	HeldBudget   HeldWhy = "delete budget"
	HeldOrphan   HeldWhy = "orphan pending" // its spec was lost, not edited
	HeldUnique   HeldWhy = "unique"         // the new one cannot stand beside the old
	HeldCycle    HeldWhy = "cycle"
	HeldUnowned  HeldWhy = "not owned"       // what is there does not bear our mark
	HeldRefused  HeldWhy = "refused"         // the kind cannot do this change
	HeldFollows  HeldWhy = "follows"         // it needs something that is held
	HeldUnspoken HeldWhy = "not in the spec" // an import's address is none of the spec's
	HeldSecret   HeldWhy = "secret"          // a secret that it wants can't be had
	HeldNothing  HeldWhy = "not found"       // a lookup found nothing
	HeldFlapping HeldWhy = "flapping"        // a field that was put back too often; the rest of its object goes on
	HeldSpurned  HeldWhy = "refused before"  // a field's value that was refused once its object had been interrupted for it; the rest goes on
)

// Note is something worth saying that needs no call.
type Note struct {
	Address resource.Address
	Text    string
	Drift   bool // it tells of something that was done outside
	Ledger  bool // it tells of what the ledger takes in without a call
}

// Correction is an event to write without a call: what the cloud and the spec
// agree on, and the ledger did not know.
type Correction struct {
	Address resource.Address
	Token   string
	Type    ledger.Type // Settled, Adopted, Forgotten or Moved
	Beside  bool        // of Adopted: it is to go, and deposes nothing; of Moved: it changes places
	Record  *ledger.Record
	From    *resource.Address
	Why     string
}

// Input is all that a plan is made from. Nothing of it is written to.
type Input struct {
	Env       string
	Estate    string
	Desired   []resource.Desired // in any order; each address once
	Lost      bool               // the spec is gone or empty, not edited: whatever it held is orphan pending
	Ledger    *ledger.State
	Restored  time.Time                         // when the ledger's store was restored from a backup, as it was before; zero for never
	Applied   map[ledger.Key]resource.Map       // what the ledger holds as applied where a text in it is a secret of the spec by now: with that text as a Secret
	Doubts    map[ledger.Key]Doubt              // what keeps open intents from being settled; a missing one says nothing
	Live      map[ledger.Key]Reading            // what was seen of each entry; a missing one counts as unread, but for lookups, whose pin is in the ledger
	Found     map[resource.Address]Reading      // what the lookups found that were asked; a missing one is taken from its pin, if it has one
	Anew      map[resource.Address]bool         // lookups that a person asked for anew: what they find is taken, whatever the objects have that use them
	Strays    []resource.Object                 // objects that bear this estate's and environment's mark, with tokens that the ledger does not hold; several may bear one mark
	Copies    []resource.Object                 // objects that bear the mark of one that the ledger holds under another id
	Homes     map[string]string                 // token of a stray → the alias whose session sees it
	Standing  map[resource.Address]Standing     // what stands where unmarked objects are to be made
	Kinds     map[string]Kind                   // by full name, "aws.vpc"
	Outs      map[resource.Address]resource.Map // outputs of other environments' resources that are referred to
	Scopes    map[string]string                 // alias → what its session sees now; a missing one is not compared
	Blind     map[string]string                 // alias → why its session could not be read: nothing is created there
	Unready   map[resource.Address]Unready      // what can't be planned for want of a secret
	Deletes   Budget
	Holder    ledger.Holder                   // the store that plans; 0 heeds no other
	Former    string                          // the environment's name before: the imports are what moves from there
	Waiting   map[resource.Address]Wait       // what stands under a former name and can't be taken yet: it is not made anew
	Gone      map[string]Gone                 // tokens of marks under names of environments that this estate no longer has
	Awaited   map[ledger.Key]Wait             // entries that another environment is to take, or may be: no word to let go of them is followed yet
	Away      map[ledger.Key]resource.Address // entries whose objects have moved to another environment's ledger
	TakeOver  bool                            // the imports take objects over from another store
	Destroy   bool                            // a person asked for everything to go
	Protected map[resource.Address]bool       // what the spec protects by preventDestroy, where Desired does not say it: with Destroy
	Had       map[resource.Address]bool       // what the spec has, where Desired does not say it: with Destroy
	Imports   map[resource.Address]Import     // existing objects that a person names: the plan brings them under management and does nothing else
	Confirmed map[ledger.Key]string           // orphans that a person said may be deleted, with who said so
	Released  map[ledger.Key]string           // objects that a person said to let go of once nothing wants them, with who said so
	Paused    map[string]string               // fields that are not put back, by FieldName, with why: see Flapping
	Spurned   map[string]Refusal              // values that are not asked for again, by FieldName
}

// Doubt is what keeps an open intent from being settled.
type Doubt struct {
	Until time.Time // when reads show for certain what its call did; zero where time alone tells nothing
	Why   string    // why it could not be asked for, or ""
}

// Unready is why a secret of a resource can't be had: its Secrets have neither
// MAC nor version. Whether it is as wanted can't be told then, so nothing is done
// to it.
type Unready struct{ Text, Mend string }

// Kind is what plan needs to know of a kind.
type Kind struct {
	*resource.Descriptor
	Schema string // the schema's version
	Marked bool   // its objects carry marks: one without ours is not confirmed as ours
	Named  bool   // its ids are names, which another object may bear later: a lost mark is put back only for a person who names the object
	Found  bool   // objects are found, not created: create finds and marks, delete releases
}

// Seen is what came of looking for an object.
type Seen string

// What can be seen.
const (
	Present Seen = "present"
	Absent  Seen = "absent"
	Unread  Seen = "unread"
)

// Reading is an entry's live state.
type Reading struct {
	Seen       Seen
	Object     resource.Object // when Present
	Why        string          // when Unread, or a lookup's Absent
	By         string          // who changed it outside, where a provider knows; "" else
	MarkUnread bool            // it shows no mark, and may bear one: something of it could not be read
	Trail      *Trail          // what of it may be older than our last write; nil: nothing
	Sent       []resource.Map  // what calls of ours that nothing was seen of may have set since, by top-level field
}

// Budget bounds deletions (and replacements) in one plan; the tighter bound
// counts. A zero field is no bound, a negative one is the tightest: no object by
// Count, a single one by Percent.
type Budget struct {
	Count   int // at most so many objects
	Percent int // at most this share of what the ledger holds, rounded up
}
