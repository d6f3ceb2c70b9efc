package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
)

const (
	one = "1111111111111111111111111111111111111111"
	two = "2222222222222222222222222222222222222222"
)

func TestPulls(t *testing.T) {
	t.Parallel()
	over(t, 2, func(t *testing.T, w *world) {
		for _, p := range []labforge.Pull{
			{Title: "web", Body: "why", Author: "mei", HeadRef: "web", Head: one, Base: two},
			{Title: "of a fork", Author: "mallory", HeadRef: "main", Head: one, From: "mallory/infra"},
			{Title: "closed", Author: "mei", HeadRef: "old", Head: one},
			{Title: "draft", Author: "mei", HeadRef: "draft", Head: two, Draft: true},
			{Title: "of a fork that is gone", Author: "mallory", HeadRef: "x", Head: one, From: "-"},
			{Title: "last", Author: "mei", HeadRef: "last", Head: one},
		} {
			w.open(t, p)
		}
		must(t, w.lab.Shut(w.repo, 3))
		got, err := w.Pulls(t.Context())
		must(t, err)
		var told []string
		for _, p := range got {
			told = append(told, fmt.Sprintf("%d %s fork=%t draft=%t %s", p.Number, p.Title, p.Fork, p.Draft, p.State))
		}
		want := []string{
			"1 web fork=false draft=false open", "2 of a fork fork=true draft=false open", "4 draft fork=false draft=true open",
			"5 of a fork that is gone fork=true draft=false open", "6 last fork=false draft=false open",
		}
		if !slices.Equal(told, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
		p := got[0]
		same(t, "author", p.Author, "mei")
		same(t, "body", p.Body, "why")
		same(t, "head's branch", p.HeadRef, "web")
		same(t, "base's branch", p.BaseRef, "main")
		same(t, "head", p.Head, one)
		if !strings.HasPrefix(p.URL, w.lab.URL()+"/"+w.repo) || p.Updated.IsZero() {
			t.Errorf("got URL %q, updated %v", p.URL, p.Updated)
		}
		closed, err := w.Pull(t.Context(), 3)
		must(t, err)
		same(t, "closed", closed.State, Closed)
		same(t, "trial merge of a closed one", closed.MergeFetch, "")
		_, err = w.Pull(t.Context(), 99)
		class(t, err, resource.NotFound)
	})
}

func TestPull(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two, Unchecked: true})
		read := func() Pull {
			t.Helper()
			p, err := w.Pull(t.Context(), n)
			must(t, err)
			return p
		}
		p := read()
		same(t, "unchecked", p.Mergeable, Unknown)
		same(t, "base", p.Base, two)
		same(t, "merge commit before the merge", p.MergeCommit, "")
		fetch := map[Kind][2]string{
			GitHub: {"refs/pull/1/head", "refs/pull/1/merge"}, GitLab: {"refs/merge-requests/1/head", ""}, Gitea: {"refs/pull/1/head", ""},
		}[w.Name()]
		same(t, "refs", [2]string{p.HeadFetch, p.MergeFetch}, fetch)
		must(t, w.lab.Change(w.repo, n, func(p *labforge.Pull) { p.Unchecked = false }))
		same(t, "checked", read().Mergeable, Yes)
		must(t, w.lab.Change(w.repo, n, func(p *labforge.Pull) { p.Conflict = true }))
		conflict := No
		if w.Name() == Gitea {
			conflict = Unknown
		}
		same(t, "conflict", read().Mergeable, conflict)
		must(t, w.lab.Merge(w.repo, n, two))
		p = read()
		same(t, "state", p.State, Merged)
		same(t, "merge commit", p.MergeCommit, two)
	})
}

// A fast-forward leaves the head itself on the base branch.
func TestFastForward(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two})
		must(t, w.lab.Merge(w.repo, n, one))
		p, err := w.Pull(t.Context(), n)
		must(t, err)
		same(t, "merge commit", p.MergeCommit, one)
	})
}

