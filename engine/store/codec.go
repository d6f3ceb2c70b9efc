package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// eventRow is an event as a table keeps it.
type eventRow struct {
	seq, at                         int64
	run, address, token, kind, body string
}

func encodeEvent(ev ledger.Event) (eventRow, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return eventRow{}, errorf(ErrRefused, "the event %s of %s cannot be written down: %v", ev.Type, ev.Address, err)
	}
	return eventRow{
		seq: ev.Seq, at: millis(ev.At), run: ev.Run, address: ev.Address.String(),
		token: ev.Token, kind: string(ev.Type), body: string(body),
	}, nil
}

func decodeEvent(r eventRow) (ledger.Event, error) {
	var ev ledger.Event
	if err := json.Unmarshal([]byte(r.body), &ev); err != nil {
		return ev, errorf(ErrCorrupt, "event %d of %s: %v", r.seq, r.address, err)
	}
	a, err := resource.ParseAddress(r.address)
	if err != nil {
		return ev, errorf(ErrCorrupt, "event %d: %v", r.seq, err)
	}
	ev.Seq, ev.At, ev.Run, ev.Address = r.seq, fromMillis(r.at), r.run, a
	ev.Token, ev.Type = r.token, ledger.Type(r.kind)
	return ev, nil
}

// batch is what an append is about to write: rows, and the events as they will
// be read back, which share nothing with the caller's.
type batch struct {
	rows   []eventRow
	events []ledger.Event // for the fold that the store keeps
	out    []ledger.Event // for the caller
}

func newBatch(env string, after int64, evs []ledger.Event) (*batch, error) {
	b := &batch{}
	for i, ev := range evs {
		if ev.Address.Env != env || !ev.Address.Valid() {
			return nil, errorf(ErrRefused, "an event of %q is not of environment %s", ev.Address, env)
		}
		ev.Seq = after + int64(i) + 1
		row, err := encodeEvent(ev)
		if err != nil {
			return nil, err
		}
		var read [2]ledger.Event
		for j := range read {
			if read[j], err = decodeEvent(row); err != nil {
				return nil, errorf(ErrRefused, "the event %s of %s does not read back: %v", ev.Type, ev.Address, err)
			}
		}
		b.rows = append(b.rows, row)
		b.events, b.out = append(b.events, read[0]), append(b.out, read[1])
	}
	return b, nil
}

// entryBody is an entry of the fold as the resources table keeps it, beside its
// address, token and role.
type entryBody struct {
	Record ledger.Record      `json:"record"`
	Made   bool               `json:"made,omitempty"`
	At     int64              `json:"at,omitempty"` // unix milliseconds
	Prev   resource.Map       `json:"prev,omitempty"`
	Sent   []ledger.Sent      `json:"sent,omitempty"`
	Was    []resource.Address `json:"was,omitempty"`
	From   resource.Address   `json:"from,omitzero"`
	Past   []resource.Address `json:"past,omitempty"`
	Found  bool               `json:"adopted,omitempty"`
	Open   *openBody          `json:"open,omitempty"`
}

type openBody struct {
	Intent ledger.Intent   `json:"intent"`
	Run    string          `json:"run"`
	At     int64           `json:"at"`
	Handle resource.Handle `json:"handle,omitempty"`
	Doubt  *ledger.Fault   `json:"doubt,omitempty"`
}

func encodeEntry(e *ledger.Entry) (string, error) {
	b := entryBody{Record: e.Record, Made: e.Made, At: millis(e.At), Prev: e.Prev, Sent: e.Sent, Was: e.Was, From: e.From, Past: e.Past, Found: e.Adopted}
	if o := e.Open; o != nil {
		b.Open = &openBody{Intent: o.Intent, Run: o.Run, At: millis(o.At), Handle: o.Handle, Doubt: o.Doubt}
	}
	j, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("entry %s: %w", e.Address, err)
	}
	return string(j), nil
}

func decodeEntry(address, token, role, body string) (*ledger.Entry, error) {
	a, err := resource.ParseAddress(address)
	if err != nil {
		return nil, errorf(ErrCorrupt, "resource %q: %v", address, err)
	}
	var b entryBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return nil, errorf(ErrCorrupt, "resource %s: %v", address, err)
	}
	e := &ledger.Entry{
		Key: ledger.Key{Address: a, Token: token}, Role: ledger.Role(role),
		Record: b.Record, Made: b.Made, At: fromMillis(b.At), Prev: b.Prev, Sent: b.Sent, Was: b.Was, From: b.From, Past: b.Past, Adopted: b.Found,
	}
	if o := b.Open; o != nil {
		e.Open = &ledger.Open{Intent: o.Intent, Run: o.Run, At: fromMillis(o.At), Handle: o.Handle, Doubt: o.Doubt}
	}
	return e, nil
}

// fold applies events to s and gives the keys whose entries may have changed.
// On error s is spoilt.
func fold(s *ledger.State, evs []ledger.Event) (map[ledger.Key]bool, error) {
	touched := map[ledger.Key]bool{}
	for _, ev := range evs {
		if err := s.Apply(ev); err != nil {
			return nil, wrap(ErrRefused, err)
		}
		touched[ledger.Key{Address: ev.Address, Token: ev.Token}] = true
		for _, e := range s.At(ev.Address) {
			touched[e.Key] = true
		}
		if ev.Type != ledger.Moved {
			continue
		}
		touched[ledger.Key{Address: *ev.From, Token: ev.Token}] = true
		for _, e := range s.At(*ev.From) {
			touched[e.Key] = true
		}
		for k, e := range s.Entries {
			if refers(e.Record, ev.Address) || e.Open != nil && refers(e.Open.Record, ev.Address) {
				touched[k] = true
			}
		}
	}
	return touched, nil
}

// refers reports whether a record depends on something at an address.
func refers(r ledger.Record, a resource.Address) bool {
	return slices.ContainsFunc(r.Deps, func(d ledger.Dep) bool { return d.Address == a })
}

// lastAt is when a batch was written, by its own word.
func (b *batch) lastAt() time.Time { return b.events[len(b.events)-1].At }
