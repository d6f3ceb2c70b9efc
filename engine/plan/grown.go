package plan

import (
	"fmt"
	"slices"

	"isobar.dev/engine/resource"
)

// Outgrown reports whether it is a field that can only grow and was made larger
// outside: that drift can't be put back, and nothing else of the object waits for it.
func (h *Held) Outgrown() bool { return h.Why == HeldRefused && h.Field != "" }

// outgrown lists the item's fields that somebody made larger than the spec says.
func (b *builder) outgrown(it *item) []Held {
	if it.diff == nil || it.replaces() {
		return nil
	}
	var out []Held
	for _, c := range it.diff.grown {
		is := string(resource.Encode(c.Before))
		out = append(out, Held{
			Address: it.addr, Token: it.key().Token, Action: Update, Why: HeldRefused, Field: c.Path.String(),
			Text: fmt.Sprintf("%s was %s and is %s, %s, and can only grow", c.Path, resource.Encode(c.After), is, join("changed outside", it.live.By)),
			Mend: fmt.Sprintf("write %s: %s; or make a new resource", c.Path, is),
		})
	}
	return out
}

// leftAlone are the paths of what is not as wanted and stays so.
func (d *differ) leftAlone() []resource.Path {
	out := slices.Concat(d.paused, d.foreign, d.swapped)
	for _, c := range slices.Concat(d.grown, d.waits, d.untold) {
		out = append(out, c.Path)
	}
	return out
}
