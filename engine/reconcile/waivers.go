package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/spelling"
)

// waive turns a decision that the spec accepts into a note. One whose waiver has
// ended says so, for somebody thought that it was settled. today is a UTC day.
func waive(it *policy.Item, waivers []spec.Waiver, today string) {
	if !it.Waivable() {
		return
	}
	ended := ""
	for _, w := range waivers {
		if w.Rule != it.ID && w.Rule != it.Rule || w.Address != "" && w.Address != it.Address.Local() {
			continue
		}
		if w.Until != "" && w.Until < today {
			ended = fmt.Sprintf(" (its waiver ended with %s: %s)", w.Until, w.Reason)
			continue
		}
		it.Code = diag.PolicyWaived
		it.Message += " (waived: " + w.Reason + ")"
		return
	}
	it.Message += ended
}

// idleWaivers warns of the waivers that accept nothing, whatever the plan: their
// rule is none, or their address is of a kind that is none.
func idleWaivers(rules *policy.Engine, waivers []spec.Waiver, kinds resource.Descriptors) diag.List {
	var out diag.List
	for _, w := range waivers {
		f := diag.Finding{Code: diag.PolicyWaiver, Severity: diag.Warning, Where: diag.Place(w.At), Subject: "policy.waivers"}
		kind, _, _ := strings.Cut(w.Address, "/")
		switch {
		case !rules.Names(w.Rule):
			f.Message = fmt.Sprintf("no rule that judges this environment is called %s, so the waiver accepts nothing", w.Rule)
			f.Mend = guess(rules.Like(w.Rule), "take the waiver out; isobar explain lists the rules")
		case kind != "" && len(kinds) > 0 && kinds[kind] == nil:
			f.Message = fmt.Sprintf("there is no kind %s, so the waiver accepts nothing", kind)
			f.Mend = guess(spelling.Nearest(kind, slices.Collect(maps.Keys(kinds))), "take the waiver out, or correct the address")
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

func guess(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return "did you mean " + name + "?"
}
