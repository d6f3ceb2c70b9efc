package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"isobar.dev/engine/chat"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/secret"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/web"
)

// serveFlags are what serve is told.
type serveFlags struct {
	repo, branch, listen, channel  string
	poll, interval, backoff, lease time.Duration
	workers                        int
	secrets                        secret.Allowance
	check                          bool
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use: "serve --repo URL | --config FILE", Short: "Run the daemon", Args: cobra.NoArgs,
		Long: "Follows repositories and keeps their environments as they say: those that the server's file names, or one alone.\n\n" +
			"The file says all that the flags say, and what they can't: several repositories, and credentials by name. SIGHUP makes\n" +
			"the daemon read it anew; one with mistakes is not taken. --check says what is wrong with it and ends.\n\n" +
			"Without it, tokens come from the environment: ISOBAR_GIT_TOKEN and ISOBAR_GIT_USER for the repository,\n" +
			"ISOBAR_SLACK_TOKEN (and ISOBAR_SLACK_API_URL) for Slack. ISOBAR_GIT_CA names a file of certificates in PEM to trust\n" +
			"over HTTPS beside the system's. Over SSH, ISOBAR_GIT_SSH_KEY names the file of a private\n" +
			"key (ISOBAR_GIT_SSH_PASSPHRASE opens it; without a key, SSH_AUTH_SOCK names an agent), and ISOBAR_GIT_KNOWN_HOSTS the\n" +
			"file of the servers' keys, ~/.ssh/known_hosts unless told. A server whose key is not in that file is never talked to.\n\n" +
			"The store is isobar.db in the daemon's state directory, and beside it lie its lock, its socket, the key that tells secrets\n" +
			"apart and the copies of the repositories: STATE_DIRECTORY, as systemd and the container set it, else isobar beneath\n" +
			"XDG_STATE_HOME, else ~/.local/state/isobar. --store names another. Nothing is ever written into a repository, and its first\n" +
			"line says where the store is: other verbs, typed elsewhere, take it with --store.\n\n" +
			"Environments may read as secrets what --secret-env and --secret-dir allow, and nothing else of the daemon's.",
		RunE: func(c *cobra.Command, _ []string) error {
			set, err := a.serveSettings(c, f)
			if err != nil {
				return err
			}
			if f.check {
				return a.checked(set)
			}
			return a.serve(c.Context(), set)
		},
	}
	c.Flags().StringVar(&f.repo, "repo", "", "the repository's `URL`: a path, file://, http(s)://, ssh:// or USER@HOST:PATH")
	c.Flags().StringVar(&f.branch, "branch", "", "the `BRANCH` to follow; the remote's own head unless told")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:9464", "`ADDRESS` for /healthz, /readyz and /metrics; empty for none")
	c.Flags().StringVar(&f.channel, "slack-channel", "", "the id of the `CHANNEL` for repositories that name none, such as C0123456789")
	c.Flags().DurationVar(&f.poll, "poll", 30*time.Second, "time between fetches")
	c.Flags().DurationVar(&f.interval, "interval", time.Minute, "time between looks for drift")
	c.Flags().DurationVar(&f.backoff, "backoff", 10*time.Second, "time before what failed is tried again; it doubles up to the interval")
	c.Flags().DurationVar(&f.lease, "lease", 6*time.Second, "how long a lease on an environment holds without renewal")
	c.Flags().IntVar(&f.workers, "workers", 4, "environments worked on at once")
	secretFlags(c, &f.secrets)
	c.Flags().BoolVar(&f.check, "check", false, "say what is wrong with the server's file, and end")
	return c
}

// serveSettings are the server's file, or what the flags and the environment
// say in its place.
func (a *app) serveSettings(c *cobra.Command, f serveFlags) (*settings, error) {
	if a.configName() == "" {
		switch {
		case f.check:
			return nil, diag.List{usage("--check wants the server's file", "add --config FILE")}
		case f.repo == "":
			return nil, diag.List{usage("serve wants the repository to follow", "add --repo URL, or --config FILE for several")}
		}
		if err := f.told().Err(); err != nil {
			return nil, err
		}
		return flagSettings(f), git.Check(f.repo)
	}
	var twice []string
	c.Flags().Visit(func(fl *pflag.Flag) {
		if fl.Name != "check" && c.LocalNonPersistentFlags().Lookup(fl.Name) != nil {
			twice = append(twice, "--"+fl.Name)
		}
	})
	if len(twice) > 0 {
		return nil, diag.List{usage("with a server's file serve takes no "+strings.Join(twice, ", "), "write it into "+a.configName()+", or do without the file")}
	}
	s, err := a.server()
	if err == nil && len(s.Repos) == 0 {
		err = noRepos(s.name)
	}
	return s, err
}

