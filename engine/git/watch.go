package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// debounce is how long a local repository must be quiet before a hint is given:
// one push writes many files.
const debounce = 200 * time.Millisecond

// Watch hints when the branches or tags of a local repository may have changed,
// bare or not. It is nil for a remote one. Hints may be missed or in vain: poll
// as well, and resolve again on each. The channel holds one hint and closes
// when ctx ends.
func Watch(ctx context.Context, o Options) (<-chan struct{}, error) {
	at, err := parseAddress(o.URL)
	if err != nil || at.local == "" {
		return nil, err
	}
	dirs, err := gitDirs(at.local)
	if err != nil {
		return nil, classify(at, err)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, &Error{Kind: Unreachable, URL: at.shown, What: "can't watch the repository", Mend: "raise fs.inotify limits; polling goes on", Err: err}
	}
	for _, d := range dirs {
		if err := arm(w, d); err != nil {
			return nil, errors.Join(classify(at, err), w.Close())
		}
	}
	out := make(chan struct{}, 1)
	go watch(ctx, w, out)
	return out, nil
}

// watch turns events into hints until ctx ends.
func watch(ctx context.Context, w *fsnotify.Watcher, out chan<- struct{}) {
	defer close(out)
	defer func() { _ = w.Close() }()
	timer := time.NewTimer(debounce)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-w.Events:
			if !ok {
				return
			}
			if !relevant(ev) {
				continue
			}
			if ev.Has(fsnotify.Create) && inRefs(ev.Name) {
				_ = armRefs(w, ev.Name) // gone again, or a file: nothing to watch
			}
			timer.Reset(debounce)
		case _, ok := <-w.Errors: // an overflow: something changed
			if !ok {
				return
			}
			timer.Reset(debounce)
		case <-timer.C:
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}
}

func relevant(ev fsnotify.Event) bool {
	if ev.Op == fsnotify.Chmod || strings.HasSuffix(ev.Name, ".lock") {
		return false
	}
	base := filepath.Base(ev.Name)
	return base == "HEAD" || base == "packed-refs" || inRefs(ev.Name)
}

func inRefs(path string) bool {
	return strings.Contains(filepath.ToSlash(path), "/refs/")
}

// arm watches a Git directory itself (HEAD and packed-refs are replaced by
// renames) and all directories of refs.
func arm(w *fsnotify.Watcher, dir string) error {
	if err := w.Add(dir); err != nil {
		return err
	}
	refs := filepath.Join(dir, "refs")
	if _, err := os.Stat(refs); errors.Is(err, fs.ErrNotExist) {
		return nil // the directory of a linked work tree has none
	}
	return armRefs(w, refs)
}

func armRefs(w *fsnotify.Watcher, root string) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		return w.Add(p)
	})
}

// gitDirs gives the directories that hold a repository's HEAD and refs: one,
// or two for a linked work tree.
func gitDirs(dir string) ([]string, error) {
	dot := filepath.Join(dir, ".git")
	info, err := os.Stat(dot)
	switch {
	case err == nil && info.IsDir():
		return []string{dot}, nil
	case err == nil:
		return linkedDirs(dir, dot)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return nil, errNoRepository
	}
	return []string{dir}, nil
}

func linkedDirs(dir, dot string) ([]string, error) {
	data, err := os.ReadFile(dot) //nolint:gosec // the repository that the user named
	if err != nil {
		return nil, err
	}
	own, ok := strings.CutPrefix(strings.TrimSpace(string(data)), "gitdir: ")
	if !ok {
		return nil, errNoRepository
	}
	own = below(dir, own)
	common, err := os.ReadFile(filepath.Join(own, "commondir")) //nolint:gosec // as above
	if errors.Is(err, fs.ErrNotExist) {
		return []string{own}, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{own, below(own, strings.TrimSpace(string(common)))}, nil
}

func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
