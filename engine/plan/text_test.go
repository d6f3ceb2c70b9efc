package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// legible is a plan as goldens hold it.
type legible struct {
	Digest  string `json:"digest,omitempty"`
	Kept    int    `json:"kept,omitempty"`
	Changes []any  `json:"changes,omitempty"`
	Steps   []any  `json:"steps,omitempty"`
	Held    []any  `json:"held,omitempty"`
	Notes   []any  `json:"notes,omitempty"`
	Ledger  []any  `json:"ledger,omitempty"`
}

type pairs = map[string]any

// lean drops what is empty.
func lean(m pairs) pairs {
	for k, v := range m {
		if b, err := json.Marshal(v); err == nil {
			switch string(b) {
			case `""`, `null`, `{}`, `[]`, `false`, `0`, `{"id":""}`:
				delete(m, k)
			}
		}
	}
	return m
}

func raw(v resource.Value) any {
	if v == nil {
		return nil
	}
	return json.RawMessage(resource.Encode(v))
}

func rawMap(m resource.Map) any {
	if m == nil {
		return nil
	}
	return raw(m)
}

func stepsOf(p *plan.Plan) []any {
	var out []any
	for _, s := range p.Steps {
		var changes []any
		for _, c := range s.Changes {
			changes = append(changes, lean(pairs{"path": c.Path.String(), "before": raw(c.Before), "after": raw(c.After)}))
		}
		out = append(out, lean(pairs{
			"id": s.ID, "op": s.Op, "address": s.Address.Local(), "token": s.Token, "aspect": s.Aspect, "want": rawMap(s.Want), "outs": rawMap(s.Outs), "changes": changes,
			"before": rawMap(s.Before), "live": s.Live, "needs": s.Needs, "meta": s.Meta, "deps": s.Deps, "deposes": s.Deposes,
		}))
	}
	return out
}

func legibly(p *plan.Plan) legible {
	out := legible{Digest: p.Digest, Kept: p.Kept, Steps: stepsOf(p)}
	for _, c := range p.Changes {
		var fields []any
		for _, f := range c.Fields {
			fields = append(fields, lean(pairs{
				"path": f.Path.String(), "before": raw(f.Before), "after": raw(f.After), "cause": f.Cause, "at": f.At,
				"replaces": f.Replaces, "sensitive": f.Sensitive, "conflict": f.Conflict,
			}))
		}
		var reasons []any
		for _, r := range c.Reasons {
			of := ""
			if !r.Of.IsZero() {
				of = r.Of.Local()
			}
			reasons = append(reasons, lean(pairs{"cause": r.Cause, "at": r.At, "of": of, "text": r.Text}))
		}
		out.Changes = append(out.Changes, lean(pairs{
			"address": c.Address.Local(), "action": c.Action, "token": c.Token, "id": c.ID, "deposed": c.Deposed, "disruptive": c.Disruptive,
			"first": c.First, "before": rawMap(c.Before), "after": rawMap(c.After), "fields": fields, "reasons": reasons, "at": c.At,
		}))
	}
	for _, h := range p.Held {
		out.Held = append(out.Held, lean(pairs{"address": h.Address.Local(), "action": h.Action, "why": h.Why, "text": h.Text, "mend": h.Mend}))
	}
	for _, n := range p.Notes {
		out.Notes = append(out.Notes, pairs{"address": n.Address.Local(), "text": n.Text})
	}
	for _, c := range p.Ledger {
		from := ""
		if c.From != nil {
			from = c.From.Local()
		}
		var rec any
		if c.Record != nil {
			rec = c.Record
		}
		out.Ledger = append(out.Ledger, lean(pairs{"address": c.Address.Local(), "token": c.Token, "type": c.Type, "from": from, "why": c.Why, "record": rec}))
	}
	return out
}

func text(p *plan.Plan) string {
	b, err := json.MarshalIndent(legibly(p), "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// differences gives the lines in which two texts differ.
func differences(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return "-" + strings.Join(x, "\n-") + "\n+" + strings.Join(y, "\n+")
}

// brief is a plan in few lines, for messages of failed laws.
func brief(p *plan.Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s %s %s\n", c.Action, c.Address.Local(), c.Token, c.ID)
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "  step %s: want %s, changes", s.ID, resource.Encode(s.Want))
		for _, c := range s.Changes {
			fmt.Fprintf(&b, " %s: %s → %s", c.Path, resource.Encode(c.Before), resource.Encode(c.After))
		}
		fmt.Fprintf(&b, ", needs %s\n", strings.Join(s.Needs, ", "))
	}
	for _, h := range p.Held {
		fmt.Fprintf(&b, "  held %s %s: %s: %s\n", h.Action, h.Address.Local(), h.Why, h.Text)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "  note %s: %s\n", n.Address.Local(), n.Text)
	}
	for _, c := range p.Ledger {
		r, _ := json.Marshal(c.Record)
		fmt.Fprintf(&b, "  ledger %s %s %s %s\n", c.Type, c.Address.Local(), c.Token, r)
	}
	return b.String()
}
