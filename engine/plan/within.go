package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"isobar.dev/engine/resource"
)

// HeldMoved is why a step is held that a person consented to as it was: what it
// would do, or what it would do it to, is not what the person was shown.
const HeldMoved HeldWhy = "moved"

// Sum tells what a step does to which object, and from which values: it is the
// same in two plans where the step is. What it waits for, and whether what it
// refers to was there already, are not in it.
func (s *Step) Sum() string {
	deps := slices.Clone(s.Deps)
	for i := range deps {
		deps[i].Token = ""
	}
	h := sha256.New()
	buf := put(nil, s.ID, string(s.Op), s.Address.String(), s.Token, s.Aspect, string(s.Live))
	h.Write(s.put(buf, deps))
	return hex.EncodeToString(h.Sum(nil))
}

// Moved puts into words what is not as a person consented to it.
type Moved struct {
	Why  func(address string) string // how an object's change differs, by its address without the environment
	Mend string
}

// Within gives what of the plan a person consented to who was shown an earlier
// one, which is given as the sums of its steps by id. A step that was not among
// them is held, with all of its object's and with what needs any of those.
// Corrections of the ledger stay: they call nobody.
func (p *Plan) Within(sums map[string]string, m *Moved) *Plan {
	moved := map[resource.Address]bool{}
	for i := range p.Steps {
		if s := &p.Steps[i]; sums[s.ID] != s.Sum() {
			moved[s.Address] = true
		}
	}
	needs := p.following(moved)
	out := *p
	gone := func(a resource.Address) bool { _, follows := needs[a]; return moved[a] || follows }
	out.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return gone(s.Address) })
	out.Changes = slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return gone(c.Address) })
	out.Held = slices.Clone(p.Held)
	for i := range p.Changes {
		c := &p.Changes[i]
		h := Held{Address: c.Address, Token: c.Token, Action: c.Action, Why: HeldMoved, Mend: m.Mend}
		switch of, follows := needs[c.Address]; {
		case moved[c.Address]:
			h.Text = m.Why(c.Address.Local())
		case follows:
			h.Why, h.Mend = HeldFollows, ""
			h.Text = "it needs " + of.Local() + ", which is held: " + string(HeldMoved)
		default:
			continue
		}
		out.Held = append(out.Held, h)
	}
	slices.SortStableFunc(out.Held, func(x, y Held) int { return cmp.Or(x.Address.Compare(y.Address), cmp.Compare(x.Text, y.Text)) })
	out.Digest = digest(&out)
	return &out
}

// following gives the objects of which a step needs one of an object that is
// left out, directly or through others, each with the one that it needs.
func (p *Plan) following(out map[resource.Address]bool) map[resource.Address]resource.Address {
	of := make(map[string]resource.Address, len(p.Steps))
	for i := range p.Steps {
		of[p.Steps[i].ID] = p.Steps[i].Address
	}
	follow := map[resource.Address]resource.Address{}
	for grown := true; grown; {
		grown = false
		for i := range p.Steps {
			s := &p.Steps[i]
			if _, known := follow[s.Address]; known || out[s.Address] {
				continue
			}
			for _, id := range s.Needs {
				if _, follows := follow[of[id]]; follows || out[of[id]] {
					follow[s.Address], grown = of[id], true
					break
				}
			}
		}
	}
	return follow
}
