package plan

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// guarded holds the deletion of an object that its provider would refuse to delete, as
// a field of it says. What it would take with it so stays whole too.
func (it *item) guarded() {
	f := it.kind.Guard()
	if f == nil || !it.goes() || it.releases() || it.live.Object.Fields[f.Name] != resource.Bool(true) {
		return
	}
	mend := fmt.Sprintf("set %s: false of %s at the provider, then plan again", f.Name, it.live.Object.ID)
	if it.want != nil {
		mend = fmt.Sprintf("undo the change, or first apply a spec with %s: false and without it", f.Name)
	} else if it.entry.Record.Applied[f.Name] != nil {
		mend = fmt.Sprintf("first apply a spec with %s: false, then remove it; or set it false of %s at the provider", f.Name, it.live.Object.ID)
	}
	it.hold(HeldGuarded, f.Name+" is true: the provider would refuse to delete "+string(it.live.Object.ID), mend)
}

// Goes reports whether the change's object is deleted.
func (c *Change) Goes() bool { return c.Action == Delete || c.Action == Replace && !c.Spares }
