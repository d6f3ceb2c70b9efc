package plan

import (
	"fmt"
	"time"

	"isobar.dev/engine/ledger"
)

// A store that was restored from a backup knows nothing of what was done since. What
// bears a mark says by itself whose it is by now; what bears none may have been let go
// of, or be another's. It is changed as the spec says, by its id, but not deleted
// before a person names it, or isobar has written to it again.

// SetBack reports whether nothing says that an entry's object is still ours but a
// ledger that was restored later than it was written to last. A zero restored is never.
func SetBack(e *ledger.Entry, k Kind, restored time.Time) bool {
	return e.At.Before(restored) && !k.Marked && !k.Found && k.Descriptor != nil && !k.Lookup
}

func (b *builder) setBack(it *item) bool {
	return it.entry != nil && !it.stray && SetBack(it.entry, it.kind, b.in.Restored)
}

// askAgain holds the deletion of an object that only a ledger which was set back knows.
// What a destroy finds in the spec is named by that.
func (b *builder) askAgain(it *item) {
	if !b.setBack(it) || it.spared != "" || b.in.Destroy && b.in.Had[it.addr] {
		return
	}
	if by := b.in.Confirmed[it.entry.Key]; by != "" {
		if it.want != nil {
			it.named, it.reasons = true, append(it.reasons, Reason{Cause: CauseSpec, Text: "the old one may be deleted, confirmed by " + by})
		}
		return
	}
	mend := fmt.Sprintf("name what is to be deleted: isobar confirm %s %s, or let go of: isobar forget %s %s", b.in.Env, Named, b.in.Env, Named)
	if b.in.Destroy {
		mend = fmt.Sprintf("look at it by isobar plan %s, then %s; and destroy again", b.in.Env, mend)
	}
	it.hold(HeldOrphan, fmt.Sprintf("the store was restored at %s: nothing on it says that it is still ours", b.in.Restored.UTC().Format(time.RFC3339)), mend)
}
