package plan

import (
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// A ledger that was lost has lost its pins, too, and what a lookup finds by now may
// be newer than what objects were made with. They say themselves what it was: that
// is pinned, so that nothing is made anew for it. Where they don't say it plainly,
// nothing is pinned until a person asks for what is found now.

// HeldLostPin is why a lookup is not pinned of which the objects that use it don't say
// plainly what it had found.
const HeldLostPin HeldWhy = "lost pin"

// hadBefore is what objects tell of a lookup that has no pin.
type hadBefore struct {
	lookup *item
	found  resource.Map // the outputs of what it finds now
	by     *item        // who is asked
	tells  []told
	dark   *item // an object that must be made anew for what is found, and does not tell what it has; nil for none
}

// told is what one object has of a lookup.
type told struct {
	by *item
	id resource.ID
}

// which settles what a lookup without a pin had found before. Its item shows what
// is found now.
func (b *builder) which(it *item) {
	if b.in.Anew[it.addr] {
		return
	}
	now := it.live.Object.ID
	h := &hadBefore{lookup: it, found: it.kind.Outputs(it.live.Object)}
	for _, y := range b.reverse[it.addr] {
		h.ask(y)
	}
	ids := h.ids()
	switch more := b.wantsMore(it); {
	case h.dark == nil && (len(ids) == 0 || len(ids) == 1 && ids[0] == now):
	case h.dark == nil && len(ids) == 1 && more == "":
		it.live = Reading{Seen: Present, Object: resource.Object{Address: it.addr, ID: ids[0]}}
		it.reasons = []Reason{{Cause: CauseLookup, At: it.want.At, Text: fmt.Sprintf("%s has it, and the ledger had lost it", h.tells[0].by.addr.Local())}}
		b.notes = append(b.notes, Note{Address: it.addr, Text: fmt.Sprintf("%s is found now, and is not taken unasked: isobar plan %s --refresh-lookups=%s shows what it would change",
			now, b.in.Env, it.addr.Local())})
	default:
		again := b.in.Env + " --refresh-lookups=" + it.addr.Local()
		it.hold(HeldLostPin, h.words(now, more), fmt.Sprintf("see what taking %s changes: isobar plan %s; take it: isobar apply %s, or, with a daemon, isobar refresh %s %s; or write into the spec what each one has",
			now, again, again, b.in.Env, it.addr.Local()))
	}
}

// ask hears an object whose fields refer to the lookup. One of which the ledger
// knows that it was something else tells nothing: its spec was changed.
func (h *hadBefore) ask(y *item) {
	if y.entry == nil || y.live.Seen != Present || y.kind.Descriptor == nil {
		return
	}
	h.by = y
	bound := slices.ContainsFunc(y.entry.Record.Deps, func(d ledger.Dep) bool { return d.Address == h.lookup.addr })
	for i := range y.kind.Fields {
		f := &y.kind.Fields[i]
		if y.stray || bound || y.entry.Record.Applied[f.Name] == nil {
			h.read(f, y.want.Fields[f.Name], y.live.Object.Fields[f.Name], f.Immutable)
		}
	}
}

// read hears one value. fixed says that the object is made anew to have another.
func (h *hadBefore) read(f *resource.Field, want, live resource.Value, fixed bool) {
	uses := slices.DeleteFunc(resource.Refs(want), func(r resource.Ref) bool { return r.Address != h.lookup.addr })
	if len(uses) == 0 {
		return
	}
	if m, is := want.(resource.Map); is && f != nil && composite(f) {
		has, _ := live.(resource.Map)
		for _, k := range m.Keys() {
			sub := f.Elem
			if f.Type == "struct" {
				sub = fieldNamed(f.Fields, k)
			}
			h.read(sub, m[k], has[k], fixed || sub != nil && sub.Immutable)
		}
		return
	}
	if !fixed || resource.Empty(live) {
		return // it can follow, or had none
	}
	ref, whole := want.(resource.Ref)
	text, is := live.(resource.String)
	switch {
	case whole && same(f, h.found[ref.Out], live), !whole && !slices.ContainsFunc(uses, func(r resource.Ref) bool { return !holdsText(live, h.found[r.Out]) }):
		h.tell(h.lookup.live.Object.ID)
	case whole && is && ref.Out == "id":
		h.tell(resource.ID(text))
	case h.dark == nil:
		h.dark = h.by
	}
}

func (h *hadBefore) tell(id resource.ID) { h.tells = append(h.tells, told{h.by, id}) }

// ids are what was told, each once, sorted.
func (h *hadBefore) ids() []resource.ID {
	var out []resource.ID
	for _, t := range h.tells {
		out = append(out, t.id)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// words says why it can't be told what a lookup had found.
func (h *hadBefore) words(now resource.ID, more string) string {
	text := fmt.Sprintf("%s is found now, and the ledger has lost what was before: ", now)
	if h.dark != nil {
		return text + h.dark.addr.Local() + " was made with something else"
	}
	var has []string
	for _, t := range h.tells {
		has = append(has, fmt.Sprintf("%s has %s", t.by.addr.Local(), t.id))
	}
	text += strings.Join(slices.Compact(has), ", ")
	if len(h.ids()) == 1 && more != "" {
		text += ", of which no more than that is known, and " + more
	}
	return text
}

// wantsMore says who uses an output of a lookup beside the id, "" where nobody does.
func (b *builder) wantsMore(it *item) string {
	for _, y := range b.reverse[it.addr] {
		for _, r := range y.refs {
			if r.Address == it.addr && r.Out != "id" {
				return fmt.Sprintf("%s uses its %s", y.addr.Local(), r.Out)
			}
		}
	}
	return ""
}

// undecidedLookup gives a lookup that the item uses of which it is not told what it
// had found, or nil.
func (b *builder) undecidedLookup(it *item) *item {
	for _, r := range it.refs {
		if l := b.byAddr[r.Address]; l != nil && l.kind.Lookup && l.held != nil && l.held.Why == HeldLostPin {
			return l
		}
	}
	return nil
}
