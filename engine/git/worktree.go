package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// WorkTree gives a directory as it stands, for the one-shot commands, and what
// it is based on: the commit it is on (zero outside a repository or before the
// first commit), and whether files below dir differ from it. The file system
// can't be left by symbolic links.
func WorkTree(dir string) (files fs.FS, on Commit, dirty bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, Commit{}, false, fmt.Errorf("read the directory: %w", err)
	}
	files = root.FS()
	repo, err := gogit.PlainOpenWithOptions(dir, &gogit.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, gogit.ErrRepositoryNotExists) {
		return files, Commit{}, false, nil
	}
	if err != nil {
		return nil, Commit{}, false, fmt.Errorf("open the repository around %s: %w", dir, err)
	}
	head, err := repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return files, Commit{}, true, nil
	}
	if err != nil {
		return nil, Commit{}, false, fmt.Errorf("read the head of %s: %w", dir, err)
	}
	c, err := object.GetCommit(repo.Storer, head.Hash())
	if err != nil {
		return nil, Commit{}, false, fmt.Errorf("read the head commit of %s: %w", dir, err)
	}
	dirty, err = differs(repo, dir)
	if err != nil {
		return nil, Commit{}, false, fmt.Errorf("compare %s with its commit: %w", dir, err)
	}
	return files, commitOf(c), dirty, nil
}

// differs reports whether files below dir are changed, added or removed.
func differs(repo *gogit.Repository, dir string) (bool, error) {
	wt, err := repo.Worktree()
	if errors.Is(err, gogit.ErrIsBareRepository) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	status, err := wt.Status()
	if err != nil {
		return false, err
	}
	prefix, err := within(wt.Filesystem.Root(), dir)
	if err != nil {
		return false, err
	}
	for name, s := range status {
		if s.Worktree == gogit.Unmodified && s.Staging == gogit.Unmodified {
			continue
		}
		if prefix == "" || strings.HasPrefix(name, prefix+"/") {
			return true, nil
		}
	}
	return false, nil
}

// within gives dir relative to top with slashes, "" for top itself.
func within(top, dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", err
	}
	if top, err = filepath.EvalSymlinks(top); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(top, abs)
	if err != nil || rel == "." {
		return "", err
	}
	return filepath.ToSlash(rel), nil
}
