package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// pair is a stage with two repositories, a and b.
type pair struct {
	*stage
	a, b *source
}

func newPair(s *stage) *pair {
	p := &pair{stage: s, a: &source{head: "none"}, b: &source{head: "none"}}
	s.repos = []reconcile.Repo{{Name: "a", Source: p.a, Origin: "/a"}, {Name: "b", Source: p.b, Origin: "/b"}}
	return p
}

func playPair(t *testing.T, f func(t *testing.T, p *pair)) {
	play(t, func(t *testing.T, s *stage) { f(t, newPair(s)) })
}

// commit moves one repository's head to what it has now.
func (p *pair) commit(to *source, name string, c commit) {
	p.specs.put(name, c)
	to.mu.Lock()
	to.head = name
	to.mu.Unlock()
}

func (p *pair) has(to *source, name string, envs ...string) {
	c := commit{envs: map[string]environment{}}
	for _, e := range envs {
		c.envs[e] = nets(e, "one", "two")
	}
	p.commit(to, name, c)
}

// wantRefused wants just these refusals: "ENV REPO CODE".
func (p *pair) wantRefused(want ...string) {
	p.t.Helper()
	var got []string
	for _, r := range p.Refused() {
		got = append(got, r.Env+" "+r.Repo+" "+string(r.Finding.Code))
		if r.Finding.Message == "" || r.Finding.Mend == "" {
			p.t.Errorf("%+v does not say what and how", r)
		}
	}
	if !slices.Equal(got, want) {
		p.t.Fatalf("refused %v, want %v", got, want)
	}
}

func (p *pair) wantLive(n int) {
	p.t.Helper()
	if p.live() != n {
		p.t.Fatalf("%d objects, want %d", p.live(), n)
	}
}

func (p *pair) wantOwner(env, repo string) {
	p.t.Helper()
	if row := p.row(env); row.Repo != repo {
		p.t.Fatalf("%s belongs to %q, want %q", env, row.Repo, repo)
	}
}

// TestTwoRepositories: each goes on by itself, whatever befalls the other one.
func TestTwoRepositories(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "shop")
		p.has(p.b, "b1", "base")
		p.start()
		p.pass(10 * time.Second)
		p.wantState("shop", "in sync")
		p.wantState("base", "in sync")
		p.a.set(errors.New("branch \"main\" is gone"))
		p.has(p.b, "b2", "base", "more")
		p.pass(10 * time.Second)
		p.wantState("more", "in sync")
		p.wantState("shop", "in sync")
		p.wantLive(6)
		if got := p.Aside(p.row("shop")); !strings.Contains(got, "a1 stays in force: branch") {
			t.Errorf("beside shop stands %q", got)
		}
		if got := p.Aside(p.row("base")); got != "" {
			t.Errorf("beside base stands %q", got)
		}
		p.has(p.a, "a2", "shop", "shop_eu")
		p.a.set(nil)
		p.pass(10 * time.Second)
		p.wantState("shop_eu", "in sync")
		runs, err := p.data.Runs(t.Context(), store.RunFilter{Env: "shop_eu"})
		if err != nil || len(runs) != 1 || runs[0].Repo != "a" {
			t.Errorf("the run says %+v, %v", runs, err)
		}
		p.wantRefused()
	})
}

// TestDuplicateIsRefused: who had the environment first keeps it, through
// restarts and whoever is fetched first.
func TestDuplicateIsRefused(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "prod")
		p.start()
		p.pass(10 * time.Second)
		p.has(p.b, "b1", "prod", "test")
		p.pass(2 * time.Minute)
		p.wantRefused("prod b SRV-801")
		p.wantOwner("prod", "a")
		p.wantState("test", "in sync")
		p.wantLive(4)
		if n := p.room.count("refused:", "prod", "repository b", "and so has a"); n != 1 {
			t.Fatalf("told %d times:\n%s", n, strings.Join(p.room.all(), "\n"))
		}
		p.end()
		p.a.set(errors.New("down")) // so that b is there first
		p.a.head = ""
		p.start()
		p.pass(2 * time.Minute)
		p.wantRefused("prod b SRV-801")
		p.wantOwner("prod", "a")
		p.wantLive(4)
		p.has(p.a, "a2", "prod")
		p.a.set(nil)
		p.pass(2 * time.Minute)
		p.wantRefused("prod b SRV-801")
		p.wantState("prod", "in sync")
		// b lets go: there is nothing more to say
		p.has(p.b, "b2", "test")
		p.pass(2 * time.Minute)
		p.wantRefused()
		p.wantLive(4)
	})
}

