package plan

import (
	"cmp"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// item is one object on its way through planning: a wanted resource with the
// entry that it has, if any, or an entry that nothing wants.
type item struct {
	addr  resource.Address
	want  *resource.Desired // nil: nothing wants it
	entry *ledger.Entry     // nil: to be created, or a stray to be adopted (then made up from it)
	live  Reading
	kind  Kind

	creates  string // the id of its creation, once asked for
	action   Action // "" is none
	resolved resource.Map
	diff     *differ
	reasons  []Reason
	rivals   []resource.Object // several that bear the mark of what would be adopted
	blocked  *ledger.Entry     // has the object that bears the address's mark, elsewhere, and can't move here yet
	stray    bool              // entry is made up from a stray
	named    bool              // a person named it, to be deleted or let go of
	lost     bool              // its entry's object is gone
	away     bool              // its entry's object is another environment's by now
	fresh    bool              // it gets a new object: all its outputs are to come
	touched  bool              // it is updated: its volatile outputs are to come
	first    bool              // replace: create before destroy
	restored bool              // entry is a deposed one that the spec wants again
	over     bool              // restored: what takes its place is not known to have been made to replace it
	settled  bool              // another object was found for it: see settleOn
	instead  resource.ID       // the object that it had, where a stray is as the spec wants it
	left     bool              // entry was made to replace the one that stays
	namesake *namesake         // an object may be meant by it that bore its name before, or is that object
	spared   string            // replace: who asked that the old one be let go of: it is not deleted
	beside   bool              // first only since another name lets the new one stand beside the old
	held     *Held
	output   func(resource.Ref) resource.Value // of a reference, as far as it is known
	missing  *resource.Ref                     // a reference whose value nothing in this plan will make known
	refs     []refUse                          // references within want
}

// refUse is a reference and the aspect whose call carries it.
type refUse struct {
	resource.Ref
	field  string
	aspect string
	points bool // it names the object as such, and not only a value that it tells
}

func (it *item) key() ledger.Key {
	if it.entry == nil {
		return ledger.Key{Address: it.addr}
	}
	return it.entry.Key
}

func (it *item) hold(why HeldWhy, text, mend string) {
	if it.held == nil {
		it.held = &Held{Address: it.addr, Action: it.action, Why: why, Text: text, Mend: mend}
	}
}

// ledBy reports whether a new value of a top-level field comes from what its
// references point at: all of them were there when it was last applied, and one
// tells something else now.
func (it *item) ledBy(field string) bool {
	if it.entry == nil {
		return false
	}
	moved := false
	for _, r := range it.refs {
		if r.field != field {
			continue
		}
		if !slices.ContainsFunc(it.entry.Record.Deps, func(d ledger.Dep) bool { return d.Address == r.Address && d.Aspect == r.aspect }) {
			return false
		}
		moved = moved || !holdsText(it.entry.Record.Applied[field], it.output(r.Ref))
	}
	return moved
}

// holdsText reports whether an output stands in v, whole or within a text.
func holdsText(v, out resource.Value) bool {
	text, ok := out.(resource.String)
	return resource.Contains(v, func(e resource.Value) bool {
		s, is := e.(resource.String)
		return ok && is && strings.Contains(string(s), string(text)) || resource.Equal(e, out)
	})
}

// replaces reports whether the entry's object is to be replaced.
func (it *item) replaces() bool { return it.action == Replace }

// letGo reports whether a person lets go of the item's object: it stays as it is.
func (it *item) letGo() bool { return it.named && it.action == Forget && !it.kind.Lookup }

// releases reports whether what goes is let go of and not deleted.
func (it *item) releases() bool { return it.action == Forget || it.kind.Found || it.spared != "" }

// goes reports whether the entry's object is deleted or released.
func (it *item) goes() bool {
	return it.action == Delete || it.action == Forget || it.action == Replace
}

// collect makes the items of an input, sorted by address and token.
func collect(in *Input) []*item {
	wants := make([]*resource.Desired, len(in.Desired))
	wanted := make(map[resource.Address]bool, len(in.Desired))
	for i := range in.Desired {
		wants[i] = &in.Desired[i]
		wanted[wants[i].Address] = true
	}
	slices.SortFunc(wants, func(a, b *resource.Desired) int { return a.Address.Compare(b.Address) })
	items := make([]*item, 0, len(wants))
	claimed := make(map[ledger.Key]bool, len(wants))
	taken := map[string]bool{} // tokens of strays: what has no object of its own takes one that bears its mark
	free, blocked := movements(in, wanted)
	contested := disputed(in, wanted)
	for a, e := range returned(in, wants, wanted) {
		if free[a] == nil {
			free[a] = e
		}
	}
	moving := make(map[ledger.Key]bool, len(free))
	for _, e := range free {
		moving[e.Key] = true
	}
	for _, w := range wants {
		it := &item{addr: w.Address, want: w, entry: EntryOf(in.Ledger, w, wanted), kind: in.Kinds[w.Address.Type()]}
		if it.entry != nil && moving[it.entry.Key] {
			it.entry = nil
		}
		if e := free[w.Address]; e != nil && (it.entry == nil || vanished(in, it.entry)) {
			it.entry = e
		}
		if it.entry != nil && (claimed[it.entry.Key] || it.superseded(in, wanted) || it.gaveWay(in, wanted) || it.went(in)) {
			it.entry = nil
		}
		if it.entry != nil {
			claimed[it.entry.Key] = true
		} else if it.blocked = cmp.Or(blocked[w.Address], contested[w.Address]); it.blocked == nil {
			it.adoptStray(in, wanted, taken)
		}
		items = append(items, it)
	}
	for key, e := range in.Ledger.Entries {
		if !claimed[key] {
			items = append(items, &item{addr: e.Address, entry: e})
		}
	}
	items = append(items, namedStrays(in, taken)...)
	for _, it := range items {
		kind, known := in.Kinds[it.addr.Type()]
		it.kind = kind
		if !known {
			it.kind.Descriptor = &resource.Descriptor{Kind: it.addr.Type()}
			it.hold(HeldRefused, "this isobar does not know the kind "+it.addr.Type(), "use the version that made it, or release it")
		}
		if it.want != nil {
			it.refs = usesOf(it.want.Fields, it.kind.Descriptor)
		}
		if it.live.Seen == "" {
			it.see(in)
		}
	}
	sortItems(items)
	return items
}

// sortItems puts items in order of address and token, what is wanted first.
func sortItems(items []*item) {
	slices.SortFunc(items, func(a, b *item) int {
		return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(wantRank(a), wantRank(b)), a.key().Compare(b.key()))
	})
}

