package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"isobar.dev/engine/resource"
)

// Key tells the objects at one address apart.
type Key struct {
	Address resource.Address
	Token   string
}

// Compare orders keys by address, then token.
func (k Key) Compare(o Key) int {
	return cmp.Or(k.Address.Compare(o.Address), cmp.Compare(k.Token, o.Token))
}

// Role is an entry's place at its address.
type Role string

// The roles. An address has at most one current entry.
const (
	Current Role = "current"
	Deposed Role = "deposed" // replaced, waiting to be deleted
)

// Entry is one object that isobar owns, or is about to.
type Entry struct {
	Key
	Role   Role
	Record Record
	Made   bool      // a create was done, or it was adopted or pinned: there is an object behind it
	At     time.Time // of its last write
	// Prev holds, for each field that writes changed, the value before its last
	// change (Null where there was none): what a read that trails our write shows.
	Prev resource.Map
	Sent []Sent             // what updates that were settled as not done may still set, oldest first
	Was  []resource.Address // where it was before: its mark may still say so
	From resource.Address   // where its last move took it from; the zero one for none
	Past []resource.Address // all that it was called before, each once, the last one last; From is of them
	// Adopted says that nothing but its mark told of it when it came under management,
	// and that no create of this ledger has replaced it since.
	Adopted bool
	Open    *Open // the one open intent, or nil
}

// Names gives what an entry was called before, each name once, the last one last. The
// list is the caller's.
func (e *Entry) Names() []resource.Address {
	out := slices.Clone(e.Past)
	if !e.From.IsZero() && !slices.Contains(out, e.From) {
		out = append(out, e.From) // a row that was written before there was a Past
	}
	return out
}

// Open is an intent without an outcome.
type Open struct {
	Intent
	Run    string
	At     time.Time
	Handle resource.Handle
	Doubt  *Fault // why its outcome is unknown, where a call said so
}

// State is the fold of an environment's events. The zero State is empty and
// ready. Not safe for concurrent use.
type State struct {
	Seq     int64 // of the last event
	Entries map[Key]*Entry
	Ended   map[string]string             // tokens that ended: "deleted", "released", "not done", "gone"
	Undone  map[string]*Entry             // creates that were given up, by token: settled as not done since nothing was to be seen of them, which may show yet
	at      map[resource.Address][]*Entry // by address
	token   map[string]*Entry             // by token: one lives at one address only
}

