package spec

import (
	"cmp"
	"fmt"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// unique checks the fields that their schema marks @unique: no two resources say
// the same, of one provider and within the same parent, or anywhere. What is not
// literal in the spec is left to the plan and the provider.
func (c *checker) unique() {
	type claim struct{ kind, field, within, text string }
	first := map[claim]*resource.Desired{}
	for i := range c.env.Desired {
		d := &c.env.Desired[i]
		desc := c.kinds[d.Address.Type()]
		if desc == nil {
			continue
		}
		for j := range desc.Fields {
			f := &desc.Fields[j]
			text := d.Fields.Text(f.Name)
			if !f.Unique || text == "" {
				continue
			}
			k := claim{kind: desc.Kind, field: f.Name, text: text}
			if f.UniqueIn != resource.Anywhere {
				k.within = cmp.Or(d.Meta.Alias, d.Address.Provider) + " " + string(resource.Encode(d.Fields[f.UniqueIn]))
			}
			other := first[k]
			if other == nil {
				first[k] = d
				continue
			}
			c.add(d, resource.Path{f.Name}, diag.Finding{
				Code: codeUnique, Message: fmt.Sprintf("%s: %q is that of %s already", f.Name, text, other.Address.Local()),
				Mend: "choose another " + f.Name,
			})
		}
	}
}
