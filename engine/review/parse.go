package review

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/spelling"
)

// maxCommands bounds the lines of one comment that are taken for commands.
const maxCommands = 20

// shortDigest is how many digits of a digest its short form has.
const shortDigest = 8

var (
	envName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`) // schemas.#Label
	digestWord = regexp.MustCompile(`^[0-9a-f]{4}-?[0-9a-f]{4,60}$`)
	runWord    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	ruleWord   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`) // schemas.#Waiver
)

// Parse gives what a comment asks of isobar: its commands in order, and the
// lines that are meant for isobar and are no command. A command is a line that
// begins with isobar or /isobar, in any letter case and after at most three
// spaces; more would be code. Lines of code blocks, of quotes and of hidden
// comments count for nothing, nor does any line of a comment that isobar wrote.
// It is safe for any text.
func Parse(body string) ([]Command, []Mistake) {
	if _, own := Marked(body); own {
		return nil, nil
	}
	var commands []Command
	var mistakes []Mistake
	n := 0
	for _, l := range spoken(body) {
		rest, ok := addressed(l.text)
		if !ok {
			continue
		}
		if n++; n > maxCommands {
			return commands, append(mistakes, Mistake{
				Line: l.number, Text: cut(l.text), Message: fmt.Sprintf("the comment has more than %d commands", maxCommands),
				Mend: "write the others into another comment",
			})
		}
		c, m := parseLine(rest)
		if m != nil {
			m.Line, m.Text = l.number, cut(l.text)
			mistakes = append(mistakes, *m)
			continue
		}
		c.Line = l.number
		commands = append(commands, c)
	}
	return commands, mistakes
}

