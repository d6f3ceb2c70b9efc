package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// Build makes the plan for an input. It never fails: what cannot be planned is
// held, with the reason.
func Build(in Input) *Plan {
	b := newBuilder(in)
	if len(in.Imports) > 0 {
		if e := b.occupied(); e != nil && !in.TakeOver {
			return b.bar(e)
		}
		b.strays()
		return b.adopt()
	}
	b.decide()
	if e := b.otherStore(); e != nil && (len(e.items) > 0 || !in.TakeOver) { // to take over what the spec knows nothing of is to work there
		return b.bar(e)
	}
	b.renamedEstate()
	b.settleOrder()
	b.protect()
	g := b.steps()
	for b.backDown(g) {
		g = b.steps()
	}
	g.breakCycles()
	b.follow(g)
	return b.finish(g)
}

type builder struct {
	in      *Input
	items   []*item
	byAddr  map[resource.Address]*item // wanted ones
	byKey   map[ledger.Key]*item       // those with an entry
	reverse map[resource.Address][]*item
	notes   []Note
	inverse map[resource.Address][]dependant
	held    []Held                       // of objects that are no item: strays
	named   map[string][]*item           // by id and output, for those that seen asks about
	deposed map[resource.Address][]*item // what was replaced and still stands, once asked for
	left    []*item                      // strays that are left alone, as what may refer to others
}

func newBuilder(in Input) *builder {
	if in.Ledger == nil {
		in.Ledger = &ledger.State{}
	}
	b := &builder{
		in: &in, byAddr: make(map[resource.Address]*item, len(in.Desired)), byKey: make(map[ledger.Key]*item, len(in.Ledger.Entries)),
		reverse: map[resource.Address][]*item{},
	}
	in.Strays = strangers(b.in)
	b.items = collect(b.in)
	for _, it := range b.items {
		if it.want != nil {
			b.byAddr[it.addr] = it
			for i, r := range it.refs {
				if i == 0 || r.Address != it.refs[i-1].Address {
					b.reverse[r.Address] = append(b.reverse[r.Address], it)
				}
			}
		}
		if it.entry != nil {
			b.byKey[it.entry.Key] = it
		}
	}
	return b
}

// strangers gives the strays that the ledger holds neither by their tokens, at any
// address, since the mark of an entry that moved may still name its old one, nor by
// their ids.
func strangers(in *Input) []resource.Object {
	if len(in.Strays) == 0 {
		return nil
	}
	held := make(map[string]bool, len(in.Ledger.Entries))
	for k := range in.Ledger.Entries {
		held[k.Token] = true
	}
	seen, asked := seenObjects(in), spoken(in)
	out := slices.DeleteFunc(slices.Clone(in.Strays), func(o resource.Object) bool {
		return held[o.Mark.Token] || selfsame(in, &o, seen[objectOf{o.Mark.Address.Type(), o.ID}], asked)
	})
	slices.SortFunc(out, func(x, y resource.Object) int {
		return cmp.Or(x.Mark.Address.Compare(y.Mark.Address), cmp.Compare(x.Mark.Token, y.Mark.Token), cmp.Compare(x.ID, y.ID))
	})
	return out
}

// strays says what becomes of marked objects that no item took.
func (b *builder) strays() {
	asked := map[string]bool{} // of which a wanted resource asks
	for _, it := range b.items {
		if len(it.rivals) > 0 {
			asked[it.rivals[0].Mark.Token] = true
		}
	}
	for _, o := range b.in.Strays {
		if b.byKey[ledger.Key{Address: o.Mark.Address, Token: o.Mark.Token}] != nil {
			continue // adopted
		}
		b.left = append(b.left, &item{
			addr: o.Mark.Address, live: Reading{Seen: Present, Object: o}, kind: b.in.Kinds[o.Mark.Address.Type()], held: &Held{Why: HeldOrphan},
		})
		if why := b.in.Ledger.Ended[o.Mark.Token]; why != "" && why != "not done" {
			b.notes = append(b.notes, Note{Address: o.Mark.Address, Text: fmt.Sprintf("%s bears the mark of an object that was %s: a copy, left alone; to be rid of this note, %s", o.ID, why, tagsOff)})
			continue
		}
		rivals := twins(b.in, &o)
		switch {
		case rivals == nil:
			b.held = append(b.held, b.adrift(&o))
		case rivals[0].ID == o.ID && !asked[o.Mark.Token]:
			b.held = append(b.held, b.unresolved(rivals))
		}
	}
}

