package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
)

func TestHolderInTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := ledger.HolderOf(rapid.String().Draw(t, "place"))
		at := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "ms")).UTC()
		ms := fmt.Sprintf("%012x", at.UnixMilli())
		id := fmt.Sprintf("%s-%s-7%03x-%04x-%012x", ms[:8], ms[8:], rapid.IntRange(0, 0xfff).Draw(t, "a"),
			rapid.IntRange(0x8000, 0xbfff).Draw(t, "b"), rapid.Int64Range(0, 1<<48-1).Draw(t, "node"))
		token := h.Token(id)
		if len(token) != len(id) || token[:24] != id[:24] || ledger.HolderIn(token) != h || !ledger.TokenTime(token).Equal(at) {
			t.Fatalf("%s of %s: holder %s, want %s; made %s", token, id, ledger.HolderIn(token), h, ledger.TokenTime(token))
		}
		if got, err := ledger.ParseHolder(h.String()); err != nil || got != h {
			t.Fatalf("%s reads as %s: %v", h, got, err)
		}
	})
}

func TestNoHolder(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "t1", "0194a000-0000-7000-8000-000000000001", "0194a000-0000-7000-8000-zzzzzzzzzzzz"} {
		if h := ledger.HolderIn(token); h != 0 {
			t.Errorf("%q names %s", token, h)
		}
		if ledger.Holder(0).Token(token) != token {
			t.Errorf("no holder was woven into %q", token)
		}
	}
	for _, text := range []string{"", "0000-0000", "xyz", "123456789"} {
		if h, err := ledger.ParseHolder(text); err == nil {
			t.Errorf("%q reads as %s", text, h)
		}
	}
}
