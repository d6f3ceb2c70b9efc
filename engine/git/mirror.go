package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Options say what to mirror and where. The zero values of all but URL and Dir
// are good.
type Options struct {
	URL     string                 // a path, file://, http(s)://, ssh:// or USER@HOST:PATH
	Dir     string                 // where the bare mirror lives; made when missing, and isobar's own
	Branch  string                 // the branch that Head gives; "" is the remote's HEAD
	User    string                 // for basic authentication, or SSH where the URL names none; "" is "git"
	Secret  func() (string, error) // password or token, asked before each fetch; nil is none
	Named   string                 // what to call Secret in messages, "the token in ISOBAR_GIT_TOKEN"; "" is "the token"
	Give    string                 // how to give a Secret, for messages where there is none: "set ISOBAR_GIT_TOKEN"
	Bearer  bool                   // send Secret as a bearer token
	CA      string                 // file of PEM certificates to trust beside the system's, read at each fetch; "" is none
	GiveCA  string                 // how to name a CA, for messages: "set ISOBAR_GIT_CA to its file"
	SSH     SSH                    // key and known hosts, for addresses over SSH
	MaxFile int64                  // bytes of the largest file that a tree gives; 0 is 16 MiB
	Timeout time.Duration          // of one Fetch; 0 is 5 minutes

	// Signers gives who has to have signed the branch's head; nil: it need not be
	// signed. It is asked at each Fetch, and wants Now.
	Signers func() (Signers, error)
	Now     func() time.Time // for keys that expire
}

const (
	defaultMaxFile = 16 << 20
	defaultTimeout = 5 * time.Minute
	repackEvery    = 100 // packs; each fetch that brings something adds one
	keepPacks      = time.Hour
	marker         = "isobar-mirror" // the file that makes a directory ours; holds the URL

	// headRef keeps the commit of the followed branch, so that it outlives a
	// branch that vanishes at the remote.
	headRef = plumbing.ReferenceName("refs/isobar/head")
)

// Mirror is a bare copy of a repository on disk. All methods may be called from
// several goroutines; one Fetch runs at a time. One process uses a Dir.
type Mirror struct {
	opts   Options
	at     address
	read   *reader
	mu     sync.Mutex // of what follows, and of writing to Dir
	write  *filesystem.Storage
	packed int // fetches that brought something since the last repack

	forced atomic.Pointer[forced]
	branch atomic.Pointer[string]
}

// forced is a head, and the one that it took the place of though that is not in
// its history.
type forced struct{ head, before plumbing.Hash }

// Open opens the mirror in o.Dir, or makes an empty one. It never talks to the
// remote: call Fetch. What is in Dir and can't be used gives way: a damaged
// mirror or one of another repository is removed, anything that isobar did not
// write is moved aside (Dir.old-1, …). Where Dir can't be made or written to, as on
// a full disk, it is an Error of kind Full.
func Open(ctx context.Context, o Options) (*Mirror, error) {
	at, err := parseAddress(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Dir == "" {
		return nil, &Error{Kind: BadAddress, URL: at.shown, What: "no directory given for the mirror", Mend: "give one"}
	}
	if o.MaxFile == 0 {
		o.MaxFile = defaultMaxFile
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &Mirror{opts: o, at: at, read: &reader{dir: o.Dir, shown: at.shown}}
	if err := m.prepare(); err != nil {
		return nil, unmade(at.shown, o.Dir, err)
	}
	m.write = openStorage(o.Dir)
	if packs, err := m.write.ObjectPacks(); err == nil {
		m.packed = len(packs)
	}
	return m, nil
}

// prepare makes o.Dir a mirror of o.URL, with what it holds already where that
// can be used.
func (m *Mirror) prepare() error {
	held, err := os.ReadFile(filepath.Join(m.opts.Dir, marker))
	switch {
	case err == nil && strings.TrimSpace(string(held)) == m.at.shown && m.sound():
		return nil
	case err == nil:
		if err := os.RemoveAll(m.opts.Dir); err != nil {
			return err
		}
	default:
		if err := moveAside(m.opts.Dir); err != nil {
			return err
		}
	}
	return initMirror(m.opts.Dir, m.at.shown)
}

// sound reports whether the mirror's own head, if it has one, can be read.
func (m *Mirror) sound() bool {
	sto := openStorage(m.opts.Dir)
	if _, err := gogit.Open(sto, nil); err != nil {
		return false
	}
	ref, err := sto.Reference(m.headRef())
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return true
	}
	return err == nil && readable(sto, ref.Hash()) == nil
}

// readable checks that a commit and its root tree are there.
func readable(sto *filesystem.Storage, h plumbing.Hash) error {
	c, err := object.GetCommit(sto, h)
	if err != nil {
		return err
	}
	_, err = c.Tree()
	return err
}

// initMirror makes an empty mirror in dir, which is missing or empty; what it can't
// make whole it takes away again.
func initMirror(dir, shown string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, err := gogit.Init(openStorage(dir), nil)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, marker), []byte(shown+"\n"), 0o600)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

