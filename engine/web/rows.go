package web

import (
	"time"

	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Statuses gives the store's environments as people see them at a time.
func Statuses(rows []store.Environment, now time.Time) []view.Status {
	out := make([]view.Status, 0, len(rows))
	for _, row := range rows {
		s := view.Status{
			Env: row.Name, Mode: row.Mode, Commit: row.Commit, State: row.State, Drift: row.Drift,
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

// RunLines gives the store's runs as people see them at a time.
func RunLines(rows []store.Run, now time.Time) []view.RunLine {
	out := make([]view.RunLine, 0, len(rows))
	for _, row := range rows {
		ago := now.Sub(row.Started)
		l := view.RunLine{
			ID: row.ID, Env: row.Env, Commit: row.Commit, State: view.State(row.State), Ago: ago, Seconds: ago.Seconds(), Note: row.Note,
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
