package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Refusal is an environment that a repository has and may not have.
type Refusal struct {
	Env, Repo string
	Commit    string // the repository's, when it was first refused
	Finding   diag.Finding
}

func (r Refusal) key() string { return r.Repo + "\x00" + r.Env }

// Refused gives the environments that are not worked on for the repositories
// that have them, in order.
func (d *Daemon) Refused() []Refusal {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Refusal, 0, len(d.refused))
	for _, key := range slices.Sorted(maps.Keys(d.refused)) {
		out = append(out, d.refused[key])
	}
	return out
}

// Unread gives the repositories that can't be read and hold no environment yet,
// each with what is to be said of it: no row would tell of them.
func (d *Daemon) Unread() map[string]string {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]string{}
	for name, why := range d.trouble {
		out[name] = "repository unreadable: " + why.text
		if why.kind == git.Unsigned {
			out[name] = "nothing is in force: " + why.text
		}
	}
	for _, own := range d.envs {
		delete(out, own.repo)
	}
	return out
}

// Aside says what people should know of an environment beside its row: how far
// the apply is that is under way, that its
// repository can't be read now, or is not followed any more; "" for nothing.
func (d *Daemon) Aside(row store.Environment) string {
	d.ready()
	if run := d.Underway(row.Name); run != nil {
		return run.Now()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.envs[row.Name]; row.Repo == "" || !known { // or the daemon has only begun to start
		return ""
	}
	r, ok := d.holder(row.Name)
	if !ok {
		return "repository " + row.Repo + " is not followed any more: nothing is read or changed"
	}
	var said []string
	if why := d.trouble[r.Name]; why.kind == git.Unsigned {
		said = append(said, short(row.Commit)+" stays in force: "+why.text)
	} else if why.text != "" {
		said = append(said, "repository unreadable, "+short(row.Commit)+" stays in force: "+why.text)
	}
	if h := d.heads[r.Name]; h != nil && h.channel != "" {
		if why := d.untold(h.channel); why != "" {
			said = append(said, why)
		}
	}
	return strings.Join(said, "; ")
}

// holder gives the repository that an environment belongs to, where it is
// followed: the one of the name in the store, else the only one at the same
// place, which was renamed. d.mu is held.
func (d *Daemon) holder(env string) (Repo, bool) {
	own, known := d.envs[env]
	if !known {
		return Repo{}, false
	}
	if r, ok := d.repos[own.repo]; ok {
		return r, true
	}
	var found []Repo
	for _, r := range d.repos {
		if r.Origin != "" && (r.Origin == own.origin || r.Origin == own.repo) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return Repo{}, false
	}
	return found[0], true
}

// home is what the store says of where an environment belongs.
type home struct{ repo, origin string }

// assign decides, for every repository that was fetched, which of its
// environments are worked on, writes down those that are new to it, and tells
// of those that it may not have. The others go on as they were. It gives what
// each repository gained. An environment belongs to the repository that had it
// first, whatever the order of fetches and restarts.
func (d *Daemon) assign(ctx context.Context) (gained map[string][]string, err error) {
	d.claiming.Lock()
	defer d.claiming.Unlock()
	d.mu.Lock()
	repos, heads := maps.Clone(d.repos), maps.Clone(d.heads)
	d.mu.Unlock()
	gained = map[string][]string{}
	refused := map[string]Refusal{}
	for _, name := range slices.Sorted(maps.Keys(repos)) {
		r, h := repos[name], heads[name]
		if h == nil {
			continue
		}
		for _, env := range h.names {
			f, rerr := d.refusal(ctx, r, env)
			switch {
			case rerr != nil:
				err = errors.Join(err, rerr)
			case f != nil:
				x := Refusal{Env: env, Repo: name, Commit: h.commit.Hash, Finding: *f}
				refused[x.key()] = x
			default:
				fresh, cerr := d.claim(ctx, r, env)
				if err = errors.Join(err, cerr); fresh {
					gained[name] = append(gained[name], env)
				}
			}
		}
	}
	ferr := d.foundlings(ctx, repos, heads, gained)
	d.refuse(ctx, refused)
	return gained, errors.Join(err, ferr)
}

// foundlings gives environments that only commands worked on, and no repository has
// any more, to the one that somebody trusted said may hold them: else nobody would
// settle what was cut short there, or tell of what is left. It waits until every
// repository was read.
func (d *Daemon) foundlings(ctx context.Context, repos map[string]Repo, heads map[string]*head, gained map[string][]string) error {
	for name := range repos {
		if h := heads[name]; h == nil || h.unreadable {
			return nil
		}
	}
	rows, err := d.Store.Environments(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		d.mu.Lock()
		_, known := d.envs[row.Name]
		d.mu.Unlock()
		if known || row.Repo != "" {
			continue
		}
		var may []string
		for name, r := range repos {
			if r.claims(row.Name) {
				may = append(may, name)
			}
		}
		if len(may) != 1 {
			continue
		}
		if _, err := d.claim(ctx, repos[may[0]], row.Name); err != nil {
			return err
		}
		gained[may[0]] = append(gained[may[0]], row.Name)
	}
	return nil
}

// refusal says why a repository may not have an environment, or nil.
func (d *Daemon) refusal(ctx context.Context, r Repo, env string) (*diag.Finding, error) {
	f := &diag.Finding{Severity: diag.Error, Subject: env}
	if !r.mayHold(env) {
		f.Code, f.Message = diag.ServerMayNot, "repository "+r.Name+" may not hold an environment of this name"
		f.Mend = "rename it, or add the name to repos: " + r.Name + ": environments in the server's file"
		return f, nil
	}
	d.mu.Lock()
	own := d.envs[env]
	holder, followed := d.holder(env)
	h := d.heads[holder.Name]
	d.mu.Unlock()
	switch {
	case own == home{}, followed && holder.Name == r.Name:
		return nil, nil
	case followed && holder.mayHold(env) && (h == nil || h.unreadable || slices.Contains(h.names, env)):
		f.Code = diag.ServerTwice
		f.Message = fmt.Sprintf("repository %s has an environment of this name, and so has %s, which had it first and keeps it", r.Name, holder.Name)
		f.Mend = "rename the one in " + r.Name + ", or remove the one in " + holder.Name
		return f, nil
	}
	state, err := d.Store.State(ctx, env)
	if err != nil || len(state.Entries) == 0 || r.claims(env) && !(followed && holder.claims(env)) {
		return nil, err
	}
	former := own.repo
	if followed {
		former = holder.Name
	}
	f.Code = diag.ServerMoved
	f.Message = fmt.Sprintf("its objects belong to repository %s, which no longer has it: %s does not take them over unasked", former, r.Name)
	f.Mend = fmt.Sprintf("to move it, write repos: %s: environments: [%q, …] in the server's file", r.Name, env)
	if followed && holder.claims(env) {
		f.Mend += " and take it out of those of " + holder.Name
	}
	return f, nil
}

// claim takes an environment for a repository: in the store, so that it stays
// with it whoever is fetched first after a restart.
func (d *Daemon) claim(ctx context.Context, r Repo, env string) (fresh bool, err error) {
	d.mu.Lock()
	same := d.envs[env] == home{r.Name, r.Origin}
	holder, followed := d.holder(env)
	d.mu.Unlock()
	if same {
		return false, nil
	}
	_, err = d.Store.Environment(ctx, env)
	if errors.Is(err, store.ErrNotFound) { // a row that is there may be a turn's: the next one says whose it is
		err = d.Store.PutEnvironment(ctx, store.Environment{Name: env, Repo: r.Name, Origin: r.Origin, State: "new"})
	}
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	d.envs[env] = home{r.Name, r.Origin}
	d.mu.Unlock()
	return !followed || holder.Name != r.Name, nil
}

// refuse keeps what is refused now, and tells of what was not before.
func (d *Daemon) refuse(ctx context.Context, refused map[string]Refusal) {
	d.mu.Lock()
	before := d.refused
	for key, r := range refused {
		if old, ok := before[key]; ok && old.Finding == r.Finding {
			refused[key] = old // with the commit at which it began
		}
	}
	d.refused = refused
	repos, heads := maps.Clone(d.repos), maps.Clone(d.heads)
	d.mu.Unlock()
	count := map[string]int{}
	for _, key := range slices.Sorted(maps.Keys(refused)) {
		r := refused[key]
		count[r.Repo]++
		if before[key] == r {
			continue
		}
		d.Log.WarnContext(ctx, "an environment is refused", "env", r.Env, "repo", r.Repo, "commit", short(r.Commit),
			"code", string(r.Finding.Code), "finding", r.Finding.String(), "mend", r.Finding.Mend)
		if err := d.Store.Audit(ctx, r.record(d.Runner.Now())); err != nil {
			d.Log.WarnContext(ctx, "a refusal could not be put on record", "env", r.Env, "error", err)
		}
		d.tellRefused(ctx, r, heads[r.Repo])
	}
	for key, r := range before {
		if _, still := refused[key]; !still {
			d.Log.InfoContext(ctx, "an environment is no longer refused", "env", r.Env, "repo", r.Repo)
		}
	}
	for name := range repos {
		d.Meter.Refused(name, count[name])
	}
}

// tellRefused posts a refusal where its repository is told of.
func (d *Daemon) tellRefused(ctx context.Context, r Refusal, h *head) {
	if d.Chat == nil || h == nil || h.channel == "" {
		return
	}
	_, err := d.Store.Enqueue(ctx, store.Message{
		Key: "refused " + r.Repo + " " + r.Env + " " + string(r.Finding.Code) + " " + r.Commit, Kind: postMessage, Channel: h.channel,
		Body: body(view.Say("✗ "+r.Env+" @ "+short(r.Commit)+" · refused: "+r.Finding.Message, r.Finding.Mend)),
	})
	if err != nil {
		d.Log.WarnContext(ctx, "a message could not be kept", "env", r.Env, "error", err)
	}
	d.ring()
}

// wake sets what repositories gained going.
func (d *Daemon) wake(ctx context.Context, gained map[string][]string, but string) error {
	for name, envs := range gained {
		d.mu.Lock()
		h := d.heads[name]
		d.mu.Unlock()
		if name == but || h == nil {
			continue
		}
		for _, env := range envs {
			if err := d.queue.add(ctx, env, cycle.Pushed{Commit: h.commit.Hash}); err != nil {
				return err
			}
		}
	}
	return nil
}