// told finds what keeps the flags from naming a channel to tell.
func (f serveFlags) told() diag.List {
	switch {
	case f.channel == "":
	case !spec.IsSlackChannel(f.channel):
		return diag.List{usage(fmt.Sprintf("--slack-channel %q is no channel's id", f.channel),
			"give the last line of the channel's About tab, such as C0123456789: Slack's API edits by ids alone")}
	case os.Getenv("ISOBAR_SLACK_TOKEN") == "":
		return diag.List{usage("--slack-channel wants a bot to tell it there", "set ISOBAR_SLACK_TOKEN")}
	}
	return nil
}

// flagSettings are one repository by flags and the environment. Whoever starts
// the process says that each environment there is the repository's.
func flagSettings(f serveFlags) *settings {
	r := spec.ServerRepo{
		Name: git.Redact(f.repo), URL: f.repo, Branch: f.branch, Poll: f.poll, User: os.Getenv("ISOBAR_GIT_USER"), Token: setVariable("ISOBAR_GIT_TOKEN"), CA: os.Getenv("ISOBAR_GIT_CA"),
		Key: os.Getenv("ISOBAR_GIT_SSH_KEY"), Passphrase: setVariable("ISOBAR_GIT_SSH_PASSPHRASE"), KnownHosts: os.Getenv("ISOBAR_GIT_KNOWN_HOSTS"),
		Environments: []string{"*"},
	}
	s := &settings{Server: spec.Server{
		Repos: []spec.ServerRepo{r}, Listen: f.listen, Poll: f.poll, Interval: f.interval, Backoff: f.backoff, Lease: f.lease, Workers: f.workers,
		Secrets: spec.ServerSecrets{Env: f.secrets.EnvPrefixes, Dirs: f.secrets.Dirs},
	}}
	if token := setVariable("ISOBAR_SLACK_TOKEN"); token != (resource.SecretSource{}) {
		s.Slack = &spec.ServerSlack{Token: token, Channel: f.channel, APIURL: os.Getenv("ISOBAR_SLACK_API_URL")}
	}
	return s
}

// setVariable is the source of a variable that is set, else none.
func setVariable(name string) resource.SecretSource {
	if os.Getenv(name) == "" {
		return resource.SecretSource{}
	}
	return resource.SecretSource{Env: name}
}

// checked says that the server's file can be used, and what to look at.
func (a *app) checked(s *settings) error {
	all := append(append(diag.List{}, s.Warnings...), s.sources()...)
	if len(all) > 0 || a.output == "json" {
		a.tell(all, "")
	}
	if a.output != "json" {
		a.table(fmt.Sprintf("%s  valid: %s, %s\n", s.name, repositories(len(s.Repos)), profiles(len(s.Credentials))))
	}
	return nil
}

func repositories(n int) string {
	if n == 1 {
		return "1 repository"
	}
	return fmt.Sprintf("%d repositories", n)
}

func profiles(n int) string {
	if n == 0 {
		return "no credentials of its own"
	}
	return counted(n, "set") + " of credentials"
}

// serve runs the daemon until a signal, then lets it come to a checkpoint.
func (a *app) serve(ctx context.Context, set *settings) (err error) {
	log := slog.New(slog.NewJSONHandler(a.err, nil))
	at, err := a.servedStore(set)
	if err != nil {
		return err
	}
	if err := at.ready(); err != nil {
		return err
	}
	release, err := at.claim()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	st, name, err := at.openToServe(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	keep := &office{store: at, name: name, now: set}
	d, metrics, err := daemon(ctx, keep, st, log)
	if err != nil {
		return err
	}
	if set.name == "" {
		err = openOne(ctx, d, at.beside+".mirror", set, log)
	}
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		notify("STOPPING=1")
		log.Info("stopping: calls under way are finished, nothing new is started; a second signal ends at once")
	})
	doors, err := openDoors(set.Listen, at, d, fronts{web.Health(d, metrics), web.Hear(letterbox{keep, st}, metrics, log)})
	if err != nil {
		return err
	}
	defer a.hangups(ctx, keep, d, log)()
	names := make([]string, len(d.Repos))
	for i := range d.Repos {
		names[i] = d.Repos[i].Name
	}
	log.Info("serving", "repo", strings.Join(names, ", "), "store", at.whole(), "socket", doors.socket(), "listen", doors.address(), "version", version())
	var wg sync.WaitGroup
	failed := make(chan error, len(doors))
	for _, door := range doors {
		wg.Go(func() { failed <- web.Serve(ctx, door.listener, door.handler) })
	}
	notify("READY=1")
	err = d.Run(ctx)
	stop()
	wg.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	log.Info("stopped")
	return err
}

