package reconcile

import (
	"encoding/json"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
)

// What is put on record here is what neither a run's states nor the ledger's
// events tell: which rules spoke, and what was refused.

// ruling is what a rule said, as the audit log keeps it.
type ruling struct {
	Rule     diag.Code     `json:"rule"`
	Severity diag.Severity `json:"severity"`
	Text     string        `json:"text"`
}

// judgement is what the rules said of a draft. ok is false where they said
// nothing.
func (d *Draft) judgement(at time.Time) (e store.AuditEntry, ok bool) {
	body := struct {
		Verdict string   `json:"verdict"`
		Trigger string   `json:"trigger,omitempty"`
		Commit  string   `json:"commit,omitempty"`
		Digest  string   `json:"digest,omitempty"`
		Rules   []ruling `json:"rules"`
	}{Verdict: "let through", Trigger: d.Job.Trigger, Commit: d.Job.Commit, Digest: d.Plan.Digest}
	if d.Denied() {
		body.Verdict = "denied"
	}
	for _, f := range d.Findings.Sorted() {
		body.Rules = append(body.Rules, ruling{f.Code, f.Severity, f.String()})
	}
	return store.AuditEntry{
		At: at, Kind: "policy", Env: d.Job.Env, Run: d.Job.Run, Actor: d.Job.Actor, Body: encoded(body),
	}, len(body.Rules) > 0
}

// record is a refusal as the audit log keeps it.
func (r Refusal) record(at time.Time) store.AuditEntry {
	return store.AuditEntry{At: at, Kind: "environment refused", Env: r.Env, Body: encoded(map[string]string{
		"repo": r.Repo, "commit": r.Commit, "rule": string(r.Finding.Code), "text": r.Finding.Message,
	})}
}

// asked is a person's wish as the audit log keeps it.
func asked(at time.Time, env, what string, lookups []string) store.AuditEntry {
	return store.AuditEntry{At: at, Kind: what, Env: env, Body: encoded(map[string][]string{"lookups": lookups})}
}

func encoded(v any) json.RawMessage {
	b, _ := json.Marshal(v) // text and lists of text always encode
	return b
}
