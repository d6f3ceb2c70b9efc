package preview_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

const first = "network web 10.0.0.0/16 a\n"

// applied starts a rig whose main branch has been carried out.
func applied(r *rig, files map[string]string) {
	r.Helper()
	r.push("main", files)
	r.serve()
	said := map[string]bool{} // a row waits still while its run begins
	r.eventually("main being looked at", func() bool {
		rows, err := r.store.Environments(r.Context())
		must(r.TB, err)
		for _, row := range rows {
			if row.State == "waiting" && !said[row.Name+row.PlanDigest] {
				said[row.Name+row.PlanDigest] = true
				_, err := r.daemon.Verdict(r.Context(), row.Name, row.PlanDigest, "root", "approve")
				must(r.TB, err)
			}
			if row.State != "in sync" {
				return false
			}
		}
		return len(rows) > 0
	})
}

// TestFromPullToApply: a pull request is previewed, approved and merged, and what was
// approved is carried out without another question, whichever way it is merged.
func TestFromPullToApply(t *testing.T) {
	for _, way := range []string{"merge", "squash", "rebase"} {
		t.Run(way, func(t *testing.T) {
			over(t, func(r *rig) {
				applied(r, map[string]string{"envs/prod.txt": first, "envs/test.txt": first, "isobar.cue": "prod ann ben need=2\n"})
				head := r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n"})
				n := r.open("web", "mei")
				body := r.shows(n, "isobar plan · prod", "fake.network/db", "approvals: 0 of 2")
				if strings.Contains(body, "test") {
					r.Errorf("the environment test is not concerned:\n%s", body)
				}
				digest := r.digest(body)
				r.say(n, "ann", "fine\n\nisobar approve "+digest)
				r.shows(n, "approvals: 1 of 2 (ann)")
				id := r.say(n, "ben", "isobar approve "+digest)
				r.shows(n, "approvals: 2 of 2 (ann, ben)")
				r.eventually("a reaction", func() bool { return len(r.reactions(n, id)) > 0 })
				if got := r.status(head, "isobar/plan: prod"); !strings.HasPrefix(got, "success") {
					r.Errorf("the status of the plan is %q", got)
				}
				if r.objects() != "web=a web=a" {
					r.Fatalf("something was applied before the merge: %s", r.objects())
				}
				r.merge(n, "web", way)
				r.shows(n, "isobar apply · prod", "applied 1 change")
				if got := r.objects(); got != "db=b web=a web=a" {
					r.Errorf("the world has %s", got)
				}
				r.eventually("a status of the apply", func() bool { return strings.HasPrefix(r.status(head, "isobar/apply: prod"), "success") })
			})
		})
	}
}

// TestApprovedIsNotWhatRuns: where the plan after the merge is not the one that was
// approved, nothing is applied, and people are told how it differs.
func TestApprovedIsNotWhatRuns(t *testing.T) {
	for _, mode := range []string{"approve", "auto"} {
		t.Run(mode, func(t *testing.T) {
			over(t, func(r *rig) {
				base := "mode " + mode + "\n" + first
				applied(r, map[string]string{"envs/prod.txt": base})
				r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\n"})
				n := r.open("web", "mei")
				body := r.shows(n, "fake.network/db")
				_, id, _ := strings.Cut(body, "plan `")
				r.say(n, "ann", "isobar approve "+id[:9])
				r.eventually("the approval being taken in", func() bool { return r.agreed(n, "prod") != "" })
				r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 c\n"})
				// It is merged before isobar has seen the push.
				r.merge(n, "web", "squash")
				r.shows(n, "isobar apply · prod", "waiting", "Not what was approved", "fake.network/db", "label")
				if got := r.objects(); got != "web=a" {
					r.Fatalf("the world has %s", got)
				}
				row, err := r.store.Environment(r.Context(), "prod")
				must(r.TB, err)
				r.say(n, "ann", "isobar approve "+row.PlanDigest[:8])
				r.shows(n, "applied 1 change")
				if got := r.objects(); got != "db=c web=a" {
					r.Errorf("the world has %s", got)
				}
			})
		})
	}
}

