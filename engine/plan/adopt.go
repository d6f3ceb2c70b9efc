package plan

import (
	"cmp"
	"fmt"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// Import is an existing object that a person gives to an address, and what was
// seen of it. Why says in words, too, that there is none.
type Import struct {
	Named string             // by which the person named it
	Owner resource.Address   // of another environment's ledger whose object it is; the zero one for nobody
	From  resource.Address   // what it was under the former name, where that is another resource's name; else the zero one
	Past  []resource.Address // what it was called before that, as this environment would
	Kept  bool               // the former name's ledger has it protected by preventDestroy
	Reading
}

// adopt plans that the objects of the input's imports come under management,
// each by its mark, and nothing else: what differs from the spec is told in the
// changes, for the next plan to do.
func (b *builder) adopt() *Plan {
	p := &Plan{Env: b.in.Env}
	for _, it := range b.items { // what objects are compared with
		if it.want != nil && it.kind.Lookup {
			b.lookup(it)
		}
	}
	var taken []*item
	for _, it := range b.claims(p) {
		if it.held == nil {
			it.take(b.in.Imports[it.addr])
			taken = append(taken, it)
		}
	}
	for _, it := range b.items { // what is taken may tell what one had found
		if it.want != nil && it.kind.Lookup && it.entry == nil && it.live.Seen == Present && b.in.Imports[it.addr].Seen == "" {
			it.held = nil
			b.lookup(it)
		}
	}
	for _, it := range taken { // once all are there: they may refer to each other
		b.match(it)
		if it.held != nil {
			p.Held = append(p.Held, *it.held)
			continue
		}
		p.Changes = append(p.Changes, b.change(it))
		p.Notes = append(p.Notes, b.remarks(it)...)
		if len(it.rivals) > 0 && it.entry.Token != "" {
			c, s := b.decided(it)
			p.Ledger, p.Steps = append(p.Ledger, c), append(p.Steps, s)
			continue
		}
		meta := it.want.Meta
		meta.PreventDestroy = meta.PreventDestroy || b.in.Imports[it.addr].Kept // a plan that changes nothing else lifts it
		p.Steps = append(p.Steps, Step{
			ID: "adopt " + it.addr.Local(), Op: ledger.Adopt, Address: it.addr, Live: it.live.Object.ID, Want: it.diff.applied,
			Meta: meta, Deps: b.bonds(it), Over: b.over(it), Past: b.in.Imports[it.addr].Past,
		})
	}
	slices.SortStableFunc(p.Held, func(x, y Held) int { return x.Address.Compare(y.Address) })
	slices.SortFunc(p.Steps, func(x, y Step) int { return cmp.Compare(x.ID, y.ID) })
	p.Digest = digest(p)
	return p
}

// claims gives the items that imports are for, in order of their addresses,
// held where the object cannot be theirs. One that has its object already is
// noted and left out.
func (b *builder) claims(p *Plan) []*item {
	addrs := make([]resource.Address, 0, len(b.in.Imports))
	for a := range b.in.Imports {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, resource.Address.Compare)
	var out []*item
	by := map[string]resource.Address{} // who takes an object of this run
	for _, a := range addrs {
		im, it := b.in.Imports[a], b.byAddr[a]
		if it == nil {
			it = &item{addr: a, want: &resource.Desired{Address: a}, kind: b.in.Kinds[a.Type()]}
		}
		it.action = Adopt
		b.claim(it, im)
		object := a.Type() + " " + string(im.Object.ID)
		if other, twice := by[object]; twice && it.held == nil {
			it.hold(HeldRefused, fmt.Sprintf("%s is given to %s too", im.Object.ID, other.Local()), "name each object once")
		}
		if im.Seen == Present {
			by[object] = a
		}
		if b.byAddr[a] == nil {
			it.hold(HeldUnspoken, "the spec has no such resource", "write it into environments/"+b.in.Env+", then import again")
		}
		switch {
		case it.held != nil:
			p.Held = append(p.Held, *it.held)
		case it.entry != nil && it.entry.Record.ID == im.Object.ID && it.kind.Marked && im.Object.Mark.IsZero():
			b.remark(p, it, im)
		case b.takes(it, im):
			b.remark(p, it, im)
			c, s := &p.Changes[len(p.Changes)-1], &p.Steps[len(p.Steps)-1]
			c.Reasons, s.Over = []Reason{{Cause: CauseImport, At: it.want.At, Text: string(im.Object.ID)}}, im.Object.Mark.Token
		case it.entry != nil && it.entry.Record.ID == im.Object.ID:
			p.Notes = append(p.Notes, Note{Address: a, Text: fmt.Sprintf("%s is its object already", im.Object.ID)})
		default:
			if it.entry != nil { // gone: what it was makes room
				p.Ledger = append(p.Ledger, Correction{Address: it.entry.Address, Token: it.entry.Token, Type: ledger.Forgotten, Why: "gone"})
			}
			out = append(out, it)
		}
	}
	return out
}

// remark puts the mark back on an object that the ledger owns and a person names.
func (b *builder) remark(p *Plan, it *item, im Import) {
	it.live = im.Reading
	it.resolve(b)
	it.reasons = []Reason{{Cause: CauseDrift, Text: MarkGone}, {Cause: CauseImport, At: it.want.At, Text: string(im.Object.ID)}}
	p.Changes = append(p.Changes, b.change(it))
	p.Steps = append(p.Steps, it.markStep())
}

// claim holds an import whose object is not there, or is somebody's already.
func (b *builder) claim(it *item, im Import) {
	if it.kind.Lookup {
		it.held = nil
		it.hold(HeldRefused, "it is looked up, and what it finds is nobody's to manage", "leave it out: the next apply asks it")
		return
	}
	if it.held != nil {
		return
	}
	o := im.Object
	switch {
	case im.Seen == Absent:
		mend := "look the id up, and whether the provider " + it.alias() + " looks at the place where the object is"
		if b.in.Former != "" {
			mend = fmt.Sprintf("where it is gone, isobar apply %s has the ledger let go of it; else see whether the provider %s looks at the place where it is", b.in.Former, it.alias())
		}
		it.hold(HeldRefused, im.Why, mend)
		return
	case im.Seen != Present:
		it.hold(HeldUnread, im.Named+" could not be read: "+im.Why, "")
		return
	}
	if im.Owner != (resource.Address{}) && im.Owner != b.formerly(it.addr) {
		it.hold(HeldUnowned, fmt.Sprintf("%s is the object of %s", o.ID, im.Owner),
			"to give it to this environment, let go of it there first: isobar forget "+im.Owner.Env+" "+im.Owner.Local())
	}
	if it.stray && it.entry.Record.ID != o.ID && !b.alsoOf(it, &o) {
		it.hold(HeldRefused, string(it.entry.Record.ID)+" bears its mark already", "apply adopts that one; take its isobar: tags off by hand if it is not to be")
	} else if it.stray {
		it.stray, it.entry = false, nil // the ledger does not know it: it is named now
	}
	if e := it.entry; e != nil && !it.stray {
		switch {
		case e.Open != nil:
			b.doubtful(it)
		case e.Record.ID != o.ID && b.in.Live[e.Key].Seen != Absent:
			it.hold(HeldRefused, "it has an object already: "+string(e.Record.ID), "give "+string(o.ID)+" a resource of its own")
		}
	}
	for _, key := range sortedKeysOf(b.in.Ledger.Entries) {
		e := b.in.Ledger.Entries[key]
		if e.Record.ID != o.ID || e.Address.Type() != it.addr.Type() || it.entry != nil && e.Key == it.entry.Key || !b.sees(it, e) {
			continue
		}
		it.hold(HeldUnowned, fmt.Sprintf("%s is the object of %s", o.ID, e.Address.Local()),
			"to give the resource another name, write $meta: movedFrom: \""+e.Address.Local()+"\"")
	}
	if by := b.another(&o); by != 0 && !b.in.TakeOver && o.Mark.Estate == b.in.Estate && (o.Mark.Env == b.in.Env || o.Mark.Env == b.in.Former) {
		it.hold(HeldElsewhere, fmt.Sprintf("store %s holds %s: its mark is on %s", by, o.Mark.Env, o.ID), b.letTheOther())
	}
	if m := o.Mark; !m.IsZero() && (m.Estate != b.in.Estate || m.Address != it.addr && m.Address != b.formerly(it.addr) && !it.rival(o.ID) && !b.passed(m, it.addr)) {
		it.hold(HeldUnowned, fmt.Sprintf("%s bears %s", o.ID, b.whose(m)), b.otherName(m))
	}
}

// alsoOf reports whether an object bears the mark of the item's address, as the
// stray does that the item would take: a person says which it is.
func (b *builder) alsoOf(it *item, o *resource.Object) bool {
	m := o.Mark
	return m.Estate == b.in.Estate && m.Address == it.addr && m.Token != it.entry.Token && b.another(o) == 0
}

// sees reports whether the item's alias looks at the scope where an entry's
// object lives.
func (b *builder) sees(it *item, e *ledger.Entry) bool {
	home, now := e.Record.Scope, b.in.Scopes[it.alias()]
	return home == "" || now == "" || home == now
}

func sortedKeysOf(m map[ledger.Key]*ledger.Entry) []ledger.Key {
	out := make([]ledger.Key, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, ledger.Key.Compare)
	return out
}

// take gives the item its import's object, as if the ledger had known it.
func (it *item) take(im Import) {
	it.stray, it.live = true, im.Reading
	it.entry = &ledger.Entry{
		Key: ledger.Key{Address: it.addr}, Role: ledger.Current, Made: true,
		Record: ledger.Record{ID: im.Object.ID, Outs: known(it.kind.Outputs(im.Object), nil)},
	}
	if it.rival(im.Object.ID) {
		it.entry.Token = im.Object.Mark.Token
	}
}

// match compares the object with what the spec wants. What it finds is left as
// it is; what could not be read, or never be mended in place, is held.
func (b *builder) match(it *item) {
	it.resolve(b)
	if it.missing != nil {
		it.hold(HeldFollows, "it needs "+it.missing.Short()+", which is not known yet",
			"import or apply "+it.missing.Address.Local()+" first, or name both in one import")
		return
	}
	if u, unready := b.in.Unready[it.addr]; unready {
		it.hold(HeldSecret, u.Text, u.Mend)
		return
	}
	it.diff = &differ{item: it}
	it.diff.object(it.resolved, nil, it.live.Object.Fields)
	it.reasons = []Reason{{Cause: CauseImport, At: it.want.At, Text: string(it.live.Object.ID)}}
	if from := b.formerly(it.addr); !from.IsZero() {
		it.reasons = []Reason{{Cause: CauseSpec, At: it.want.At, Text: MovedFrom + from.String()}}
	}
	for _, p := range it.diff.unread {
		it.hold(HeldUnread, it.notRead(p), "see to that, then type the same import again")
	}
	if len(it.diff.refused) > 0 {
		it.hold(HeldRefused, it.diff.refused[0], "write the spec as the object is")
	}
}

// remarks says what else a person should know who has the object adopted.
func (b *builder) remarks(it *item) []Note {
	var out []Note
	if n := len(it.diff.changes); n > 0 {
		text := "it is not as the spec says, and stays so for now: the next apply changes it"
		replaces := slices.ContainsFunc(it.diff.changes, func(c FieldChange) bool { return c.Replaces })
		switch l := b.undecidedLookup(it); {
		case replaces && l != nil:
			text = "it is not as the spec says, and stays so until it is known what " + l.addr.Local() + " had found: " + l.held.Text
		case replaces:
			text = "it is not as the spec says, and stays so for now: the next apply REPLACES it"
		}
		out = append(out, Note{Address: it.addr, Text: text + "; to keep it as it is, write the spec as the object is"})
	}
	if !it.kind.Marked && b.formerly(it.addr).IsZero() {
		out = append(out, Note{Address: it.addr, Text: fmt.Sprintf(
			"%s carries no mark: another store may manage %s, and nothing on it would say so", it.addr.Type(), it.live.Object.ID)})
	}
	for i := range it.kind.Fields {
		if f := &it.kind.Fields[i]; f.WriteOnly && it.resolved[f.Name] != nil {
			out = append(out, Note{Address: it.addr, Text: f.Name + " cannot be read: it is taken to be as the spec says"})
		}
	}
	return out
}

// bonds lists what the object depends on: what the spec says where it is as
// wanted, else what it is seen to refer to.
func (b *builder) bonds(it *item) []ledger.Dep {
	if len(it.diff.changes) == 0 {
		return depsOf(b, it)
	}
	return b.seen(it)
}