// servedStore is the store that a daemon runs on.
func (a *app) servedStore(set *settings) (place, error) {
	var at place
	var err error
	switch {
	case a.store != "":
		at, err = placeOf(a.store)
	case set.Store != "":
		at, err = set.place()
	default:
		return daemonPlace()
	}
	if err != nil || !at.shared() {
		return at, err
	}
	return at.sharedBeside()
}

// hangups reads the server's file, where there is one, anew at each SIGHUP, until
// what it returns is called.
func (a *app) hangups(ctx context.Context, keep *office, d *reconcile.Daemon, log *slog.Logger) (end func()) {
	if keep.now.name != "" {
		for _, f := range append(keep.now.Warnings, keep.now.sources()...) {
			log.WarnContext(ctx, "the server's file", told(f)...)
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range signals {
			a.reload(ctx, keep, d, log)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// daemon wires the daemon to its store, repositories and chat.
func daemon(ctx context.Context, keep *office, st *store.SQL, log *slog.Logger) (*reconcile.Daemon, *web.Metrics, error) {
	set := keep.now
	tenure, err := keep.store.tenure(st, set.Lease)
	if err != nil {
		return nil, nil, err
	}
	d := &reconcile.Daemon{
		Store: st, Log: log, NewID: newID, Poll: set.Poll, Interval: set.Interval, Backoff: set.Backoff, Workers: set.Workers,
		Tenure: tenure, History: reconcile.Kept(),
	}
	keep.desks = &desks{daemon: d, store: st, log: log}
	d.Repos = keep.repos(ctx)
	if tenure.Shared {
		if d.Inbox, err = st.Queue(log); err != nil {
			return nil, nil, err
		}
	}
	metrics := web.NewMetrics(version(), d.Queued)
	d.Meter = metrics
	allow, err := settled(set.allowance())
	if err != nil {
		return nil, nil, err
	}
	if d.Runner, err = newRunner(st, keep.name, metrics.Call, keeper(ctx, keep.store, st, allow)); err != nil {
		return nil, nil, err
	}
	d.Runner.Sessions.Profile = keep.profile
	metrics.Budgets(d.Runner.Sessions.Options.Budgets.Loads)
	if set.Slack != nil {
		d.Chat = chat.New(chat.Options{Token: keep.slackToken, APIURL: set.Slack.APIURL})
	}
	return d, metrics, nil
}

// openOne opens the mirror of the only repository at once, so that an address
// that can't be one ends serve. A full disk does not: the daemon says so and tries
// it again at each poll.
func openOne(ctx context.Context, d *reconcile.Daemon, dir string, set *settings, log *slog.Logger) error {
	r := &d.Repos[0]
	opts := set.gitOptions(set.Repos[0], dir)
	r.Open = opener(opts)
	mirror, err := git.Open(ctx, opts)
	if git.KindOf(err) == git.Full {
		return nil
	}
	if err != nil {
		return err
	}
	r.Source = mirror
	if r.Hints, err = git.Watch(ctx, opts); err != nil {
		log.Warn("the repository can't be watched; it is polled", "error", err)
	}
	return nil
}

// notify tells the service manager how far the daemon is, as sd_notify(3)
// describes, where there is one.
func notify(state string) {
	addr := os.Getenv("NOTIFY_SOCKET")
	if addr == "" {
		return
	}
	if strings.HasPrefix(addr, "@") {
		addr = "\x00" + addr[1:]
	}
	c, err := net.Dial("unixgram", addr)
	if err != nil {
		return
	}
	_, _ = c.Write([]byte(state)) // the manager's loss is not ours
	_ = c.Close()
}