// TestStale: a preview is made anew where its head, its base or the world moved, in
// the same comment.
func TestStale(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first, "README": "x"})
		head := r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		was := r.digest(r.shows(n, "fake.network/db", head[:7]))
		head = r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 c\n"})
		is := r.digest(r.shows(n, head[:7], "label  c"))
		if is == was {
			r.Errorf("plan %s is of both heads", is)
		}
		base := r.push("main", map[string]string{"README": "y"})
		if again := r.digest(r.shows(n, head[:7], base[:7])); again != is {
			r.Errorf("plan %s became %s, and only its base moved", is, again)
		}
		id := r.world.Objects()[0].ID
		must(r.TB, r.world.Mutate("network", id, func(f resource.Map) { f["label"] = resource.String("hacked") }))
		r.shows(n, "drifted, and put back with it", "hacked → a")
	})
}

// TestConflict: what can't be merged is said so, with the files, and mended by a push.
func TestConflict(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first})
		head := r.push("web", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 b\n"})
		n := r.open("web", "mei")
		r.shows(n, "a → b")
		r.push("main", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 c\n"})
		r.shows(n, "can't be merged, 1 file in conflict", "envs/prod.txt", "both changed it")
		r.eventually("a status", func() bool { return strings.HasPrefix(r.status(head, "isobar/plan"), "fail") })
		_, err := r.clone.Git(r.Context(), "checkout", "--quiet", "web")
		must(r.TB, err)
		_, err = r.clone.Git(r.Context(), "merge", "--quiet", "-s", "ours", "-m", "merge main", "main")
		must(r.TB, err)
		r.push("web", nil)
		r.shows(n, "→ b")
	})
}

// TestMistakes: errors in the spec stand on their lines, each once, and go.
func TestMistakes(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first})
		head := r.push("web", map[string]string{"envs/prod.txt": first + "netwrk db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		r.shows(n, "1 error stands beside the lines of the change", "prod")
		p, err := r.lab.Look(r.repo, n)
		must(r.TB, err)
		if len(p.Notes) != 1 || p.Notes[0].Line != 2 || !strings.Contains(p.Notes[0].Body, "nothing is called netwrk here") {
			r.Errorf("the notes are %+v", p.Notes)
		}
		if got := r.status(head, "isobar/plan: prod"); !strings.HasPrefix(got, "fail") {
			r.Errorf("the status is %q", got)
		}
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n"})
		r.digest(r.shows(n, "fake.network/db"))
	})
}

// TestOverlap: two pulls that are in each other's way are both told, as long as they
// are.
func TestOverlap(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first})
		r.push("one", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 b\n"})
		r.onMain()
		r.push("two", map[string]string{"envs/prod.txt": "network web 10.0.0.0/16 c\n"})
		one, two := r.open("one", "mei"), r.open("two", "ann")
		r.shows(one, "Overlaps with", r.sign()+"2", "both change it")
		r.shows(two, "Overlaps with", r.sign()+"1", "both change it")
		must(r.TB, r.lab.Shut(r.repo, two))
		r.eventually("no overlap", func() bool { body, _ := r.comments(one); return !strings.Contains(body, "Overlaps") })
	})
}

