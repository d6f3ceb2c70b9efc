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

func TestWrites(t *testing.T) {
	t.Parallel()
	over(t, 2, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{Author: "mallory", HeadRef: "web", Head: one})
		w.say(t, n, "eve", "isobar apply")
		w.lab.Team("acme/ops", "ana", "meister", "meiwes")
		expect := func(want map[string]bool) {
			t.Helper()
			for login, writes := range want {
				got, err := w.Writes(t.Context(), login)
				must(t, err)
				same(t, login, got, writes)
			}
		}
		expect(map[string]bool{
			labforge.Self: true,
			"mei":         false, // nobody has it yet
			"mallory":     false, // opened the pull
			"eve":         false, // commented on it
			"ana":         false, // reads by her team
			"isobar[bot]": false,
			"invited":     false, // GitLab's, who has not accepted
		})
		w.lab.Writer(w.repo, "acme", "mei", "zoe")
		expect(map[string]bool{"mei": true, "Mei": true, "zoe": true, "acme": true, "me": false, "meister": false, "ana": false})
		w.lab.Writer(w.repo, "zoe", "mei-2")
		expect(map[string]bool{"mei": false, "zoe": true, "acme": false})
	})
}

// What would be another path in a request is nobody's login, and nothing is asked.
func TestWritesOfNobody(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		w.lab.Writer(w.repo, "mei")
		for _, login := range []string{"", ".", "..", "mei/..", "../../acme", "mei?x", "mei#", "%6dei", `mei\`, "mei ", "mei\n"} {
			got, err := w.Writes(t.Context(), login)
			must(t, err)
			same(t, login, got, false)
		}
		same(t, "requests", len(w.lab.Requests()), 0)
	})
}

// A repository that is not to be seen is no answer on its people.
func TestPeopleOfNoRepository(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		f := speak(t, Options{Kind: w.Name(), URL: w.lab.URL(), Repo: w.repo + "-gone", Token: w.token.get, Now: w.clock.Now})
		_, err := f.Writes(t.Context(), "mei")
		class(t, err, resource.NotFound)
		_, err = f.Authors(t.Context(), 1)
		class(t, err, resource.NotFound)
	})
}

func TestAuthors(t *testing.T) {
	t.Parallel()
	over(t, 2, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{Author: "mallory", HeadRef: "web", Head: one, Commits: []string{"zoe", "mei/web-flow", "zoe/ana", "", "li/", "mei/eve", "bob/mei"}})
		none := w.open(t, labforge.Pull{Author: "mallory", HeadRef: "db", Head: one})
		w.say(t, n, "kim", "isobar approve")
		want := []string{"ana", "bob", "eve", "li", "mei", "zoe"}
		if w.Name() != GitHub { // where it may be a person's login
			want = append(want[:5:5], "web-flow", "zoe")
		}
		got, err := w.Authors(t.Context(), n)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		must(t, w.lab.Merge(w.repo, n, two))
		if again, err := w.Authors(t.Context(), n); err != nil || !slices.Equal(got, again) {
			t.Errorf("of the merged one: %q, %v, want %q", again, err, got)
		}
		if got, err := w.Authors(t.Context(), none); err != nil || len(got) > 0 {
			t.Errorf("without commits: %q, %v", got, err)
		}
		_, err = w.Authors(t.Context(), 99)
		class(t, err, resource.NotFound)
	})
}

// 250 commits are looked at, in as many pages as those take.
func TestAuthorsOfManyCommits(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		commits := slices.Repeat([]string{"mei"}, 400)
		commits[0], commits[249], commits[150], commits[399] = "oldest/mei", "old/mei", "new/mei", "newest/mei"
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Commits: commits})
		want, asked := []string{"mei", "new", "newest", "old"}, 3
		switch w.Name() {
		case GitHub:
			want = []string{"mei", "new", "old", "oldest"}
		case Gitea:
			asked = 5
		case GitLab:
		}
		w.lab.Requests()
		got, err := w.Authors(t.Context(), n)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		same(t, "requests", len(w.lab.Requests()), asked)
	})
}

func TestPeopleFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[labforge.FaultKind]resource.Class{
		labforge.Ill: resource.Transient, labforge.Lost: resource.Transient, labforge.Forbidden: resource.Denied,
		labforge.Refused: resource.Invalid, labforge.Secondary: resource.Throttled,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			over(t, 0, func(t *testing.T, w *world) {
				n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Commits: []string{"mei"}})
				w.lab.Writer(w.repo, "mei")
				w.lab.Break(labforge.Fault{Kind: kind, After: time.Minute})
				writes, err := w.Writes(t.Context(), "mei")
				class(t, err, want)
				same(t, "writes", writes, false)
				w.clock.add(time.Minute)
				w.lab.Break(labforge.Fault{Kind: kind, After: time.Minute})
				got, other := w.Authors(t.Context(), n)
				class(t, other, want)
				same(t, "authors", len(got), 0)
				for _, err := range []error{err, other} {
					if !strings.HasPrefix(fmt.Sprint(err), string(w.Name())+": ") {
						t.Errorf("the error says %q", err)
					}
				}
				same(t, "requests", len(w.lab.Requests()), 2) // nothing is tried again
			})
		})
	}
}

// GitLab's GraphQL refuses with an answer of 200.
func TestAuthorsRefusedByGraphQL(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]resource.Class{
		`{"errors":[{"message":"Field 'committers' doesn't exist on type 'MergeRequest'"}]}`: resource.Invalid,
		`{"data":null,"errors":[{"message":"Timeout"}]}`:                                     resource.Invalid,
		`{}`:                        resource.Transient,
		`{"data":{"project":null}}`: resource.NotFound,
		`{"data":{"project":{"mergeRequest":null}}}`:                                                                   resource.NotFound,
		`{"data":{"project":{"mergeRequest":{"commits":[3]}}}}`:                                                        resource.Transient,
		`{"data":{"project":{"mergeRequest":{"commits":{"nodes":[null,{"author":null}]},"committers":{"nodes":[]}}}}}`: "",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				same(t, "path", r.URL.Path, "/code/api/graphql")
				_, _ = w.Write([]byte(answer))
			})
			f := speak(t, Options{Kind: GitLab, URL: srv.URL + "/code", Repo: "a/b", Token: (&text{s: "t"}).get, Now: time.Now})
			got, err := f.Authors(t.Context(), 1)
			class(t, err, want)
			same(t, "authors", len(got), 0)
			if want == resource.Invalid && !strings.Contains(err.Error(), "the forge refuses the query (") {
				t.Errorf("the error says %q", err)
			}
		})
	}
}

// Names in the commits of a repository on disk are logins.
func TestAuthorsBesideRepository(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		b := newDisk(t)
		w.lab.Repo(w.repo, b.dir)
		first := b.commit(t, "main", "", map[string]string{"net.cue": "a\n"})
		head := b.commit(t, "web", first, map[string]string{"net.cue": "b\n"})
		tree := b.git(t, "", "rev-parse", head+"^{tree}")
		top := b.git(t, "", "-c", "author.name=li", "-c", "committer.name=zoe", "commit-tree", "-m", "more", "-p", head, tree)
		b.git(t, "", "update-ref", "refs/heads/web", top)
		n := w.open(t, labforge.Pull{HeadRef: "web"})
		got, err := w.Authors(t.Context(), n)
		if want := []string{"li", "mei", "zoe"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	})
}
