package discover_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/discover"
	"isobar.dev/engine/resource"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"web": "web", "web 1/a": "web-1-a", "  Über web!": "ber-web", "..a..": "a", "": "", "日本": "", "a--b": "a-b", "_x.y": "_x.y", "/DC0/vm/x": "DC0-vm-x",
	} {
		if got := discover.Label(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestAssign is the law of names: every one is valid, none stands twice or is
// taken, and the order in which objects come changes nothing.
func TestAssign(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bases := rapid.OneOf(rapid.SampledFrom([]string{"web", "web-2", "web 2", "", "..", "main"}), rapid.String())
		var found []discover.Found
		for i, n := 0, rapid.IntRange(0, 12).Draw(t, "n"); i < n; i++ {
			f := discover.Found{
				Type: rapid.SampledFrom([]string{"aws.vpc", "aws.subnet"}).Draw(t, "type"), ID: rapid.StringMatching(`[a-z]{0,2}-[0-9]{1,3}|日`).Draw(t, "id"),
				Base: bases.Draw(t, "base"), Alias: string(rune('a' + i)),
			}
			if rapid.IntRange(0, 4).Draw(t, "left") == 0 {
				f.Leave("no")
			}
			found = append(found, f)
		}
		taken := resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: "web"}
		again := slices.Clone(found)
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for _, list := range [][]discover.Found{found, again} {
			discover.Assign(list, "prod", func(a resource.Address) bool { return a == taken })
		}
		seen := map[resource.Address]bool{}
		for _, f := range found {
			switch {
			case f.Left != "" && !f.Address.IsZero():
				t.Fatalf("what is left out has the address %s", f.Address)
			case f.Left == "" && (!f.Address.Valid() || seen[f.Address] || f.Address == taken):
				t.Fatalf("%+v has the address %s", f, f.Address)
			}
			seen[f.Address] = true
			if !slices.Contains(again, f) {
				t.Fatalf("%+v has another address in another order: %+v", f, again)
			}
		}
	})
}
