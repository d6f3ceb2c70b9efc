package view

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AuditLine is a row of the audit log.
type AuditLine struct {
	Row    int64           `json:"row"`
	At     time.Time       `json:"at"`
	What   string          `json:"what"`
	Env    string          `json:"environment,omitempty"`
	Run    string          `json:"run,omitempty"`
	By     string          `json:"by,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"` // an object of the row's own
	Events []AuditEvent    `json:"events,omitempty"` // of the ledger, that the row covers
	Hash   string          `json:"hash"`
}

// AuditEvent is an event of the ledger, in short.
type AuditEvent struct {
	Event   int64  `json:"event"`
	What    string `json:"what"`         // intent, done, failed …
	Op      string `json:"op,omitempty"` // of an intent: create, update …
	Address string `json:"address"`
}

// AuditText renders audit rows, a row a line, in the order given.
func AuditText(rows []AuditLine, pg Page) string {
	if len(rows) == 0 {
		return "no such rows in the audit log\n"
	}
	cells := [][]string{{"ROW", "AT", "ENVIRONMENT", "WHAT", "BY", "RUN", "NOTE"}}
	for i := range rows {
		r := &rows[i]
		cells = append(cells, []string{
			strconv.FormatInt(r.Row, 10), r.At.UTC().Format(time.RFC3339), dash(r.Env), clean(r.What), dash(r.By), dash(r.Run), clean(r.note()),
		})
	}
	return boldFirst(table(cells), pg)
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return clean(s)
}

// AuditJSON renders audit rows as JSON: schema_version and rows.
func AuditJSON(rows []AuditLine) []byte {
	if rows == nil {
		rows = []AuditLine{}
	}
	return encode(struct {
		Schema int         `json:"schema_version"`
		Rows   []AuditLine `json:"rows"`
	}{SchemaVersion, rows})
}

// note is what a row says beside its columns, in short.
func (l *AuditLine) note() string {
	if len(l.Events) > 0 {
		return l.eventWords()
	}
	var detail map[string]any
	if json.Unmarshal(l.Detail, &detail) != nil {
		return ""
	}
	var parts []string
	take := func(key, before string, f func(string) string) {
		if s, ok := detail[key].(string); ok && s != "" {
			parts = append(parts, before+f(s))
		}
		delete(detail, key)
	}
	same := func(s string) string { return s }
	take("state", "", same)
	take("verdict", "", same)
	take("digest", "plan ", PlanID)
	take("trigger", "by ", same)
	take("commit", "@ ", short)
	if rules, ok := detail["rules"].([]any); ok {
		parts = append(parts, ruleWords(rules))
		delete(detail, "rules")
	}
	for _, key := range slices.Sorted(maps.Keys(detail)) {
		words := detailWords(detail[key])
		if words != "" && key != "counts" {
			words = key + " " + words
		}
		if words != "" {
			parts = append(parts, words)
		}
	}
	return strings.Join(parts, ", ")
}

// noted is how many names a note has room for.
const noted = 3

// eventWords tells events by their objects: "aws.vpc/main create: intent, done".
func (l *AuditLine) eventWords() string {
	var addresses []string
	words := map[string][]string{}
	ops := map[string]string{}
	for _, ev := range l.Events {
		if words[ev.Address] == nil {
			addresses = append(addresses, ev.Address)
		}
		words[ev.Address] = append(words[ev.Address], ev.What)
		if ev.Op != "" {
			ops[ev.Address] = " " + ev.Op
		}
	}
	var parts []string
	for _, a := range addresses[:min(noted, len(addresses))] {
		parts = append(parts, a+ops[a]+": "+strings.Join(words[a], ", "))
	}
	if n := len(addresses) - noted; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(parts, "; ")
}

// ruleWords names rules, each once.
func ruleWords(rules []any) string {
	var names []string
	for _, r := range rules {
		m, _ := r.(map[string]any)
		if name, _ := m["rule"].(string); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// detailWords writes a value of a row's own; "" where there is nothing to say.
func detailWords(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		words := make([]string, 0, len(v))
		for _, e := range v {
			words = append(words, detailWords(e))
		}
		return strings.Join(words, " ")
	case map[string]any:
		words := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			words = append(words, detailWords(v[key])+" "+key)
		}
		return strings.Join(words, " ")
	}
	return ""
}