// TestUnreadableEstateKeeps: a repository whose isobar.cue breaks keeps what it had.
func TestUnreadableEstateKeeps(t *testing.T) {
	playPair(t, func(_ *testing.T, p *pair) {
		p.has(p.a, "a1", "prod")
		p.start()
		p.pass(10 * time.Second)
		p.commit(p.a, "a2", commit{broken: diag.List{{Severity: diag.Error, Code: "SPEC-101", Message: "no"}}})
		p.has(p.b, "b1", "prod")
		p.pass(2 * time.Minute)
		p.wantRefused("prod b SRV-801")
		p.wantOwner("prod", "a")
		p.wantLive(2)
	})
}

// TestMoveBetweenRepositories: an environment that left one repository is taken
// up by another one only where somebody trusted says so; nothing is deleted or
// made anew on the way, in whatever order the commits come.
func TestMoveBetweenRepositories(t *testing.T) {
	for name, first := range map[string]string{"taken out first": "a", "put in first": "b"} {
		t.Run(name, func(t *testing.T) {
			playPair(t, func(t *testing.T, p *pair) {
				p.has(p.a, "a1", "prod")
				p.start()
				p.pass(10 * time.Second)
				before := ids(p.stage)
				out, in := func() { p.has(p.a, "a2") }, func() { p.has(p.b, "b1", "prod") }
				if first == "b" {
					out, in = in, out
				}
				out()
				p.pass(2 * time.Minute)
				in()
				p.pass(2 * time.Minute)
				p.wantRefused("prod b SRV-803")
				p.wantOwner("prod", "a")
				p.wantState("prod", "held")
				p.repos[1].Holds, p.repos[1].Version = []string{"pro*"}, "2"
				if err := p.Refollow(t.Context(), p.repos); err != nil {
					t.Fatal(err)
				}
				p.pass(10 * time.Second)
				p.wantRefused()
				p.wantOwner("prod", "b")
				p.wantState("prod", "in sync")
				if got := ids(p.stage); !slices.Equal(got, before) {
					t.Errorf("the objects are %v, and were %v", got, before)
				}
				p.end()
				p.start()
				p.pass(2 * time.Minute)
				p.wantOwner("prod", "b")
				p.wantState("prod", "in sync")
			})
		})
	}
}

// TestMoveToAnotherEstate: objects that bear another estate's mark stay as they are.
func TestMoveToAnotherEstate(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "prod")
		p.start()
		p.pass(10 * time.Second)
		before := ids(p.stage)
		p.has(p.a, "a2")
		p.commit(p.b, "b1", commit{estate: "another-estate", envs: map[string]environment{"prod": nets("prod", "one")}})
		p.repos[1].Holds, p.repos[1].Version = []string{"prod"}, "2"
		if err := p.Refollow(t.Context(), p.repos); err != nil {
			t.Fatal(err)
		}
		p.pass(5 * time.Minute)
		p.wantOwner("prod", "b")
		p.wantState("prod", "held")
		if note := p.row("prod").Note; !strings.Contains(note, "bears the mark of prod/fake.network/") {
			t.Errorf("it is held since %s", note)
		}
		if got := ids(p.stage); !slices.Equal(got, before) {
			t.Errorf("the objects are %v, and were %v", got, before)
		}
	})
}

