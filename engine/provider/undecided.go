package provider

import (
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// Undecided is Find's error where several objects bear the mark of one create:
// somebody copied its tags, and which one it made nobody can tell.
func Undecided(op string, bearers []resource.Object) error {
	ids := make([]string, len(bearers))
	for i := range bearers {
		ids[i] = string(bearers[i].ID)
	}
	slices.Sort(ids)
	return &resource.Failure{Class: resource.Invalid, Op: op, Message: fmt.Sprintf(
		"%d objects bear its mark: %s; of those that isobar did not make, take the isobar: tags off by hand", len(ids), strings.Join(ids, ", "))}
}
