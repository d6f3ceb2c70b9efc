package spec

import (
	"strings"

	"isobar.dev/engine/spelling"
)

// didYouMean suggests the nearest of names, or falls back to other words.
func didYouMean(got string, names []string, otherwise string) string {
	if n := spelling.Nearest(got, names); n != "" {
		return "did you mean " + n + "?"
	}
	return otherwise
}

// oneLine folds a comment to its first sentence or so.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.TrimSuffix(s, ".")
}