// addressed gives what a line says to isobar; ok is false where it says nothing.
func addressed(text string) (rest string, ok bool) {
	const name = "isobar"
	text = strings.TrimPrefix(text, "/")
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return "", false
	}
	rest = text[len(name):]
	if rest != "" && !unicode.IsSpace([]rune(rest)[0]) {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// cut shortens what a mistake quotes.
func cut(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func wrong(v Verb, format string, args ...any) *Mistake {
	return &Mistake{Message: fmt.Sprintf(format, args...), Mend: "write " + usage(v)}
}

// parseLine reads what stands after isobar.
func parseLine(s string) (Command, *Mistake) {
	ws, closed := words(s)
	if !closed {
		return Command{}, &Mistake{Message: "a quotation is not closed", Mend: `put the text between two ": --reason "a public site"`}
	}
	if len(ws) == 0 {
		return Command{}, &Mistake{Message: "there is no command", Mend: "isobar help lists them"}
	}
	c := Command{Verb: Verb(strings.ToLower(ws[0].text))}
	if usage(c.Verb) == "" || ws[0].flag != "" {
		return Command{}, unknownVerb(ws[0])
	}
	args, flags, m := sorted(c.Verb, ws[1:])
	if m != nil {
		return Command{}, m
	}
	switch c.Verb {
	case Plan, Apply, Unpin:
		m = c.environments(args)
	case Approve, Reject:
		m = c.digests(args)
	case Cancel:
		m = c.run(args)
	case Waive:
		m = c.waiver(args, flags)
	case Help:
	}
	if m != nil {
		return Command{}, m
	}
	return c, nil
}

func unknownVerb(w word) *Mistake {
	got := w.text
	if w.flag != "" {
		got = "--" + w.flag
	}
	m := &Mistake{Message: fmt.Sprintf("there is no command %s", cut(got)), Mend: "isobar help lists them"}
	var verbs []string
	for _, u := range Usages() {
		verbs = append(verbs, string(u.Verb))
	}
	if near := spelling.Nearest(got, verbs); near != "" {
		m.Mend = "did you mean " + usage(Verb(near)) + "?"
	}
	return m
}

// sorted parts a command's words into arguments and the values of its flags. A
// reason that stands in no quotation goes on to the next flag.
func sorted(v Verb, ws []word) (args []string, flags map[string]string, m *Mistake) {
	var known []string
	if v == Waive {
		known = []string{"reason", "until"}
	}
	flags = map[string]string{}
	for i := 0; i < len(ws); i++ {
		w := ws[i]
		if w.flag == "" {
			args = append(args, w.text)
			continue
		}
		if !slices.Contains(known, w.flag) {
			m = wrong(v, "%s has no --%s", v, cut(w.flag))
			if near := spelling.Nearest(w.flag, known); near != "" {
				m.Mend = "did you mean --" + near + "?"
			}
			return nil, nil, m
		}
		if _, twice := flags[w.flag]; twice {
			return nil, nil, wrong(v, "--%s stands twice", w.flag)
		}
		value := w.text
		if !w.value {
			var rest []string
			for i+1 < len(ws) && ws[i+1].flag == "" {
				i++
				rest = append(rest, ws[i].text)
				if ws[i].quoted || w.flag != "reason" {
					break
				}
			}
			value = strings.Join(rest, " ")
		}
		flags[w.flag] = strings.TrimSpace(value)
	}
	return args, flags, nil
}

// environments takes the environments of plan, apply and unpin, each once.
func (c *Command) environments(args []string) *Mistake {
	for _, a := range args {
		if !envName.MatchString(a) {
			return wrong(c.Verb, "%q is no environment's name", cut(a))
		}
		if !slices.Contains(c.Envs, a) {
			c.Envs = append(c.Envs, a)
		}
	}
	return nil
}

// digests takes those of approve and reject, after the environment that the
// command line allows before one.
func (c *Command) digests(args []string) *Mistake {
	if len(args) > 1 && !isDigest(args[0]) && envName.MatchString(args[0]) {
		c.Envs, args = args[:1:1], args[1:]
	}
	for _, a := range args {
		if !isDigest(a) {
			return wrong(c.Verb, "%q is no plan's digest, such as 9c1e-44b0", cut(a))
		}
		if d := strings.ReplaceAll(strings.ToLower(a), "-", ""); !slices.Contains(c.Digests, d) {
			c.Digests = append(c.Digests, d)
		}
	}
	switch {
	case len(c.Digests) == 0:
		return &Mistake{
			Message: fmt.Sprintf("nothing says which plan to %s", c.Verb),
			Mend:    fmt.Sprintf("name its digest, as the comment above shows it: isobar %s 9c1e-44b0", c.Verb),
		}
	case c.Verb == Reject && len(c.Digests) > 1:
		return wrong(c.Verb, "one plan is rejected at a time")
	case len(c.Envs) > 0 && len(c.Digests) > 1:
		return wrong(c.Verb, "an environment has one plan, and %d are named", len(c.Digests))
	}
	return nil
}

func isDigest(s string) bool { return digestWord.MatchString(strings.ToLower(s)) }

func (c *Command) run(args []string) *Mistake {
	switch {
	case len(args) > 1:
		return wrong(c.Verb, "one run is cancelled at a time")
	case len(args) == 1 && !runWord.MatchString(args[0]):
		return wrong(c.Verb, "%q is no run's id", cut(args[0]))
	case len(args) == 1:
		c.Run = args[0]
	}
	return nil
}

func (c *Command) waiver(args []string, flags map[string]string) *Mistake {
	c.Reason, c.Until = flags["reason"], flags["until"]
	switch {
	case len(args) == 0:
		return wrong(c.Verb, "nothing says which rule to waive")
	case !ruleWord.MatchString(args[0]):
		return wrong(c.Verb, "%q is no rule's code, such as SG-004", cut(args[0]))
	case len(args) > 2:
		return wrong(c.Verb, "%q is one word too many", cut(args[2]))
	case !strings.ContainsFunc(c.Reason, unicode.IsPrint):
		return wrong(c.Verb, "--reason is missing, which says why it is accepted")
	case c.Until == "":
		return wrong(c.Verb, "--until is missing, the last day that it holds")
	}
	c.Rule = args[0]
	if day, err := time.Parse(time.DateOnly, c.Until); err != nil || day.Format(time.DateOnly) != c.Until {
		return wrong(c.Verb, "--until: %q is no day of the calendar", cut(c.Until))
	}
	if len(args) < 2 {
		return nil
	}
	return c.address(args[1])
}

// address takes a resource's address, with its environment or without.
func (c *Command) address(s string) *Mistake {
	whole := s
	if strings.Count(s, "/") == 1 {
		whole = "env/" + s
	}
	a, err := resource.ParseAddress(whole)
	if err != nil {
		return wrong(c.Verb, "%q is no resource's address, such as aws.security_group/web", cut(s))
	}
	if c.Address = a.Local(); whole == s {
		c.Envs = []string{a.Env}
	}
	return nil
}

// Among checks the environments that a command names against those that there
// are: one that is not there voids all of the command, since a line of prose
// may begin like one. nil means that all are there.
func (c Command) Among(envs []string) *Mistake {
	for _, e := range c.Envs {
		if slices.Contains(envs, e) {
			continue
		}
		m := &Mistake{Line: c.Line, Text: c.String(), Message: "this pull request concerns no environment " + e}
		switch near := spelling.Nearest(e, envs); {
		case near != "":
			m.Mend = "did you mean " + near + "?"
		case len(envs) == 0:
			m.Mend = "it concerns none"
		default:
			m.Mend = "it concerns " + enumerated(slices.Sorted(slices.Values(envs)), "and")
		}
		return m
	}
	return nil
}

// Names reports whether a command names the plan with this digest.
func (c Command) Names(digest string) bool {
	return slices.ContainsFunc(c.Digests, func(d string) bool { return digest != "" && strings.HasPrefix(digest, d) })
}
