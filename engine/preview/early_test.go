package preview_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// answered waits until a comment has a reaction, and wants the last answer to hold
// the words.
func (r *rig) answered(number int, id, reaction string, words ...string) {
	r.Helper()
	r.eventually(reaction+" on "+id, func() bool {
		return strings.Contains(strings.Join(r.reactions(number, id), " "), reactionOf(r.kind, reaction))
	})
	_, answers := r.comments(number)
	for _, w := range words {
		if len(answers) == 0 || !strings.Contains(answers[len(answers)-1], w) {
			r.Errorf("the answers to %s lack %q: %q", id, w, answers)
		}
	}
}

// pins gives what is said of the environments that pulls hold.
func (r *rig) pins() string {
	r.Helper()
	pins, err := r.daemon.Pins(r.Context())
	must(r.TB, err)
	return strings.TrimPrefix(fmt.Sprint(pins), "map")
}

func (r *rig) row(env string) store.Environment {
	r.Helper()
	row, err := r.store.Environment(r.Context(), env)
	must(r.TB, err)
	return row
}

// looks waits until an environment was looked at so often since.
func (r *rig) looks(env string, times int) {
	r.Helper()
	for range times {
		was := r.row(env).CheckedAt
		must(r.TB, r.daemon.Look(r.Context(), env))
		r.eventually("a look at "+env, func() bool { return r.row(env).CheckedAt.After(was) })
	}
}

// agree approves the plan that the comment asks about, and gives its digest.
func (r *rig) agree(number int, by string) string {
	r.Helper()
	body := r.shows(number, "approvals: 0 of 1")
	_, id, _ := strings.Cut(body, "plan `")
	r.say(number, by, "isobar approve "+id[:9])
	r.shows(number, "approvals: 1 of 1 ("+by+")")
	return id[:9]
}

// TestApplyBeforeMerge: what was approved is applied by a comment, stays though the
// branch does not have it, and is not touched again by its merge.
func TestApplyBeforeMerge(t *testing.T) {
	for _, mode := range []string{"approve", "auto"} {
		t.Run(mode, func(t *testing.T) {
			over(t, func(r *rig) {
				r.early = true
				base := "mode " + mode + "\n" + first
				applied(r, map[string]string{"envs/prod.txt": base, "envs/test.txt": first, "isobar.cue": "prod ann ben\n"})
				head := r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\n"})
				n := r.open("web", "mei")
				r.shows(n, "fake.network/db")
				r.answered(n, r.say(n, "mei", "isobar apply"), "-1", "mei may not apply to prod", "ann or ben")
				if mode == "approve" {
					r.answered(n, r.say(n, "ann", "isobar apply"), "-1", "0 of 1 approvals")
					r.agree(n, "ann")
				} else {
					_, id, _ := strings.Cut(r.shows(n, "plan `"), "plan `")
					r.answered(n, r.say(n, "ann", "isobar approve "+id[:9]), "+1")
				}
				if got := r.objects(); got != "web=a web=a" {
					r.Fatalf("before anybody said so the world has %s", got)
				}
				r.answered(n, r.say(n, "ben", "isobar apply"), "rocket")
				r.shows(n, "isobar plan · prod", "Applied before the merge", "prod by ben", "applied 1 change", "isobar unpin prod")
				if got := r.objects(); got != "db=b web=a web=a" {
					r.Fatalf("the world has %s", got)
				}
				r.eventually("a status of the apply", func() bool { return strings.HasPrefix(r.status(head, "isobar/apply: prod"), "success") })
				if got := r.pins(); !strings.Contains(got, "prod:pinned to "+r.sign()+"1 since ") || !strings.Contains(got, "as ben applied it before its merge") {
					r.Errorf("the pins are %s", got)
				}
				main := r.push("main", map[string]string{"README": "x"})
				r.shows(n, main[:7])
				r.looks("prod", 3)
				if got, row := r.objects(), r.row("prod"); got != "db=b web=a web=a" || row.State != "in sync" || row.Commit != head {
					r.Fatalf("the world has %s, prod is %s at %s", got, row.State, row.Commit)
				}
				r.stop() // another process, which has to fetch everything
				r.serve()
				r.looks("prod", 2)
				if got := r.objects(); got != "db=b web=a web=a" {
					r.Fatalf("after a restart the world has %s", got)
				}
				runs := len(r.runs("prod"))
				r.merge(n, "web", "squash")
				r.shows(n, "isobar apply · prod", "applied", "merged as")
				r.eventually("prod following the branch", func() bool { return r.row("prod").Commit != head && r.pins() == "[]" })
				r.looks("prod", 2)
				if got := r.objects(); got != "db=b web=a web=a" || r.row("prod").State != "in sync" || len(r.runs("prod")) != runs {
					r.Errorf("the world has %s, prod is %s, runs %+v", got, r.row("prod").State, r.runs("prod"))
				}
				r.eventually("a status of the apply", func() bool { return strings.HasPrefix(r.status(head, "isobar/apply: prod"), "success") })
			})
		})
	}
}

