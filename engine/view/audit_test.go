package view

import (
	"encoding/json"
	"testing"
	"time"
)

// TestAuditText shows a row of each kind, and that no row can write to the
// terminal what it likes.
func TestAuditText(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.FixedZone("east", 3600))
	row := func(n int64, what, by, run, detail string) AuditLine {
		return AuditLine{Row: n, At: at, What: what, Env: "prod", By: by, Run: run, Detail: json.RawMessage(detail)}
	}
	rows := []AuditLine{
		row(1, "lease ran out", "local", "", `{"epoch":2}`),
		row(2, "run", "mei", "r-1", `{"state":"applying","trigger":"push","commit":"3f2a91c8d0","digest":"9c1e44b0aa","counts":{"create":2,"delete":1}}`),
		row(3, "approval", "ann", "", `{"digest":"9c1e44b0aa","verdict":"reject"}`),
		row(4, "policy", "mei", "r-1", `{"verdict":"denied","rules":[{"rule":"SG-004"},{"rule":"SG-004"},{"rule":"OWN-1"}]}`),
		row(5, "lookups asked anew", "", "", `{"lookups":["aws.ami/web","aws.ami/db"]}`),
		row(6, "odd\x1b[2J", "", "", `"no object"`),
		{Row: 7, At: at, What: "events", Env: "prod", Run: "r-1", Events: []AuditEvent{
			{1, "intent", "create", "aws.vpc/main"},
			{2, "done", "", "aws.vpc/main"},
			{3, "adopted", "", "aws.vpc/b"},
			{4, "done", "", "aws.vpc/c"},
			{5, "done", "", "aws.vpc/d"},
		}},
	}
	const want = `ROW  AT                    ENVIRONMENT  WHAT                BY     RUN  NOTE
1    2026-11-24T08:00:00Z  prod         lease ran out       local  –    epoch 2
2    2026-11-24T08:00:00Z  prod         run                 mei    r-1  applying, plan 9c1e-44b0, by push, @ 3f2a91c, 2 create 1 delete
3    2026-11-24T08:00:00Z  prod         approval            ann    –    reject, plan 9c1e-44b0
4    2026-11-24T08:00:00Z  prod         policy              mei    r-1  denied, SG-004 OWN-1
5    2026-11-24T08:00:00Z  prod         lookups asked anew  –      –    lookups aws.ami/web aws.ami/db
6    2026-11-24T08:00:00Z  prod         odd\x1b[2J          –      –
7    2026-11-24T08:00:00Z  prod         events              –      r-1  aws.vpc/main create: intent, done; aws.vpc/b: adopted; aws.vpc/c: done; and 1 more
`
	if got := AuditText(rows, Page{}); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := AuditText(nil, Page{}); got != "no such rows in the audit log\n" {
		t.Errorf("got %q", got)
	}
	if got := string(AuditJSON(nil)); got != "{\n  \"schema_version\": 1,\n  \"rows\": []\n}\n" {
		t.Errorf("got %s", got)
	}
}
