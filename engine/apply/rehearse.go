package apply

import (
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// rehearsed says why what is to take the place of the object that the step deletes
// can't be made, as far as reads tell: the old one then stays. Where something that it
// refers to comes only after the deletion, nobody can tell.
func (t *taking) rehearsed() error {
	for _, st := range t.ev.st.feeds {
		next := st.step
		if next.Op != ledger.Create || next.Address != t.step.Address {
			continue
		}
		want, err := t.x.resolve(next.Want)
		if err != nil {
			return nil //nolint:nilerr // it is not to be known yet
		}
		return t.account.Session.Rehearse(t.calls, resource.Object{Address: next.Address, Fields: want})
	}
	return nil
}
