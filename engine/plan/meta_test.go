package plan

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// TestMetaIsTold: where the ledger takes in another $meta without a call, the note
// says from what to what, and nothing is said where it is the same.
func TestMetaIsTold(t *testing.T) {
	t.Parallel()
	lifecycles := rapid.Custom(func(t *rapid.T) resource.Lifecycle {
		m := resource.Lifecycle{
			Alias: rapid.SampledFrom([]string{"", "far"}).Draw(t, "alias"), PreventDestroy: rapid.Bool().Draw(t, "protected"),
			IgnoreChanges: rapid.SampledFrom([][]resource.Path{nil, {{"a"}}, {{"a"}, {"b", "c"}}}).Draw(t, "ignored"),
		}
		switch rapid.SampledFrom([]string{"first", "last", ""}).Draw(t, "order") {
		case "first":
			m.CreateBeforeDestroy = true
		case "last":
			m.DestroyBeforeCreate = true
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		was, is := lifecycles.Draw(t, "was"), lifecycles.Draw(t, "is")
		it := &item{entry: &ledger.Entry{Record: ledger.Record{Meta: was}}}
		notes := it.ofMeta([]Correction{{Type: ledger.Settled, Record: &ledger.Record{Meta: is}}})
		if metaEqual(was, is) {
			if len(notes) > 0 {
				t.Fatalf("nothing changed, and it says %q", notes[0].Text)
			}
			return
		}
		if len(notes) != 1 || !notes[0].Ledger || notes[0].Drift {
			t.Fatalf("%+v", notes)
		}
		for word, differs := range map[string]bool{
			"provider ": was.Alias != is.Alias, "preventDestroy ": was.PreventDestroy != is.PreventDestroy,
			"createBeforeDestroy ": was.CreateBeforeDestroy != is.CreateBeforeDestroy || was.DestroyBeforeCreate != is.DestroyBeforeCreate,
		} {
			if strings.Contains(notes[0].Text, word) != differs {
				t.Errorf("%q, and %sdiffers: %t", notes[0].Text, word, differs)
			}
		}
	})
}