// decide finds each item's action by a monotone fixpoint: what is made anew or
// touched only grows, and with it what depends on it.
func (b *builder) decide() {
	for _, it := range b.items { // lookups and creations first: they need no diff to be known
		switch {
		case it.want != nil && it.kind.Lookup:
			b.lookup(it)
		case it.want != nil && it.held == nil && (it.entry == nil || it.entry.Open == nil && it.live.Seen == Absent):
			it.fresh = true
		}
	}
	b.namesakes()
	b.exchange()
	b.settleOn()
	b.strays()
	b.untaken()
	queue := slices.Clone(b.items)
	for len(queue) > 0 {
		it := queue[0]
		queue = queue[1:]
		fresh, touched := it.fresh, it.touched
		if it.want != nil {
			b.wanted(it)
		} else {
			b.unwanted(it)
		}
		if it.fresh != fresh || it.touched != touched {
			queue = append(queue, b.reverse[it.addr]...)
		}
	}
}

// wanted decides on an item that the spec wants.
func (b *builder) wanted(it *item) {
	if it.kind.Lookup || it.held != nil && it.held.Why == HeldRefused && it.diff == nil {
		return // decided before, or of an unknown kind
	}
	it.held = nil
	it.resolve(b)
	b.await(it)
	switch {
	case it.entry == nil:
		b.create(it, Reason{Cause: CauseSpec, At: it.want.At})
		b.stands(it)
		if w, waits := b.in.Waiting[it.addr]; waits {
			it.held = nil
			it.hold(HeldMove, w.Text, w.Mend)
		}
		b.undecided(it)
		b.waits(it)
		b.sameOrNew(it)
	case it.entry.Open != nil:
		b.doubtful(it)
	case it.live.Seen == Absent:
		it.lost = true
		b.create(it, Reason{Cause: CauseDrift, Text: join("deleted outside", it.live.By)})
	case it.live.Seen != Present:
		it.holdUnseen()
	default:
		b.compare(it)
	}
	if u, unready := b.in.Unready[it.addr]; unready {
		it.hold(HeldSecret, u.Text, u.Mend)
	}
	if it.action == "" {
		return
	}
	if w, waits := b.in.Waiting[it.addr]; waits && it.entry != nil && !it.stray && it.entry.Address == it.addr {
		it.hold(HeldMove, w.Text, w.Mend)
	}
	it.misspelt()
	if why, blind := b.in.Blind[it.alias()]; blind && it.fresh {
		it.hold(HeldUnread, "what is there could not be read: "+why, "")
	}
	for _, r := range it.refs { // nothing is done on ground that may have moved
		switch t := b.byAddr[r.Address]; {
		case t == nil || t == it || t.entry == nil:
		case t.entry.Open != nil:
			it.hold(HeldFollows, "it needs "+t.addr.Local()+", which is held: "+string(HeldDoubt), "")
		case t.live.Seen == Unread && t.live.Trail != nil && it.action == Update && slices.ContainsFunc(it.diff.changes, func(c FieldChange) bool { return c.Path[0] == r.field }):
			it.hold(HeldFollows, "it needs "+t.addr.Local()+", of which reads may not tell yet", "it goes on by itself once they do")
		}
	}
}

