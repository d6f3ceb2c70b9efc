package review

// Approval is somebody's word for the plan with one digest.
type Approval struct {
	By     Person
	Digest string // whole
}

// Tally is how far a plan is with its approvals.
type Tally struct {
	Have int      // never above Need
	Need int      // at least 1
	By   []string // the logins whose approvals count, in the order given; there may be more than Need
	Not  []Left   // those whose word for this plan does not count
}

// Done reports whether the plan has all the approvals that it needs.
func (t Tally) Done() bool { return t.Need > 0 && t.Have >= t.Need }

// Left is an approval that does not count.
type Left struct {
	Login string
	Why   string // a sentence without its full stop
}

// Tally counts the approvals of one plan, by its whole digest. An approval is
// for what was shown: none of another digest counts. Each person counts once,
// and only one who may approve now: the rules may have changed since, and so
// may the head's authors.
func (a Access) Tally(env, digest string, pull Pull, given []Approval) Tally {
	r, _ := a.For(env)
	t := Tally{Need: r.Need()}
	seen := map[string]bool{}
	for _, g := range given {
		if digest == "" || g.Digest != digest || seen[Key(g.By.Login)] {
			continue
		}
		seen[Key(g.By.Login)] = true
		if d := a.Decide(Ask{Verb: Approve, Env: env, Who: g.By, Pull: pull}); !d.May {
			t.Not = append(t.Not, Left{g.By.Login, d.Why})
			continue
		}
		t.By = append(t.By, g.By.Login)
	}
	t.Have = min(len(t.By), t.Need)
	return t
}