func wantRank(it *item) int {
	if it.want != nil {
		return 0
	}
	return 1
}

// see joins the item with what was seen of it.
func (it *item) see(in *Input) {
	if it.entry == nil {
		return
	}
	if it.kind.Lookup {
		it.live = pinned(it.entry)
		return
	}
	r, ok := in.Live[it.entry.Key]
	if !ok {
		r = Reading{Seen: Unread, Why: "it was not looked for"}
	}
	it.live = r
}

// superseded reports whether the entry's object is gone, and another that bears
// the address's mark is there to be adopted in its place.
func (it *item) superseded(in *Input, wanted map[resource.Address]bool) bool {
	return len(in.Strays) > 0 && vanished(in, it.entry) && it.strayFor(in, wanted) != nil
}

// strayFor gives the newest stray that bears the mark of the item's address, or
// else of the one that it was moved from where nothing else is wanted there.
func (it *item) strayFor(in *Input, wanted map[resource.Address]bool) *resource.Object {
	best := newestStray(in, it.addr)
	if from := it.want.Meta.MovedFrom; best == nil && from != nil && !wanted[*from] && vacant(in, it.addr) && vacant(in, *from) {
		best = newestStray(in, *from)
	}
	return best
}

// newestStray gives the newest object that bears an address's mark and may be
// adopted, or nil: one that the ledger never heard of, or whose create it took
// for not done too soon.
func newestStray(in *Input, a resource.Address) *resource.Object {
	var best *resource.Object
	for i := range in.Strays {
		o := &in.Strays[i]
		if ended := in.Ledger.Ended[o.Mark.Token]; o.Mark.Address == a && (ended == "" || ended == "not done") && (best == nil || o.Mark.Token > best.Mark.Token) {
			best = o
		}
	}
	return best
}

// adoptStray gives a wanted resource without an entry the newest object that
// bears its mark, as if the ledger had known it; none where several do.
func (it *item) adoptStray(in *Input, wanted map[resource.Address]bool, taken map[string]bool) {
	best := it.strayFor(in, wanted)
	if best == nil || taken[best.Mark.Token] || it.kind.Descriptor == nil {
		return
	}
	taken[best.Mark.Token] = true
	if it.rivals = twins(in, best); it.rivals != nil {
		return
	}
	it.stray = true
	it.live = Reading{Seen: Present, Object: *best}
	it.entry = strayEntry(best, it.kind)
}

// usesOf lists the references in a resource's fields with their aspects.
func usesOf(fields resource.Map, d *resource.Descriptor) []refUse {
	var out []refUse
	for i := range d.Fields {
		name := d.Fields[i].Name
		refs := resource.Refs(fields[name])
		if len(refs) == 0 {
			continue
		}
		named := pointing(&d.Fields[i], fields[name])
		for _, r := range refs {
			out = append(out, refUse{r, name, d.Fields[i].Aspect, r.Out == "id" || named[r]})
		}
	}
	return out
}