// Whoever may read may push to Gitea's refs/for: such a pull is no branch of ours.
func TestPullWithoutBranch(t *testing.T) {
	t.Parallel()
	w := at(t, Gitea, 0)
	n := w.open(t, labforge.Pull{Head: one, Base: two})
	p, err := w.Pull(t.Context(), n)
	must(t, err)
	same(t, "fork", p.Fork, true)
	same(t, "head", p.Head, one)
}

// statuses counts the answers to reads of pulls.
func statuses(w *world) map[int]int {
	out := map[int]int{}
	for _, r := range w.lab.Requests() {
		out[r.Status]++
	}
	return out
}

func TestListIsConditional(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{Title: "before", HeadRef: "web", Head: one})
		first, err := w.Pulls(t.Context())
		must(t, err)
		w.lab.Requests()
		again, err := w.Pulls(t.Context())
		must(t, err)
		if !slices.Equal(first, again) {
			t.Errorf("the same list came out as %v, then %v", first, again)
		}
		want := map[int]int{http.StatusNotModified: 1}
		if w.Name() == Gitea { // has no entity tags
			want = map[int]int{http.StatusOK: 1}
		}
		if got := statuses(w); len(got) != 1 || got[http.StatusNotModified] != want[http.StatusNotModified] || got[http.StatusOK] != want[http.StatusOK] {
			t.Errorf("got answers %v, want %v", got, want)
		}
		must(t, w.lab.Change(w.repo, n, func(p *labforge.Pull) { p.Title = "after" }))
		changed, err := w.Pulls(t.Context())
		must(t, err)
		same(t, "title", changed[0].Title, "after")
	})
}

func TestComments(t *testing.T) {
	t.Parallel()
	over(t, 2, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Patches: patches()})
		other := w.open(t, labforge.Pull{HeadRef: "db", Head: two})
		w.say(t, other, "mei", "elsewhere")
		for i := range 5 {
			w.say(t, n, "mei", fmt.Sprintf("word %d", i))
		}
		must(t, w.lab.Remark(w.repo, n, "added 1 commit"))
		ours, err := w.Comment(t.Context(), n, "plan: 3 to add")
		must(t, err)
		same(t, "our body", ours.Body, "plan: 3 to add")
		p, err := w.Pull(t.Context(), n)
		must(t, err)
		if left, err := w.Annotate(t.Context(), p, []Note{{"net.cue", 2, "a note on the diff is no comment"}}); err != nil || len(left) > 0 {
			t.Fatal(left, err)
		}
		all, err := w.Comments(t.Context(), n, time.Time{})
		must(t, err)
		var told []string
		for _, c := range all {
			told = append(told, c.Author+": "+c.Body)
		}
		self, err := w.Self(t.Context())
		must(t, err)
		want := []string{"mei: word 0", "mei: word 1", "mei: word 2", "mei: word 3", "mei: word 4", self + ": plan: 3 to add"}
		if !slices.Equal(told, want) {
			t.Errorf("got %q, want %q", told, want)
		}
		w.clock.add(time.Minute)
		must(t, w.lab.Rewrite(w.repo, all[1].ID, "isobar plan"))
		must(t, w.Edit(t.Context(), n, ours.ID, "plan: 4 to add"))
		w.lab.Requests()
		fresh, err := w.Comments(t.Context(), n, w.clock.Now())
		must(t, err)
		if len(fresh) != 2 || fresh[0].Body != "isobar plan" || fresh[1].Body != "plan: 4 to add" || fresh[1].ID != ours.ID {
			t.Errorf("since a minute ago: %+v", fresh)
		}
		// who can filter by time is asked to; of GitLab's the newest pages are enough
		asked := w.lab.Requests()
		if w.Name() != GitLab && (len(asked) != 1 || !strings.Contains(asked[0].Query, "since=2027-01-15T")) || len(asked) > 2 {
			t.Errorf("asked %v", asked)
		}
		none, err := w.Comments(t.Context(), n, w.clock.Now().Add(time.Second))
		if err != nil || len(none) != 0 {
			t.Errorf("since later: %v, %v", none, err)
		}
	})
}

