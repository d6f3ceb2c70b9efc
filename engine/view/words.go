package view

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// count writes "1 change", "2 changes", "1,204 changes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// lasting writes a duration as people say it: "0.8 s", "12 s", "1 m 20 s".
func lasting(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds()+0.5)) + " s"
	case d < time.Hour && int(d.Seconds())%60 == 0:
		return strconv.Itoa(int(d.Minutes())) + " m"
	case d < time.Hour:
		return fmt.Sprintf("%d m %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d m", int(d.Hours()), int(d.Minutes())%60)
}

// ago writes how long since: "8 s ago", "4 m ago", "3 d ago".
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "never"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s ago"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " m ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h ago"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " d ago"
}

// timeOfDay writes a moment of this day.
func timeOfDay(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// symbol is an action's sign.
func symbol(a plan.Action) string {
	switch a {
	case plan.Create:
		return "+"
	case plan.Update:
		return "~"
	case plan.Replace:
		return "-/+"
	case plan.Delete:
		return "-"
	case plan.Adopt:
		return "="
	case plan.Forget:
		return "."
	case plan.Pin:
		return "@"
	}
	return "?"
}

// past is what a step's operation is called once done.
func past(op ledger.Op) string {
	switch op {
	case ledger.Create:
		return "created"
	case ledger.Update:
		return "updated"
	case ledger.Clear:
		return "references taken out"
	case ledger.Delete:
		return "deleted"
	case ledger.Adopt:
		return "adopted"
	case ledger.Release:
		return "released"
	case ledger.Pin:
		return "pinned"
	case ledger.Forget:
		return "forgotten"
	}
	return string(op)
}

// place writes file:line.
func place(p resource.Position) string {
	if p.File == "" {
		return ""
	}
	if p.Line == 0 {
		return clean(p.File)
	}
	return clean(p.File) + ":" + strconv.Itoa(p.Line)
}

// tally counts changes by action, riskiest first: "1 delete, 2 update".
func tally(changes []plan.Change) string {
	n := map[plan.Action]int{}
	for i := range changes {
		n[changes[i].Action]++
	}
	var parts []string
	for _, a := range []plan.Action{plan.Delete, plan.Replace, plan.Update, plan.Create, plan.Adopt, plan.Pin, plan.Forget} {
		if n[a] > 0 {
			parts = append(parts, strconv.Itoa(n[a])+" "+string(a))
		}
	}
	return strings.Join(parts, ", ")
}

// join puts the parts that are not empty together.
func join(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}
