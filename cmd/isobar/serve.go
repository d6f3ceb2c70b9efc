package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"isobar.dev/engine/chat"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/secret"
	"isobar.dev/engine/store"
	"isobar.dev/engine/web"
)

// serveFlags are what serve is told.
type serveFlags struct {
	repo, branch, listen, channel  string
	poll, interval, backoff, lease time.Duration
	workers                        int
	secrets                        secret.Allowance
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use: "serve --repo URL", Short: "Run the daemon", Args: cobra.NoArgs,
		Long: "Follows a repository and keeps its environments as it says. Tokens come from the environment:\n" +
			"ISOBAR_GIT_TOKEN and ISOBAR_GIT_USER for the repository, ISOBAR_SLACK_TOKEN (and ISOBAR_SLACK_API_URL) for Slack.\n\n" +
			"Over SSH, ISOBAR_GIT_SSH_KEY names the file of a private key (ISOBAR_GIT_SSH_PASSPHRASE opens it; without a key,\n" +
			"SSH_AUTH_SOCK names an agent), and ISOBAR_GIT_KNOWN_HOSTS the file of the servers' keys, ~/.ssh/known_hosts unless\n" +
			"told. A server whose key is not in that file is never talked to.\n\n" +
			"Environments may read as secrets what --secret-env and --secret-dir allow, and nothing else of the daemon's.",
		RunE: func(c *cobra.Command, _ []string) error { return a.serve(c.Context(), f) },
	}
	c.Flags().StringVar(&f.repo, "repo", "", "the repository's `URL`: a path, file://, http(s)://, ssh:// or USER@HOST:PATH")
	c.Flags().StringVar(&f.branch, "branch", "", "the `BRANCH` to follow; the remote's own head unless told")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:9464", "`ADDRESS` for /healthz, /readyz and /metrics; empty for none")
	c.Flags().StringVar(&f.channel, "slack-channel", "", "the `CHANNEL` for repositories that name none")
	c.Flags().DurationVar(&f.poll, "poll", 30*time.Second, "time between fetches")
	c.Flags().DurationVar(&f.interval, "interval", time.Minute, "time between looks for drift")
	c.Flags().DurationVar(&f.backoff, "backoff", 10*time.Second, "time before what failed is tried again; it doubles up to the interval")
	c.Flags().DurationVar(&f.lease, "lease", 6*time.Second, "how long a lease on an environment holds without renewal")
	c.Flags().IntVar(&f.workers, "workers", 4, "environments worked on at once")
	secretFlags(c, &f.secrets)
	return c
}

// serve runs the daemon until a signal, then lets it come to a checkpoint.
func (a *app) serve(ctx context.Context, f serveFlags) (err error) {
	if f.repo == "" {
		return diag.List{usage("serve wants the repository to follow", "add --repo URL")}
	}
	log := slog.New(slog.NewJSONHandler(a.err, nil))
	path, err := storePath(cmp.Or(a.store, filepath.Join(os.Getenv("STATE_DIRECTORY"), "isobar.db")))
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, path, time.Now())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	d, metrics, err := a.daemon(ctx, f, st, path, log)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		notify("STOPPING=1")
		log.Info("stopping: calls under way are finished, nothing new is started; a second signal ends at once")
	})
	doors, err := openDoors(f.listen, path, d, metrics)
	if err != nil {
		return err
	}
	log.Info("serving", "repo", d.Repos[0].Name, "store", path, "socket", socketPath(path), "listen", doors.address(), "version", version())
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

// daemon wires the daemon to its store, repository and chat.
func (a *app) daemon(ctx context.Context, f serveFlags, st store.Store, path string, log *slog.Logger) (*reconcile.Daemon, *web.Metrics, error) {
	opts := gitOptions(f, path+".mirror")
	mirror, err := git.Open(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	hints, err := git.Watch(ctx, opts)
	if err != nil {
		log.Warn("the repository can't be watched; it is polled", "error", err)
	}
	d := &reconcile.Daemon{
		Store: st, Log: log, NewID: newID, Poll: f.poll, Interval: f.interval, Backoff: f.backoff, Workers: f.workers, Channel: f.channel,
		Tenure: reconcile.Tenure{Leases: st, Owner: "local", TTL: f.lease, Now: time.Now},
		Repos:  []reconcile.Repo{{Name: git.Redact(f.repo), Source: mirror, Hints: hints}},
	}
	metrics := web.NewMetrics(version(), d.Queued)
	d.Meter = metrics
	allow, err := settled(f.secrets)
	if err != nil {
		return nil, nil, err
	}
	if d.Runner, err = newRunner(st, metrics.Call, keeper(path, allow)); err != nil {
		return nil, nil, err
	}
	if os.Getenv("ISOBAR_SLACK_TOKEN") != "" {
		d.Chat = chat.New(chat.Options{
			Token: func() (string, error) { return os.Getenv("ISOBAR_SLACK_TOKEN"), nil }, APIURL: os.Getenv("ISOBAR_SLACK_API_URL"),
		})
	}
	return d, metrics, nil
}

// storePath takes the path out of a store's name.
func storePath(name string) (string, error) {
	kind, path, ok := strings.Cut(name, ":")
	if !ok {
		return name, nil
	}
	if kind != "sqlite" || path == "" {
		return "", diag.List{usage(fmt.Sprintf("the store %q is of no known kind", name), "write --store sqlite:PATH")}
	}
	return path, nil
}

func socketPath(store string) string { return store + ".sock" }

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
