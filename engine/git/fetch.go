package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Fetch brings branches and tags up to date with the remote, full history,
// incrementally and with pruning, and reports whether Head moved or any branch
// or tag did. A force-push is followed. On any error what was fetched earlier
// stays as it is; errors are of type *Error. A head that has to be signed and is not
// is one of kind Unsigned: all was fetched, and Head stays where it was. A damaged
// mirror is fetched afresh beside the old one, which it then replaces.
func (m *Mirror) Fetch(ctx context.Context) (changed bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, m.opts.Timeout)
	defer cancel()
	if m.read.isDamaged() {
		return m.rebuild(ctx)
	}
	changed, err = m.fetchInto(ctx, spilling{m.write, m.opts.Dir})
	if KindOf(err) == Corrupt {
		return m.rebuild(ctx)
	}
	if changed && m.settle() != nil {
		return m.rebuild(ctx)
	}
	return changed && err == nil, err
}

// settle counts a fetch that brought something, repacks where it is time, and
// lets readers see what came.
func (m *Mirror) settle() error {
	m.packed++
	if m.packed >= repackEvery {
		if err := m.repack(); err != nil {
			return err
		}
	}
	m.read.forget()
	return nil
}

// conn is a remote that has answered with its refs.
type conn struct {
	remote *gogit.Remote
	by     link
	refs   []*plumbing.Reference
}

// dial asks the remote for its refs. Close the link of what it gives.
func (m *Mirror) dial(ctx context.Context, sto spilling) (conn, error) {
	if m.at.local != "" {
		if _, err := os.Stat(m.at.local); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				err = errNoRepository
			}
			return conn{}, classify(m.at, err)
		}
	}
	by, err := m.at.link(ctx, m.opts)
	if err != nil {
		return conn{}, err
	}
	remote := gogit.NewRemote(sto, &config.RemoteConfig{Name: "origin", URLs: []string{m.at.url}})
	refs, err := remote.ListContext(ctx, &gogit.ListOptions{Auth: by.auth, CABundle: by.ca, ProxyOptions: by.proxy})
	if err != nil {
		err = classify(m.at, by.explain(err))
		by.close()
		return conn{}, err
	}
	return conn{remote, by, refs}, nil
}

// fetchInto brings a store up to date, its head last, and reports whether it brought
// anything, the head's move among it.
func (m *Mirror) fetchInto(ctx context.Context, sto spilling) (brought bool, err error) {
	c, err := m.dial(ctx, sto)
	if KindOf(err) == Empty {
		if _, held := sto.Reference(m.headRef()); held == nil {
			err = &Error{Kind: BranchGone, URL: m.at.shown, What: "the repository has no branch any more", Mend: "push the branch again"}
		}
	}
	if err != nil {
		return false, err
	}
	defer c.by.close()
	branch, err := m.followed(c.refs)
	if err != nil {
		return false, err
	}
	name := branch.Short()
	m.branch.Store(&name)
	same, err := sameRefs(sto.Storage, c.refs)
	if err != nil {
		return false, corrupt(m.at.shown, err)
	}
	if !same {
		if err := m.transfer(ctx, c, true, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
			return false, err
		}
	}
	moved, err := m.advance(sto.Storage, branch)
	return !same || moved, err
}

// advance makes what a branch holds the head, if it may be, and reports whether that
// is another one than before.
func (m *Mirror) advance(sto *filesystem.Storage, branch plumbing.ReferenceName) (moved bool, err error) {
	before, held := sto.Reference(m.headRef())
	ref, err := sto.Reference(branch)
	switch {
	case errors.Is(err, plumbing.ErrReferenceNotFound): // between the list and the fetch
		return false, m.branchGone(branch.Short())
	case err == nil && held == nil && before.Hash() == ref.Hash():
		return false, nil
	case err == nil:
		err = readable(sto, ref.Hash())
	}
	if err != nil {
		return false, corrupt(m.at.shown, err)
	}
	if err := m.vouched(sto, branch, ref.Hash()); err != nil {
		return false, err
	}
	if held == nil {
		err = m.noteForced(sto, before.Hash(), ref.Hash())
	}
	if err == nil {
		err = sto.SetReference(plumbing.NewHashReference(m.headRef(), ref.Hash()))
	}
	if err != nil {
		return false, corrupt(m.at.shown, err)
	}
	return true, nil
}

// noteForced notes whether the head that was is missing from the history of the
// one that is.
func (m *Mirror) noteForced(sto *filesystem.Storage, was, is plumbing.Hash) error {
	if was == is || sto.HasEncodedObject(was) != nil {
		return nil //nolint:nilerr // the mirror is made afresh: nothing is known of the one before
	}
	found, err := newHistory(commitsOf(sto)).contains(was, is)
	if err == nil && !found {
		m.forced.Store(&forced{head: is, before: was})
	}
	return err
}

// hasty is how often a transfer is tried when the server was done, and had
// closed the channel, before go-git closed its side: over SSH it then gives the
// answer up with "closing input: EOF" (plumbing/transport/internal/common).
const hasty = 4

