package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
)

// sourceFlags lets a verb read another repository than the work tree in -C, or
// another commit of it.
func (a *app) sourceFlags(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.repo, "repo", "", "read the repository at this `URL` instead of a directory: as serve --repo takes it; needs --store where there is a ledger")
	c.Flags().StringVar(&a.rev, "rev", "", "read this `REV`, a branch, tag, commit or HEAD, instead of the files as they lie there; with --repo, the remote's own head unless told")
	c.Flags().StringVar(&a.base, "base", "", "with --rev, take the rules of policies/ from this `REV` and not from the one that is read; the head that the repository itself has unless told")
	return c
}

// sourceArgs are the flags that say what is read and where the ledger is, as
// they must be given again.
func (a *app) sourceArgs() string {
	var b strings.Builder
	for _, f := range [][2]string{{"--repo", a.repoName()}, {"--rev", a.rev}, {"--base", a.base}, {"--store", a.storeName()}} {
		if f[1] != "" {
			b.WriteString(" " + f[0] + " " + shellWord(f[1]))
		}
	}
	return b.String()
}

// repoName is what --repo says, without what may be a password or a token.
func (a *app) repoName() string {
	if u, err := url.Parse(a.repo); err == nil && u.User != nil && strings.HasPrefix(u.Scheme, "http") {
		return git.Redact(a.repo)
	}
	return a.repo
}

// storeName is what --store says, without a password.
func (a *app) storeName() string {
	if at, err := placeOf(a.store); err == nil && at.shared() {
		return at.String()
	}
	return a.store
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// source is what a verb reads.
type source struct {
	tree  fs.FS
	rules fs.FS  // where policies/ is read: a change under review does not judge itself
	hash  string // of the commit, "" where the files are those of none
}

// files gives the files that the verb is about.
func (a *app) files(ctx context.Context) (source, error) {
	if a.base != "" && a.rev == "" {
		return source{}, diag.List{usage("--base says where the rules come from for another commit than the files that lie there", "name the commit with --rev")}
	}
	if a.repo != "" || a.rev != "" {
		return a.committed(ctx)
	}
	tree, on, dirty, err := git.WorkTree(a.dir)
	if err != nil {
		return source{}, errorf(diag.CommandRepo, "name the repository's directory with -C", "%v", err)
	}
	if dirty {
		on = git.Commit{}
	}
	return source{tree: tree, rules: tree, hash: on.Hash}, nil
}

// committed reads a commit from the repository's mirror, which is kept for the
// next time.
func (a *app) committed(ctx context.Context) (source, error) {
	url := cmp.Or(a.repo, a.dir)
	if _, err := os.Stat(url); err == nil { // a directory: the mirror must know it from anywhere
		if url, err = filepath.Abs(url); err != nil {
			return source{}, err
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return source{}, errorf(diag.CommandRepo, "set HOME or XDG_CACHE_HOME", "there is no place for the repository's mirror: %v", err)
	}
	sum := sha256.Sum256([]byte(url))
	dir := filepath.Join(cache, "isobar", "mirrors", hex.EncodeToString(sum[:8]))
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return source{}, err
	}
	defer unlock()
	set := flagSettings(serveFlags{repo: url})
	mirror, err := git.Open(ctx, set.gitOptions(set.Repos[0], dir))
	if err == nil {
		_, err = mirror.Fetch(ctx)
	}
	if git.KindOf(err) == git.Full {
		return source{}, errorf(diag.CommandRepo, "free space there, as much as a bare clone of the repository takes, and make it writable; XDG_CACHE_HOME names another place", "%v", err)
	}
	if err != nil {
		return source{}, err
	}
	on, err := revision(ctx, mirror, a.rev)
	if err != nil {
		return source{}, errorf(diag.CommandRepo, "write a branch, a tag or a commit with --rev", "%v", err)
	}
	base, err := revision(ctx, mirror, a.base)
	if err != nil {
		return source{}, errorf(diag.CommandRepo, "write a branch, a tag or a commit with --base", "%v", err)
	}
	out := source{hash: on.Hash}
	if out.tree, err = mirror.Tree(on.Hash); err != nil {
		return source{}, err
	}
	out.rules, err = mirror.Tree(base.Hash)
	return out, err
}

// revision resolves a name, "" being the repository's own head.
func revision(ctx context.Context, m *git.Mirror, rev string) (git.Commit, error) {
	if rev == "" {
		return m.Head(ctx)
	}
	return m.Resolve(ctx, rev)
}

// lockWait is how often a lock that another command holds is asked for.
const lockWait = 100 * time.Millisecond

// lockDir makes a directory and waits until no other command uses it.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for {
		f, err := flock(dir + ".lock")
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil // its end frees the lock
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, err
		}
		if err := sleep(ctx, lockWait); err != nil {
			return nil, err
		}
	}
}

// flock takes a file's lock until it is closed. EWOULDBLOCK says that another
// process has it.
func flock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // below the user's own cache, or beside a store
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