// TestCommands: who may is obeyed, and who may not is told so.
func TestCommands(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first, "isobar.cue": "prod ann ben acme/ops\n"})
		r.lab.Team("acme/ops", "olga")
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 open\n"})
		n := r.open("web", "ann")
		r.shows(n, "1 denied", "it is open to the world")
		answered := func(id, reaction string, words ...string) {
			r.Helper()
			r.answered(n, id, reaction, words...)
		}
		until := time.Now().Add(72 * time.Hour).Format(time.DateOnly)
		waive := "isobar waive SG-1 --reason \"a test\" --until " + until
		answered(r.say(n, "mallory", waive), "-1", "was not done", "mallory may not waive rules in prod", "acme/ops")
		answered(r.say(n, "ann", waive), "-1", "ann wrote some of this change")
		answered(r.say(n, "olga", "isobar waive SG-1 --reason x --until 2036-01-01"), "-1", "30 days at most")
		answered(r.say(n, "olga", waive), "+1")
		digest := r.digest(r.shows(n, "waived: a test, olga says in a comment", "approvals: 0 of 1"))
		answered(r.say(n, "ben", "isobar aprove "+digest), "confused", "aprove")
		_, before := r.comments(n)
		answered(r.say(n, "ben", "isobar aprove "+digest), "confused")
		if _, after := r.comments(n); len(after) != len(before) {
			r.Errorf("the commands were told twice: %q", after)
		}
		answered(r.say(n, "ben", "isobar plan staging"), "confused")
		answered(r.say(n, "ben", "isobar approve 0000-0000"), "-1", "no plan has that digest now: prod has plan "+digest)
		answered(r.say(n, "ben", "isobar apply"), "-1", "merge this pull request")
		id := r.say(n, "olga", "I think so")
		r.clock.pass(5 * time.Second)
		must(r.TB, r.lab.Rewrite(r.repo, id, "isobar approve "+digest)) // by whom?
		answered(r.say(n, "ben", "isobar help"), "+1", "write a line")
		r.shows(n, "approvals: 0 of 1")
		answered(r.say(n, "ben", "isobar approve "+digest), "+1")
		r.shows(n, "approvals: 1 of 1 (ben)")
		answered(r.say(n, "ben", "isobar reject "+digest), "+1")
		r.shows(n, "approvals: 0 of 1")
		rows, err := r.store.AuditRows(r.Context(), store.AuditFilter{})
		must(r.TB, err)
		said := map[string]int{}
		for _, a := range rows {
			if strings.HasPrefix(a.Kind, "comment.") {
				said[a.Kind+" "+a.Actor]++
			}
		}
		if said["comment.refused mallory"] != 1 || said["comment.approve ben"] != 1 || said["comment.waive olga"] != 1 {
			r.Errorf("on record is %v", said)
		}
	})
}

// TestRestart: a new process finds its comment and what was said, and says and does
// nothing twice.
func TestRestart(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first})
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		digest := r.digest(r.shows(n, "fake.network/db"))
		r.say(n, "ann", "isobar help")
		r.eventually("help", func() bool { _, answers := r.comments(n); return len(answers) == 1 })
		r.say(n, "ann", "isobar approve "+digest)
		r.shows(n, "approvals: 1 of 1 (ann)")
		r.stop()
		r.serve()
		id := r.say(n, "ben", "isobar plan")
		r.eventually("a reaction", func() bool { return len(r.reactions(n, id)) > 0 })
		r.shows(n, "approvals: 1 of 1 (ann)")
		if _, answers := r.comments(n); len(answers) != 1 {
			r.Errorf("the answers are %q", answers)
		}
		r.stop()
		r.merge(n, "web", "merge")
		r.serve()
		r.shows(n, "applied 1 change")
	})
}

// TestForks: a stranger's change is planned against what was seen, by the base's
// rules, without asking any provider, and is never applied before it is merged.
func TestForks(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first, "isobar.cue": "prod ann\n"})
		r.push("fork", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n", "isobar.cue": "prod mallory\n"})
		n, err := r.lab.Open(r.repo, labforge.Pull{Title: "Let me", Author: "mallory", From: "mallory/infra", HeadRef: "fork", BaseRef: "main"})
		must(r.TB, err)
		body := r.shows(n, "From a fork", "fake.network/db", "as seen")
		r.say(n, "mallory", "isobar approve "+r.digest(body))
		r.eventually("a refusal", func() bool {
			_, answers := r.comments(n)
			return len(answers) == 1 && strings.Contains(answers[0], "mallory may not approve plans of prod") && strings.Contains(answers[0], "ann may")
		})
		if got := r.objects(); got != "web=a" {
			r.Errorf("the world has %s", got)
		}
	})
}