// transfer fetches what the specs name. With prune it drops what the remote has no
// more.
func (m *Mirror) transfer(ctx context.Context, c conn, prune bool, specs ...config.RefSpec) error {
	var err error
	for range hasty {
		err = c.remote.FetchContext(ctx, &gogit.FetchOptions{
			RefSpecs: specs, Tags: gogit.NoTags, Prune: prune, Force: true,
			Auth: c.by.auth, CABundle: c.by.ca, ProxyOptions: c.by.proxy,
		})
		if err == nil || !strings.Contains(err.Error(), "closing input: EOF") {
			break
		}
	}
	if err == nil || errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return nil
	}
	if ctx.Err() == nil && isStoreError(err) {
		return corrupt(m.at.shown, err)
	}
	return classify(m.at, c.by.explain(err))
}

// isStoreError tells an error of our own object store from one of the wire.
func isStoreError(err error) bool {
	return errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, os.ErrNotExist) || isFormatError(err)
}

// followed gives the branch whose commit Head is.
func (m *Mirror) followed(refs []*plumbing.Reference) (plumbing.ReferenceName, error) {
	has := func(n plumbing.ReferenceName) bool {
		return slices.ContainsFunc(refs, func(r *plumbing.Reference) bool { return r.Name() == n })
	}
	if m.opts.Branch != "" {
		if n := plumbing.NewBranchReferenceName(m.opts.Branch); has(n) {
			return n, nil
		}
		return "", m.branchGone(m.opts.Branch)
	}
	for _, r := range refs {
		if r.Name() != plumbing.HEAD {
			continue
		}
		if r.Type() == plumbing.SymbolicReference && has(r.Target()) {
			return r.Target(), nil
		}
		for _, b := range refs {
			if b.Name().IsBranch() && b.Hash() == r.Hash() {
				return b.Name(), nil
			}
		}
	}
	return "", &Error{Kind: BranchGone, URL: m.at.shown, What: "the repository's HEAD names no branch that exists", Mend: "name the branch to follow"}
}

func (m *Mirror) branchGone(name string) error {
	return &Error{Kind: BranchGone, URL: m.at.shown, What: fmt.Sprintf("branch %q is gone", name), Mend: "push it again, or name another branch to follow"}
}

// sameRefs reports whether a store holds just the remote's branches and tags, beside
// isobar's own refs.
func sameRefs(sto *filesystem.Storage, remote []*plumbing.Reference) (bool, error) {
	want := map[plumbing.ReferenceName]plumbing.Hash{}
	for _, r := range remote {
		if r.Type() == plumbing.HashReference && (r.Name().IsBranch() || r.Name().IsTag()) {
			want[r.Name()] = r.Hash()
		}
	}
	it, err := sto.IterReferences()
	if err != nil {
		return false, err
	}
	defer it.Close()
	same, n := true, 0
	err = it.ForEach(func(r *plumbing.Reference) error {
		if r.Type() != plumbing.HashReference || strings.HasPrefix(r.Name().String(), ownPrefix) {
			return nil
		}
		n++
		same = same && want[r.Name()] == r.Hash()
		return nil
	})
	return same && n == len(want), err
}

// repack joins the packs into one and opens the store anew. Packs of the last
// hour stay, so that a tree in use survives a force-push.
func (m *Mirror) repack() error {
	mark := filepath.Join(m.opts.Dir, marker)
	if err := os.WriteFile(mark, []byte(m.at.shown+"\n"), 0o600); err != nil {
		return err
	}
	info, err := os.Stat(mark) // the file system's own clock, which also dated the packs
	if err != nil {
		return err
	}
	repo, err := gogit.Open(m.write, nil)
	if err != nil {
		return err
	}
	if err := repo.RepackObjects(&gogit.RepackConfig{OnlyDeletePacksOlderThan: info.ModTime().Add(-keepPacks)}); err != nil {
		return err
	}
	m.write, m.packed = openStorage(m.opts.Dir), 0
	return nil
}

// rebuild fetches everything into a fresh directory, which then takes the place
// of the mirror. The old one stays until then.
func (m *Mirror) rebuild(ctx context.Context) (changed bool, err error) {
	fresh := filepath.Clean(m.opts.Dir) + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return false, corrupt(m.at.shown, err)
	}
	if err := initMirror(fresh, m.at.shown); err != nil {
		return false, corrupt(m.at.shown, err)
	}
	unsigned, err := m.fill(ctx, spilling{openStorage(fresh), fresh})
	if err != nil {
		if KindOf(err) == Corrupt { // in a new directory: not the mirror's fault
			err = &Error{
				Kind: Unreachable, URL: m.at.shown, What: "the answer is incomplete, or can't be stored", Err: errors.Unwrap(errors.Unwrap(err)),
				Mend: "check the server, what stands between, and the disk",
			}
		}
		return false, errors.Join(err, os.RemoveAll(fresh))
	}
	err = m.read.swap(func() error {
		if err := os.RemoveAll(m.opts.Dir); err != nil {
			return err
		}
		return os.Rename(fresh, m.opts.Dir)
	})
	if err != nil {
		return false, corrupt(m.at.shown, err)
	}
	m.write, m.packed = openStorage(m.opts.Dir), 1
	return unsigned == nil, unsigned
}

// fill fetches everything into a fresh store. Where the branch's head is not signed,
// which unsigned then says, the store keeps the head that the mirror had.
func (m *Mirror) fill(ctx context.Context, sto spilling) (unsigned, err error) {
	had, held := m.write.Reference(m.headRef())
	_, err = m.fetchInto(ctx, sto)
	if KindOf(err) != Unsigned {
		return nil, err
	}
	if held == nil && readable(sto.Storage, had.Hash()) == nil {
		return err, sto.SetReference(had)
	}
	return err, nil
}