func TestEditOfDeleted(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one})
		c, err := w.Comment(t.Context(), n, "plan")
		must(t, err)
		must(t, w.lab.Delete(w.repo, c.ID))
		class(t, w.Edit(t.Context(), n, c.ID, "new plan"), resource.NotFound)
		class(t, w.Edit(t.Context(), n, "17; drop", "new plan"), resource.Invalid)
		_, err = w.Comment(t.Context(), 99, "plan")
		class(t, err, resource.NotFound)
	})
}

// The limit is of characters, not bytes. Gitea takes any.
func TestLongestComment(t *testing.T) {
	t.Parallel()
	for kind, letter := range map[Kind]string{GitHub: "é", GitLab: "x"} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := at(t, kind, 0)
			n := w.open(t, labforge.Pull{HeadRef: "web", Head: one})
			long := strings.Repeat(letter, w.MaxComment())
			_, err := w.Comment(t.Context(), n, long+letter)
			class(t, err, resource.Invalid)
			if !strings.Contains(fmt.Sprint(err), "too long") {
				t.Errorf("the forge's words are missing: %v", err)
			}
			c, err := w.Comment(t.Context(), n, long)
			must(t, err)
			same(t, "kept", c.Body == long, true)
		})
	}
}

func TestReactions(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one})
		id := w.say(t, n, "mei", "isobar plan")
		all := []Reaction{Seen, Agreed, Refused, Confused, Launched}
		for range 2 {
			for _, r := range all {
				must(t, w.React(t.Context(), n, id, r))
			}
		}
		if got := w.look(t, n).Comments[0].Reactions; len(got) != len(all) || !strings.HasPrefix(got[0], "eyes by ") {
			t.Errorf("got %q", got)
		}
		must(t, w.lab.Delete(w.repo, id))
		class(t, w.React(t.Context(), n, id, Seen), resource.NotFound)
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		must(t, w.SetStatus(t.Context(), one, Status{Context: "isobar/plan: prod", Result: Pending, Text: "planning", URL: "https://isobar.test/r/1"}))
		must(t, w.SetStatus(t.Context(), one, Status{Context: "isobar/plan: prod", Result: Pending, Text: "planning"}))
		must(t, w.SetStatus(t.Context(), one, Status{Context: "isobar/apply: prod", Result: Success, Text: "applied"}))
		must(t, w.SetStatus(t.Context(), one, Status{Context: "isobar/policy: prod", Result: Error, Text: "x"}))
		must(t, w.SetStatus(t.Context(), one, Status{Context: "isobar/plan: prod", Result: Failure, Text: strings.Repeat("ж", 500)}))
		got := w.lab.Statuses(w.repo, one)
		failure, faulty := "failure", "error"
		if w.Name() == GitLab {
			failure, faulty = "failed", "failed"
		}
		want := labforge.Status{Commit: one, Context: "isobar/plan: prod", State: "pending", Text: "planning", URL: "https://isobar.test/r/1"}
		same(t, "first", got[0], want)
		last := got[len(got)-1]
		same(t, "last state", last.State, failure)
		same(t, "last text", last.Text, strings.Repeat("ж", 139)+"…")
		states := map[string]string{}
		for _, s := range got {
			states[s.Context] = s.State
		}
		same(t, "apply", states["isobar/apply: prod"], "success")
		same(t, "policy", states["isobar/policy: prod"], faulty)
	})
}

func TestMembers(t *testing.T) {
	t.Parallel()
	over(t, 2, func(t *testing.T, w *world) {
		w.lab.Team("acme/ops", "zoe", "mei", "ana", "li", "bob")
		w.lab.Team("acme/ops-night", "eve")
		w.lab.Team("acme/dev", "mallory")
		got, err := w.Members(t.Context(), "acme/ops")
		if want := []string{"ana", "bob", "li", "mei", "zoe"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		_, err = w.Members(t.Context(), "acme/none")
		class(t, err, resource.NotFound)
		_, err = w.Members(t.Context(), "")
		class(t, err, resource.Invalid)
	})
}
