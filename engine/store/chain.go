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
	e.At, e.Body, e.Actor = whole(e.At), own(e.Body), text(e.Actor)
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

// The bodies of the rows that the store writes by itself.
func leaseEntry(l Lease, at int64) AuditEntry {
	return AuditEntry{
		At: fromMillis(at), Kind: "lease taken over", Env: l.Env, Actor: l.Owner,
		Body: mustJSON(map[string]int64{"epoch": l.Epoch}),
	}
}

// lapsedEntry says that nobody took over a lease that ran out: its owner died.
func lapsedEntry(l Lease, at int64) AuditEntry {
	return AuditEntry{
		At: fromMillis(at), Kind: "lease ran out", Env: l.Env, Actor: l.Owner,
		Body: mustJSON(map[string]int64{"epoch": l.Epoch}),
	}
}

func approvalEntry(a Approval) AuditEntry {
	if a.Verdict.OfObject() {
		return AuditEntry{
			At: a.At, Kind: "word on an object", Env: a.Env, Actor: a.By,
			Body: mustJSON(map[string]string{"object": a.Digest, "verdict": string(a.Verdict)}),
		}
	}
	kind := "approval"
	if a.Verdict == Cancel {
		kind = "cancel"
	}
	return AuditEntry{
		At: a.At, Kind: kind, Env: a.Env, Run: a.Run, Actor: a.By,
		Body: mustJSON(map[string]string{"digest": a.Digest, "verdict": string(a.Verdict)}),
	}
}

// runEntry is what a run's new state comes to. Its time is that of the run's
// end, or of its beginning while it goes on.
func runEntry(r Run) AuditEntry {
	at := r.Started
	if !r.Ended.IsZero() {
		at = r.Ended
	}
	body := struct {
		State   RunState `json:"state"`
		Trigger string   `json:"trigger,omitempty"`
		Repo    string   `json:"repo,omitempty"`
		Commit  string   `json:"commit,omitempty"`
		Digest  string   `json:"digest,omitempty"`
		Counts  Counts   `json:"counts,omitzero"`
		Note    string   `json:"note,omitempty"`
	}{r.State, r.Trigger, r.Repo, r.Commit, r.Digest, r.Counts, r.Note}
	return AuditEntry{At: at, Kind: "run", Env: r.Env, Run: r.ID, Actor: r.Actor, Body: mustJSON(body)}
}

func consumeEntry(a Approval, at int64) AuditEntry {
	return AuditEntry{
		At: fromMillis(at), Kind: "approval used", Env: a.Env, Run: a.Run, Actor: a.By,
		Body: mustJSON(map[string]string{"digest": a.Digest}),
	}
}
