package preview_test

import (
	"strings"
	"testing"

	labforge "isobar.dev/engine/lab/forge"
)

// opened gives the pulls that are kept as open.
func (r *rig) opened() []int {
	r.Helper()
	kept, err := r.store.Pulls(r.Context(), "infra")
	must(r.TB, err)
	var out []int
	for _, k := range kept {
		if k.Open {
			out = append(out, k.Number)
		}
	}
	return out
}

// TestLeave: a pull that is to be merged elsewhere by now is none of ours: it is kept as
// closed, and in nobody's way. One that comes back is heard from where it left.
func TestLeave(t *testing.T) {
	over(t, func(r *rig) {
		r.early = true
		applied(r, map[string]string{"envs/prod.txt": first})
		_, err := r.clone.Git(r.Context(), "push", "--quiet", "origin", "main:refs/heads/next")
		must(r.TB, err)
		r.push("one", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 b\n"})
		r.onMain()
		r.push("two", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 c\n"})
		one, two := r.open("one", "mei"), r.open("two", "ann")
		r.shows(one, "Overlaps with")
		body := r.shows(two, "Overlaps with", "approvals: 0 of 1")
		r.say(two, "ben", "isobar approve "+r.digest(body))
		r.shows(two, "approvals: 1 of 1 (ben)")
		r.answered(two, r.say(two, "ben", "isobar help"), "+1")
		r.answered(two, r.say(two, "ben", "isobar apply"), "rocket")
		r.eventually("it being applied", func() bool { return r.objects() == "web=c" })
		must(r.TB, r.lab.Change(r.repo, two, func(p *labforge.Pull) { p.BaseRef = "next" }))
		r.eventually("a plan that takes it back", func() bool { return r.row("prod").State == "waiting" && r.pins() == "[]" })
		_, err = r.daemon.Verdict(r.Context(), "prod", r.row("prod").PlanDigest, "root", "approve")
		must(r.TB, err)
		r.eventually("two being closed", func() bool { return r.objects() == "web=a" && len(r.opened()) == 1 })
		r.eventually("no overlap", func() bool { body, _ := r.comments(one); return !strings.Contains(body, "Overlaps") })
		must(r.TB, r.lab.Change(r.repo, two, func(p *labforge.Pull) { p.BaseRef = "main" }))
		r.shows(two, "approvals: 0 of 1", "Overlaps with") // it was closed, and its approval with it
		r.answered(two, r.say(two, "ben", "isobar plan"), "eyes")
		if _, answers := r.comments(two); len(answers) != 1 || r.objects() != "web=a" || r.pins() != "[]" {
			r.Errorf("its comments were heard again: %q, the world has %s, pins %s", answers, r.objects(), r.pins())
		}
	})
}

// TestForksOff: pulls of forks that were planned are left alone once that is switched
// off, and in nobody's way.
func TestForksOff(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first})
		r.push("fork", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 b\n"})
		n, err := r.lab.Open(r.repo, labforge.Pull{Title: "Let me", Author: "mallory", From: "mallory/infra", HeadRef: "fork", BaseRef: "main"})
		must(r.TB, err)
		r.onMain()
		r.push("two", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 c\n"})
		two := r.open("two", "ann")
		r.shows(n, "From a fork", "Overlaps with")
		r.shows(two, "Overlaps with")
		r.stop()
		r.forks = false
		r.serve()
		r.eventually("only one being open", func() bool { return len(r.opened()) == 1 && r.opened()[0] == two })
		r.eventually("no overlap", func() bool { body, _ := r.comments(two); return !strings.Contains(body, "Overlaps") })
	})
}
