package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// ofMeta notes what of an object's $meta the ledger takes in without a call: no
// field shows it, and it decides what a later plan may do.
func (it *item) ofMeta(taken []Correction) []Note {
	var out []Note
	for _, c := range taken {
		if c.Type != ledger.Settled || c.Record == nil {
			continue
		}
		if said := metaChanges(it.entry.Record.Meta, c.Record.Meta); len(said) > 0 {
			out = append(out, Note{Address: it.addr, Ledger: true, Text: "$meta: " + strings.Join(said, ", ") + ": no call, the ledger takes it in"})
		}
	}
	return out
}

// metaChanges says in words how one lifecycle differs from the one before. Where
// an object was moved from is told by the move.
func metaChanges(was, is resource.Lifecycle) []string {
	var out []string
	tell := func(name, before, after string) {
		if before != after {
			out = append(out, fmt.Sprintf("%s %s → %s", name, before, after))
		}
	}
	tell("provider", cmp.Or(was.Alias, "unset"), cmp.Or(is.Alias, "unset"))
	tell("preventDestroy", fmt.Sprint(was.PreventDestroy), fmt.Sprint(is.PreventDestroy))
	tell("createBeforeDestroy", orderWord(was), orderWord(is))
	tell("ignoreChanges", pathWords(was.IgnoreChanges), pathWords(is.IgnoreChanges))
	return out
}

// orderWord is createBeforeDestroy as a spec says it.
func orderWord(m resource.Lifecycle) string {
	switch {
	case m.CreateBeforeDestroy:
		return "true"
	case m.DestroyBeforeCreate:
		return "false"
	}
	return "unset"
}

func pathWords(paths []resource.Path) string {
	words := make([]string, len(paths))
	for i, p := range paths {
		words[i] = p.String()
	}
	slices.Sort(words)
	return "[" + strings.Join(words, ", ") + "]"
}
