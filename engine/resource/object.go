package resource

// ID is a live object's identifier in its provider's own form, unique within
// the kind's Reach: "vpc-0a1b", an instance UUID, a host name.
type ID string

// Handle names a provider's long-running work (a task id), to be polled. The
// empty Handle means that nothing is running.
type Handle string

// Object is a thing in the world, or one that is wanted there. A live one has
// an ID and, where the provider found it, a Mark. Its Fields hold settable and
// computed fields alike, under the kind's own names; a field that is absent
// from Fields is absent from the object, one that could not be read is Unread.
type Object struct {
	Address Address `json:"address,omitzero"`
	ID      ID      `json:"id,omitempty"`
	Mark    Mark    `json:"mark,omitzero"`
	Fields  Map     `json:"fields,omitempty"`
	// Given says in words that nobody made a live object on purpose or that
	// another tool did ("the default group of its VPC"): whoever looks for objects
	// to manage leaves it out. "" says nothing of the kind.
	Given string `json:"given,omitempty"`
}

// Mark says on the object itself who owns it. The zero Mark is none.
type Mark struct {
	Estate  string  `json:"estate"`  // the repository's estate id, random, committed by isobar init
	Env     string  `json:"env"`     // the environment's name
	Address Address `json:"address"` // the full address
	Token   string  `json:"token"`   // UUIDv7 of the create that made it (or the adoption)
}

// IsZero reports whether there is no mark.
func (m Mark) IsZero() bool { return m == Mark{} }

// The keys under which a mark rides on an object that takes key/value tags.
const (
	MarkEstate  = "isobar:estate"
	MarkEnv     = "isobar:env"
	MarkAddress = "isobar:address"
	MarkToken   = "isobar:token"
	markPrefix  = "isobar:"
)

// Tags gives the mark as key/value tags.
func (m Mark) Tags() map[string]string {
	if m.IsZero() {
		return nil
	}
	return map[string]string{
		MarkEstate: m.Estate, MarkEnv: m.Env,
		MarkAddress: m.Address.String(), MarkToken: m.Token,
	}
}

// MarkFromTags splits an object's tags into its mark and the rest, which are
// the user's. An incomplete or malformed mark counts as none.
func MarkFromTags(tags map[string]string) (Mark, Map) {
	rest := Map{}
	for k, v := range tags {
		if len(k) < len(markPrefix) || k[:len(markPrefix)] != markPrefix {
			rest[k] = String(v)
		}
	}
	a, err := ParseAddress(tags[MarkAddress])
	m := Mark{Estate: tags[MarkEstate], Env: tags[MarkEnv], Address: a, Token: tags[MarkToken]}
	if err != nil || m.Estate == "" || m.Env == "" || m.Token == "" {
		return Mark{}, rest
	}
	return m, rest
}

// Position is a place in a user's file; Line and Col count from 1, Col in
// bytes. The zero Position is nowhere.
type Position struct {
	File string `json:"file,omitempty"` // relative to the repository's root, with slashes
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// IsZero reports whether the position is nowhere.
func (p Position) IsZero() bool { return p == Position{} }

// Lifecycle is what a spec's $meta says of a resource.
type Lifecycle struct {
	Alias               string   `json:"alias,omitempty"` // the provider alias; "" is the provider's own name
	PreventDestroy      bool     `json:"preventDestroy,omitempty"`
	CreateBeforeDestroy bool     `json:"createBeforeDestroy,omitempty"`
	DestroyBeforeCreate bool     `json:"destroyBeforeCreate,omitempty"` // createBeforeDestroy is false, and said so: not only unset
	IgnoreChanges       []Path   `json:"ignoreChanges,omitempty"`       // drift under these is left alone
	MovedFrom           *Address `json:"movedFrom,omitempty"`
}

// Desired is a resource as a spec wants it: its settable fields after schema
// defaults, with Refs and Secrets unresolved.
type Desired struct {
	Address Address
	Fields  Map
	Meta    Lifecycle
	At      Position            // where the resource stands
	Where   map[string]Position // where each field stands, by Path.String(); fields that a schema defaults have none
}

// Place gives where path stands in the user's files: the nearest enclosing
// field that has a position, else the resource's own. ok is false where the
// field comes from a schema's default.
func (d *Desired) Place(path Path) (p Position, ok bool) {
	for n := len(path); n > 0; n-- {
		if at, found := d.Where[path[:n].String()]; found {
			return at, true
		}
	}
	return d.At, false
}

// Change is one field's change: Before and After are nil where the field is
// absent on that side.
type Change struct {
	Path   Path  `json:"path"`
	Before Value `json:"-"`
	After  Value `json:"-"`
}
