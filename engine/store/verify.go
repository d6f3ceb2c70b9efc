package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Proof is what an audit log that was found whole comes to.
type Proof struct {
	Rows   int64     `json:"rows"`                // of the audit log
	Events int64     `json:"events"`              // of the ledger, that they cover
	Since  time.Time `json:"since,omitzero"`      // the first row's time; zero where there is no row
	Last   string    `json:"last_hash,omitempty"` // the last row's hash, "" where there is no row
}

// verifier checks audit rows in order.
type verifier struct {
	known string // a hash that one of the rows must have, "" for none
	met   bool   // a row had it
	prev  AuditRow
	since time.Time
	seen  map[string]int64 // the last event that a row covered, by environment
	// events gives an environment's rows from first to last.
	events func(env string, first, last int64) ([]eventRow, error)
}

// Covers tells which of the environment's events a row covers; ok is false for
// a row that is not of that kind.
func (r AuditRow) Covers() (first, last int64, ok bool) {
	var c covered
	if r.Kind != kindEvents || json.Unmarshal(r.Body, &c) != nil {
		return 0, 0, false
	}
	return c.First, c.Last, true
}

// name is a row as a message names it, as it reads now.
func (r AuditRow) name() string {
	what := r.Kind
	if r.Env != "" {
		what += " of " + r.Env
	}
	return fmt.Sprintf("row %d (%s, %s)", r.Seq, what, r.At.Format(time.RFC3339))
}

func (v *verifier) row(r AuditRow) error {
	switch {
	case r.Seq != v.prev.Seq+1 && v.prev.Seq == 0:
		return errorf(ErrTampered, "row 1 is missing, the first one now is %s", r.name())
	case r.Seq != v.prev.Seq+1:
		return errorf(ErrTampered, "row %d is missing, between %s and %s", v.prev.Seq+1, v.prev.name(), r.name())
	case r.Hash != r.sum():
		return errorf(ErrTampered, "%s is not what was written: its hash does not fit", r.name())
	case r.Prev != v.prev.Hash:
		return errorf(ErrTampered, "%s does not follow the row before it, which was put in its place", r.name())
	}
	if v.prev.Seq == 0 {
		v.since = r.At
	}
	v.prev, v.met = r, v.met || r.Hash == v.known
	if r.Kind != kindEvents {
		return nil
	}
	var c covered
	if err := json.Unmarshal(r.Body, &c); err != nil {
		return errorf(ErrTampered, "%s does not say which events it covers", r.name())
	}
	rows, err := v.events(r.Env, c.First, c.Last)
	if err != nil {
		return err
	}
	if c.First != v.seen[r.Env]+1 || digest(rows) != c.Digest {
		what := fmt.Sprintf("the events %d to %d of %s%s, which it covers, are not those that were written", c.First, c.Last, r.Env, whose(rows))
		if c.First == c.Last {
			what = fmt.Sprintf("event %d of %s%s, which it covers, is not what was written", c.First, r.Env, whose(rows))
		}
		return errorf(ErrTampered, "%s: %s", r.name(), what)
	}
	v.seen[r.Env] = c.Last
	return nil
}

// next is the row after the last one that was checked, as a message names it.
func (v *verifier) next() string {
	if v.prev.Seq == 0 {
		return "row 1"
	}
	return fmt.Sprintf("row %d, after %s,", v.prev.Seq+1, v.prev.name())
}

// whose names the objects of events, as far as a message has room.
func whose(rows []eventRow) string {
	const room = 3
	var names []string
	for _, r := range rows {
		if !slices.Contains(names, r.address) {
			names = append(names, r.address)
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > room:
		return fmt.Sprintf(" (%s and %d more)", strings.Join(names[:room], ", "), len(names)-room)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// done checks that no environment has events beyond those covered, and that a
// row had the hash that was noted.
func (v *verifier) done(last map[string]int64) (Proof, error) {
	p := Proof{Rows: v.prev.Seq, Since: v.since, Last: v.prev.Hash}
	for env, seq := range last {
		if seq > v.seen[env] {
			return Proof{}, errorf(ErrTampered, "event %d of %s has no row: it was written past isobar", v.seen[env]+1, env)
		}
		p.Events += seq
	}
	switch {
	case v.known == "" || v.met:
		return p, nil
	case v.prev.Seq == 0:
		return Proof{}, errorf(ErrTampered, "it has no rows, and one had the hash %s", v.known)
	}
	return Proof{}, errorf(ErrTampered, "no row has the hash %s: rows were cut off after %s, or all were written anew", v.known, v.prev.name())
}
