package review

import (
	"strconv"
	"strings"
)

// Verb is what a command asks for, under the name that the command line has for
// it.
type Verb string

// The verbs.
const (
	Plan    Verb = "plan"    // plan anew, and show it
	Apply   Verb = "apply"   // carry the approved plan out
	Approve Verb = "approve" // let a plan be carried out
	Reject  Verb = "reject"  // turn a plan away
	Cancel  Verb = "cancel"  // stop a run
	Waive   Verb = "waive"   // accept a rule's findings
	Unpin   Verb = "unpin"   // give up what was applied before the merge
	Help    Verb = "help"    // say what there is
)

// Command is one command of a comment. What it names need not exist: the
// grammar knows no environment, plan or run. See Among for environments.
type Command struct {
	Verb    Verb
	Envs    []string // plan, apply, unpin: those named, none is all that the pull request concerns; approve, reject, waive: the one named, or none
	Digests []string // approve, reject: the first eight hexadecimal digits or more of each plan's digest, lower case, without dashes
	Run     string   // cancel: a run's id, the beginning of it, or an environment; "" is all of the pull request's
	Rule    string   // waive: "SG-004"
	Address string   // waive: "aws.security_group/web", without its environment; "" is all
	Reason  string   // waive
	Until   string   // waive: the last day, YYYY-MM-DD
	Line    int      // within the comment, from 1; 0 for a command that stands in none
}

// String writes the command as a comment may have it: Parse gives it back.
func (c Command) String() string {
	words := []string{"isobar", string(c.Verb)}
	switch c.Verb {
	case Plan, Apply, Unpin:
		words = append(words, c.Envs...)
	case Approve, Reject:
		words = append(words, c.Envs...)
		for _, d := range c.Digests {
			words = append(words, dashed(d))
		}
	case Cancel:
		if c.Run != "" {
			words = append(words, c.Run)
		}
	case Waive:
		words = append(words, c.Rule)
		if c.Address != "" {
			words = append(words, strings.Join(append(c.Envs[:len(c.Envs):len(c.Envs)], c.Address), "/"))
		}
		words = append(words, "--reason", quoted(c.Reason), "--until", c.Until)
	case Help:
	}
	return strings.Join(words, " ")
}

// dashed is a plan's name as it is shown, "9c1e-44b0"; a longer digest stays as
// it is.
func dashed(digest string) string {
	if len(digest) != shortDigest {
		return digest
	}
	return digest[:4] + "-" + digest[4:]
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Usage is one command's form, and what it does.
type Usage struct {
	Verb Verb
	Form string // "isobar plan [ENV…]"
	What string
}

// Usages lists the commands in the order that people need them.
func Usages() []Usage {
	return []Usage{
		{Plan, "isobar plan [ENV…]", "plan anew, and bring the comment up to date"},
		{Approve, "isobar approve DIGEST…", "let the plan with this digest be carried out, and no other"},
		{Reject, "isobar reject DIGEST", "turn that plan away"},
		{Apply, "isobar apply [ENV…]", "carry the approved plan out"},
		{Unpin, "isobar unpin [ENV…]", "give up what was applied before the merge, and go back to the base branch"},
		{Cancel, "isobar cancel [RUN]", "stop a run once its calls under way have ended"},
		{Waive, `isobar waive RULE [ADDRESS] --reason "TEXT" --until YYYY-MM-DD`, "accept what a rule finds, until that day"},
		{Help, "isobar help", "show this list"},
	}
}

func usage(v Verb) string {
	for _, u := range Usages() {
		if u.Verb == v {
			return u.Form
		}
	}
	return ""
}

// Mistake is a line that is meant for isobar, and is no command.
type Mistake struct {
	Line    int    // within the comment, from 1
	Text    string // as it was written, cut where it is long
	Message string // what is wrong: lower case, no full stop
	Mend    string // how to write it
}

// String gives the mistake on one line.
func (m Mistake) String() string {
	return "line " + strconv.Itoa(m.Line) + ": " + m.Message + ": " + m.Mend
}