// Fold gives the state after events, which must be in order of Seq. It fails
// on an event that cannot follow those before it.
func Fold(events []Event) (*State, error) {
	s := &State{}
	for i := range events {
		if err := s.Apply(events[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Current gives the current entry at an address, or nil.
func (s *State) Current(a resource.Address) *Entry {
	for _, e := range s.at[a] {
		if e.Role == Current {
			return e
		}
	}
	return nil
}

// Holding gives the entry whose object was made, or marked, with a token, at
// whatever address it is now, or nil.
func (s *State) Holding(token string) *Entry { return s.token[token] }

// Sorted gives all entries in order of their keys.
func (s *State) Sorted() []*Entry {
	out := make([]*Entry, 0, len(s.Entries))
	for _, e := range s.Entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *Entry) int { return a.Key.Compare(b.Key) })
	return out
}

// GivenUp gives the creates that were given up, in order of their keys: of each,
// what finds the session that would see it.
func (s *State) GivenUp() []*Entry {
	return slices.SortedFunc(maps.Values(s.Undone), func(a, b *Entry) int { return a.Key.Compare(b.Key) })
}

// Apply folds one more event in. On error the state is unchanged.
func (s *State) Apply(ev Event) error {
	if s.Entries == nil {
		s.Entries, s.Ended, s.Undone = map[Key]*Entry{}, map[string]string{}, map[string]*Entry{}
		s.at, s.token = map[resource.Address][]*Entry{}, map[string]*Entry{}
	}
	e := s.Entries[Key{ev.Address, ev.Token}]
	var err error
	switch ev.Type {
	case Intended:
		err = s.intended(e, ev)
	case Adopted:
		err = s.adopted(e, ev)
	case Pinned:
		err = s.pinned(e, ev)
	case Accepted, Doubted:
		if e == nil || e.Open == nil {
			err = errNoIntent
			break
		}
		if ev.Type == Accepted {
			e.Open.Handle = ev.Handle
		} else {
			e.Open.Doubt, e.At = ev.Fault, ev.At // it may have been done as late as this
		}
	case Done, Failed:
		err = s.ended(e, ev)
	case Settled:
		err = s.settled(e, ev)
	case Moved:
		err = s.moved(ev)
	case Restored:
		err = s.restored(e, ev)
	case Forgotten:
		if e == nil {
			err = errNoEntry
			break
		}
		s.remove(e, cmp.Or(ev.Why, "released"))
	default:
		err = fmt.Errorf("unknown type %q", ev.Type)
	}
	if err != nil {
		return fmt.Errorf("ledger: event %d (%s of %s, token %s): %w", ev.Seq, ev.Type, ev.Address, ev.Token, err)
	}
	s.Seq = max(s.Seq, ev.Seq)
	return nil
}

var (
	errNoIntent = fmt.Errorf("no intent is open")
	errNoEntry  = fmt.Errorf("no such entry")
	errOpen     = fmt.Errorf("an intent is open already")
)

func (s *State) intended(e *Entry, ev Event) error {
	if ev.Intent == nil {
		return fmt.Errorf("it carries no intent")
	}
	if e != nil && e.Open != nil {
		return errOpen
	}
	makes := ev.Intent.Op == Create || ev.Intent.Op == Adopt && e == nil
	switch {
	case makes && s.token[ev.Token] != nil:
		return s.inUse(ev.Token)
	case makes && s.Ended[ev.Token] != "":
		return fmt.Errorf("the token has ended: %s", s.Ended[ev.Token])
	case !makes && e == nil:
		return errNoEntry
	case makes:
		e = &Entry{Key: Key{ev.Address, ev.Token}, Record: ev.Intent.Record, Past: slices.Clone(ev.Past)}
		e.Record.Applied, e.Record.Outs = nil, nil
		if old := s.Current(ev.Address); old != nil {
			old.Adopted = false
		}
		s.enthrone(e)
	}
	e.Open = &Open{Intent: *ev.Intent, Run: ev.Run, At: ev.At}
	return nil
}

func (s *State) adopted(e *Entry, ev Event) error {
	if ev.Record == nil {
		return fmt.Errorf("it carries no record")
	}
	if e == nil {
		if s.token[ev.Token] != nil {
			return s.inUse(ev.Token)
		}
		e = &Entry{Key: Key{ev.Address, ev.Token}, Past: slices.Clone(ev.Past), Adopted: s.Ended[ev.Token] == ""} // a create that was given up tells, too
		if ev.Beside && s.Current(ev.Address) != nil {
			e.Role = Deposed
			s.put(e)
		} else {
			s.enthrone(e)
		}
	}
	e.Record, e.Made, e.At, e.Open = *ev.Record, true, ev.At, nil
	delete(s.Ended, ev.Token)
	delete(s.Undone, ev.Token)
	return nil
}

// restored makes a deposed object the current one of its address again.
func (s *State) restored(e *Entry, ev Event) error {
	switch {
	case e == nil:
		return errNoEntry
	case e.Open != nil:
		return errOpen
	}
	if now := s.Current(ev.Address); now != nil {
		now.Role = Deposed
	}
	e.Role = Current
	return nil
}

// pinned takes a lookup's value: the first one, or another in its place.
func (s *State) pinned(e *Entry, ev Event) error {
	switch {
	case ev.Record == nil:
		return fmt.Errorf("it carries no record")
	case e != nil && e.Open != nil:
		return errOpen
	case e == nil && s.token[ev.Token] != nil:
		return s.inUse(ev.Token)
	case e == nil && s.Ended[ev.Token] != "":
		return fmt.Errorf("the token has ended: %s", s.Ended[ev.Token])
	case e == nil && s.Current(ev.Address) != nil:
		return fmt.Errorf("%s holds another already", ev.Address)
	case e == nil:
		e = &Entry{Key: Key{ev.Address, ev.Token}}
		s.enthrone(e)
	}
	e.Record, e.Made, e.At = *ev.Record, true, ev.At
	return nil
}

func (s *State) inUse(token string) error {
	return fmt.Errorf("the token is in use by %s", s.token[token].Address)
}

// enthrone makes e the current entry of its address; the one before is deposed.
func (s *State) enthrone(e *Entry) {
	if old := s.Current(e.Address); old != nil {
		old.Role = Deposed
	}
	e.Role = Current
	s.put(e)
}

// ended takes the outcome of e's open intent.
func (s *State) ended(e *Entry, ev Event) error {
	if e == nil || e.Open == nil {
		return errNoIntent
	}
	if ev.Type == Done && ev.Record == nil && !ev.Gone {
		return fmt.Errorf("it carries no record, nor is the object gone")
	}
	s.close(e, ev)
	return nil
}

// close ends e's open intent as ev says.
func (s *State) close(e *Entry, ev Event) {
	op := e.Open
	e.Open = nil
	if op != nil {
		e.At = ev.At
		e.missed(op, ev)
	}
	switch {
	case ev.Gone && op != nil && op.Op == Release:
		s.remove(e, "released")
	case ev.Gone:
		s.remove(e, "deleted")
	case ev.Record != nil:
		if op != nil && op.Op != Adopt { // which writes no field
			e.Prev = before(e.Prev, e.Record.Applied, ev.Record.Applied)
		}
		e.Record, e.Made = *ev.Record, true
		if op != nil && op.Op == Adopt {
			e.Was = nil // the mark was written here
		}
	case !e.Made:
		s.remove(e, "not done")
		if ev.Type == Settled {
			r := e.Record
			s.Undone[e.Token] = &Entry{Key: e.Key, Record: Record{Scope: r.Scope, Settings: r.Settings, Meta: resource.Lifecycle{Alias: r.Meta.Alias}}}
		}
	}
}

func (s *State) settled(e *Entry, ev Event) error {
	if e == nil {
		return errNoEntry
	}
	if e.Open == nil && ev.Record == nil && !ev.Gone {
		return errNoIntent
	}
	s.close(e, ev)
	return nil
}

// before notes in prev what a write from old to next replaced.
func before(prev, old, next resource.Map) resource.Map {
	out := resource.Map{}
	for k, v := range prev {
		out[k] = v
	}
	for k, v := range next {
		if o := old[k]; !resource.Equal(o, v) {
			out[k] = orNull(o)
		}
	}
	for k, o := range old {
		if next[k] == nil {
			out[k] = orNull(o)
		}
	}
	return out
}

func orNull(v resource.Value) resource.Value {
	if v == nil {
		return resource.Null{}
	}
	return v
}

func (s *State) moved(ev Event) error {
	if ev.From == nil {
		return fmt.Errorf("it does not say from where")
	}
	e := s.Entries[Key{*ev.From, ev.Token}]
	if e == nil {
		return errNoEntry
	}
	if s.Current(ev.Address) != nil && e.Role == Current && !ev.Beside {
		return fmt.Errorf("%s is taken", ev.Address)
	}
	s.drop(e)
	e.Past = append(slices.DeleteFunc(e.Names(), func(a resource.Address) bool { return a == *ev.From || a == ev.Address }), *ev.From)
	e.Address, e.From, e.Was = ev.Address, *ev.From, append(slices.Clip(e.Was), *ev.From)
	if ev.Beside {
		s.enthrone(e)
	} else {
		s.put(e)
	}
	for _, o := range s.Entries {
		o.Record.Deps = redirect(o.Record.Deps, *ev.From, e)
		if o.Open != nil {
			o.Open.Record.Deps = redirect(o.Open.Record.Deps, *ev.From, e)
		}
	}
	s.crown(*ev.From)
	s.crown(ev.Address)
	return nil
}

// redirect gives deps with those on what moved away from an address pointing
// at its new address; deps itself is not written to.
func redirect(deps []Dep, from resource.Address, to *Entry) []Dep {
	out := deps
	for i, d := range deps {
		if d.Address != from || d.Token != to.Token && (d.Token != "" || to.Role != Current) {
			continue
		}
		if &out[0] == &deps[0] {
			out = slices.Clone(deps)
		}
		out[i].Address = to.Address
	}
	return out
}

func (s *State) put(e *Entry) {
	s.Entries[e.Key], s.token[e.Token] = e, e
	s.at[e.Address] = append(s.at[e.Address], e)
}

func (s *State) drop(e *Entry) {
	delete(s.Entries, e.Key)
	delete(s.token, e.Token)
	s.at[e.Address] = slices.DeleteFunc(s.at[e.Address], func(o *Entry) bool { return o == e })
	if len(s.at[e.Address]) == 0 {
		delete(s.at, e.Address)
	}
}

// remove takes e out; where it was the current entry, the newest deposed one
// is current again.
func (s *State) remove(e *Entry, why string) {
	s.drop(e)
	s.Ended[e.Token] = why
	s.crown(e.Address)
}

// crown makes the newest entry at an address current where none is.
func (s *State) crown(a resource.Address) {
	var heir *Entry
	for _, o := range s.at[a] {
		if o.Role == Current {
			return
		}
		if heir == nil || o.Token > heir.Token {
			heir = o
		}
	}
	if heir != nil {
		heir.Role = Current
	}
}
