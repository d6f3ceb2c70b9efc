package view

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/review"
)

// Touches gives what a plan does at each address of its environment, without
// the environment's name: what review.Overlaps compares.
func Touches(p *plan.Plan) map[string]review.Touch {
	sums, refs := map[string]string{}, map[string][]string{}
	for i := range p.Steps {
		s := &p.Steps[i]
		sums[s.ID] = s.Sum()
		for _, d := range s.Deps {
			if d.Address.Env == s.Address.Env && d.Address != s.Address {
				refs[s.Address.Local()] = append(refs[s.Address.Local()], d.Address.Local())
			}
		}
	}
	out := map[string]review.Touch{}
	for at, steps := range byObject(sums) {
		slices.Sort(refs[at])
		sum := sha256.Sum256([]byte(strings.Join(steps, "\n")))
		out[at] = review.Touch{Sum: hex.EncodeToString(sum[:]), Refs: slices.Compact(refs[at])}
	}
	return out
}
