package preview_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// TestCancelComment: who may stops the run of a merge by a comment: what is under way
// ends, nothing more begins, and what is left waits for a person.
func TestCancelComment(t *testing.T) {
	over(t, func(r *rig) {
		const many = 60
		applied(r, map[string]string{"envs/prod.txt": "mode auto\n" + first, "envs/test.txt": first, "isobar.cue": "prod ann ben\n"})
		text := "mode auto\n" + first
		for i := range many {
			text += fmt.Sprintf("network n%d 10.%d.0.0/16 b\n", i, i+1)
		}
		r.push("web", map[string]string{"envs/prod.txt": text})
		n := r.open("web", "mei")
		r.shows(n, "fake.network/n0")
		r.answered(n, r.say(n, "ann", "isobar cancel"), "-1", "nothing of this pull request is applied before it is merged")
		r.answered(n, r.say(n, "ann", "isobar cancel test"), "-1", "no run or environment of this pull request is called test")
		begun, gate := make(chan struct{}, many), make(chan struct{})
		release := sync.OnceFunc(func() { close(gate) })
		defer release()
		r.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate {
				begun <- struct{}{}
				<-gate
			}
			return fake.Decision{}
		})
		r.merge(n, "web", "merge")
		select {
		case <-begun:
		case <-t.Context().Done():
		}
		run := r.runs("prod")[0]
		if run.State != store.Applying {
			r.Fatalf("the run is %+v", run)
		}
		r.answered(n, r.say(n, "mallory", "isobar cancel"), "-1", "mallory may not cancel runs of prod", "ann or ben may")
		r.answered(n, r.say(n, "ben", "isobar cancel "+run.ID), "+1")
		release()
		r.shows(n, "isobar apply · prod · waiting", "isobar approve ") // for what is left
		if kept, err := r.store.Run(r.Context(), run.ID); err != nil || kept.State != store.Cancelled || !strings.Contains(kept.Note, "cancelled by ben ("+r.sign()+"1)") {
			r.Errorf("the run is %s, %s, %v", kept.State, kept.Note, err)
		}
		done := len(r.world.Objects()) - 2
		if done == 0 || done >= many {
			r.Fatalf("%d of %d were made", done, many)
		}
		r.answered(n, r.say(n, "ann", "isobar cancel prod"), "+1") // the plan that waits
		r.eventually("it being turned away", func() bool { return strings.Contains(r.row("prod").Note, "was cancelled by ann ("+r.sign()+"1)") })
		r.looks("prod", 2)
		if got := len(r.world.Objects()) - 2; got != done {
			r.Errorf("%d were made after the cancel", got-done)
		}
		r.answered(n, r.say(n, "ann", "isobar cancel prod"), "-1", "there is nothing to cancel")
		rows, err := r.store.AuditRows(r.Context(), store.AuditFilter{})
		must(r.TB, err)
		said := map[string]int{}
		for _, a := range rows {
			said[a.Kind+" "+a.Actor]++
		}
		if said["comment.cancel ben"] != 1 || said["comment.refused mallory"] != 1 || said["cancel ben ("+r.sign()+"1)"] != 1 {
			r.Errorf("on record is %v", said)
		}
	})
}
