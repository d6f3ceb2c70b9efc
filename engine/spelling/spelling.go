// Package spelling finds the name that somebody meant who wrote another one.
//
// It owns what counts as near; what is said of it is its callers'. Pure.
// Floor 1.
package spelling

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest gives the name that is most like got: within a third of its length
// in edits, letter case not counted, else "".
func Nearest(got string, names []string) string { return Within(got, names, 3) }

// Within is Nearest with another share of the name's length: 4 asks for a fourth.
// One edit is always near.
func Within(got string, names []string, share int) string {
	best, at := "", 0
	for _, n := range slices.Sorted(slices.Values(names)) {
		d := levenshtein.ComputeDistance(strings.ToLower(got), strings.ToLower(n))
		if d == 2 && sameLetters(got, n) {
			d = 1 // two letters changed places
		}
		if d <= max(1, (len(n)+1)/share) && (best == "" || d < at) {
			best, at = n, d
		}
	}
	return best
}

func sameLetters(a, b string) bool {
	x, y := []byte(strings.ToLower(a)), []byte(strings.ToLower(b))
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