func (r *rig) runs(env string) []store.Run {
	r.Helper()
	runs, err := r.store.Runs(r.Context(), store.RunFilter{Env: env, Limit: 50})
	must(r.TB, err)
	return runs
}

// pinned starts a rig in which a pull of ann's has been applied to prod.
func pinned(r *rig, mode string) (number int, base string) {
	r.Helper()
	r.early = true
	base = "mode " + mode + "\n" + first
	applied(r, map[string]string{"envs/prod.txt": base})
	r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\n"})
	number = r.open("web", "mei")
	_, id, _ := strings.Cut(r.shows(number, "plan `"), "plan `")
	r.say(number, "ann", "isobar approve "+id[:9])
	r.answered(number, r.say(number, "ann", "isobar apply prod"), "rocket")
	r.shows(number, "Applied before the merge", "applied 1 change")
	if got := r.objects(); got != "db=b web=a" {
		r.Fatalf("the world has %s", got)
	}
	return number, base
}

// TestClosedAfterApply: a pull that was applied and is closed is taken back, by a
// plan that somebody approves, in mode auto too.
func TestClosedAfterApply(t *testing.T) {
	for _, mode := range []string{"approve", "auto"} {
		t.Run(mode, func(t *testing.T) {
			over(t, func(r *rig) {
				n, _ := pinned(r, mode)
				must(r.TB, r.lab.Shut(r.repo, n))
				r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
				if got := r.pins(); got != "[]" {
					r.Errorf("the pins are %s", got)
				}
				if note := r.row("prod").Note; mode == "auto" && !strings.Contains(note, "before its merge is taken back") {
					r.Errorf("it is said: %s", note)
				}
				r.looks("prod", 2)
				r.stop()
				r.serve()
				r.looks("prod", 2)
				if got := r.objects(); got != "db=b web=a" {
					r.Fatalf("unasked the world became %s", got)
				}
				_, err := r.daemon.Verdict(r.Context(), "prod", r.row("prod").PlanDigest, "root", store.Approve)
				must(r.TB, err)
				r.eventually("it being taken back", func() bool { return r.objects() == "web=a" && r.row("prod").State == "in sync" })
				r.eventually("nothing being kept open", func() bool {
					kept, err := r.store.Pulls(r.Context(), "infra")
					must(r.TB, err)
					return len(kept) == 1 && !kept[0].Open
				})
			})
		})
	}
}

// TestUnpin: who may gives up what was applied, and the pull request can be applied
// again.
func TestUnpin(t *testing.T) {
	over(t, func(r *rig) {
		n, _ := pinned(r, "auto")
		r.answered(n, r.say(n, "mallory", "isobar unpin"), "-1", "mallory may not end pins of prod")
		r.answered(n, r.say(n, "ben", "isobar unpin prod"), "+1")
		r.shows(n, "ben ended that: prod goes back")
		r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
		r.answered(n, r.say(n, "ben", "isobar unpin prod"), "-1", "prod is not pinned to this pull request")
		r.answered(n, r.say(n, "ben", "isobar approve "+r.row("prod").PlanDigest[:8]), "+1")
		r.eventually("it being taken back", func() bool { return r.objects() == "web=a" })
		r.eventually("no word of it", func() bool { body, _ := r.comments(n); return !strings.Contains(body, "ended that") })
		_, id, _ := strings.Cut(r.shows(n, "plan `"), "plan `")
		r.say(n, "ann", "isobar approve "+id[:9])
		r.answered(n, r.say(n, "ann", "isobar apply"), "rocket")
		r.eventually("it being applied again", func() bool { return r.objects() == "db=b web=a" })
	})
}

