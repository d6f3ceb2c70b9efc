package preview_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/forge"
	"isobar.dev/engine/git"
	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/lab/gitd"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/preview"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// clock is a time that runs as fast as the machine's, and jumps where a test says.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// specs reads a repository that is written in lines: access.txt says who may, and
// envs/NAME.txt what an environment has, one word and its values a line.
type specs struct{}

func lines(tree fs.FS, name string) ([][]string, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for l := range strings.Lines(string(text)) {
		if words := strings.Fields(l); len(words) > 0 {
			out = append(out, words)
		}
	}
	return out, nil
}

func (specs) Estate(_ context.Context, tree fs.FS) (spec.Estate, error) {
	out := spec.Estate{ID: "estate-1", Mode: "approve"}
	files, err := fs.Glob(tree, "envs/*.txt")
	if err != nil {
		return out, err
	}
	for _, f := range files {
		out.Environments = append(out.Environments, strings.TrimSuffix(filepath.Base(f), ".txt"))
	}
	access, err := lines(tree, "isobar.cue")
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	for _, l := range access {
		r := review.Rule{Envs: l[0], Approvals: 1}
		for _, w := range l[1:] {
			if _, err := fmt.Sscanf(w, "need=%d", &r.Approvals); err != nil {
				r.Approvers = append(r.Approvers, w)
			}
		}
		out.Access = append(out.Access, r)
	}
	return out, err
}

func (specs) Digest(_ context.Context, tree fs.FS, env string) (string, error) {
	text, err := fs.ReadFile(tree, "envs/"+env+".txt")
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

func (s specs) Environment(ctx context.Context, tree fs.FS, env string) (spec.Environment, error) {
	out := spec.Environment{
		Name: env, Mode: "approve", Deletes: spec.Deletes{Max: 100, MaxShare: 1},
		Providers: map[string]spec.Provider{"fake": {Type: "fake", Settings: resource.Map{"region": resource.String("main")}}},
	}
	all, err := lines(tree, "envs/"+env+".txt")
	if err != nil {
		return out, err
	}
	out.Digest, _ = s.Digest(ctx, tree, env)
	for i, l := range all {
		switch {
		case l[0] == "mode":
			out.Mode = l[1]
		case l[0] == "waive" && len(l) == 2:
			out.Policy.Waivers = append(out.Policy.Waivers, spec.Waiver{Rule: l[1], Reason: "it says so itself"})
		case l[0] == "network" && len(l) == 4:
			out.Desired = append(out.Desired, resource.Desired{
				Address: resource.Address{Env: env, Provider: "fake", Kind: "network", Name: l[1]},
				Fields:  resource.Map{"cidr": resource.String(l[2]), "label": resource.String(l[3])},
				At:      resource.Position{File: "envs/" + env + ".txt", Line: i + 1, Col: 1},
			})
		case l[0] == "secret" && len(l) == 4:
			if out.Secrets == nil {
				out.Secrets = map[string]resource.SecretSource{}
			}
			out.Secrets[l[1]] = map[string]resource.SecretSource{"env": {Env: l[3]}, "file": {File: l[3]}}[l[2]]
		case l[0] == "disk" && len(l) == 3:
			out.Desired = append(out.Desired, resource.Desired{
				Address: resource.Address{Env: env, Provider: "fake", Kind: "disk", Name: l[1]},
				Fields:  resource.Map{"size": resource.Int(1), "passphrase": resource.Secret{Name: l[2]}},
				At:      resource.Position{File: "envs/" + env + ".txt", Line: i + 1, Col: 1},
			})
		case l[0] == "machine" && len(l) == 3:
			net := resource.Ref{Address: resource.Address{Env: env, Provider: "fake", Kind: "network", Name: "web"}, Out: "id"}
			out.Desired = append(out.Desired, resource.Desired{
				Address: resource.Address{Env: env, Provider: "fake", Kind: "machine", Name: l[1]},
				Fields:  resource.Map{"cpus": resource.Int(1), "hostname": resource.String(l[1]), "networkId": net, "password": resource.String(l[2])},
				At:      resource.Position{File: "envs/" + env + ".txt", Line: i + 1, Col: 1},
			})
		default:
			return out, diag.List{{
				Severity: diag.Error, Code: "SPEC-101", Message: "nothing is called " + l[0] + " here", Mend: "write network NAME CIDR LABEL",
				Where: diag.Place{File: "envs/" + env + ".txt", Line: i + 1, Col: 1},
			}}
		}
	}
	slices.SortFunc(out.Desired, func(a, b resource.Desired) int { return a.Address.Compare(b.Address) })
	return out, nil
}

// judge denies the label "open" unless SG-1 is waived.
type judge struct{}

func (judge) Judge(_ context.Context, _ fs.FS, env spec.Environment, in policy.Input) (diag.List, error) {
	for i := range in.Plan.Changes {
		if c := &in.Plan.Changes[i]; c.After.Text("label") == "open" {
			f := diag.Finding{Severity: diag.Error, Code: "SG-1", Subject: c.Address.Local(), Message: "it is open to the world"}
			for _, w := range env.Policy.Waivers {
				if w.Rule == "SG-1" {
					f.Severity, f.Message = diag.Note, "waived: "+w.Reason
				}
			}
			return diag.List{f}, nil
		}
	}
	return nil, nil
}

type meter struct{}

func (meter) Run(string, cycle.Trigger, store.RunState, time.Duration) {}
func (meter) Looked(store.Environment)                                 {}
func (meter) Fetched(string, error)                                    {}
func (meter) Refused(string, int)                                      {}
func (meter) Delivered(error)                                          {}

// rig is a daemon with a desk, a forge and a Git server, all real but the world that
// is planned and how specs are written.
type rig struct {
	testing.TB

	kind   forge.Kind
	clock  *clock
	git    *gitd.Server
	clone  *gitd.Clone
	lab    *labforge.Server
	repo   string
	world  *fake.World
	store  store.Store
	daemon *reconcile.Daemon
	desk   *preview.Desk
	stop   func()
	specs  reconcile.Specs
	look   time.Duration // between looks for drift
	poll   time.Duration // between looks at the forge's list
	forks  bool          // pulls of forks are planned
	keeper func(map[string]resource.SecretSource) provider.Secrets
	chat   reconcile.Chat
	log    io.Writer
	early  bool         // comments may have pulls applied before their merge
	opens  func() error // what keeps the forge from being spoken to
	gone   bool         // the forge was taken out of the settings
	owner  string       // of several processes that share the store; "" is the only one
	ids    int
	mu     sync.Mutex
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// over runs a story at each kind of forge.
func over(t *testing.T, story func(r *rig)) {
	t.Helper()
	t.Parallel()
	for _, kind := range []forge.Kind{forge.GitHub, forge.GitLab, forge.Gitea} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			story(newRig(t, kind))
		})
	}
}

