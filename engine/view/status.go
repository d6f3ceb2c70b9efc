package view

import (
	"strconv"
	"strings"
)

// StatusText renders the status table: an environment a line.
func StatusText(rows []Status, pg Page) string {
	if len(rows) == 0 {
		return "no environments yet: commit one under environments/NAME, then look again\n"
	}
	cells := [][]string{{"ENVIRONMENT", "MODE", "COMMIT", "STATE", "DRIFT", "CHECKED", "RESOURCES", "NOTE"}}
	for i := range rows {
		cells = append(cells, rows[i].cells())
	}
	return boldFirst(table(cells), pg)
}

func (s *Status) cells() []string {
	drift := "–"
	if s.Drift >= 0 {
		drift = strconv.Itoa(s.Drift)
	}
	return []string{
		clean(s.Env), clean(s.Mode), clean(short(s.Commit)), clean(s.State), drift, ago(s.Checked),
		thousands(s.Resources), clean(s.Note),
	}
}

func boldFirst(t string, pg Page) string {
	head, rest, _ := strings.Cut(t, "\n")
	return ink(pg.Color).paint(bold, head) + "\n" + rest
}

// StatusJSON renders the status table as JSON: schema_version and environments.
func StatusJSON(rows []Status) []byte {
	out := make([]Status, len(rows))
	for i, s := range rows {
		s.Seconds = -1
		if s.Checked >= 0 {
			s.Seconds = s.Checked.Seconds()
		}
		out[i] = s
	}
	return encode(struct {
		Schema       int      `json:"schema_version"`
		Environments []Status `json:"environments"`
	}{SchemaVersion, out})
}

// RunsText renders the list of runs, a run a line, in the order given.
func RunsText(rows []RunLine, pg Page) string {
	if len(rows) == 0 {
		return "no runs yet\n"
	}
	cells := [][]string{{"RUN", "ENVIRONMENT", "COMMIT", "STATE", "CHANGES", "STARTED", "TOOK", "NOTE"}}
	for _, r := range rows {
		cells = append(cells, []string{
			clean(r.ID), clean(r.Env), clean(short(r.Commit)), string(r.State), strconv.Itoa(r.Changes),
			ago(r.Ago), lasting(r.Took), clean(r.Note),
		})
	}
	return boldFirst(table(cells), pg)
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