// TestEmptyEnvironmentMovesFreely: one that holds nothing belongs to whoever has it.
func TestEmptyEnvironmentMovesFreely(t *testing.T) {
	playPair(t, func(_ *testing.T, p *pair) {
		p.commit(p.a, "a1", commit{envs: map[string]environment{"prod": withMode(nets("prod", "one"), "observe")}})
		p.start()
		p.pass(10 * time.Second)
		p.has(p.b, "b1", "prod")
		p.pass(10 * time.Second)
		p.wantRefused("prod b SRV-801")
		p.has(p.a, "a2")
		p.pass(time.Minute)
		p.wantRefused()
		p.wantOwner("prod", "b")
		p.wantState("prod", "in sync")
		p.wantLive(2)
	})
}

// TestWhatARepositoryMayHold: a name beyond its globs is refused, and an
// environment that it had is left alone from then on.
func TestWhatARepositoryMayHold(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "prod", "shop")
		p.start()
		p.pass(10 * time.Second)
		p.repos[0].Holds, p.repos[0].Version = []string{"shop"}, "2"
		if err := p.Refollow(t.Context(), p.repos); err != nil {
			t.Fatal(err)
		}
		p.pass(10 * time.Second)
		p.wantRefused("prod a SRV-802")
		seen := p.row("prod").CheckedAt
		p.has(p.a, "a2")
		p.pass(5 * time.Minute)
		p.wantLive(4)
		if at := p.row("prod").CheckedAt; !at.Equal(seen) {
			t.Errorf("prod was looked at, at %s after %s", at, seen)
		}
	})
}

// TestRefollow: repositories come and go while the daemon runs.
func TestRefollow(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "shop")
		p.has(p.b, "b1", "base")
		p.repos = p.repos[:1]
		p.start()
		p.pass(10 * time.Second)
		if _, err := p.data.Environment(t.Context(), "base"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("base: %v", err)
		}
		opened := 0
		b := reconcile.Repo{Name: "b", Origin: "/b", Version: "1", Open: func(context.Context) (reconcile.Source, <-chan struct{}, error) {
			if opened++; opened == 1 {
				return nil, nil, errors.New("the disk is full")
			}
			return p.b, nil, nil
		}}
		must(t, p.Refollow(t.Context(), append(p.repos, b)))
		p.pass(time.Second)
		if p.Ready() == nil {
			t.Error("ready before b was fetched")
		}
		p.pass(10 * time.Second)
		p.wantState("base", "in sync")
		must(t, p.Ready())
		// a goes, and is renamed later: its environment is still its own
		must(t, p.Refollow(t.Context(), []reconcile.Repo{b}))
		if opened != 2 {
			t.Errorf("b was opened %d times", opened)
		}
		if got := p.Aside(p.row("shop")); !strings.Contains(got, "repository a is not followed any more") {
			t.Errorf("beside shop stands %q", got)
		}
		seen := p.row("shop").CheckedAt
		p.pass(5 * time.Minute)
		if p.row("shop").CheckedAt != seen {
			t.Error("shop was looked at")
		}
		must(t, p.Refollow(t.Context(), []reconcile.Repo{b, {Name: "market", Origin: "/a", Source: p.a}}))
		p.pass(2 * time.Minute)
		p.wantOwner("shop", "market")
		p.wantState("shop", "in sync")
		p.wantLive(4)
		p.wantRefused()
	})
}

// TestRefollowWakes: who finds, after the server's file was read anew, that a newer
// commit was seen has it fetched, and waits for no follower of before.
func TestRefollowWakes(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "shop")
		p.has(p.b, "b1", "base")
		p.start()
		p.pass(10 * time.Second)
		must(t, p.Refollow(t.Context(), p.repos))
		_, gen, err := p.data.Head(t.Context(), "a")
		must(t, err)
		must(t, p.data.PutHead(t.Context(), "a", "a2", gen))
		p.a.set(errors.New("down")) // till the look for drift, which pokes
		p.pass(2 * time.Minute)
		p.a.set(nil)
		seen := p.row("shop").CheckedAt
		p.pass(2 * time.Minute)
		if got := p.row("shop").CheckedAt; !got.After(seen) {
			t.Errorf("shop was not looked at since %s", seen)
		}
	})
}