func newRig(t testing.TB, kind forge.Kind) *rig {
	t.Helper()
	r := &rig{TB: t, kind: kind, clock: &clock{}, repo: "acme/infra", forks: true, specs: specs{}, look: 100 * time.Millisecond, poll: time.Second, store: store.NewMemory()}
	var err error
	r.git, err = gitd.Start(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, r.git.Close()) })
	url := r.git.URL("infra")
	r.clone, err = gitd.NewClone(t.Context(), filepath.Join(t.TempDir(), "clone"), url)
	must(t, err)
	r.lab, err = labforge.Start(t.Context(), labforge.Options{Face: labforge.Face(kind), Now: r.clock.now})
	must(t, err)
	t.Cleanup(func() { must(t, r.lab.Close()) })
	r.lab.Repo(r.repo, r.git.Dir("infra"))
	r.lab.Writer(r.repo, "ann", "ben", "mei")
	r.world = fake.NewWorld(fake.Options{Now: r.clock.now, PollAfter: time.Second})
	return r
}

func (r *rig) id() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids++
	return fmt.Sprintf("0194a000-%04x-7000-8000-%012x", r.ids, r.ids)
}

// serve starts a daemon with its desk; end stops it.
func (r *rig) serve() {
	r.Helper()
	mirror, err := git.Open(r.Context(), git.Options{URL: r.git.URL("infra"), Dir: filepath.Join(r.TempDir(), "mirror")})
	must(r.TB, err)
	speaker := forge.Later(r.kind, func() (forge.Forge, error) {
		if r.opens != nil {
			if err := r.opens(); err != nil {
				return nil, err
			}
		}
		return forge.New(forge.Options{
			Kind: r.kind, URL: r.lab.URL(), Repo: r.repo, Now: r.clock.now, Token: func() (string, error) { return labforge.DefaultToken, nil },
		})
	})
	cat := fake.Catalogue(r.world)
	sleep := func(ctx context.Context, d time.Duration) error { r.clock.pass(d); return ctx.Err() }
	runner := &reconcile.Runner{
		Specs: r.specs, Policies: judge{}, Ledger: r.store, Words: r.store, Catalogue: cat,
		Sessions: &reconcile.Sessions{Catalogue: cat, Options: provider.Options{Clock: provider.Clock{Now: r.clock.now, Sleep: sleep, Random: func() float64 { return 0.5 }}}},
		Observer: observe.New(cat, r.clock.now), Now: r.clock.now, Schema: "1", Secrets: r.keeper,
		Engine: &apply.Engine{Kinds: cat, Now: r.clock.now, NewToken: r.id, Sleep: sleep},
	}
	log, quiet := slog.New(slog.NewTextHandler(r.Output(), nil)), slog.New(slog.DiscardHandler)
	if r.log != nil {
		log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		quiet = log
	}
	tenure := reconcile.Tenure{Leases: r.store, Owner: cmp.Or(r.owner, "one"), TTL: time.Minute, Now: r.clock.now, Shared: r.owner != ""}
	r.daemon = &reconcile.Daemon{
		Runner: runner, Store: r.store, Tenure: tenure, Meter: meter{}, Log: quiet, NewID: r.id, Chat: r.chat, Channel: "C1",
		Poll: 200 * time.Millisecond, Interval: r.look, Backoff: 100 * time.Millisecond, Workers: 2,
	}
	r.desk = &preview.Desk{
		Repo: "infra", Forge: speaker, Daemon: r.daemon, Store: r.store, Tenure: tenure, Now: r.clock.now, Log: log,
		Poll: r.poll, Beat: 20 * time.Millisecond, Forks: r.forks, Early: r.early, Gone: r.gone,
	}
	r.daemon.Repos = []reconcile.Repo{{Name: "infra", Source: mirror, Reviews: r.desk}}
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan error, 1)
	go func() { done <- r.daemon.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		must(r.TB, <-done)
	})
	r.Cleanup(r.stop)
}

