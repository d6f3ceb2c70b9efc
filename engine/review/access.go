package review

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// Anybody stands in a rule for everybody who may write to the repository.
const Anybody = "*"

// Access says who may do what in which environments, as the base branch's
// isobar.cue has it. In an environment that no rule is for, as in every one of
// a repository without rules, whoever may write to the repository at the forge
// may approve and apply, one approval is enough, and authors may give their
// own: they may push to the base branch too, and one person alone must be able
// to work. A stranger may do nothing there but ask for help.
type Access []Rule

// Rule is who may do what in the environments that a glob matches. A person is
// named by the forge's login, a team by its path with a slash in it: "org/team",
// "group/" for a group of GitLab's that is in no other. A leading @ and letter
// case don't matter.
type Rule struct {
	Envs         string   // a glob of environments' names, see path.Match
	Approvers    []string // who may approve, reject and waive
	Appliers     []string // who may apply; nil: the approvers
	Approvals    int      // how many people must approve a plan; 0 is 1
	AuthorCounts bool     // an author of the change may approve it

	At resource.Position // where isobar.cue has it
}

// fallback is what holds where there is no rule.
func fallback() Rule { return Rule{Approvers: []string{Anybody}, Approvals: 1, AuthorCounts: true} }

// Need is how many people must approve a plan.
func (r Rule) Need() int { return max(r.Approvals, 1) }

func (r Rule) appliers() []string {
	if r.Appliers == nil {
		return r.Approvers
	}
	return r.Appliers
}

// Matches reports whether the rule is for an environment.
func (r Rule) Matches(env string) bool {
	ok, err := path.Match(r.Envs, env)
	return ok && err == nil
}

// literal counts the characters of a glob that stand for themselves: of two
// that match one name the one with more says more.
func (r Rule) literal() int {
	n, class := 0, false
	for _, c := range r.Envs {
		switch {
		case c == '[':
			class = true
		case c == ']':
			class = false
		case !class && c != '*' && c != '?' && c != '\\':
			n++
		}
	}
	return n
}

