package view

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StatusText renders the status table: an environment a line, with its
// repository where there are several. Below it stands that no daemon keeps it up
// to date, where one did.
func StatusText(o Overview, pg Page) string {
	if len(o.Environments) == 0 {
		return noEnvironments
	}
	out := boldFirst(table(fit(statusCells(o.Environments), pg.Width)), pg)
	if why := o.deserted(); why != "" {
		out += "\n" + why + "\n"
	}
	return out
}

// StatusMarkdown renders the status table for a comment or a summary.
func StatusMarkdown(o Overview) string {
	if len(o.Environments) == 0 {
		return noEnvironments
	}
	out := pipes(statusCells(o.Environments))
	if why := o.deserted(); why != "" {
		out += "\n" + why + "\n"
	}
	return out
}

const noEnvironments = "no environments yet: commit one under environments/NAME, then look again\n"

// deserted says that no daemon works on a store that one worked on, and how old
// what is told is. Environments that people alone work on have no repository of
// a daemon's, and nobody expects one there.
func (o Overview) deserted() string {
	kept := func(s Status) bool { return s.Repo != "" }
	if o.Daemon || !slices.ContainsFunc(o.Environments, kept) {
		return ""
	}
	last := time.Duration(-1)
	for _, s := range o.Environments {
		if s.Checked >= 0 && (last < 0 || s.Checked < last) {
			last = s.Checked
		}
	}
	if last < 0 {
		return "no daemon runs on this store, and nothing was checked yet: isobar serve starts one"
	}
	return "no daemon runs on this store; the last check was " + ago(last) + ": isobar serve starts one"
}

func statusCells(rows []Status) [][]string {
	repos := make([]string, len(rows))
	cells := [][]string{{"ENVIRONMENT", "MODE", "COMMIT", "STATE", "DRIFT", "CHECKED", "RESOURCES", "NOTE"}}
	for i := range rows {
		repos[i] = rows[i].Repo
		cells = append(cells, rows[i].cells())
	}
	return withRepos(cells, 1, repos)
}

func (s *Status) cells() []string {
	drift := "–"
	if s.Drift >= 0 {
		drift = strconv.Itoa(s.Drift)
	}
	return []string{
		clean(s.Env), clean(cmp.Or(s.Mode, "–")), clean(short(s.Commit)), clean(s.State), drift, ago(s.Checked),
		thousands(s.Resources), clean(s.Note),
	}
}

// withRepos adds a column with a line's repository, where they are of several.
func withRepos(cells [][]string, at int, repos []string) [][]string {
	several := slices.ContainsFunc(repos, func(r string) bool { return r != repos[0] })
	if !several {
		return cells
	}
	for i := range cells {
		name := "REPOSITORY"
		if i > 0 {
			name = clean(repos[i-1])
		}
		cells[i] = slices.Insert(cells[i], at, name)
	}
	return cells
}

func boldFirst(t string, pg Page) string {
	head, rest, _ := strings.Cut(t, "\n")
	return ink(pg.Color).paint(bold, head) + "\n" + rest
}

// StatusJSON renders the status table as JSON: schema_version, daemon and
// environments.
func StatusJSON(o Overview) []byte {
	out := make([]Status, len(o.Environments))
	for i, s := range o.Environments {
		s.Seconds = -1
		if s.Checked >= 0 {
			s.Seconds = s.Checked.Seconds()
		}
		out[i] = s
	}
	return encode(struct {
		Schema       int      `json:"schema_version"`
		Daemon       bool     `json:"daemon"` // one is known to work on the store
		Environments []Status `json:"environments"`
	}{SchemaVersion, o.Daemon, out})
}

// RunsText renders the list of runs, a run a line, in the order given.
func RunsText(rows []RunLine, pg Page) string {
	if len(rows) == 0 {
		return noRuns
	}
	return boldFirst(table(fit(runCells(rows), pg.Width)), pg)
}

// RunsMarkdown renders the list of runs for a comment or a summary.
func RunsMarkdown(rows []RunLine) string {
	if len(rows) == 0 {
		return noRuns
	}
	return pipes(runCells(rows))
}

const noRuns = "no runs yet\n"

func runCells(rows []RunLine) [][]string {
	repos := make([]string, len(rows))
	cells := [][]string{{"RUN", "ENVIRONMENT", "COMMIT", "TRIGGER", "STATE", "CHANGES", "STARTED", "TOOK", "NOTE"}}
	for i, r := range rows {
		repos[i] = r.Repo
		cells = append(cells, []string{
			clean(r.ID), clean(r.Env), clean(short(r.Commit)), clean(cmp.Or(r.Trigger, "–")), string(r.State), strconv.Itoa(r.Changes),
			ago(r.Ago), lasting(r.Took), clean(r.Note),
		})
	}
	return withRepos(cells, 2, repos)
}

// RunsJSON renders the list of runs as JSON: schema_version and runs.
func RunsJSON(rows []RunLine) []byte {
	out := make([]RunLine, len(rows))
	for i, r := range rows {
		r.Seconds, r.Lasted = r.Ago.Seconds(), r.Took.Seconds()
		out[i] = r
	}
	return encode(struct {
		Schema int       `json:"schema_version"`
		Runs   []RunLine `json:"runs"`
	}{SchemaVersion, out})
}
