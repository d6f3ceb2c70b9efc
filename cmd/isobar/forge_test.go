package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/forge"
)

// forgeKey is the key of a script's forge.
type forgeKey struct{}

// forgeLab is the script command forge:
//
//	forge start NAME DIR LOGIN…    a GitHub with the repository NAME, whose commits are in the bare repository DIR and which LOGINs may write to; FORGE is its address
//	forge open BRANCH AUTHOR       a pull request onto main
//	forge push BRANCH              tells it of a push
//	forge say N LOGIN TEXT…        a comment, a line each TEXT
//	forge merged N COMMIT          the pull request was merged as COMMIT, which is on main
//	forge shut N                   the pull request was closed, and not merged
//	forge hook LOG REPO SECRET     webhooks go to the daemon that wrote LOG from now on
//	forge deliver                  sends those that wait, the last first and each twice
//	forge commit REV VAR           makes a commit of DIR a variable
//	forge shows N FILE WORD…       waits until our comment on N has all the words, and writes it to FILE as it reads, settled
//	forge plan N VAR               makes the name of the plan that our comment on N wants approved a variable
//	forge answers N FILE WORD…     the same of the last other comment of ours
//	forge status COMMIT NAME TEXT  waits until the status NAME of a commit begins so
func forgeLab(ts *testscript.TestScript, _ bool, args []string) {
	at := ts.Value(forgeKey{}).(*forgeStage)
	verb, args := args[0], args[1:]
	number := func() int {
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		return n
	}
	switch verb {
	case "start":
		at.start(ts, args)
	case "open":
		_, err := at.Open(at.name, forge.Pull{Title: "Change " + args[0], HeadRef: args[0], BaseRef: "main", Author: args[1]})
		ts.Check(err)
	case "push":
		ts.Check(at.Push(at.name, args[0]))
	case "say":
		_, err := at.Say(at.name, number(), args[1], strings.Join(args[2:], "\n"))
		ts.Check(err)
	case "merged":
		ts.Check(at.Merge(at.name, number(), args[1]))
		ts.Check(at.Push(at.name, "main"))
	case "shut":
		ts.Check(at.Shut(at.name, number()))
	case "hook":
		var listen []string
		until(ts, args[0], func() bool {
			listen = regexp.MustCompile(`"listen":"([^"]+)"`).FindStringSubmatch(ts.ReadFile(args[0]))
			return listen != nil
		})
		at.Hook("http://"+listen[1]+"/hooks/"+args[1], args[2])
	case "deliver":
		waits := at.Queued()
		slices.Reverse(waits)
		codes, err := at.Send(context.Background(), append(slices.Clone(waits), waits...)...)
		ts.Check(err)
		if slices.ContainsFunc(codes, func(c int) bool { return c != 202 }) {
			ts.Fatalf("the webhooks were answered %v", codes)
		}
	case "commit":
		ts.Check(ts.Exec("git", "-C", ts.Getenv("HTTP_DIR"), "rev-parse", args[0]))
		ts.Setenv(args[1], strings.TrimSpace(ts.ReadFile("stdout")))
	case "plan":
		_, rest, ok := strings.Cut(at.comment(ts, number(), true), "isobar approve ")
		if !ok {
			ts.Fatalf("the comment asks for no approval")
		}
		ts.Setenv(args[1], rest[:len("9c1e-44b0")])
	case "shows", "answers":
		at.reads(ts, verb == "shows", number(), args[1:])
	case "status":
		until(ts, args[1], func() bool {
			return slices.ContainsFunc(at.Statuses(at.name, args[0]), func(s forge.Status) bool {
				return s.Context == args[1] && strings.HasPrefix(s.State+" "+s.Text, args[2])
			})
		})
	default:
		ts.Fatalf("forge %s is no command", verb)
	}
}

// forgeStage is a script's forge.
type forgeStage struct {
	*forge.Server

	name string
}

func (at *forgeStage) start(ts *testscript.TestScript, args []string) {
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	var err error
	at.Server, err = forge.Start(ctx, forge.Options{Face: forge.GitHub})
	ts.Check(err)
	at.name = args[0]
	at.Repo(at.name, ts.MkAbs(args[1]))
	at.Writer(at.name, args[2:]...)
	ts.Setenv("FORGE", at.URL())
	ts.Setenv("FORGE_TOKEN", forge.DefaultToken)
}

// reads waits for a comment of ours, and writes it as it reads.
func (at *forgeStage) reads(ts *testscript.TestScript, sticky bool, number int, args []string) {
	var text string
	until(ts, strings.Join(args[1:], ", "), func() bool {
		text = at.comment(ts, number, sticky)
		return text != "" && !slices.ContainsFunc(args[1:], func(w string) bool { return !strings.Contains(text, w) })
	})
	var out strings.Builder
	for l := range strings.Lines(text) {
		l = settle(regexp.MustCompile("`[0-9a-f]{7}`").ReplaceAllString(l, "`COMMIT`"))
		out.WriteString(regexp.MustCompile(`\d{4}-\d\d-\d\d HH:MM UTC`).ReplaceAllString(l, "TIME"))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o600))
}

// comment gives ours on a pull request as it reads: the one that is kept up to date,
// or the last of the others.
func (at *forgeStage) comment(ts *testscript.TestScript, number int, sticky bool) (text string) {
	p, err := at.Look(at.name, number)
	ts.Check(err)
	for _, c := range p.Comments {
		if c.Author == forge.Self && strings.HasPrefix(c.Body, "<!-- isobar:preview ") == sticky {
			text = strings.NewReplacer(`\`, "", "\u200b", "").Replace(c.Body)
		}
	}
	return text
}