// TestCredentialsByName: an environment that names what it may not use, or what
// nobody declares, is held, and the others go on. The ledger keeps the name.
func TestCredentialsByName(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		using := func(env, name string) environment {
			e := nets(env, "one")
			e.Providers = map[string]spec.Provider{"fake": {Type: "fake", Settings: resource.Map{"region": text("main")}}}
			if name != "" {
				e.Providers["fake"].Settings["credentials"] = text(name)
			}
			return e
		}
		p.repos = []reconcile.Repo{{Name: "a", Source: p.a, May: func(profile string) error {
			if profile == "bad" || profile == "" {
				return fmt.Errorf("repository a may not use %q", profile)
			}
			return nil
		}}}
		p.commit(p.a, "a1", commit{envs: map[string]environment{
			"good": using("good", "known"), "bad": using("bad", "bad"), "own": using("own", ""), "lost": using("lost", "lost"), "alien": using("alien", "alien"),
		}})
		p.known = func(name string) *provider.Credentials {
			return map[string]*provider.Credentials{"known": {Name: "known", Provider: "fake"}, "alien": {Name: "alien", Provider: "aws"}}[name]
		}
		p.start()
		p.pass(10 * time.Second)
		p.wantState("good", "in sync")
		for env, why := range map[string]string{
			"bad": `repository a may not use "bad"`, "own": `repository a may not use ""`, "lost": "declares credentials lost", "alien": "are for aws, not for fake",
		} {
			p.wantState(env, "held")
			if note := p.row(env).Note; !strings.Contains(note, why) {
				t.Errorf("%s is held since %s, want %s", env, note, why)
			}
		}
		p.wantLive(1)
		state, err := p.data.State(t.Context(), "good")
		if err != nil || len(state.Sorted()) != 1 || state.Sorted()[0].Record.Settings.Text("credentials") != "known" {
			t.Errorf("the ledger holds %+v, %v", state.Sorted(), err)
		}
	})
}

// TestRepositoriesNeverFight lets two repositories have and lose the same
// environments, and be down, in any order over restarts: no object goes, an
// environment stays with whoever has it, and in the end one of them is refused.
func TestRepositoriesNeverFight(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { fight(t, seed) })
		})
	}
}

func fight(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	p := newPair(newStage(t))
	p.start()
	defer func() { p.end() }()
	made, n := 0, 0
	for range 12 {
		to := []*source{p.a, p.b}[rnd.IntN(2)]
		switch rnd.IntN(4) {
		case 0:
			to.set(errors.New("down"))
		case 1:
			to.set(nil)
		case 2:
			p.end()
			p.start()
		}
		n++
		envs := [][]string{{"prod"}, {"prod", "test"}, {"test"}, nil}[rnd.IntN(4)]
		p.has(to, fmt.Sprint("c", n), envs...)
		held := map[string]string{}
		for _, env := range []string{"prod", "test"} {
			if row, err := p.data.Environment(t.Context(), env); err == nil && row.Resources > 0 {
				held[env] = row.Repo
			}
		}
		p.pass(time.Duration(1+rnd.IntN(90)) * time.Second)
		if p.live() < made {
			t.Fatalf("step %d: %d objects, and there were %d", n, p.live(), made)
		}
		made = p.live()
		for env, repo := range held {
			if now := p.row(env).Repo; now != repo {
				t.Fatalf("step %d: %s went from %s to %s", n, env, repo, now)
			}
		}
	}
	p.a.set(nil)
	p.b.set(nil)
	p.has(p.a, "last a", "prod")
	p.has(p.b, "last b", "prod")
	p.pass(3 * time.Minute)
	if got := p.Refused(); len(got) != 1 || got[0].Env != "prod" || got[0].Repo == p.row("prod").Repo {
		t.Fatalf("prod is %s's, refused is %+v", p.row("prod").Repo, got)
	}
	p.wantState("prod", "in sync")
}

// ids gives the ids of what there is, sorted.
func ids(s *stage) []string {
	var out []string
	for _, o := range s.world.Objects() {
		out = append(out, string(o.ID))
	}
	slices.Sort(out)
	return out
}
