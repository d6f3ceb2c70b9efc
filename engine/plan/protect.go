package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// settleOrder decides which replacements make the new object first: those that
// say so, those that something replaced that way refers to, those whose
// surviving dependants cannot let go of the old one before, and those that get
// another name.
func (b *builder) settleOrder() {
	for _, it := range b.items {
		if !it.replaces() || it.first {
			continue
		}
		for _, y := range b.dependants(it) {
			if !y.it.goes() && !y.it.clearable(y.dep.Aspect) && y.it.refersTo(it.addr, y.dep.Aspect) && !y.it.valued(it.addr, y.dep.Aspect) {
				it.first = true
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, it := range b.items {
			if !it.replaces() || !it.first {
				continue
			}
			for _, r := range it.refs {
				if t := b.byAddr[r.Address]; t != nil && t.replaces() && !t.first {
					t.first, changed = true, true
				}
			}
		}
	}
	for _, it := range b.items {
		if it.replaces() && it.first {
			it.uniqueInTheWay()
		}
	}
	b.standBeside()
}

// uniqueInTheWay holds a create-before-destroy whose new object would bear a
// name that the old one still has.
func (it *item) uniqueInTheWay() {
	for _, f := range it.kind.Fields {
		if !f.Unique || it.resolved[f.Name] == nil || !same(&f, it.resolved[f.Name], it.live.Object.Fields[f.Name]) || it.elsewhere(&f) {
			continue
		}
		if it.spared != "" {
			it.hold(HeldUnique, fmt.Sprintf("it is to be let go of and not deleted, requested by %s, and %s must be unique: the new one can't stand beside it", it.spared, f.Name),
				fmt.Sprintf("change %s too; or take the word back: isobar forget --undo %s %s", f.Name, it.addr.Env, it.addr.Local()))
			return
		}
		it.hold(HeldUnique, fmt.Sprintf("the new one must be made before the old one goes, and %s must be unique", f.Name),
			"change "+f.Name+" too, or leave createBeforeDestroy out")
	}
}

// elsewhere reports whether what a unique field's value is unique within will be
// another one than the object is in now. A spec that leaves it to the provider is
// not known to want another.
func (it *item) elsewhere(f *resource.Field) bool {
	within := it.kind.Field(f.UniqueIn)
	return within != nil && it.resolved[f.UniqueIn] != nil && !same(within, it.resolved[f.UniqueIn], it.live.Object.Fields[f.UniqueIn])
}

// clearable reports whether the aspect's references can be taken away before
// what they point at goes: no field of it that holds one is required.
func (it *item) clearable(aspect string) bool {
	for _, r := range it.refs {
		if f := it.kind.Field(r.field); r.aspect == aspect && (f == nil || f.Required || f.Immutable) {
			return false
		}
	}
	return true
}

func (it *item) refersTo(a resource.Address, aspect string) bool {
	for _, r := range it.refs {
		if r.Address == a && r.aspect == aspect {
			return true
		}
	}
	return false
}

// protect holds replacements of protected objects, and all deletions where
// there are more than the budget allows.
func (b *builder) protect() {
	n := 0
	for _, it := range b.items {
		if it.held != nil {
			continue
		}
		if it.replaces() && (it.want.Meta.PreventDestroy || it.entry.Record.Meta.PreventDestroy) {
			it.hold(HeldProtect, "it must be replaced, and is protected by preventDestroy", "undo the change, or first apply a spec with preventDestroy: false")
			continue
		}
		if it.guarded(); it.held == nil && it.spends() {
			n++
		}
	}
	owned := Owned(b.in.Ledger, b.in.Kinds)
	limit, bounded := b.in.Deletes.limit(owned)
	if !bounded || n <= limit {
		return
	}
	for _, it := range b.items {
		if it.spends() {
			over := Excess{Goes: n, Owned: owned, Limit: limit, Settings: b.in.Deletes.words()}
			it.hold(HeldBudget, over.Text(), fmt.Sprintf("split the change; or look at it and name it: isobar plan %s, then isobar apply %s --plan DIGEST; or raise deletes in the spec", b.in.Env, b.in.Env))
		}
	}
}

// Owned counts the objects that a ledger has, for budgets: what a lookup found is
// none.
func Owned(s *ledger.State, kinds map[string]Kind) int {
	n := 0
	for _, e := range s.Entries {
		if k := kinds[e.Address.Type()]; k.Descriptor == nil || !k.Lookup {
			n++
		}
	}
	return n
}

// spends reports whether the item counts for the budget: what a person named
// does not.
func (it *item) spends() bool {
	return (it.action == Delete || it.replaces() && it.spared == "") && it.entry.Role == ledger.Current && !it.named
}

// Excess is how far a plan goes beyond a budget of deletes.
type Excess struct {
	Goes     int    // objects that would be deleted or replaced
	Owned    int    // objects that the environment owns
	Limit    int    // how many may go at once, unasked
	Settings string // what says so in the spec: "deletes: max: 2"
	Undoes   string // not so: an object that would be replaced only since it was changed outside, "aws.instance/web"
}

// Text says it in words.
func (e *Excess) Text() string {
	if e.Undoes != "" {
		return fmt.Sprintf("%s would be replaced only since it was changed outside, which mode auto does not do unasked", e.Undoes)
	}
	if e.Owned == 1 {
		return fmt.Sprintf("the only object would be deleted or replaced, and at most %d may be at once (%s)", e.Limit, e.Settings)
	}
	return fmt.Sprintf("%d of %d objects would be deleted or replaced, and at most %d may be at once (%s)", e.Goes, e.Owned, e.Limit, e.Settings)
}

// Excess is how far the plan goes beyond the budget of an environment that owns so
// many objects, or nil where it does not.
func (p *Plan) Excess(bu Budget, owned int) *Excess {
	limit, bounded := bu.limit(owned)
	n := 0
	for i := range p.Changes {
		if c := &p.Changes[i]; (c.Action == Delete || c.Action == Replace) && !c.Deposed && !c.Named && !c.Spares {
			n++
		}
	}
	if !bounded || n <= limit {
		return nil
	}
	return &Excess{Goes: n, Owned: owned, Limit: limit, Settings: bu.words()}
}

// Undoing is an object that the plan replaces though nobody asked for it: the spec
// is as it was, and what was changed outside can't be put back in place. It is nil
// where there is none.
func (p *Plan) Undoing() *Excess {
	for i := range p.Changes {
		c := &p.Changes[i]
		replaces := slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Replaces })
		if c.Action == Replace && !c.Spares && replaces && !slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Replaces && f.Cause != CauseDrift }) {
			return &Excess{Undoes: c.Address.Local()}
		}
	}
	return nil
}

// words names the settings of a spec that the budget is made of.
func (bu Budget) words() string {
	var parts []string
	if bu.Count != 0 {
		parts = append(parts, "max: "+strconv.Itoa(max(bu.Count, 0)))
	}
	if bu.Percent != 0 {
		parts = append(parts, fmt.Sprintf("maxShare: %g", float64(max(bu.Percent, 0))/100))
	}
	return "deletes: " + strings.Join(parts, ", ")
}

func (bu Budget) limit(owned int) (int, bool) {
	limit, bounded := max(bu.Count, 0), bu.Count != 0
	if bu.Percent != 0 {
		share := max((owned*max(bu.Percent, 0)+99)/100, 1)
		if !bounded || share < limit {
			limit, bounded = share, true
		}
	}
	return limit, bounded
}
