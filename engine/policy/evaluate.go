package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// Decision is what all rules say of one plan, in order: denials, warnings,
// waived ones, each by id, address and message.
type Decision struct{ Items []Item }

// Item is one thing that a rule says.
type Item struct {
	Code    diag.Code        // POL-301 denied, POL-302 warned, POL-303 waived, POL-311 adopted all the same, POL-310 an exception for no rule; else why a rule counts as denied
	Rule    string           // "deny_open_ssh"
	ID      string           // "SG-001": the decision's own, else the rule's metadata's; or ""
	Message string           //
	Mend    string           // what to do, or ""
	Address resource.Address // of the object, zero where the rule named none
	RuleAt  diag.Place       // the rule
	SpecAt  diag.Place       // the object or its field in the spec, where known
}

// Denied reports whether a rule forbids the plan.
func (d Decision) Denied() bool {
	return slices.ContainsFunc(d.Items, func(i Item) bool { return i.severity() == diag.Error })
}

// Findings gives the decision for people: an Error denies, a Warning warns, a
// Note was waived. Where is the place in the spec, else the rule's.
func (d Decision) Findings() diag.List {
	out := make(diag.List, len(d.Items))
	for i := range d.Items {
		out[i] = d.Items[i].finding()
	}
	return out
}

// Waivable reports whether a rule decided, as against one that could not be
// asked: that is what an exception or a waiver accepts.
func (i *Item) Waivable() bool {
	return i.Code == diag.PolicyDenied || i.Code == diag.PolicyWarned || i.Code == diag.PolicyAdopted
}

func (i *Item) severity() diag.Severity {
	switch i.Code {
	case diag.PolicyWarned, diag.PolicyAdopted, diag.PolicyIdle:
		return diag.Warning
	case diag.PolicyWaived:
		return diag.Note
	default:
		return diag.Error
	}
}

func (i *Item) finding() diag.Finding {
	f := diag.Finding{Code: i.Code, Severity: i.severity(), Where: i.SpecAt, Message: i.Message, Mend: i.Mend}
	if !i.Address.IsZero() {
		f.Subject = i.Address.Local()
	}
	if i.ID != "" && !strings.HasPrefix(f.Message, i.ID) {
		f.Message = i.ID + ": " + f.Message
	}
	if i.Code == diag.PolicyAdopted {
		f.Message += "; it is adopted as it is, and denied once anything of it changes, and by isobar validate, which takes all for new"
	}
	rule := diag.Place{File: i.RuleAt.File, Line: i.RuleAt.Line}.String()
	switch {
	case f.Where.File == "":
		f.Where = i.RuleAt
	case rule != "":
		f.Message += " (rule " + rule + ")"
	}
	return f
}

// Evaluate puts the plan to every rule. A rule that fails while it runs, or
// that decides in an unreadable shape, counts as a denial at its place; so do
// the deadline and what it left unasked. An error comes only from ctx.
func (e *Engine) Evaluate(ctx context.Context, d *Document) (Decision, error) {
	limit := cmp.Or(e.Deadline, DefaultDeadline)
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &session{doc: d, cache: topdown.NewVirtualCache()}
	waived, items := e.waived(timed, s)
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	if timed.Err() != nil && e.exception != nil {
		return Decision{Items: []Item{slow(e.exception, limit)}}, nil
	}
	for i := range e.probes {
		p := &e.probes[i]
		rs, err := s.eval(timed, &p.query)
		if ctx.Err() != nil {
			return Decision{}, ctx.Err()
		}
		if err != nil && timed.Err() != nil {
			items = append(items, slow(p, limit))
			break
		}
		if err != nil {
			items = append(items, failure(p, err))
			continue
		}
		for _, it := range p.items(rs, d) {
			if slices.Contains(waived, p.suffix) && it.Waivable() {
				it.Code = diag.PolicyWaived
			}
			items = append(items, it)
		}
	}
	return Decision{Items: ordered(items)}, nil
}

// session is one evaluation: the rules share what they have worked out.
type session struct {
	doc   *Document
	cache topdown.VirtualCache
}

func (s *session) eval(ctx context.Context, q *rego.PreparedEvalQuery) (rego.ResultSet, error) {
	rs, err := q.Eval(ctx, rego.EvalParsedInput(s.doc.value), rego.EvalVirtualCache(s.cache))
	if err != nil {
		s.cache = topdown.NewVirtualCache() // an aborted evaluation may leave it half filled
	}
	return rs, err
}

// waived asks the exception rules which rules they waive: a set of lists of
// suffixes, "open_ssh" for deny_open_ssh and "" for a bare deny.
func (e *Engine) waived(ctx context.Context, s *session) (names []string, items []Item) {
	if e.exception == nil {
		return nil, nil
	}
	rs, err := s.eval(ctx, &e.exception.query)
	if err != nil {
		return nil, []Item{failure(e.exception, err)}
	}
	for _, v := range values(rs) {
		l, ok := v.([]any)
		if !ok {
			l = []any{v}
		}
		for _, n := range l {
			name, ok := n.(string)
			if !ok {
				continue
			}
			names = append(names, name)
			if f, stray := e.roster.stray(name); stray && !slices.Contains(e.told, name) {
				items = append(items, Item{Code: diag.PolicyIdle, Rule: e.exception.name, RuleAt: e.exception.at, Message: f.Message, Mend: f.Mend})
			}
		}
	}
	return names, items
}

