package spec

import (
	"context"
	"io/fs"
)

// fixed is a tree that never changes and has a name for all that it holds, as Git's
// have. What a repository of thousands of environments lists is read once for each.
type fixed interface{ TreeHash() string }

// keptTrees bounds the loader's memory of which environments trees have.
const keptTrees = 16

// listed gives the estate of a tree with its environments, and the closure that listed
// them, with what is wrong with their directories. The estate is shared: its maps and
// lists are not to be changed.
func (l *Loader) listed(ctx context.Context, tree fs.FS) (Estate, *closure, error) {
	c := newClosure(tree, l.limits)
	name := ""
	if t, ok := tree.(fixed); ok {
		name = t.TreeHash()
	}
	l.mu.Lock()
	known, ok := l.trees[name]
	l.mu.Unlock()
	if ok {
		return known, c, nil
	}
	est, err := l.estate(ctx, tree)
	if err != nil {
		return Estate{}, nil, err
	}
	l.list(&est, c)
	if name != "" && len(c.found) == 0 {
		l.mu.Lock()
		if len(l.trees) >= keptTrees {
			clear(l.trees)
		}
		l.trees[name] = est
		l.mu.Unlock()
	}
	return est, c, nil
}
