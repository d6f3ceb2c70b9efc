package web

import (
	"context"
	"maps"
	"slices"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Statuses gives the store's environments as people see them at a time.
func Statuses(rows []store.Environment, now time.Time) []view.Status {
	out := make([]view.Status, 0, len(rows))
	for _, row := range rows {
		if bygone(&row) {
			continue
		}
		s := view.Status{
			Env: row.Name, Repo: row.Repo, Mode: row.Mode, Commit: row.Commit, State: row.State, Drift: row.Drift,
			Checked: -1, Seconds: -1, Resources: row.Resources, Note: row.Note,
		}
		if !row.CheckedAt.IsZero() {
			s.Checked = now.Sub(row.CheckedAt)
			s.Seconds = s.Checked.Seconds()
		}
		out = append(out, s)
	}
	return out
}

// bygone reports whether nothing is left to say of an environment: its repository
// no longer has it, and isobar owns nothing there and knows of nothing to do. Its
// runs are kept.
func bygone(row *store.Environment) bool {
	return row.Absent && row.Resources == 0 && row.Note == "" && (row.State == "in sync" || row.State == "destroyed")
}

// withRefused adds a line for each environment that a repository has and may
// not have, below the one of its name that goes on.
func withRefused(lines []view.Status, refused []reconcile.Refusal) []view.Status {
	for _, r := range refused {
		at := slices.IndexFunc(lines, func(s view.Status) bool { return s.Env > r.Env })
		if at < 0 {
			at = len(lines)
		}
		lines = slices.Insert(lines, at, view.Status{
			Env: r.Env, Repo: r.Repo, Commit: r.Commit, State: "refused", Drift: -1, Checked: -1, Seconds: -1, Note: r.Finding.Message,
		})
	}
	return lines
}

// withUnread adds a line for each repository of which nothing was read yet.
func withUnread(lines []view.Status, unread map[string]string) []view.Status {
	for _, name := range slices.Sorted(maps.Keys(unread)) {
		lines = append(lines, view.Status{
			Env: "–", Repo: name, State: "unread", Drift: -1, Checked: -1, Seconds: -1, Note: unread[name],
		})
	}
	return lines
}

// blocked says of every line that nothing can be done, and why: what the rows
// say is of the time before.
func blocked(lines []view.Status, why string) []view.Status {
	if why == "" {
		return lines
	}
	if len(lines) == 0 {
		lines = append(lines, view.Status{Env: "–", Drift: -1, Checked: -1, Seconds: -1})
	}
	for i := range lines {
		lines[i].State, lines[i].Note = "blocked", why
	}
	return lines
}

// Deciders tells what a person said of a plan.
type Deciders interface {
	Approval(ctx context.Context, env, digest string) (store.Approval, error)
}

// RunLines gives the store's runs as people see them at a time, with what people said
// of their plans.
func RunLines(ctx context.Context, said Deciders, rows []store.Run, now time.Time) []view.RunLine {
	out := make([]view.RunLine, 0, len(rows))
	for _, row := range rows {
		ago := now.Sub(row.Started)
		l := view.RunLine{
			ID: row.ID, Env: row.Env, Repo: row.Repo, Commit: row.Commit, Trigger: row.Trigger, State: view.State(row.State), Ago: ago, Seconds: ago.Seconds(), Began: row.Started.UTC(), Note: row.Note,
			Word:    decision(ctx, said, &row),
			Changes: row.Counts.Create + row.Counts.Update + row.Counts.Replace + row.Counts.Delete,
		}
		if !row.Ended.IsZero() {
			l.Took = row.Ended.Sub(row.Started)
			l.Lasted = l.Took.Seconds()
		}
		out = append(out, l)
	}
	return out
}

// decision is what a person said of a run: of the plan that it asked about, or that it
// was approved to apply. The store keeps one a plan; nil where there is none.
func decision(ctx context.Context, said Deciders, row *store.Run) *view.Word {
	if row.Digest == "" {
		return nil
	}
	a, err := said.Approval(ctx, row.Env, row.Digest)
	asked := row.State == store.Approved || row.State == store.Rejected || row.State == store.Cancelled
	if err != nil || a.Run != row.ID && (!asked || a.At.Before(row.Started)) {
		return nil
	}
	return &view.Word{Verdict: string(a.Verdict), By: a.By, At: a.At.UTC()}
}

// Events gives an environment's events after a Seq, in order.
type Events interface {
	Events(ctx context.Context, env string, after int64) ([]ledger.Event, error)
}

// AuditLines gives the store's audit rows as people see them, with the events
// that they cover.
func AuditLines(ctx context.Context, from Events, rows []store.AuditRow) ([]view.AuditLine, error) {
	events := map[string][]ledger.Event{} // by environment, from the first that is asked for
	out := make([]view.AuditLine, 0, len(rows))
	for _, row := range rows {
		l := view.AuditLine{
			Row: row.Seq, At: row.At, What: row.Kind, Env: row.Env, Run: row.Run, By: row.Actor, Detail: row.Body, Hash: row.Hash,
		}
		first, last, ok := row.Covers()
		if ok && events[row.Env] == nil {
			evs, err := from.Events(ctx, row.Env, first-1)
			if err != nil {
				return nil, err
			}
			events[row.Env] = evs
		}
		for _, ev := range events[row.Env] {
			if ok && ev.Seq >= first && ev.Seq <= last {
				l.Events = append(l.Events, auditEvent(ev))
			}
		}
		out = append(out, l)
	}
	return out, nil
}

func auditEvent(ev ledger.Event) view.AuditEvent {
	out := view.AuditEvent{Event: ev.Seq, What: string(ev.Type), Address: ev.Address.Local()}
	if ev.Intent != nil {
		out.Op = string(ev.Intent.Op)
	}
	return out
}