// slow makes a denial of the rule that was running when the time was up.
func slow(p *probe, limit time.Duration) Item {
	return Item{
		Code: diag.PolicySlow, Rule: p.name, ID: p.id, RuleAt: p.at,
		Message: fmt.Sprintf("policy %s was still running after %s, the limit for all rules together; nothing was applied", p.name, limit),
		Mend:    "make the rule cheaper: a loop within a loop over all changes is the usual cause",
	}
}

// failure makes a denial of a rule that broke while it ran.
func failure(p *probe, err error) Item {
	it := Item{
		Code: diag.PolicyFailed, Rule: p.name, ID: p.id, RuleAt: p.at, Message: "policy " + p.name + " broke: " + bounded(firstLine(err.Error()), maxMessage),
		Mend: "mend the rule: until it runs through, it counts as a denial",
	}
	var te *topdown.Error
	if errors.As(err, &te) {
		it.Message = "policy " + p.name + " broke: " + gist(te)
		if te.Location != nil {
			it.RuleAt = at(te.Location)
		}
	}
	return it
}

// values are the members of the one result of a query.
func values(rs rego.ResultSet) []any {
	var out []any
	for _, r := range rs {
		for _, x := range r.Expressions {
			switch v := x.Value.(type) {
			case []any:
				out = append(out, v...)
			default:
				out = append(out, v)
			}
		}
	}
	return out
}

// items reads a rule's decisions: strings, or objects with msg.
func (p *probe) items(rs rego.ResultSet, d *Document) []Item {
	var out []Item
	for _, v := range values(rs) {
		switch x := v.(type) {
		case bool:
			if x {
				out = append(out, p.item(cmp.Or(p.title, p.name+" holds"), nil, d))
			}
		case string:
			out = append(out, p.item(x, nil, d))
		case map[string]any:
			out = append(out, p.objectItems(x, d)...)
		default:
			out = append(out, p.unreadable(v))
		}
	}
	if len(out) > maxDecisions {
		out = ordered(out)
	}
	if rest := len(out) - maxDecisions; rest > 0 {
		more := p.item(fmt.Sprintf("%s has %d more to say of this plan, which is not shown", p.name, rest), nil, d)
		more.Mend = "let the rule say one thing of an object"
		out = append(out[:maxDecisions:maxDecisions], more)
	}
	return out
}

func (p *probe) objectItems(x map[string]any, d *Document) []Item {
	if msg, ok := x["msg"].(string); ok {
		return []Item{p.item(msg, x, d)}
	}
	var out []Item
	for k, v := range x { // deny[msg] in today's Rego is an object of true
		if yes, ok := v.(bool); !ok || !yes {
			return []Item{p.unreadable(x)}
		}
		out = append(out, p.item(k, nil, d))
	}
	return out
}

func (p *probe) unreadable(v any) Item {
	return Item{
		Code: diag.PolicyShape, Rule: p.name, ID: p.id, RuleAt: p.at,
		Message: fmt.Sprintf("policy %s decided %s, which is neither a text nor an object with msg", p.name, bounded(firstLine(fmt.Sprint(v)), 80)),
		Mend:    `let it give a text, or {"msg": …, "address": …}`,
	}
}

// item makes a decision of a message and the object's other keys: id, address,
// path and mend, all optional.
func (p *probe) item(msg string, x map[string]any, d *Document) Item {
	it := Item{Code: diag.PolicyDenied, Rule: p.name, Message: p.said(msg), RuleAt: p.at}
	if p.verdict == warn {
		it.Code = diag.PolicyWarned
	}
	word := func(key string) string { s, _ := x[key].(string); return s }
	it.ID, it.Mend = bounded(cmp.Or(word("id"), p.id), maxID), bounded(cmp.Or(word("mend"), p.mend), maxMessage)
	a, ok := d.names[word("address")]
	if !ok {
		a, ok = d.mentioned(msg)
	}
	if ok {
		it.Address = a
		path := word("path")
		if f := d.parts[word("address")]; f != "" {
			path = f + "." + path // within the field that Terraform has as a resource
		}
		it.SpecAt = d.place(a, path)
		if it.Code == diag.PolicyDenied && d.adopted[a] {
			it.Code = diag.PolicyAdopted
		}
	}
	return it
}

// mentioned finds the one object that a message names.
func (d *Document) mentioned(msg string) (found resource.Address, ok bool) {
	for _, w := range strings.FieldsFunc(msg, func(r rune) bool { return strings.ContainsRune(" \t\n'\"`,;:()[]{}<>", r) }) {
		a, known := d.names[strings.TrimRight(w, ".!?")]
		if !known {
			continue
		}
		if ok && a != found {
			return resource.Address{}, false
		}
		found, ok = a, true
	}
	return found, ok
}

// ordered sorts items by severity, id, address, message and rule, each once.
func ordered(items []Item) []Item {
	rank := map[diag.Severity]int{diag.Error: 0, diag.Warning: 1, diag.Note: 2}
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(rank[a.severity()], rank[b.severity()]), cmp.Compare(a.ID, b.ID), a.Address.Compare(b.Address),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.RuleAt.File, b.RuleAt.File), cmp.Compare(a.RuleAt.Line, b.RuleAt.Line))
	})
	return slices.Compact(items)
}
