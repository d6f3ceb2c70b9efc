package review

import (
	"cmp"
	"maps"
	"slices"
)

// Touch is what a plan does at one address.
type Touch struct {
	Sum  string   // tells what is done to which object: the same in two plans that do the same
	Refs []string // the addresses that the object's values come from
}

// Intent is what one open pull request would do to one environment.
type Intent struct {
	Pull int
	Env  string
	Does map[string]Touch // by address without the environment: what its plan does
	Base map[string]Touch // what the base branch's own plan does; nil where it is not known
}

// own gives the addresses at which the pull request changes what is done: what
// waits on the base branch too is none of its doing.
func (i *Intent) own() map[string]bool {
	out := map[string]bool{}
	for a, t := range i.Does {
		if t.Sum != i.Base[a].Sum {
			out[a] = true
		}
	}
	for a := range i.Base {
		if _, still := i.Does[a]; !still {
			out[a] = true
		}
	}
	return out
}

// Overlap is how another open pull request is in one's way in an environment.
// Addresses are without the environment, sorted.
type Overlap struct {
	Pull   int      // the other one
	Env    string   //
	Both   []string // both change what is done there, each in its own way: whichever is merged second is planned anew
	Alike  []string // both do the same there: whichever is merged second finds it done
	Theirs []string // the other one changes these, and something of this one takes its values from there: its merge changes this plan
	Ours   []string // this one changes these, and something of the other one takes its values from there
}

// Overlaps gives for each pull request those that are in its way, by number and
// environment. What stands in one's list stands in the other's. A pull request
// has at most one intent in an environment.
func Overlaps(all []Intent) map[int][]Overlap {
	out := map[int][]Overlap{}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Intent) int { return cmp.Or(cmp.Compare(a.Env, b.Env), cmp.Compare(a.Pull, b.Pull)) })
	owns := make([]map[string]bool, len(sorted))
	for i := range sorted {
		owns[i] = sorted[i].own()
	}
	for i := range sorted {
		for j := i + 1; j < len(sorted) && sorted[j].Env == sorted[i].Env; j++ {
			if sorted[i].Pull == sorted[j].Pull {
				continue
			}
			mine, theirs := between(side{&sorted[i], owns[i]}, side{&sorted[j], owns[j]})
			if mine != nil {
				out[sorted[i].Pull] = append(out[sorted[i].Pull], *mine)
				out[sorted[j].Pull] = append(out[sorted[j].Pull], *theirs)
			}
		}
	}
	for n := range out {
		slices.SortStableFunc(out[n], func(a, b Overlap) int { return cmp.Or(cmp.Compare(a.Pull, b.Pull), cmp.Compare(a.Env, b.Env)) })
	}
	return out
}

// side is one of two intents, with what it changes.
type side struct {
	*Intent
	own map[string]bool
}

// between compares two intents in one environment; nil where neither is in the
// other's way.
func between(a, b side) (forA, forB *Overlap) {
	o := Overlap{Pull: b.Pull, Env: a.Env}
	for _, at := range slices.Sorted(maps.Keys(a.own)) {
		switch {
		case !b.own[at]:
		case a.Does[at].Sum == b.Does[at].Sum:
			o.Alike = append(o.Alike, at)
		default:
			o.Both = append(o.Both, at)
		}
	}
	o.Theirs, o.Ours = takes(a, b), takes(b, a)
	if len(o.Both)+len(o.Alike)+len(o.Theirs)+len(o.Ours) == 0 {
		return nil, nil
	}
	mirror := Overlap{Pull: a.Pull, Env: a.Env, Both: slices.Clone(o.Both), Alike: slices.Clone(o.Alike), Theirs: slices.Clone(o.Ours), Ours: slices.Clone(o.Theirs)}
	return &o, &mirror
}

// takes gives the addresses that giver alone changes and that something which
// taker changes takes its values from.
func takes(taker, giver side) []string {
	var out []string
	for at := range taker.own {
		for _, ref := range taker.Does[at].Refs {
			if giver.own[ref] && !taker.own[ref] {
				out = append(out, ref)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
