package preview_test

import (
	"strings"
	"testing"
)

// TestApprovalsAreCountedAnew: an approval that does not count any more by what the
// branch says of who may give it applies nothing, whether the desk saw that before the
// merge or not.
func TestApprovalsAreCountedAnew(t *testing.T) {
	for _, seen := range []string{"before", "with the merge"} {
		for _, mode := range []string{"approve", "auto"} {
			t.Run(seen+"/"+mode, func(t *testing.T) {
				over(t, func(r *rig) {
					base := "mode " + mode + "\n" + first
					applied(r, map[string]string{"envs/prod.txt": base, "isobar.cue": "prod ann ben\n"})
					r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\n"})
					n := r.open("web", "mei")
					_, id, _ := strings.Cut(r.shows(n, "plan `"), "plan `")
					r.answered(n, r.say(n, "ann", "isobar approve "+id[:9]), "+1")
					r.eventually("it being agreed to", func() bool { return r.agreed(n, "prod") != "" })
					if seen == "before" {
						r.push("main", map[string]string{"isobar.cue": "prod ben\n"})
						r.eventually("it being void", func() bool { return r.agreed(n, "prod") == "" })
						if mode == "auto" {
							return // an environment in mode auto asks nobody
						}
					} else {
						r.stop()
						r.push("main", map[string]string{"isobar.cue": "prod ben\n"})
					}
					r.merge(n, "web", "merge")
					if seen != "before" {
						r.serve()
					}
					r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
					r.looks("prod", 2)
					if got := r.objects(); got != "web=a" {
						r.Fatalf("what ann may not approve any more was applied: %s", got)
					}
					if note := r.row("prod").Note; seen != "before" && !strings.Contains(note, "do not count by what the branch's isobar.cue says now") {
						r.Errorf("it is said: %s", note)
					}
					r.answered(n, r.say(n, "ben", "isobar approve "+id[:9]), "+1")
					r.eventually("it being applied", func() bool { return r.objects() == "db=b web=a" })
				})
			})
		}
	}
}

// TestStatusesOfWhatIsLeft: what a pull request does not concern any more does not keep
// it from being merged.
func TestStatusesOfWhatIsLeft(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first, "envs/test.txt": first})
		more := first + "network db 10.1.0.0/16 open\n"
		head := r.push("web", map[string]string{"envs/prod.txt": more, "envs/test.txt": first + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		r.shows(n, "1 denied")
		r.eventually("a status", func() bool { return strings.HasPrefix(r.status(head, "isobar/policy: prod"), "fail") })
		r.onMain()
		r.push("main", map[string]string{"envs/prod.txt": more})
		for _, of := range []string{"plan", "policy", "apply"} {
			r.eventually("a status", func() bool { return r.status(head, "isobar/"+of+": prod") == "success not concerned any more" })
		}
		r.eventually("a status", func() bool { return strings.HasPrefix(r.status(head, "isobar/policy: test"), "success") })
	})
}

// TestConflictForgetsNothing: where another plan was approved, nothing is applied in
// mode auto, whatever the pull was like in between.
func TestConflictForgetsNothing(t *testing.T) {
	over(t, func(r *rig) {
		base := "mode auto\n" + first
		applied(r, map[string]string{"envs/prod.txt": base})
		r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		_, id, _ := strings.Cut(r.shows(n, "plan `"), "plan `")
		r.answered(n, r.say(n, "ann", "isobar approve "+id[:9]), "+1")
		r.onMain()
		r.push("main", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 c\n"})
		r.eventually("the branch being applied", func() bool { return r.objects() == "db=c web=a" })
		r.shows(n, "conflict")
		if r.agreed(n, "prod") == "" {
			r.Errorf("what was approved is forgotten")
		}
		r.stop()
		_, err := r.clone.Git(r.Context(), "checkout", "--quiet", "web")
		must(r.TB, err)
		_, err = r.clone.Git(r.Context(), "reset", "--quiet", "--hard", "main")
		must(r.TB, err)
		must(r.TB, r.clone.Write("envs/prod.txt", base+"network db 10.1.0.0/16 other\n"))
		_, err = r.clone.Commit(r.Context(), "solve it")
		must(r.TB, err)
		must(r.TB, r.clone.Push(r.Context(), true))
		r.merge(n, "web", "merge")
		r.serve()
		r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
		r.looks("prod", 2)
		if got := r.objects(); got != "db=c web=a" {
			r.Errorf("what nobody approved was applied: %s", got)
		}
	})
}
