package spec

import (
	"fmt"
	"net/netip"
	"slices"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// block is an address block that a resource claims, within its parent.
type block struct {
	owner  *resource.Desired
	field  string
	prefix netip.Prefix
}

// blocks checks the fields that their schema marks @block: a block lies within
// the block of the parent that it names, and apart from its siblings'. What is
// not literal in the spec is left to the provider.
func (c *checker) blocks() {
	siblings := map[string][]block{}
	for i := range c.env.Desired {
		d := &c.env.Desired[i]
		desc := c.kinds[d.Address.Type()]
		if desc == nil {
			continue
		}
		for _, f := range desc.Fields {
			p, err := netip.ParsePrefix(d.Fields.Text(f.Name))
			if f.Block == "" || err != nil {
				continue
			}
			if p != p.Masked() {
				c.add(d, resource.Path{f.Name}, blockFinding(f.Name, p.String()))
				continue
			}
			parent := d.Fields[f.Block]
			if f.Block == "own" || parent == nil {
				continue
			}
			c.withinParent(d, f, p, parent)
			key := f.Name + " " + string(resource.Encode(parent))
			siblings[key] = append(siblings[key], block{owner: d, field: f.Name, prefix: p})
		}
	}
	for _, key := range slices.Sorted(keysOf(siblings)) {
		c.disjoint(siblings[key])
	}
}

// blockFinding tells of an address block that is not in the one spelling in which it
// is kept, or is none.
func blockFinding(at, block string) diag.Finding {
	f := diag.Finding{Code: codeBlock}
	kept, ok := resource.CanonicalCIDR(block)
	f.Mend = fmt.Sprintf("write %q", kept)
	switch p, err := netip.ParsePrefix(block); {
	case !ok:
		f.Message, f.Mend = fmt.Sprintf("%s: %q is no address block", at, block), `write one such as "10.0.0.0/16" or "2001:db8::/32"`
	case err == nil && p != p.Masked():
		f.Message = fmt.Sprintf("%s: %s starts within its block", at, block)
	default:
		f.Message = fmt.Sprintf("%s: %s is kept in another spelling", at, block)
	}
	return f
}

func (c *checker) withinParent(d *resource.Desired, f resource.Field, p netip.Prefix, parent resource.Value) {
	ref, ok := parent.(resource.Ref)
	if !ok || c.byKey[ref.Address] == nil {
		return
	}
	up := c.byKey[ref.Address]
	if outer, ok := ownBlock(c.kinds[up.Address.Type()], up.Fields); ok && !holds(outer, p) {
		c.add(d, resource.Path{f.Name}, diag.Finding{
			Code: codeBlock, Message: fmt.Sprintf("%s: %s lies outside %s of %s", f.Name, p, outer, up.Address.Local()),
			Mend: fmt.Sprintf("choose a block within %s; where %s has further blocks, write its id as %s instead of the reference", outer, up.Address.Local(), f.Block),
		})
	}
}

// ownBlock gives the block that a resource brings for those within it.
func ownBlock(d *resource.Descriptor, fields resource.Map) (netip.Prefix, bool) {
	for _, f := range d.Fields {
		if p, err := netip.ParsePrefix(fields.Text(f.Name)); f.Block == "own" && err == nil {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

func holds(outer, p netip.Prefix) bool { return outer.Bits() <= p.Bits() && outer.Contains(p.Addr()) }

// disjoint reports overlaps. Sorted by address, a block overlaps a later one
// only if it reaches past that one's start: the widest so far is enough.
func (c *checker) disjoint(bs []block) {
	slices.SortStableFunc(bs, func(a, b block) int {
		if n := a.prefix.Addr().Compare(b.prefix.Addr()); n != 0 {
			return n
		}
		return a.prefix.Bits() - b.prefix.Bits()
	})
	for i, widest := 1, bs[:1:1]; i < len(bs); i++ {
		w := widest[0]
		if !w.prefix.Overlaps(bs[i].prefix) {
			widest = bs[i : i+1]
			continue
		}
		c.add(bs[i].owner, resource.Path{bs[i].field}, diag.Finding{
			Code: codeBlock, Message: fmt.Sprintf("%s: %s overlaps %s of %s", bs[i].field, bs[i].prefix, w.prefix, w.owner.Address.Local()),
			Mend: "choose a block of its own",
		})
	}
}
