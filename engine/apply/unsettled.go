package apply

import (
	"time"

	"isobar.dev/engine/ledger"
)

// Unsettled is an open intent of which nobody can tell yet what became of it.
type Unsettled struct {
	Key   ledger.Key
	Until time.Time // when reads show for certain what the call did; zero where time alone tells nothing
	Why   error     // why it could not be asked for; nil where it was
}

// unsettled says what settling waits for.
func (s settling) unsettled(k ledger.Key) Unsettled {
	u := Unsettled{Key: k, Why: s.deaf[k]}
	e, ok := s.journal.entry(k)
	kind, _, known := s.engine.Kinds.Kind(k.Address.Type())
	if !ok || !known || e.Open == nil || u.Why != nil {
		return u
	}
	if at := latest(e.Open.At, e.At).Add(kind.Lag); e.Open.Handle == "" && s.engine.Now().Before(at) {
		u.Until = at
	}
	return u
}
