package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/signer"
	"isobar.dev/engine/spec"
)

// office holds the settings in force. Safe for concurrent use.
type office struct {
	store place         // the repositories' mirrors lie beside it
	name  ledger.Holder // the store's
	desks *desks        // nil: nobody follows pull requests

	mu  sync.Mutex
	now *settings
}

func (o *office) settings() *settings {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) profile(name string) *provider.Credentials { return o.settings().profile(name) }

// slackToken reads the token of the bot.
func (o *office) slackToken() (string, error) {
	s := o.settings()
	if s.Slack == nil {
		return "", fmt.Errorf("%s names no Slack bot any more", s.name)
	}
	return s.reader(s.Slack.Token)()
}

// repos are the repositories of the settings as the daemon takes them.
func (o *office) repos(ctx context.Context) []reconcile.Repo {
	s := o.settings()
	out := make([]reconcile.Repo, 0, len(s.Repos))
	for _, r := range s.Repos {
		r.At = diag.Place{} // a line more in the file changes nothing
		opts := s.gitOptions(r, filepath.Join(o.store.beside+".mirrors", r.Name))
		like := r
		like.Forge, like.Signers = nil, nil // pointers
		one := reconcile.Repo{
			Name: r.Name, Origin: git.Redact(opts.URL), Poll: r.Poll, Holds: r.Environments, May: s.may(r), Channel: r.Channel,
			Version: fmt.Sprintf("%+v %s %t", like, s.dir, len(s.Credentials) > 0),
			Open:    opener(opts),
		}
		if r.Signers != nil {
			one.Version += fmt.Sprintf("%+v", *r.Signers)
		}
		if s.Slack != nil {
			one.Channel = cmp.Or(one.Channel, s.Slack.Channel)
			one.Version += s.Slack.Channel
		}
		if r.Forge != nil {
			at := *r.Forge
			at.Secrets = nil // read anew at each delivery
			one.Version += fmt.Sprintf("%+v", at)
		}
		one.Reviews = o.desks.of(ctx, s, r, one.Version)
		out = append(out, one)
	}
	return out
}

// opener opens a repository's mirror, and watches the repository where that can be.
func opener(opts git.Options) func(context.Context) (reconcile.Source, <-chan struct{}, error) {
	return func(ctx context.Context) (reconcile.Source, <-chan struct{}, error) {
		mirror, err := git.Open(ctx, opts)
		if err != nil {
			return nil, nil, err
		}
		hints, err := git.Watch(ctx, opts)
		if err != nil {
			return mirror, nil, nil //nolint:nilerr // it is polled
		}
		return mirror, hints, nil
	}
}

// gitOptions are a repository's address and how to get at it.
func (s *settings) gitOptions(r spec.ServerRepo, dir string) git.Options {
	o := git.Options{
		URL: s.url(r), Branch: r.Branch, Dir: dir, User: r.User, Secret: s.reader(r.Token),
		Named: tokenName(r.Token), Give: s.giveToken(r), CA: s.path(r.CA), GiveCA: s.giveCA(r),
		SSH: git.SSH{Key: s.path(r.Key), Passphrase: s.reader(r.Passphrase), Agent: os.Getenv("SSH_AUTH_SOCK"), KnownHosts: s.path(r.KnownHosts), Give: s.giveKey(r)},
	}
	if token := s.appToken(r); token != nil {
		o.Secret, o.User, o.Named = token, gitUser, "the token of the App "+r.Forge.App.ID
	}
	if files := s.signers(r); files != nil {
		o.Now, o.Signers = time.Now, func() (git.Signers, error) { return signer.Read(*files) }
	}
	if o.SSH.KnownHosts == "" {
		if home, err := os.UserHomeDir(); err == nil {
			o.SSH.KnownHosts = filepath.Join(home, ".ssh", "known_hosts")
		}
	}
	return o
}

