package plan

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// Standing is an object that stands where one is to be made of a kind that bears
// no mark: its name is taken, and whether it is ours neither it nor the ledger
// says.
type Standing struct {
	ID    resource.ID
	Owner resource.Address // of another environment's ledger whose object it is; the zero one for nobody
}

// stands holds a creation in whose place an object stands already.
func (b *builder) stands(it *item) {
	o, there := b.in.Standing[it.addr]
	switch {
	case !there || it.entry != nil:
	case !o.Owner.IsZero():
		it.hold(HeldUnowned, fmt.Sprintf("%s has its name already, and is the object of %s", o.ID, o.Owner),
			fmt.Sprintf("choose another name; or let go of it there first: isobar forget %s %s", o.Owner.Env, o.Owner.Local()))
	default:
		it.hold(HeldUnowned, fmt.Sprintf("%s has its name already, and the ledger does not know it: its kind bears no mark that would say whose it is", o.ID),
			fmt.Sprintf("if it is this environment's: isobar import %s %s %s; else choose another name", b.in.Env, it.addr.Local(), o.ID))
	}
}
