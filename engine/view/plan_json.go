package view

import (
	"encoding/json"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// SchemaVersion is the version of every JSON form of this package. It rises
// when a field is renamed, removed or changes its meaning; new fields may come
// without.
const SchemaVersion = 1

// PlanJSON is a plan's JSON form.
type PlanJSON struct {
	Schema      int            `json:"schema_version"`
	Environment string         `json:"environment"`
	Commit      string         `json:"commit,omitempty"`
	Subject     string         `json:"subject,omitempty"`
	Mode        string         `json:"mode,omitempty"`
	Plan        string         `json:"plan,omitempty"`   // its name, "9c1e-44b0"
	Digest      string         `json:"digest,omitempty"` // the whole digest, hex SHA-256
	Outcome     string         `json:"outcome"`          // the headline's words
	Counts      map[string]int `json:"counts"`           // by action
	Denied      bool           `json:"denied"`           // by a policy
	Changes     []ChangeJSON   `json:"changes"`          // riskiest first
	Steps       []StepJSON     `json:"steps"`            // by id
	Held        []HeldJSON     `json:"held"`
	Notes       []NoteJSON     `json:"notes"`
	Over        *OverJSON      `json:"over_budget,omitempty"` // where it deletes or replaces more than it may unasked
	Late        []LateJSON     `json:"late,omitempty"`        // of what reads as before isobar's own write, and can't be told yet
	Policy      diag.List      `json:"policy"`                // severity error denies, warning warns, note was waived
	Findings    diag.List      `json:"findings"`              // in the spec
	Kept        int            `json:"kept"`                  // resources that are as wanted; none of those in late
	Reads       int            `json:"reads"`
	ReadMillis  int64          `json:"read_ms"`
	Next        string         `json:"next"`              // the next step in words
	Text        string         `json:"text,omitempty"`    // of a plan that was kept: as people read it
	Shown       time.Time      `json:"shown_at,omitzero"` // of a plan that is looked up: when people were shown it last, UTC
}

// ChangeJSON is one change of a plan.
type ChangeJSON struct {
	Address    string      `json:"address"`
	Action     plan.Action `json:"action"`
	Symbol     string      `json:"symbol"`
	ID         resource.ID `json:"id,omitempty"`
	Deposed    bool        `json:"deposed,omitempty"`
	Disruptive bool        `json:"disruptive,omitempty"`
	First      bool        `json:"create_before_destroy,omitempty"`
	Why        string      `json:"why,omitempty"`
	At         string      `json:"at,omitempty"` // file:line
	Fields     []FieldJSON `json:"fields,omitempty"`
}

// FieldJSON is one field of a change. Before and After are values as
// resource.Encode writes them, absent where the field is; what is sensitive is
// "(secret)".
type FieldJSON struct {
	Path     string          `json:"path"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
	Unknown  bool            `json:"known_after_apply,omitempty"`
	Cause    plan.Cause      `json:"cause"`
	Why      string          `json:"why,omitempty"`
	At       string          `json:"at,omitempty"`
	Replaces bool            `json:"forces_replacement,omitempty"`
	Conflict bool            `json:"conflict,omitempty"`
	Elements []ElementJSON   `json:"elements,omitempty"` // of a list that was there, whose elements have a key: those that differ
}

// ElementJSON is one element of a list that comes, goes or becomes another one.
type ElementJSON struct {
	Key    string          `json:"key"`              // what tells it apart from the others: a route's destination, "0.0.0.0/0"
	Before json.RawMessage `json:"before,omitempty"` // absent for one that comes
	After  json.RawMessage `json:"after,omitempty"`  // absent for one that goes
}

func elementsJSON(f *resource.Field, before, after resource.Value) []ElementJSON {
	was, ok1 := asList(before)
	is, ok2 := asList(after)
	if len(keyFields(f)) == 0 || !ok1 || !ok2 || before == nil { // all of a new list comes
		return nil
	}
	var out []ElementJSON
	for _, p := range pairs(f, was, is) {
		key := elementKey(f, p.was)
		if p.was == nil {
			key = elementKey(f, p.is)
		}
		out = append(out, ElementJSON{Key: key, Before: raw(p.was), After: raw(p.is)})
	}
	return out
}

// StepJSON is one step of a plan.
type StepJSON struct {
	ID    string   `json:"id"`
	Needs []string `json:"needs,omitempty"`
	Sum   string   `json:"sum,omitempty"` // what it does to which object: the same in two plans where the step is
}

// HeldJSON is something that is not done, and why.
type HeldJSON struct {
	Address string       `json:"address"`
	Action  plan.Action  `json:"action,omitempty"`
	Why     plan.HeldWhy `json:"why"`
	Field   string       `json:"field,omitempty"` // of flapping: the path of the field
	Text    string       `json:"text,omitempty"`
	Mend    string       `json:"mend,omitempty"`
	Until   time.Time    `json:"until,omitzero"` // for "too soon" and "in doubt": when it can be told, UTC
}

// OverJSON is how far a plan goes beyond its budget of deletes.
type OverJSON struct {
	Goes     int    `json:"goes"`             // objects that would be deleted or replaced
	Owned    int    `json:"owned"`            // objects that the environment owns
	Limit    int    `json:"limit"`            // how many may go at once, unasked
	Settings string `json:"settings"`         // what says so in the spec
	Undoes   string `json:"undoes,omitempty"` // not so: the address of what would be replaced only since it was changed outside
	Text     string `json:"text"`
}

func overJSON(e *plan.Excess) *OverJSON {
	if e == nil {
		return nil
	}
	return &OverJSON{Goes: e.Goes, Owned: e.Owned, Limit: e.Limit, Settings: e.Settings, Undoes: e.Undoes, Text: e.Text()}
}

func (o *OverJSON) excess() *plan.Excess {
	if o == nil {
		return nil
	}
	return &plan.Excess{Goes: o.Goes, Owned: o.Owned, Limit: o.Limit, Settings: o.Settings, Undoes: o.Undoes}
}

// NoteJSON is a note of a plan.
type NoteJSON struct {
	Address string `json:"address"`
	Text    string `json:"text"`
}

// JSON renders the plan as indented JSON, see PlanJSON.
func (p *Plan) JSON() []byte { return encode(p.Report()) }

// Kept renders the plan as JSON to be kept, with its text for those who look at it
// later: on pg.
func (p *Plan) Kept(pg Page) []byte {
	out, later := p.Report(), *p
	later.Next = "as it was planned then" // what to do now is the run's to say
	out.Text = later.Text(pg)
	return encode(out)
}

// Report gives the plan's JSON form, for callers that embed it in their own.
func (p *Plan) Report() PlanJSON {
	out := PlanJSON{
		Schema: SchemaVersion, Environment: p.Plan.Env, Commit: p.Commit, Subject: clean(p.Subject), Mode: p.Mode,
		Plan: PlanID(p.Plan.Digest), Digest: p.Plan.Digest, Outcome: p.outcome(), Counts: map[string]int{}, Denied: p.Denied(),
		Changes: []ChangeJSON{}, Steps: []StepJSON{}, Held: []HeldJSON{}, Notes: []NoteJSON{},
		Policy: diag.List{}, Findings: diag.List{},
		Kept: p.Plan.Kept, Reads: p.Reads, ReadMillis: p.Took.Milliseconds(), Next: p.next(),
	}
	for _, c := range p.ordered() {
		out.Counts[string(c.Action)]++
		out.Changes = append(out.Changes, p.changeJSON(c))
	}
	for i := range p.Plan.Steps {
		out.Steps = append(out.Steps, StepJSON{ID: p.Plan.Steps[i].ID, Needs: p.Plan.Steps[i].Needs, Sum: p.Plan.Steps[i].Sum()})
	}
	for _, h := range p.Plan.Held {
		out.Held = append(out.Held, heldJSON(h))
	}
	for _, n := range p.Plan.Notes {
		out.Notes = append(out.Notes, NoteJSON{Address: n.Address.Local(), Text: clean(n.Text)})
	}
	out.Late, out.Over = lateJSON(p.Plan.Late), overJSON(p.Over)
	out.Policy = append(out.Policy, decided(p.Policy)...)
	out.Findings = append(out.Findings, p.Spec.Sorted()...)
	return out
}

func (p *Plan) changeJSON(c *plan.Change) ChangeJSON {
	out := ChangeJSON{
		Address: c.Address.Local(), Action: c.Action, Symbol: symbol(c.Action), ID: c.ID, Deposed: c.Deposed,
		Disruptive: c.Disruptive, First: c.First, Why: why(c), At: place(c.At),
	}
	d := p.Kinds[c.Address.Type()]
	for i := range c.Fields {
		f := &c.Fields[i]
		before, after := shown(f, d)
		reason := cause(c, f)
		if sameSecret(before, after) {
			reason = join(", ", "value changed", reason)
		}
		out.Fields = append(out.Fields, FieldJSON{
			Path: f.Path.String(), Before: raw(before), After: raw(after), Unknown: resource.HasUnknown(f.After),
			Cause: f.Cause, Why: reason, At: place(f.At), Replaces: f.Replaces, Conflict: f.Conflict,
			Elements: elementsJSON(d.At(f.Path), before, after),
		})
	}
	return out
}

// raw encodes a value with every secret in it as "(secret)"; nil for none.
func raw(v resource.Value) json.RawMessage {
	if v == nil {
		return nil
	}
	return resource.Encode(resource.Rewrite(v, func(e resource.Value) resource.Value {
		if s, ok := e.(resource.Secret); ok {
			return resource.String(secretText(s))
		}
		return e
	}))
}
