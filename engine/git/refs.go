package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// ownPrefix is where the mirror keeps what is no branch or tag of the remote.
const ownPrefix = "refs/isobar/"

// keptPrefix is where refs that FetchRefs brought are kept: no prune of branches
// touches them there, and a repack keeps what they name.
const keptPrefix = ownPrefix + "kept/"

// kept gives the name under which the mirror keeps a ref of the remote.
func kept(ref string) plumbing.ReferenceName {
	return plumbing.ReferenceName(keptPrefix + strings.TrimPrefix(ref, "refs/"))
}

// FetchRefs brings refs of the remote beside its branches and tags, as a forge has
// them for pull requests ("refs/pull/12/head", "refs/merge-requests/3/merge"), and
// gives the commit of each by its full name. They are fetched incrementally, with
// the timeout and the credentials of Fetch, and kept until DropRefs, whatever is
// pruned or repacked meanwhile; only a mirror that was damaged and is built anew
// loses them, until they are fetched again.
//
// Refs that the remote lacks are an Error of kind NoRevision that names them: the
// others are in the map all the same, and of those that are gone what was fetched
// earlier is kept. On any other error the map is nil and all is as it was. It
// takes its turn with Fetch; call Fetch first, so that both have their history
// from one copy.
func (m *Mirror) FetchRefs(ctx context.Context, refs []string) (map[string]Commit, error) {
	for _, ref := range refs {
		if err := m.checkRef(ref); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, m.opts.Timeout)
	defer cancel()
	var found map[string]Commit
	err := error(&Error{Kind: Corrupt})
	if !m.read.isDamaged() {
		found, err = m.bring(ctx, refs)
		if errors.Is(err, gogit.NoMatchingRefSpecError{}) { // one vanished between the list and the fetch
			found, err = m.bring(ctx, refs)
		}
	}
	if KindOf(err) != Corrupt {
		return found, err
	}
	if _, err := m.rebuild(ctx); err != nil {
		return nil, err
	}
	return m.bring(ctx, refs)
}

// checkRef refuses what is no full name of one ref: a pattern would bring more
// than was asked for.
func (m *Mirror) checkRef(ref string) error {
	name := plumbing.ReferenceName(ref)
	if strings.HasPrefix(ref, "refs/") && !strings.ContainsAny(ref, "*:") && name.Validate() == nil {
		return nil
	}
	return &Error{Kind: NoRevision, URL: m.at.shown, What: fmt.Sprintf("%q is no full name of a ref", ref), Mend: "name it from refs/ on, as in refs/pull/12/head"}
}

// bring fetches refs into the mirror.
func (m *Mirror) bring(ctx context.Context, refs []string) (map[string]Commit, error) {
	sto := spilling{m.write, m.opts.Dir}
	c, err := m.dial(ctx, sto)
	if err != nil {
		return nil, err
	}
	defer c.by.close()
	there := map[string]plumbing.Hash{}
	for _, r := range c.refs {
		if r.Type() == plumbing.HashReference {
			there[r.Name().String()] = r.Hash()
		}
	}
	var specs []config.RefSpec
	var gone []string
	for _, ref := range slices.Compact(slices.Sorted(slices.Values(refs))) {
		at, ok := there[ref]
		if !ok {
			gone = append(gone, ref)
			continue
		}
		if held, err := sto.Reference(kept(ref)); err != nil || held.Hash() != at {
			specs = append(specs, config.RefSpec("+"+ref+":"+kept(ref).String()))
		}
	}
	if len(specs) > 0 {
		if err := m.transfer(ctx, c, false, specs...); err != nil {
			return nil, err
		}
		if err := m.settle(); err != nil {
			return nil, corrupt(m.at.shown, err)
		}
	}
	return m.keptCommits(refs, gone)
}

// keptCommits reads the commits of refs that were just fetched, but those that
// are gone.
func (m *Mirror) keptCommits(refs, gone []string) (map[string]Commit, error) {
	found := map[string]Commit{}
	for _, ref := range refs {
		if slices.Contains(gone, ref) {
			continue
		}
		held, err := m.write.Reference(kept(ref))
		if err != nil {
			return nil, corrupt(m.at.shown, err)
		}
		commit, err := object.GetCommit(m.write, held.Hash())
		if errors.Is(err, plumbing.ErrObjectNotFound) && m.write.HasEncodedObject(held.Hash()) == nil {
			return nil, &Error{Kind: NoRevision, URL: m.at.shown, What: ref + " names no commit", Mend: "name a ref that holds a branch's or a pull request's head"}
		}
		if err == nil {
			err = readable(m.write, held.Hash())
		}
		if err != nil {
			return nil, corrupt(m.at.shown, err)
		}
		found[ref] = commitOf(commit)
	}
	if len(gone) == 0 {
		return found, nil
	}
	return found, &Error{
		Kind: NoRevision, URL: m.at.shown, What: "the remote has no " + strings.Join(gone, ", no "),
		Mend: "nothing to do where its pull request was closed; otherwise check the name",
	}
}

// KeptRefs lists the refs that FetchRefs brought and DropRefs did not drop, by
// their names at the remote, sorted.
func (m *Mirror) KeptRefs(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []string
	err := m.read.do(func(sto *filesystem.Storage) error {
		out = nil
		it, err := sto.IterReferences()
		if err != nil {
			return err
		}
		defer it.Close()
		return it.ForEach(func(r *plumbing.Reference) error {
			if rest, ok := strings.CutPrefix(r.Name().String(), keptPrefix); ok {
				out = append(out, "refs/"+rest)
			}
			return nil
		})
	})
	slices.Sort(out)
	return out, err
}

// DropRefs lets go of refs that FetchRefs brought: call it once a pull request is
// closed, with their names at the remote. Their commits go with one of the next
// repacks unless something else holds them. Ones that are not kept are no error.
func (m *Mirror) DropRefs(ctx context.Context, refs []string) error {
	for _, ref := range refs {
		if err := m.checkRef(ref); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ref := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.write.RemoveReference(kept(ref)); err != nil {
			return corrupt(m.at.shown, err)
		}
	}
	return nil
}