// push commits files to a branch and pushes it; it begins at main unless it is there.
func (r *rig) push(branch string, files map[string]string) string {
	r.Helper()
	for _, args := range [][]string{{"checkout", "--quiet", branch}, {"checkout", "--quiet", "-B", branch}} {
		if _, err := r.clone.Git(r.Context(), args...); err == nil {
			break
		}
	}
	for name, text := range files {
		must(r.TB, r.clone.Write(name, text))
	}
	hash, err := r.clone.Commit(r.Context(), "change "+branch)
	must(r.TB, err)
	must(r.TB, r.clone.Push(r.Context(), false))
	must(r.TB, r.lab.Push(r.repo, branch)) // as the forge's own receive does
	return hash
}

// onMain goes back to main, so that the next branch begins there.
func (r *rig) onMain() {
	r.Helper()
	_, err := r.clone.Git(r.Context(), "checkout", "--quiet", "main")
	must(r.TB, err)
}

// open opens a pull of a branch.
func (r *rig) open(branch, author string) int {
	r.Helper()
	n, err := r.lab.Open(r.repo, labforge.Pull{Title: "Change " + branch, Author: author, HeadRef: branch, BaseRef: "main"})
	must(r.TB, err)
	return n
}

// merge merges a pull as its forge does, in one of its ways.
func (r *rig) merge(number int, branch, way string) {
	r.Helper()
	r.onMain()
	args := map[string][]string{
		"merge": {"merge", "--quiet", "--no-ff", "-m", "merge", branch}, "squash": {"merge", "--quiet", "--squash", branch}, "rebase": {"cherry-pick", "main.." + branch},
	}[way]
	_, err := r.clone.Git(r.Context(), args...)
	must(r.TB, err)
	hash := ""
	if way == "squash" {
		hash, err = r.clone.Commit(r.Context(), "squashed")
	} else {
		hash, err = r.clone.Git(r.Context(), "rev-parse", "HEAD")
	}
	must(r.TB, err)
	must(r.TB, r.lab.Merge(r.repo, number, hash))
	must(r.TB, r.clone.Push(r.Context(), false))
	must(r.TB, r.lab.Push(r.repo, "main"))
}

// say comments, a moment later than what was before.
func (r *rig) say(number int, author, body string) string {
	r.Helper()
	r.clock.pass(time.Second)
	id, err := r.lab.Say(r.repo, number, author, body)
	must(r.TB, err)
	return id
}

