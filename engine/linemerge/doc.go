// Package linemerge merges two changed versions of a text with the one that both
// began as, line by line, as `git merge` does: the lines are compared by their
// rarest common runs (the histogram diff that git's ort strategy asks for), and
// changes that neither overlap nor touch are both taken.
//
// It owns what two texts make of a third; where they come from is its callers'.
// Pure. Floor 1.
package linemerge
