package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// follow holds whatever needs a step of something held; an item goes whole.
func (b *builder) follow(g *graph) {
	var queue []*item
	for _, it := range b.items {
		if it.held != nil {
			queue = append(queue, it)
		}
	}
	if len(queue) == 0 {
		return
	}
	needed, byItem := map[string][]*node{}, map[*item][]*node{}
	for _, id := range sortedKeys(g.steps) { // in order, so that the reason given is always the same
		n := g.steps[id]
		byItem[n.it] = append(byItem[n.it], n)
		for need := range n.needs {
			needed[need] = append(needed[need], n)
		}
	}
	for len(queue) > 0 {
		it := queue[0]
		queue = append(queue[1:], b.holdPins(it)...)
		for _, n := range byItem[it] {
			for _, y := range needed[n.ID] {
				if y.it.held == nil {
					y.it.hold(HeldFollows, "it needs "+it.addr.Local()+", which is held: "+string(it.held.Why), "")
					queue = append(queue, y.it)
				}
			}
		}
	}
}

// finish turns items and graph into the plan.
func (b *builder) finish(g *graph) *Plan {
	p := &Plan{Env: b.in.Env, Held: b.held, Notes: b.notes}
	p.Changes, p.Steps = make([]Change, 0, b.acting()), make([]Step, 0, len(g.steps))
	for _, it := range b.items {
		taken := b.corrections(it)
		p.Ledger, p.Notes = append(p.Ledger, taken...), append(append(p.Notes, it.ofMeta(taken)...), it.ofDefaults()...)
		p.Notes = slices.Concat(p.Notes, it.ofRestored(), it.ofUntold(), it.ofMovement(), it.ofData(), b.ofDeparture(it), b.ofWord(it))
		switch {
		case it.held != nil:
			h := *it.held
			h.Action, h.Token = it.action, it.key().Token
			if len(it.rivals) > 0 {
				h.Action = Adopt
			}
			p.Held = append(p.Held, h)
		case it.action != "":
			p.Changes = append(p.Changes, b.change(it))
			p.Notes = append(p.Notes, b.ofMark(it)...)
			p.Late = append(p.Late, it.late()...)
		case it.want != nil:
			late := it.late()
			p.Notes, p.Late = append(p.Notes, b.ofMark(it)...), append(p.Late, late...)
			if it.diff == nil || len(it.diff.leftAlone())+len(it.diff.blind) == 0 {
				p.Kept += 1 - len(late)
			}
		}
		if it.held == nil {
			p.Held = slices.Concat(p.Held, b.fought(it), b.outgrown(it), b.spurned(it), b.occupiedBy(it), it.blind())
		}
	}
	p.Notes = append(append(p.Notes, b.renames()...), b.ofCopies()...)
	for _, id := range sortedKeys(g.steps) {
		n := g.steps[id]
		if n.it.held != nil {
			continue
		}
		n.Needs = sortedKeys(n.needs)
		p.Steps = append(p.Steps, n.Step)
	}
	slices.SortStableFunc(p.Held, func(x, y Held) int { return cmp.Or(x.Address.Compare(y.Address), cmp.Compare(x.Text, y.Text)) })
	slices.SortStableFunc(p.Notes, func(x, y Note) int { return cmp.Or(x.Address.Compare(y.Address), cmp.Compare(x.Text, y.Text)) })
	p.Digest = digest(p)
	return p
}

