package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strconv"
)

// kindEvents is the kind of the audit rows that cover events.
const kindEvents = "events"

// chain gives the row that follows prev; the zero row precedes the first.
func chain(prev AuditRow, e AuditEntry) AuditRow {
	e.At, e.Body = whole(e.At), own(e.Body)
	r := AuditRow{Seq: prev.Seq + 1, AuditEntry: e, Prev: prev.Hash}
	r.Hash = r.sum()
	return r
}

// sum hashes a row: each part with its length before it, so that no two rows
// give the same bytes.
func (r AuditRow) sum() string {
	h := sha256.New()
	for _, part := range []string{
		r.Prev, strconv.FormatInt(r.Seq, 10), strconv.FormatInt(millis(r.At), 10),
		r.Kind, r.Env, r.Run, r.Actor, string(r.Body),
	} {
		put(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func put(h hash.Hash, part string) {
	_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash's Write never fails
}

// covered is the body of an audit row that covers events.
type covered struct {
	First  int64  `json:"first"`
	Last   int64  `json:"last"`
	Digest string `json:"digest"` // SHA-256 of the event rows, in hex
}

func digest(rows []eventRow) string {
	h := sha256.New()
	for _, r := range rows {
		for _, part := range []string{
			strconv.FormatInt(r.seq, 10), strconv.FormatInt(r.at, 10), r.run, r.address, r.token, r.kind, r.body,
		} {
			put(h, part)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// audit gives the entry that covers the batch.
func (b *batch) audit(env string) AuditEntry {
	c := covered{First: b.rows[0].seq, Last: b.rows[len(b.rows)-1].seq, Digest: digest(b.rows)}
	return AuditEntry{At: b.lastAt(), Kind: kindEvents, Env: env, Run: b.events[0].Run, Body: mustJSON(c)}
}

// mustJSON encodes what cannot fail: text, numbers, and JSON that was checked.
func mustJSON(v any) json.RawMessage {
	j, _ := json.Marshal(v)
	return j
}

// verifier checks audit rows in order.
type verifier struct {
	prev AuditRow
	seen map[string]int64 // the last event that a row covered, by environment
	// events gives an environment's rows from first to last.
	events func(env string, first, last int64) ([]eventRow, error)
}

func (v *verifier) row(r AuditRow) error {
	switch {
	case r.Seq != v.prev.Seq+1:
		return errorf(ErrTampered, "row %d is missing", v.prev.Seq+1)
	case r.Prev != v.prev.Hash:
		return errorf(ErrTampered, "row %d does not follow the row before it", r.Seq)
	case r.Hash != r.sum():
		return errorf(ErrTampered, "row %d (%s, %s) does not match its hash", r.Seq, r.Kind, r.Env)
	}
	v.prev = r
	if r.Kind != kindEvents {
		return nil
	}
	var c covered
	if err := json.Unmarshal(r.Body, &c); err != nil {
		return errorf(ErrTampered, "row %d does not say which events it covers", r.Seq)
	}
	rows, err := v.events(r.Env, c.First, c.Last)
	if err != nil {
		return err
	}
	if c.First != v.seen[r.Env]+1 || digest(rows) != c.Digest {
		return errorf(ErrTampered, "row %d: the events %d to %d of %s are not those that were written", r.Seq, c.First, c.Last, r.Env)
	}
	v.seen[r.Env] = c.Last
	return nil
}

// done checks that no environment has events beyond those covered.
func (v *verifier) done(last map[string]int64) error {
	for env, seq := range last {
		if seq > v.seen[env] {
			return errorf(ErrTampered, "event %d of %s has no row", v.seen[env]+1, env)
		}
	}
	return nil
}

// The bodies of the rows that the store writes by itself.
func leaseEntry(l Lease, kind string, at int64) AuditEntry {
	return AuditEntry{
		At: fromMillis(at), Kind: kind, Env: l.Env, Actor: l.Owner,
		Body: mustJSON(map[string]int64{"epoch": l.Epoch}),
	}
}

func approvalEntry(a Approval) AuditEntry {
	return AuditEntry{
		At: a.At, Kind: "approval", Env: a.Env, Actor: a.By,
		Body: mustJSON(map[string]string{"digest": a.Digest, "verdict": string(a.Verdict)}),
	}
}

func consumeEntry(a Approval, at int64) AuditEntry {
	return AuditEntry{
		At: fromMillis(at), Kind: "approval used", Env: a.Env, Run: a.Run, Actor: a.By,
		Body: mustJSON(map[string]string{"digest": a.Digest}),
	}
}