// await holds an item that needs an output which nobody has told and this plan
// does not make.
func (b *builder) await(it *item) {
	if it.missing == nil {
		return
	}
	of := b.byAddr[it.missing.Address]
	if of != nil && of.kind.Lookup && of.entry != nil && len(of.entry.Record.Outs) < 2 { // its pin is what an object had: see which
		it.hold(HeldFollows, "it needs the "+it.missing.Out+" of "+of.addr.Local()+", and no more than its id is known", "isobar apply "+b.in.Env+" --refresh-lookups="+of.addr.Local()+" asks it anew")
		return
	}
	if of != nil && of.entry != nil && of.live.Seen == Present {
		it.hold(HeldFollows, "it needs the "+it.missing.Out+" of "+it.missing.Address.Local()+", which has not told it yet", "it goes on by itself once that is told")
		return
	}
	it.hold(HeldFollows, "it needs "+it.missing.Address.String()+"#"+it.missing.Out+", which is not known yet", "apply "+it.missing.Address.String()+" first")
}

// alias is the provider alias under which the item lives.
func (it *item) alias() string {
	if it.want != nil {
		return cmp.Or(it.want.Meta.Alias, it.addr.Provider)
	}
	return cmp.Or(it.entry.Record.Meta.Alias, it.addr.Provider)
}

func (b *builder) create(it *item, why Reason) {
	it.action, it.fresh, it.reasons = Create, true, []Reason{why}
	it.diff = &differ{item: it, changes: make([]FieldChange, 0, len(it.resolved))}
	for _, name := range it.resolved.Keys() {
		f := it.kind.Field(name)
		if f == nil || f.Computed {
			continue
		}
		path := resource.Path{name}
		at, placed := it.want.Place(path)
		c := FieldChange{Path: path, After: it.resolved[name], Cause: CauseSpec, At: at, Sensitive: f.Sensitive || f.WriteOnly}
		if !placed {
			c.Cause, c.At = CauseDefault, resource.Position{}
		}
		it.diff.changes = append(it.diff.changes, c)
	}
}

func (b *builder) differ(it *item) *differ {
	return &differ{item: it, told: b.told, fought: b.in.Paused, spurned: b.in.Spurned}
}

// compare decides on an item whose object is there.
func (b *builder) compare(it *item) {
	it.diff = b.differ(it)
	applied := it.entry.Record.Applied
	if hidden := b.in.Applied[it.entry.Key]; hidden != nil {
		applied = hidden
	}
	it.diff.object(it.resolved, applied, it.live.Object.Fields)
	b.leaveUntold(it)
	replace := it.entry.Record.Broken != "" || slices.ContainsFunc(it.diff.changes, func(c FieldChange) bool { return c.Replaces })
	switch {
	case len(it.diff.kept) == 0:
	case replace:
		it.diff = b.differ(it)
		it.diff.anew = true
		it.diff.object(it.resolved, applied, it.live.Object.Fields)
	default:
		it.resolved = it.diff.standing(it.resolved)
	}
	it.reasons = reasonsOf(it)
	b.nameLookups(it.reasons)
	switch {
	case replace:
		it.action, it.fresh = Replace, true
		it.first = it.first || it.want.Meta.CreateBeforeDestroy
		b.spare(it)
	case len(it.diff.changes) > 0:
		it.action, it.touched = Update, true
	}
	switch {
	case it.unmarked():
		it.reasons = append(it.reasons, it.markReason())
	case b.returns(it):
		it.reasons = append(it.reasons, it.returnReason())
	case b.retokened(it):
		it.reasons = append(it.reasons, Reason{Cause: CauseDrift, Text: MarkChanged})
	}
	if it.action == "" && (it.stray || it.moves() || it.misnamed() || it.unmarked() || b.returns(it) || b.retokened(it)) {
		it.action = Adopt
	}
	b.crossed(it)
	if replace {
		b.succeeded(it)
	}
	for _, p := range it.diff.unread {
		it.holdField(p)
	}
	if len(it.diff.refused) > 0 && !replace {
		it.hold(HeldRefused, strings.Join(it.diff.refused, "; "), "write what it is, or make a new resource")
	}
	if replace {
		it.holdHalfRead()
		b.confirm(it)
	}
	b.foreign(it)
	b.stay(it)
}

