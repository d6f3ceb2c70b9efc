package spec

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// didYouMean suggests the nearest of names, or falls back to other words.
func didYouMean(got string, names []string, otherwise string) string {
	if n := nearest(got, names); n != "" {
		return "did you mean " + n + "?"
	}
	return otherwise
}

// nearest gives the name that is most like got: within a third of its length
// in edits, letter case not counted, else "".
func nearest(got string, names []string) string {
	best, at := "", 0
	for _, n := range slices.Sorted(slices.Values(names)) {
		d := levenshtein.ComputeDistance(strings.ToLower(got), strings.ToLower(n))
		if d == 2 && sameLetters(got, n) {
			d = 1 // two letters changed places
		}
		if d <= max(1, (len(n)+1)/3) && (best == "" || d < at) {
			best, at = n, d
		}
	}
	return best
}

// oneLine folds a comment to its first sentence or so.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.TrimSuffix(s, ".")
}

func sameLetters(a, b string) bool {
	x, y := []byte(strings.ToLower(a)), []byte(strings.ToLower(b))
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
