package resource

import "time"

// Want asks a session for objects of one kind.
type Want struct {
	Kind    string   // the kind within the provider, "vpc"
	By      Selector // which ones
	Via     *Object  // the live parent, for a kind that lives within another; else nil
	Aspects []string // aspects that must be read; nil means all. A field of another one is Unread, or told if it came anyway
}

// Selector picks objects. Exactly one of its fields is set.
type Selector struct {
	IDs    []ID              // these
	Named  string            // what a person calls so: by its id, or by another name that its kind is known by
	Estate string            // every object whose mark names this estate
	Token  string            // the object whose mark names this token
	Filter map[string]string // the provider's own filter, for found kinds
	Lookup Map               // what a lookup's fields find, for kinds that are looked up; references are resolved
	All    bool              // everything the session can see
}

// Answer is what one Want found. Err set means that nothing may be concluded
// from what is missing, though Objects that did come are true. With Err nil,
// an id that was asked for and is not among Objects does not exist. A lookup
// gives the one object that its fields find, or an Err of class NotFound that
// says in words what was not there.
type Answer struct {
	Objects []Object
	Ended   []ID      // of the ids that were asked for, those of objects that are shown to have come to their end: they are gone, however late reads are
	Err     error     // a *Failure
	At      time.Time // when the provider was asked (the start of the earliest call)
}