// misspelt holds an item one of whose address blocks a reference made what the
// provider would keep in another spelling: it would refuse that, or differ for ever.
func (it *item) misspelt() {
	for _, name := range it.resolved.Keys() {
		resource.Misspelt(it.kind.Field(name), resource.Path{name}, it.resolved[name], func(at resource.Path, block string) {
			kept, _ := resource.CanonicalCIDR(block)
			mend := "write what gives " + kept + " there"
			if pos, ok := it.want.Place(at); ok {
				mend = fmt.Sprintf("at %s:%d:%d %s", pos.File, pos.Line, pos.Col, mend)
			}
			it.hold(HeldRefused, fmt.Sprintf("%s: %s is kept as %s", at, block, kept), mend)
		})
	}
}

// stay holds an object whose alias looks at another account, region or host
// than the one where it lives: nothing can move it there.
func (b *builder) stay(it *item) {
	home, now := it.entry.Record.Scope, b.in.Scopes[it.alias()]
	if home == "" || now == "" || home == now {
		return
	}
	it.hold(HeldRefused, fmt.Sprintf("it lives in %s, and the provider %s now looks at %s", home, it.alias(), now),
		"set the provider back and give what is new an alias of its own; to move it, remove it from the spec, apply, and add it again")
}

// holdHalfRead holds a deletion of an object of which anything is unread.
func (it *item) holdHalfRead() {
	for _, name := range it.live.Object.Fields.Keys() {
		if resource.HasUnread(it.live.Object.Fields[name]) {
			it.holdField(resource.Path{name})
			return
		}
	}
}

// unwanted decides on an entry that no spec wants.
func (b *builder) unwanted(it *item) {
	if _, it.away = b.in.Away[it.entry.Key]; it.away || it.action != "" || it.held != nil || it.lost {
		return
	}
	it.action = Delete
	if it.kind.Found || it.kind.Lookup {
		it.action = Forget
	}
	it.reasons = []Reason{{Cause: CauseSpec, Text: "no longer in the spec"}}
	if b.in.Destroy {
		it.reasons[0].Text = "asked for by destroy"
	}
	if b.replaced(it) {
		it.reasons = []Reason{{Cause: CauseSpec, Text: "replaced earlier"}}
	}
	if it.left {
		it.reasons = []Reason{{Cause: CauseSpec, Text: "made to replace what stays"}}
	}
	b.name(it)
	switch {
	case it.entry.Open != nil:
		b.doubtful(it)
	case it.live.Seen == Absent:
		it.lost, it.action = true, ""
	case it.live.Seen != Present:
		it.holdUnseen()
	case it.letGo(): // it stays as it is, whoever marks it by then
	case b.pending(it):
		b.orphaned(it)
	case it.namesake != nil && !it.named:
		b.sameOrNew(it)
	case (it.entry.Record.Meta.PreventDestroy || b.in.Protected[it.addr]) && it.action == Delete:
		it.hold(HeldProtect, "it is protected by preventDestroy",
			fmt.Sprintf("first apply a spec with preventDestroy: false, then remove it; or let go of it: isobar forget %s %s", b.in.Env, Named))
	default:
		it.holdHalfRead()
		b.confirm(it)
	}
}

