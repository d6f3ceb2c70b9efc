package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "audit", Short: "Read and prove the log of everything that was decided and done",
		Long: "Every decision and every call is a row: a run's states with who set it going, the events of the ledger (an intent\n" +
			"before each call, its outcome after it), verdicts on plans, what rules said, leases, copies of the store. Each row's\n" +
			"hash covers the row before it, so none can be changed, left out or put in between.",
	}
	c.AddCommand(a.auditLogCommand(), a.auditVerifyCommand())
	return c
}

func (a *app) auditLogCommand() *cobra.Command {
	var env, since string
	limit := 20
	c := &cobra.Command{
		Use: "log", Short: "List the newest rows, in order", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := sinceTime(since, time.Now())
			if err != nil {
				return err
			}
			return a.withRecords(c.Context(), func(r records) error {
				lines, err := r.AuditLog(c.Context(), store.AuditFilter{Env: env, Since: from, Limit: limit})
				if err != nil {
					return err
				}
				if a.output == "json" {
					a.write(view.AuditJSON(lines))
					return nil
				}
				a.table(view.AuditText(lines, page(a.out)))
				return nil
			})
		},
	}
	c.Flags().StringVar(&env, "env", "", "rows of the environment `ENV` alone")
	c.Flags().StringVar(&since, "since", "", "rows since `WHEN`: a time, a day, or how long ago, such as 24h")
	c.Flags().IntVarP(&limit, "limit", "n", limit, "the newest `N` rows, 0 for all")
	return c
}

// sinceTime reads a time, a day (of UTC), or how long ago something was.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, diag.List{usage(fmt.Sprintf("%q is no time", text), "write --since 24h, 2026-11-24 or 2026-11-24T10:00:00Z")}
}

// wholeHash is a row's hash as verify prints it.
var wholeHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (a *app) auditVerifyCommand() *cobra.Command {
	last := ""
	c := &cobra.Command{
		Use: "verify", Short: "Prove that no row of the log was changed", Args: cobra.NoArgs,
		Long: "Recomputes every row's hash and those of the events that rows cover, also while a daemon runs. A byte that was\n" +
			"changed is found, and the row is named. Rows cut off at the end leave a whole log: keep the last hash that verify\n" +
			"prints somewhere else, and give it to a later verify with --last.",
		RunE: func(c *cobra.Command, _ []string) error {
			if last != "" && !wholeHash.MatchString(last) {
				return diag.List{usage(fmt.Sprintf("%q is no row's hash", last), "give the 64 digits that audit verify printed")}
			}
			return a.withRecords(c.Context(), func(r records) error {
				proof, err := r.VerifyAudit(c.Context(), last)
				if err != nil {
					return err
				}
				return a.proved(proof, last)
			})
		},
	}
	c.Flags().StringVar(&last, "last", "", "a row must have this `HASH`, which an earlier verify printed")
	return c
}

// proved says what an audit log that is whole comes to.
func (a *app) proved(p store.Proof, last string) error {
	if a.output == "json" {
		return a.writeJSON(struct {
			Schema int `json:"schema_version"`
			store.Proof
		}{view.SchemaVersion, p})
	}
	if p.Rows == 0 {
		a.table("audit: no rows yet\n")
		return nil
	}
	text := fmt.Sprintf("audit: %s, unbroken since %s; last hash %s\n", counted(int(p.Rows), "row"), p.Since.Format(time.RFC3339), p.Last)
	if last == "" {
		text += "  keep the hash elsewhere: isobar audit verify --last HASH then tells if rows were cut off at the end\n"
	}
	a.table(text)
	return nil
}