// acting counts the items that are not left as they are.
func (b *builder) acting() int {
	n := 0
	for _, it := range b.items {
		if it.held == nil && it.action != "" {
			n++
		}
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// change makes what people and policy see of an item.
func (b *builder) change(it *item) Change {
	if it.action == Pin {
		return pinChange(it)
	}
	c := Change{
		Address: it.addr, Action: it.action, Token: it.key().Token, Reasons: b.followed(it.reasons), First: it.first && it.replaces(),
		Disruptive: it.replaces(), Named: it.named, Spares: it.replaces() && it.spared != "",
	}
	if it.entry != nil && !it.lost {
		c.ID = it.entry.Record.ID
		c.Deposed = it.want == nil && it.entry.Role == ledger.Deposed && !it.stray
		c.Before = managed(it)
	} else {
		c.Token = ""
	}
	if it.want != nil {
		c.At, c.After = it.want.At, it.resolved
		if it.entry != nil && it.entry.Address != it.addr {
			c.Reasons = append([]Reason{{Cause: CauseSpec, At: it.want.At, Text: MovedFrom + it.entry.Address.Local()}}, c.Reasons...)
		}
	}
	c.Drifter = it.live.By
	if it.diff != nil {
		c.Fields = it.diff.changes
		for _, f := range c.Fields {
			if d := it.kind.At(f.Path); it.action == Update && d != nil && d.Disruptive {
				c.Disruptive = true
			}
		}
	}
	return c
}

// followed says of reasons in what another object stays as it is that only an
// output of it changes.
func (b *builder) followed(rs []Reason) []Reason {
	out := slices.Clone(rs)
	for i, r := range out {
		if of := b.byAddr[r.Of]; r.Cause == CauseDependency && r.Text == "" && of != nil && !of.fresh {
			out[i].Text = "follows " + r.Of.Local()
		}
	}
	return out
}

// managed gives the live fields that are wanted or applied, and the outputs.
func managed(it *item) resource.Map {
	out := resource.Map{}
	for k, v := range it.kind.Outputs(it.live.Object) {
		out[k] = v
	}
	keep := func(m resource.Map) {
		for k := range m {
			if v := it.live.Object.Fields[k]; v != nil {
				out[k] = it.ours(k, v)
			} else if f := it.kind.Field(k); f != nil && f.Unseen() && it.entry.Record.Applied[k] != nil {
				out[k] = it.entry.Record.Applied[k]
			}
		}
	}
	keep(it.entry.Record.Applied)
	if it.want != nil {
		keep(it.want.Fields)
	}
	return out
}

// corrections gives the ledger events that need no call.
func (b *builder) corrections(it *item) []Correction {
	if it.entry == nil {
		return nil
	}
	c := Correction{Address: it.addr, Token: it.entry.Token}
	var out []Correction
	if _, blind := b.in.Blind[it.alias()]; it.lost && blind {
		return nil // it may be found by its mark yet
	}
	if it.away {
		c.Type, c.Why = ledger.Forgotten, MovedTo+b.in.Away[it.entry.Key].String()
		return []Correction{c}
	}
	if it.lost {
		c.Address, c.Type, c.Why = it.entry.Address, ledger.Forgotten, "gone"
		return []Correction{c}
	}
	if it.want != nil && !it.stray && it.entry.Address != it.addr { // held or not: what refers to it looks for it here
		from := it.entry.Address
		out = append(out, Correction{
			Address: it.addr, Token: it.entry.Token, Type: ledger.Moved, From: &from, Beside: b.in.Ledger.Current(it.addr) != nil && it.entry.Role == ledger.Current,
		})
	}
	if it.restored {
		out = append(out, Correction{Address: it.addr, Token: it.entry.Token, Type: ledger.Restored, Why: "the spec wants it again"})
	}
	if it.want == nil && it.stray && it.held == nil {
		rec := it.entry.Record
		rec.Deps, rec.Schema = b.seen(it), it.kind.Schema
		c.Type, c.Record, c.Beside = ledger.Adopted, &rec, true
		return append(out, c)
	}
	if it.want == nil || it.live.Seen != Present || it.diff == nil || it.entry.Open != nil || it.action == Pin {
		return out
	}
	old := &it.entry.Record
	rec := *old
	rec.Applied, rec.Schema = it.diff.applied, it.kind.Schema
	rec.Outs = known(it.kind.Outputs(it.live.Object), old.Outs)
	rec.Bare = old.Bare && it.live.Object.Mark.Token != it.entry.Token
	if !it.replaces() {
		rec.Meta = it.want.Meta
	}
	switch {
	case it.action == "" || it.action == Adopt:
		rec.Deps = depsOf(b, it)
	case it.stray:
		rec.Deps = b.seen(it)
	case it.action == Update:
		rec.Deps = b.kept(it)
	}
	c.Record = &rec
	switch {
	case it.stray:
		c.Type, c.Address = ledger.Adopted, it.entry.Address
		if from := it.entry.Address; from != it.addr {
			return append(out, c, Correction{Address: it.addr, Token: it.entry.Token, Type: ledger.Moved, From: &from, Beside: b.in.Ledger.Current(it.addr) != nil})
		}
	case recordsEqual(old, &rec):
		return out
	default:
		c.Type = ledger.Settled
	}
	return append(out, c)
}

// kept are the dependencies of an item before its steps are taken: in an aspect in
// which nothing changes, those that the spec has now, though they lead elsewhere
// than before; in the others those that the object has yet.
func (b *builder) kept(it *item) []ledger.Dep {
	changes := map[string]bool{}
	for _, c := range it.diff.changes {
		changes[it.aspectOf(c.Path)] = true
	}
	out := slices.DeleteFunc(slices.Clone(it.entry.Record.Deps), func(d ledger.Dep) bool { return !changes[d.Aspect] })
	for _, d := range depsOf(b, it) {
		if !changes[d.Aspect] {
			out = append(out, d)
		}
	}
	return out
}

// known puts what was known before in place of what could not be read.
func known(m, before resource.Map) resource.Map {
	for k, v := range m {
		switch {
		case !resource.HasUnread(v):
		case before[k] != nil:
			m[k] = before[k]
		default:
			delete(m, k)
		}
	}
	return m
}

func recordsEqual(a, b *ledger.Record) bool {
	return a.Schema == b.Schema && a.Bare == b.Bare && sameDeps(a.Deps, b.Deps) && metaEqual(a.Meta, b.Meta) &&
		mapsEqual(a.Applied, b.Applied) && mapsEqual(a.Outs, b.Outs)
}

// sameDeps compares dependencies in any order.
func sameDeps(a, b []ledger.Dep) bool {
	return slices.Equal(a, b) || len(a) == len(b) && slices.Equal(sortedDeps(a), sortedDeps(b))
}

func sortedDeps(deps []ledger.Dep) []ledger.Dep {
	return slices.SortedFunc(slices.Values(deps), func(x, y ledger.Dep) int {
		return cmp.Or(x.Address.Compare(y.Address), cmp.Compare(x.Token, y.Token), cmp.Compare(x.Aspect, y.Aspect))
	})
}

func mapsEqual(a, b resource.Map) bool {
	return len(a) == 0 && len(b) == 0 || resource.Equal(a, b)
}

func metaEqual(a, b resource.Lifecycle) bool {
	return a.Alias == b.Alias && a.PreventDestroy == b.PreventDestroy && a.CreateBeforeDestroy == b.CreateBeforeDestroy && a.DestroyBeforeCreate == b.DestroyBeforeCreate &&
		slices.EqualFunc(a.IgnoreChanges, b.IgnoreChanges, func(x, y resource.Path) bool { return slices.Equal(x, y) }) &&
		(a.MovedFrom == nil) == (b.MovedFrom == nil) && (a.MovedFrom == nil || *a.MovedFrom == *b.MovedFrom)
}

// put adds to buf what a step sets on its object and from what, with deps for what
// it refers to.
func (s *Step) put(buf []byte, deps []ledger.Dep) []byte {
	buf = putValue(putValue(buf, s.Want), s.Before)
	for _, c := range s.Changes {
		buf = putValue(putValue(put(buf, c.Path.String()), c.Before), c.After)
	}
	var left []string
	for _, p := range s.Left {
		left = append(left, p.String())
	}
	rest, _ := json.Marshal(struct {
		Meta    resource.Lifecycle
		Deps    []ledger.Dep
		Deposes bool
		Outs    resource.Map `json:",omitempty"`
		Over    string       `json:",omitempty"`
		Left    []string     `json:",omitempty"`
	}{s.Meta, deps, s.Deposes, s.Outs, s.Over, left}) // plain data always encodes
	return put(buf, string(rest))
}

// digest hashes what a plan would do: the environment, its steps, and Before of
// the fields touched. Commit, reasons and positions are not in it.
func digest(p *Plan) string {
	if len(p.Steps) == 0 {
		return ""
	}
	h := sha256.New()
	buf := put(nil, p.Env)
	for i := range p.Steps {
		s := &p.Steps[i]
		buf = put(buf, s.ID, string(s.Op), s.Address.String(), s.Token, s.Aspect, string(s.Live), strings.Join(s.Needs, "\x00"))
		h.Write(s.put(buf, s.Deps))
		buf = buf[:0]
	}
	return hex.EncodeToString(h.Sum(nil))
}

// put appends each part behind its length, so that no two lists read alike.
func put(buf []byte, parts ...string) []byte {
	for _, s := range parts {
		buf = append(binary.LittleEndian.AppendUint64(buf, uint64(len(s))), s...)
	}
	return buf
}

func putValue(buf []byte, v resource.Value) []byte {
	b := resource.Encode(v)
	return append(binary.LittleEndian.AppendUint64(buf, uint64(len(b))), b...)
}