func reasonsOf(it *item) []Reason {
	var out []Reason
	if it.entry.Record.Broken != "" {
		out = append(out, Reason{Cause: CauseBroken, Text: it.entry.Record.Broken})
	}
	if it.stray {
		out = append(out, Reason{Cause: CauseMark, Text: "found by its mark"})
	}
	for _, c := range it.diff.changes {
		r := Reason{Cause: c.Cause}
		switch c.Cause {
		case CauseDrift:
			r.Text = join("changed outside", it.live.By)
		case CauseSpec:
			r.At = c.At
		case CauseDependency:
			r.Of = dependencyOf(it, c)
		case CauseDefault, CauseBroken, CauseMark, CauseImport, CauseLookup: // say it all
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func dependencyOf(it *item, c FieldChange) resource.Address {
	var of resource.Address
	resource.Contains(c.After, func(v resource.Value) bool {
		if u, ok := v.(resource.Unknown); ok {
			of = u.Because.Address
		}
		return !of.IsZero()
	})
	for _, r := range it.refs {
		if of.IsZero() && r.field == c.Path[0] {
			of = r.Address
		}
	}
	return of
}

func join(text, by string) string {
	if by == "" {
		return text
	}
	return text + " by " + by
}

// resolve puts outputs in the place of references, Unknown for those to come.
func (it *item) resolve(b *builder) {
	it.missing = nil
	if len(it.refs) == 0 {
		it.resolved = it.want.Fields
		return
	}
	it.output = b.output
	v := resource.Rewrite(it.want.Fields, func(v resource.Value) resource.Value {
		if r, ok := v.(resource.Ref); ok {
			out := b.output(r)
			if _, unknown := out.(resource.Unknown); unknown && !b.coming(r) {
				missing := r // r itself then need not live on the heap
				it.missing = &missing
			}
			return out
		}
		return v
	})
	it.resolved, _ = v.(resource.Map)
}

// output gives the value of a reference as far as it is known now.
func (b *builder) output(r resource.Ref) resource.Value {
	if r.Address.Env != b.in.Env {
		if v := b.in.Outs[r.Address][r.Out]; v != nil {
			return v
		}
		return resource.Unknown{Because: r}
	}
	it := b.byAddr[r.Address]
	if it != nil && it.kind.Lookup {
		if v := it.kind.Outputs(it.live.Object)[r.Out]; v != nil {
			return v
		}
		return resource.Unknown{Because: r}
	}
	if it != nil && it.alike(r.Out) {
		return it.entry.Record.Outs[r.Out]
	}
	if it == nil || it.fresh || it.entry == nil || it.touched && volatile(it.kind.Descriptor, r.Out) {
		return resource.Unknown{Because: r}
	}
	if it.live.Seen == Present {
		if v := it.kind.Outputs(it.live.Object)[r.Out]; v != nil && !resource.HasUnread(v) {
			return v
		}
	}
	if v := it.entry.Record.Outs[r.Out]; v != nil {
		return v
	}
	return resource.Unknown{Because: r}
}

// alike reports whether what is made in the place of a lost object tells the same as an
// output: that is a field of the spec's, as it was when the lost one told it. What refers
// to a key pair by its name then stays as it is.
func (it *item) alike(out string) bool {
	if it.want == nil || it.entry == nil || it.entry.Open != nil || it.live.Seen != Absent {
		return false
	}
	f, told := it.kind.Field(out), it.entry.Record.Outs[out]
	return f != nil && !f.Computed && told != nil && same(f, it.want.Fields[out], it.entry.Record.Applied[out]) && resource.Equal(it.want.Fields[out], told)
}

// coming reports whether this plan makes the output that r names.
func (b *builder) coming(r resource.Ref) bool {
	it := b.byAddr[r.Address]
	if it != nil && it.kind.Lookup { // one that found nothing holds what needs it
		return it.live.Seen != Present && len(b.in.Imports) == 0 || it.kind.Outputs(it.live.Object)[r.Out] != nil
	}
	return it != nil && (it.fresh || it.touched && volatile(it.kind.Descriptor, r.Out))
}

func volatile(d *resource.Descriptor, out string) bool {
	for _, o := range d.Outs {
		if o.Name == out {
			return o.Volatile
		}
	}
	return false
}