// TestNotBeforeMerge: what is not as its approvers saw it is not applied, and whoever
// asks is told why.
func TestNotBeforeMerge(t *testing.T) {
	over(t, func(r *rig) {
		one, base := pinned(r, "approve")
		r.onMain()
		r.push("two", map[string]string{"envs/prod.txt": base + "network dw 10.2.0.0/16 w\n"})
		two := r.open("two", "mei")
		r.shows(two, "pinned to "+r.sign()+"1")
		r.agree(two, "ann")
		r.answered(two, r.say(two, "ann", "isobar apply"), "-1", "prod is pinned to "+r.sign()+"1, which ann applied before its merge")
		r.answered(one, r.say(one, "ann", "isobar apply prod"), "-1", "there is nothing to apply to prod")
		r.merge(one, "web", "merge")
		r.eventually("prod following the branch", func() bool { return r.pins() == "[]" && r.row("prod").State == "in sync" })
		r.shows(two, "can't be merged")
		r.answered(two, r.say(two, "ann", "isobar apply"), "-1", "can't be merged as it is")
		r.onMain()
		r.push("three", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\nnetwork x 10.3.0.0/16 open\n"})
		three := r.open("three", "mei")
		r.shows(three, "1 denied")
		r.answered(three, r.say(three, "ann", "isobar apply"), "-1", "policy denies the plan of prod")
		r.push("three", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\nnetwork x 10.3.0.0/16 x\n", "envs/new.txt": first})
		r.shows(three, "new", "label  x")
		must(r.TB, r.lab.Change(r.repo, three, func(p *labforge.Pull) { p.Draft = true }))
		r.answered(three, r.say(three, "ann", "isobar apply"), "-1", "is a draft")
		must(r.TB, r.lab.Change(r.repo, three, func(p *labforge.Pull) { p.Draft = false }))
		body := r.shows(three, "approvals: 0 of 1", "isobar approve ")
		for _, env := range []string{"new", "prod"} {
			_, rest, _ := strings.Cut(body, "for "+env)
			r.say(three, "ann", "isobar approve "+r.digest(rest))
		}
		r.eventually("both approvals", func() bool { return r.agreed(three, "prod") != "" && r.agreed(three, "new") != "" })
		r.answered(three, r.say(three, "ann", "isobar apply new"), "-1", "new is not on the base branch yet")
		id := r.world.Objects()[0].ID
		must(r.TB, r.world.Mutate("network", id, func(f resource.Map) { f["label"] = resource.String("hacked") }))
		was := r.objects()
		r.stop() // so that the desk has not seen it
		r.look = 1000 * time.Hour
		r.serve()
		r.answered(three, r.say(three, "ann", "isobar apply prod"), "-1")
		if got := r.objects(); got != was {
			r.Errorf("the world has %s", got)
		}
		n, err := r.lab.Open(r.repo, labforge.Pull{Title: "Let me", Author: "mallory", From: "mallory/infra", HeadRef: "three", BaseRef: "main"})
		must(r.TB, err)
		r.shows(n, "From a fork")
		r.answered(n, r.say(n, "ann", "isobar apply prod"), "-1", "a change from a fork is never applied before it is merged")
	})
}

// TestPinWithoutForge: where the forge's settings can't be read at a start, what was
// applied before its merge stays, and its merge is found once they can be.
func TestPinWithoutForge(t *testing.T) {
	over(t, func(r *rig) {
		n, _ := pinned(r, "auto")
		r.stop()
		var shut atomic.Bool
		shut.Store(true)
		r.opens = func() error {
			if shut.Load() {
				return errors.New("the forge's certificates can't be read")
			}
			return nil
		}
		r.serve()
		r.looks("prod", 3)
		if got := r.objects(); got != "db=b web=a" || r.row("prod").State != "in sync" {
			r.Fatalf("the world has %s, prod is %s", got, r.row("prod").State)
		}
		if got := r.pins(); !strings.Contains(got, "prod:pinned to "+r.sign()+"1 since ") {
			r.Errorf("the pins are %s", got)
		}
		shut.Store(false)
		r.merge(n, "web", "squash")
		r.shows(n, "isobar apply · prod", "merged as")
		r.eventually("prod following the branch", func() bool { return r.pins() == "[]" })
		if got := r.objects(); got != "db=b web=a" {
			r.Errorf("the world has %s", got)
		}
	})
}

// TestPinWithoutEnd: what was applied before a merge that never comes to the branch is
// never let go of unasked.
func TestPinWithoutEnd(t *testing.T) {
	over(t, func(r *rig) {
		n, _ := pinned(r, "auto")
		r.push("elsewhere", map[string]string{"README": "what the branch had once"})
		hash, err := r.clone.Git(r.Context(), "rev-parse", "HEAD")
		must(r.TB, err)
		must(r.TB, r.lab.Merge(r.repo, n, hash))
		r.shows(n, "merged as `"+hash[:7])
		for range 3 {
			r.clock.pass(5 * 24 * time.Hour)
			r.looks("prod", 2)
		}
		if got := r.objects(); got != "db=b web=a" || !strings.Contains(r.pins(), "prod:pinned to ") {
			r.Fatalf("the world has %s, the pins are %s", got, r.pins())
		}
		r.answered(n, r.say(n, "ann", "isobar unpin prod"), "+1")
		r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
	})
}

// TestForgeTakenOut: where a repository has no forge any more, what its pull requests
// applied before their merge is taken back, but by a plan that people approve.
func TestForgeTakenOut(t *testing.T) {
	over(t, func(r *rig) {
		pinned(r, "auto")
		r.stop()
		r.gone, r.opens = true, func() error { return errors.New("it was asked all the same") }
		r.serve()
		r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
		r.looks("prod", 2)
		if got, note := r.objects(), r.row("prod").Note; got != "db=b web=a" || !strings.Contains(note, "since the server's file, in which infra has no forge any more, ended that") {
			r.Fatalf("the world has %s, it is said: %s", got, note)
		}
		_, err := r.daemon.Verdict(r.Context(), "prod", r.row("prod").PlanDigest, "root", store.Approve)
		must(r.TB, err)
		r.eventually("it being taken back", func() bool { return r.objects() == "web=a" && r.row("prod").State == "in sync" })
		r.eventually("the pin being forgotten", func() bool {
			kept, err := r.store.Pulls(r.Context(), "infra")
			must(r.TB, err)
			return len(kept) == 1 && !strings.Contains(string(kept[0].Body), `"pins"`)
		})
	})
}

// TestSeatIsLost: what a process knew before another one had the seat takes nothing
// away of what that one did.
func TestSeatIsLost(t *testing.T) {
	over(t, func(r *rig) {
		r.early = true
		base := "mode auto\n" + first
		applied(r, map[string]string{"envs/prod.txt": base})
		r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\n"})
		n := r.open("web", "mei")
		_, id, _ := strings.Cut(r.shows(n, "plan `"), "plan `")
		r.answered(n, r.say(n, "ann", "isobar approve "+id[:9]), "+1")
		r.stop()
		hangs, goes := make(chan struct{}, 100), make(chan struct{})
		defer sync.OnceFunc(func() { close(goes) })()
		r.opens = func() error {
			hangs <- struct{}{}
			<-goes
			return nil
		}
		r.owner = "one"
		r.serve() // it reads what is kept, and hangs at the forge
		<-hangs
		r.opens, r.owner = nil, "another"
		r.clock.pass(5 * time.Minute)
		r.serve()
		r.answered(n, r.say(n, "ann", "isobar apply prod"), "rocket")
		r.shows(n, "Applied before the merge", "applied 1 change")
		for range cap(hangs) / 2 {
			select {
			case goes <- struct{}{}:
			case <-time.After(20 * time.Millisecond):
			}
		}
		r.looks("prod", 3)
		_, answers := r.comments(n)
		if got := r.objects(); got != "db=b web=a" || !strings.Contains(r.pins(), "prod:pinned to ") || len(answers) != 0 {
			r.Errorf("the world has %s, the pins are %s, and it was said %q", got, r.pins(), answers)
		}
	})
}

// TestDriftUnderAPin: it is put back, whatever was approved of the pull since.
func TestDriftUnderAPin(t *testing.T) {
	over(t, func(r *rig) {
		n, base := pinned(r, "auto")
		r.push("web", map[string]string{"envs/prod.txt": base + "network db 10.1.0.0/16 b\nnetwork log 10.2.0.0/16 c\n"})
		r.onMain()
		_, id, _ := strings.Cut(r.shows(n, "fake.network/log", "plan `"), "plan `")
		r.answered(n, r.say(n, "ann", "isobar approve "+id[:9]), "+1")
		r.eventually("it being agreed to", func() bool { return r.agreed(n, "prod") != "" })
		for _, o := range r.world.Objects() {
			if o.Fields.Text("label") == "b" {
				must(r.TB, r.world.Mutate("network", o.ID, func(f resource.Map) { f["label"] = resource.String("by hand") }))
			}
		}
		r.eventually("it being put back", func() bool { return r.objects() == "db=b web=a" && r.row("prod").State == "in sync" })
	})
}

// TestForgeShowsNothing: a token that may not see a repository just now ends nothing.
func TestForgeShowsNothing(t *testing.T) {
	over(t, func(r *rig) {
		n, _ := pinned(r, "auto")
		r.stop()
		repo := r.repo
		r.repo = "acme/elsewhere"
		r.serve()
		r.looks("prod", 3)
		if got := r.objects(); got != "db=b web=a" || !strings.Contains(r.pins(), "prod:pinned to ") {
			r.Errorf("the world has %s, the pins are %s", got, r.pins())
		}
		r.stop()
		r.repo = repo
		r.serve()
		r.answered(n, r.say(n, "ann", "isobar unpin prod"), "+1")
		r.eventually("a plan that waits", func() bool { return r.row("prod").State == "waiting" })
	})
}