// moveAside renames a directory that has something in it and is not ours.
func moveAside(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nil
	}
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s.old-%d", filepath.Clean(dir), n)
		switch _, err := os.Lstat(to); {
		case errors.Is(err, fs.ErrNotExist):
			return os.Rename(dir, to)
		case err != nil: // a file in the way of the directory above, say
			return err
		}
	}
}

// Head gives the commit of the followed branch as last fetched, where it has to be
// signed the last one that was: an Error of kind NoRevision before the first Fetch
// that worked.
func (m *Mirror) Head(ctx context.Context) (Commit, error) {
	if err := ctx.Err(); err != nil {
		return Commit{}, err
	}
	var out Commit
	err := m.read.object(func(sto *filesystem.Storage) error {
		ref, err := sto.Reference(m.headRef())
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			return errNoRevision
		}
		if err != nil {
			return err
		}
		c, err := object.GetCommit(sto, ref.Hash())
		if err != nil {
			return err
		}
		out = commitOf(c)
		if f := m.forced.Load(); f != nil && f.head == c.Hash {
			out.Forced = f.before.String()
		}
		return nil
	})
	if errors.Is(err, errNoRevision) {
		return Commit{}, &Error{Kind: NoRevision, URL: m.at.shown, What: "nothing has been fetched yet", Mend: "fetch first"}
	}
	return out, err
}

// Branch gives the name of the followed branch as the last Fetch found it; before
// the first one that is what Options say, "" for the remote's own head.
func (m *Mirror) Branch() string {
	if b := m.branch.Load(); b != nil {
		return *b
	}
	return m.opts.Branch
}

// Resolve gives the commit that a branch, tag, hash or prefix of one names in
// what was fetched, or one before it, as in "main~2". HEAD is what Head gives.
// A name that is none is an Error of kind NoRevision.
func (m *Mirror) Resolve(ctx context.Context, rev string) (Commit, error) {
	if err := ctx.Err(); err != nil {
		return Commit{}, err
	}
	name := rev
	if back, ok := strings.CutPrefix(rev, "HEAD"); ok && strings.Trim(back, "~^0123456789") == "" {
		head, err := m.Head(ctx)
		if err != nil {
			return Commit{}, err
		}
		name = head.Hash + back
	}
	var out Commit
	err := m.read.do(func(sto *filesystem.Storage) error {
		repo, err := gogit.Open(sto, nil)
		if err != nil {
			return err
		}
		h, err := repo.ResolveRevision(plumbing.Revision(name))
		if err != nil {
			return errors.Join(errNoRevision, err)
		}
		c, err := object.GetCommit(sto, *h)
		if err != nil {
			return err
		}
		out = commitOf(c)
		return nil
	})
	if errors.Is(err, errNoRevision) {
		what := fmt.Sprintf("no commit, branch or tag is called %q", rev)
		return Commit{}, &Error{Kind: NoRevision, URL: m.at.shown, What: what, Mend: "fetch first, or check the spelling"}
	}
	return out, err
}

// Tree gives the files of the commit with this full hash, read-only and
// straight from the object store. Symbolic links and submodules are listed with
// their type and can't be opened. It may be used from several goroutines and
// stays usable while Fetch runs.
func (m *Mirror) Tree(hash string) (fs.FS, error) {
	h, err := m.commitHash(hash)
	if err != nil {
		return nil, err
	}
	t := &tree{objects: objects{read: m.read}, max: m.opts.MaxFile, dirs: map[plumbing.Hash][]entry{}}
	err = m.read.object(func(sto *filesystem.Storage) error {
		c, err := object.GetCommit(sto, h)
		if err != nil {
			return err
		}
		t.root, t.when = c.TreeHash, c.Committer.When
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

var errNoRevision = errors.New("no such revision")