// TestForksGovernNothing: a stranger's change neither waives rules nor chooses its mode.
func TestForksGovernNothing(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first, "isobar.cue": "prod ann\n"})
		head := r.push("fork", map[string]string{
			"envs/prod.txt": "mode auto\nwaive SG-1\n" + first + "network db 10.1.0.0/16 open\n",
			"envs/mine.txt": "waive SG-1\nnetwork db 10.1.0.0/16 open\n",
		})
		n, err := r.lab.Open(r.repo, labforge.Pull{Title: "Let me", Author: "mallory", From: "mallory/infra", HeadRef: "fork", BaseRef: "main"})
		must(r.TB, err)
		body := r.shows(n, "From a fork", "it is open to the world", "prod", "mine")
		if strings.Contains(body, "it says so itself") || strings.Contains(body, "without a question") {
			r.Errorf("it governs itself:\n%s", body)
		}
		for _, env := range []string{"prod", "mine"} {
			r.eventually("a status", func() bool { return strings.HasPrefix(r.status(head, "isobar/policy: "+env), "fail") })
		}
	})
}

// TestWebhooks: what webhooks tell of is looked at at once, whatever their order and
// however often they come; what they lose the list finds.
func TestWebhooks(t *testing.T) {
	over(t, func(r *rig) {
		r.lab.Hook("", "secret")
		applied(r, map[string]string{"envs/prod.txt": first})
		r.stop()
		r.poll = 1000 * time.Hour // the list is looked at once, at the start
		r.serve()
		r.lab.Queued()
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 c\n"})
		told := r.lab.Queued()
		for i := range told { // the last first, and each twice
			for range 2 {
				r.deliver(told[len(told)-1-i])
			}
		}
		r.shows(n, "label  c")
	})
}

// TestManners: the comment is edited at most once in ten seconds, and a forge that
// asks to be left alone is.
func TestManners(t *testing.T) {
	over(t, func(r *rig) {
		applied(r, map[string]string{"envs/prod.txt": first})
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		digest := r.digest(r.shows(n, "approvals: 0 of 1"))
		from := r.clock.now()
		r.lab.Requests()
		for i := range 5 {
			r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 b" + strings.Repeat("x", i) + "\n"})
			r.shows(n, "label  b"+strings.Repeat("x", i)+" ")
		}
		_ = digest
		edits := 0
		for _, q := range r.lab.Requests() {
			if strings.Contains(q.Path, "comments/") && q.Method == "PATCH" || strings.Contains(q.Path, "/notes/") && q.Method == "PUT" {
				edits++
			}
		}
		if most := int(r.clock.now().Sub(from)/(10*time.Second)) + 1; edits > most {
			r.Errorf("%d edits in %s", edits, r.clock.now().Sub(from))
		}
		r.lab.Break(labforge.Fault{Kind: labforge.Primary, Times: 1, After: 30 * time.Minute})
		began := r.clock.now()
		r.push("web", map[string]string{"envs/prod.txt": first + "network db 10.1.0.0/16 late\n"})
		r.eventually("being told to wait", func() bool {
			return slices.ContainsFunc(r.lab.Requests(), func(q labforge.Request) bool { return q.Status == 403 || q.Status == 429 })
		})
		r.lab.Requests()
		r.clock.pass(28 * time.Minute)
		r.shows(n, "late")
		if waited := r.clock.now().Sub(began); waited < 30*time.Minute {
			r.Errorf("the forge asked for half an hour, and was asked again after %s", waited)
		}
	})
}