// exact reports whether the rule names just one environment.
func (r Rule) exact() bool { return !strings.ContainsAny(r.Envs, `*?[\`) }

// For gives the rule for an environment: the one that names it, else the one
// with the most characters that stand for themselves, else the first by its
// glob. ok is false where none is for it, and the rule is what holds then.
func (a Access) For(env string) (r Rule, ok bool) {
	fit := a.fitting(env)
	if len(fit) == 0 {
		return fallback(), false
	}
	return fit[0], true
}

// Rivals gives two rules for an environment of which neither is closer than the
// other; ok is false where there are none.
func (a Access) Rivals(env string) (first, second Rule, ok bool) {
	fit := a.fitting(env)
	if len(fit) < 2 || fit[0].exact() || fit[0].literal() != fit[1].literal() {
		return Rule{}, Rule{}, false
	}
	return fit[0], fit[1], true
}

// fitting gives the rules for an environment, the closest first.
func (a Access) fitting(env string) []Rule {
	var out []Rule
	for _, r := range a {
		if r.Matches(env) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y Rule) int {
		exact := map[bool]int{true: 0, false: 1}
		return cmp.Or(cmp.Compare(exact[x.exact()], exact[y.exact()]), cmp.Compare(y.literal(), x.literal()), cmp.Compare(x.Envs, y.Envs))
	})
	return out
}

// Teams gives the teams that the rule for an environment names, whose members
// the forge knows: sorted, without @ and the slash at the end.
func (a Access) Teams(env string) []string {
	r, _ := a.For(env)
	var out []string
	for _, n := range slices.Concat(r.Approvers, r.appliers()) {
		if isTeam(n) {
			out = append(out, Key(n))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func isTeam(name string) bool { return strings.Contains(name, "/") }

// Key is the name of a person or team as names are compared: without the @ before
// it and the slash behind it, in lower case.
func Key(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "@"), "/"))
}

// Named counts the people that a list names; ok is false where it names a team
// or anybody, so that nobody can tell.
func Named(names []string) (n int, ok bool) {
	seen := map[string]bool{}
	for _, name := range names {
		if name == Anybody || isTeam(name) {
			return 0, false
		}
		seen[Key(name)] = true
	}
	return len(seen), true
}

// Person is somebody as the forge knows them.
type Person struct {
	Login  string
	Teams  []string // the paths of the teams that they are in, of those that Access.Teams names
	Writes bool     // they may write to the repository
}

// in reports whether a list of a rule names the person.
func (p Person) in(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		switch {
		case n == Anybody:
			return p.Writes
		case isTeam(n):
			return slices.ContainsFunc(p.Teams, func(t string) bool { return Key(t) == Key(n) })
		}
		return p.Login != "" && Key(p.Login) == Key(n)
	})
}

// Pull is a pull request, as far as access goes.
type Pull struct {
	Author  string   // the login of who opened it
	Authors []string // the logins of those who made the commits of its head, as far as the forge knows them
	Fork    bool     // its head is in another repository
}

// wrote reports whether somebody opened the pull request or made a commit of it.
func (p Pull) wrote(login string) bool {
	return login != "" && slices.ContainsFunc(append([]string{p.Author}, p.Authors...), func(a string) bool { return Key(a) == Key(login) })
}

// Ask is the question whether somebody may do something.
type Ask struct {
	Verb Verb
	Env  string
	Who  Person
	Pull Pull
}

// Decision is the answer to it.
type Decision struct {
	May bool
	Why string // why not, and who may: a sentence without its full stop; "" where they may
}

// Decide answers whether somebody may do something. Whether a plan has all the
// approvals that it needs is Tally's to say, and what is asked for is not looked
// at: only who asks.
func (a Access) Decide(q Ask) Decision {
	r, _ := a.For(q.Env)
	approves, applies := q.Who.in(r.Approvers), q.Who.in(r.appliers())
	author := q.Pull.wrote(q.Who.Login)
	trusted := q.Who.Writes || approves || applies
	switch q.Verb {
	case Help:
		return Decision{May: true}
	case Plan:
		if trusted {
			return Decision{May: true}
		}
		return refused(q, slices.Concat([]string{Anybody}, r.Approvers, r.appliers()))
	case Cancel, Unpin:
		if approves || applies || author && q.Who.Writes {
			return Decision{May: true}
		}
		return refused(q, slices.Concat(r.Approvers, r.appliers()))
	case Reject:
		if approves {
			return Decision{May: true}
		}
		return refused(q, r.Approvers)
	case Approve, Waive:
		switch {
		case !approves:
			return refused(q, r.Approvers)
		case author && !r.AuthorCounts:
			return Decision{Why: q.Who.Login + " wrote some of this change, and " + q.Env + " wants somebody else to " + string(q.Verb) + " it: " + others(r, q.Who.Login)}
		}
		return Decision{May: true}
	case Apply:
		switch {
		case q.Pull.Fork:
			return Decision{Why: "a change from a fork is never applied before it is merged: merge it first"}
		case applies:
			return Decision{May: true}
		}
		return refused(q, r.appliers())
	}
	return Decision{Why: fmt.Sprintf("nothing is known of %s: isobar help lists the commands", q.Verb)}
}

// refused says that somebody may not do something, and who may.
func refused(q Ask, names []string) Decision {
	what := map[Verb]string{
		Plan: "ask for plans of ", Apply: "apply to ", Approve: "approve plans of ", Reject: "reject plans of ",
		Cancel: "cancel runs of ", Waive: "waive rules in ", Unpin: "end pins of ",
	}[q.Verb]
	return Decision{Why: q.Who.Login + " may not " + what + q.Env + ": " + may(names)}
}

// others says who may approve but for one author.
func others(r Rule, but string) string {
	return may(slices.DeleteFunc(slices.Clone(r.Approvers), func(n string) bool { return Key(n) == Key(but) }))
}

// maxNames bounds how many a sentence names.
const maxNames = 5

// may says who may do it, without an @: nobody is called by being named.
func may(names []string) string {
	var out []string
	seen := map[string]bool{}
	anybody := false
	for _, n := range names {
		switch k := Key(n); {
		case n == Anybody:
			anybody = true
		case !seen[k]:
			seen[k] = true
			out = append(out, strings.TrimSuffix(strings.TrimPrefix(n, "@"), "/"))
		}
	}
	if more := len(out) - maxNames; more > 1 {
		out = append(out[:maxNames], fmt.Sprintf("%d more", more))
	}
	if anybody {
		out = append(out, "whoever may write to this repository")
	}
	if len(out) == 0 {
		return "isobar.cue names nobody else under access"
	}
	return enumerated(out, "or") + " may"
}

// enumerated writes "a, b or c".
func enumerated(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	n := len(names) - 1
	return strings.Join(names[:n], ", ") + " " + last + " " + names[n]
}
