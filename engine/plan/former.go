package plan

import "isobar.dev/engine/resource"

// An environment that was renamed takes what it had under its former name, an
// object at a time: each by an import, which writes its mark anew. The former
// one's ledger lets go of it once this one's has it.

// HeldMove is why something is not made that exists under the environment's
// former name.
const HeldMove HeldWhy = "not moved yet"

// formerly gives an address as it was under the environment's former name, the
// zero one where it had none.
func (b *builder) formerly(a resource.Address) resource.Address {
	if b.in.Former == "" {
		return resource.Address{}
	}
	a.Env = b.in.Former
	return a
}

// over gives the token of the mark under the former name in whose place an
// import's is written.
func (b *builder) over(it *item) string {
	if m := it.live.Object.Mark; b.in.Former != "" && m.Address == b.formerly(it.addr) {
		return m.Token
	}
	return ""
}