// signers names the files of those whose signature counts in a repository, or nil
// where none does.
func (s *settings) signers(r spec.ServerRepo) *signer.Files {
	if r.Signers == nil {
		return nil
	}
	files := &signer.Files{SSH: s.path(r.Signers.SSH)}
	for _, name := range r.Signers.OpenPGP {
		files.OpenPGP = append(files.OpenPGP, s.path(name))
	}
	return files
}

// tokenName is what to call a repository's token in messages.
func tokenName(from resource.SecretSource) string {
	if from.Env != "" {
		return "the token in the variable " + from.Env
	}
	return "the token in the file " + from.File
}

// giveToken says how a repository without a token gets one.
func (s *settings) giveToken(r spec.ServerRepo) string {
	if s.name == "" {
		return "set ISOBAR_GIT_TOKEN, and ISOBAR_GIT_USER where the server wants a user of its own"
	}
	return fmt.Sprintf("name one in %s: repos: %s: auth: token: file: \"…\"", s.name, r.Name)
}

// giveCA says where the authorities of a repository's server are named.
func (s *settings) giveCA(r spec.ServerRepo) string {
	if s.name == "" {
		return "set ISOBAR_GIT_CA to a file of its certificate in PEM"
	}
	return fmt.Sprintf("name a file of its certificate in PEM in %s: repos: %s: ca: \"…\"", s.name, r.Name)
}

// giveKey says where a repository's private key is named.
func (s *settings) giveKey(r spec.ServerRepo) string {
	if s.name == "" {
		return "set ISOBAR_GIT_SSH_KEY to the file of a private key"
	}
	return fmt.Sprintf("name one in %s: repos: %s: ssh: key: file: \"…\"", s.name, r.Name)
}

// reload takes the server's file as it is now. One with mistakes is not taken:
// the old one stays in force.
func (a *app) reload(ctx context.Context, o *office, d *reconcile.Daemon, log *slog.Logger) {
	before := o.settings()
	if before.name == "" { // all is in the flags: what waits is tried at once
		if d.Refollow(ctx, o.repos(ctx)) == nil {
			log.InfoContext(ctx, "hung up: there is no server's file to read anew, and what waits is tried at once")
		}
		return
	}
	s, err := a.readSettings(ctx)
	if err == nil && len(s.Repos) == 0 {
		err = noRepos(s.name)
	}
	if err != nil {
		for _, f := range findings(err) {
			log.WarnContext(ctx, "the server's file is not taken: what it said before stays in force", told(f)...)
		}
		return
	}
	for _, f := range append(s.Warnings, s.sources()...) {
		log.WarnContext(ctx, "the server's file", told(f)...)
	}
	if fixed(s) != fixed(before) || (s.Slack == nil) != (before.Slack == nil) {
		log.WarnContext(ctx, "the server's file", told(diag.Finding{
			Code: diag.ServerRestart, Where: diag.Place{File: s.name}, Message: "store, listen, interval, backoff, lease, workers, secrets and whether there is a bot are taken at a start alone",
			Mend: "restart isobar",
		})...)
	}
	o.mu.Lock()
	o.now = s
	o.mu.Unlock()
	if err := d.Refollow(ctx, o.repos(ctx)); err != nil {
		return // it is stopping
	}
	log.InfoContext(ctx, "the server's file was read anew", "file", s.name, "repos", len(s.Repos), "credentials", len(s.Credentials))
}

// fixed is what only a start takes from the settings.
func fixed(s *settings) string {
	return fmt.Sprint(s.Store, s.Listen, s.Interval, s.Backoff, s.Lease, s.Workers, s.Secrets)
}

func noRepos(name string) diag.List {
	return errorf(diag.ServerFile, "add repos: NAME: url: …", "%s names no repository to follow", name)
}

// told is a finding as the log has it.
func told(f diag.Finding) []any {
	return []any{"code", string(f.Code), "finding", f.String(), "mend", f.Mend}
}