// patience bounds a wait for what has to come.
const patience = 60 * time.Second

// eventually waits until ok, and lets the comment's pace pass meanwhile.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	r.within(patience, what, func() bool {
		done := ok()
		if !done {
			r.clock.pass(300 * time.Millisecond)
		}
		return done
	})
}

// within waits so long at most until ok.
func (r *rig) within(long time.Duration, what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(long); !ok(); {
		if time.Now().After(end) {
			r.Fatalf("it did not come to %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// comments gives ours on a pull, the sticky one first.
func (r *rig) comments(number int) (sticky string, answers []string) {
	r.Helper()
	p, err := r.lab.Look(r.repo, number)
	must(r.TB, err)
	for _, c := range p.Comments {
		m, ok := review.Marked(c.Body)
		c.Body = strings.NewReplacer(`\`, "", "\u200b", "").Replace(c.Body) // as it reads
		switch {
		case !ok || c.Author != labforge.Self:
		case m.Kind == review.Preview && sticky != "":
			r.Fatalf("there are two comments:\n%s\n%s", sticky, c.Body)
		case m.Kind == review.Preview:
			sticky = c.Body
		default:
			answers = append(answers, c.Body)
		}
	}
	return sticky, answers
}

// shows waits until our comment holds all of the words, and gives it.
func (r *rig) shows(number int, words ...string) string {
	r.Helper()
	var body string
	r.eventually(fmt.Sprintf("a comment on %d with %q", number, words), func() bool {
		body, _ = r.comments(number)
		missing := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.Contains(body, w) })
		if len(missing) > 0 && time.Now().UnixMilli()%5000 < 25 {
			r.Logf("it lacks %q:\n%s", missing, body)
		}
		return body != "" && len(missing) == 0
	})
	return body
}

// digest gives what the comment says to write to approve.
func (r *rig) digest(body string) string {
	r.Helper()
	_, rest, ok := strings.Cut(body, "isobar approve ")
	if !ok {
		r.Fatalf("the comment asks for no approval:\n%s", body)
	}
	return rest[:9]
}

// objects gives the labels of what lives, sorted.
func (r *rig) objects() string {
	var out []string
	for _, o := range r.world.Objects() {
		out = append(out, o.Mark.Address.Name+"="+o.Fields.Text("label"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// status gives the last status of a commit under a context.
func (r *rig) status(commit, name string) string {
	out := ""
	for _, s := range r.lab.Statuses(r.repo, commit) {
		if s.Context == name {
			out = s.State + " " + s.Text
		}
	}
	return out
}

func (r *rig) reactions(number int, id string) []string {
	p, err := r.lab.Look(r.repo, number)
	must(r.TB, err)
	for _, c := range p.Comments {
		if fmt.Sprint(c.ID) == id {
			return c.Reactions
		}
	}
	return nil
}

// sign is what the forge writes before a pull's number.
func (r *rig) sign() string {
	if r.kind == forge.GitLab {
		return "!"
	}
	return "#"
}

// agreed gives the plan of an environment that is kept as having its approvals.
func (r *rig) agreed(number int, env string) string {
	r.Helper()
	kept, err := r.store.Pulls(r.Context(), "infra")
	must(r.TB, err)
	for _, k := range kept {
		var doc struct {
			Agreed map[string]struct {
				Digest string `json:"digest"`
			} `json:"agreed"`
		}
		must(r.TB, json.Unmarshal(k.Body, &doc))
		if k.Number == number {
			return doc.Agreed[env].Digest
		}
	}
	return ""
}

// deliver hears a webhook as the daemon's door does.
func (r *rig) deliver(d labforge.Delivery) {
	r.Helper()
	heard, err := forge.Hear(r.kind, d.Header, d.Body, func() (string, error) { return "secret", nil })
	must(r.TB, err)
	_, err = r.store.Deliver(r.Context(), store.Delivery{Repo: "infra", ID: heard.ID, Event: string(heard.Event), Pull: heard.Pull, Ref: heard.Ref, At: r.clock.now()})
	must(r.TB, err)
	r.desk.Ring()
}

// reactionOf is a reaction as a forge calls it.
func reactionOf(kind forge.Kind, name string) string {
	if kind == forge.GitLab {
		return map[string]string{"+1": "thumbsup", "-1": "thumbsdown"}[name] + map[string]string{"confused": "confused", "eyes": "eyes"}[name]
	}
	return name
}
