package git

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Contains reports whether a commit is another one or in its history. Both are full
// hashes; one that the mirror lacks is an Error of kind NoRevision. It looks at
// what is newer than where the two histories meet, not at all of them.
func (m *Mirror) Contains(ctx context.Context, ancestor, of string) (bool, error) {
	a, err := m.commitHash(ancestor)
	if err != nil {
		return false, err
	}
	b, err := m.commitHash(of)
	if err != nil {
		return false, err
	}
	return m.history(ctx).contains(a, b)
}

// commitHash takes the full hash of a commit that the mirror holds.
func (m *Mirror) commitHash(hash string) (plumbing.Hash, error) {
	h := plumbing.NewHash(hash)
	if !plumbing.IsHash(hash) {
		return h, &Error{Kind: NoRevision, URL: m.at.shown, What: fmt.Sprintf("%q is no full commit hash", hash), Mend: "resolve the name first"}
	}
	err := m.read.do(func(sto *filesystem.Storage) error {
		_, err := object.GetCommit(sto, h)
		return err
	})
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		err = &Error{Kind: NoRevision, URL: m.at.shown, What: "no commit " + hash + " in the mirror", Mend: "fetch first"}
	}
	return h, err
}

// history reads the mirror's commits.
func (m *Mirror) history(ctx context.Context) *history {
	return newHistory(func(h plumbing.Hash) (node, error) {
		if err := ctx.Err(); err != nil {
			return node{}, err
		}
		var n node
		err := m.read.object(func(sto *filesystem.Storage) (err error) {
			n, err = commitsOf(sto)(h)
			return err
		})
		return n, err
	})
}

func commitsOf(sto *filesystem.Storage) func(plumbing.Hash) (node, error) {
	return func(h plumbing.Hash) (node, error) {
		c, err := object.GetCommit(sto, h)
		if err != nil {
			return node{}, err
		}
		return node{tree: c.TreeHash, parents: c.ParentHashes, when: c.Committer.When.Unix()}, nil
	}
}

// node is what merging needs to know of a commit.
type node struct {
	tree    plumbing.Hash
	parents []plumbing.Hash
	when    int64 // seconds since 1970, of committing
}

// history is a graph of commits, read as it is walked. Use from one goroutine.
type history struct {
	read func(plumbing.Hash) (node, error)
	seen map[plumbing.Hash]node // also those that a merge made up
}

func newHistory(read func(plumbing.Hash) (node, error)) *history {
	return &history{read: read, seen: map[plumbing.Hash]node{}}
}

func (h *history) node(c plumbing.Hash) (node, error) {
	if n, ok := h.seen[c]; ok {
		return n, nil
	}
	n, err := h.read(c)
	if err == nil {
		h.seen[c] = n
	}
	return n, err
}

// contains reports whether of is, or descends from, ancestor.
func (h *history) contains(ancestor, of plumbing.Hash) (bool, error) {
	common, err := h.meet(ancestor, of)
	return slices.Contains(common, ancestor), err
}

// bases gives the best common ancestors of two commits, those that no other one
// descends from, the oldest first: none for unrelated histories.
func (h *history) bases(a, b plumbing.Hash) ([]plumbing.Hash, error) {
	common, err := h.meet(a, b)
	if err != nil {
		return nil, err
	}
	// Where clocks were wrong an ancestor of another may be among them.
	best := common
	for _, c := range common {
		for _, d := range common {
			if c == d {
				continue
			}
			within, err := h.contains(c, d)
			if err != nil {
				return nil, err
			}
			if within {
				best = slices.DeleteFunc(slices.Clone(best), func(x plumbing.Hash) bool { return x == c })
				break
			}
		}
	}
	slices.SortStableFunc(best, func(x, y plumbing.Hash) int { return cmp.Compare(h.seen[x].when, h.seen[y].when) })
	return best, nil
}

// What the walk of meet knows of a commit.
const (
	ofA   = 1 << iota // in the history of one
	ofB               // in the history of the other
	stale             // in the history of a common ancestor
	listed
)

// meet walks both histories from the newest commit on until nothing is left but
// ancestors of what they have in common, and gives that.
func (h *history) meet(a, b plumbing.Hash) ([]plumbing.Hash, error) {
	if a == b {
		_, err := h.node(a)
		return []plumbing.Hash{a}, err
	}
	marks := map[plumbing.Hash]int{}
	var q queue
	push := func(c plumbing.Hash, mark int) error {
		if marks[c]|mark == marks[c] {
			return nil
		}
		n, err := h.node(c)
		if err != nil {
			return err
		}
		marks[c] |= mark
		heap.Push(&q, pending{c, n.when, q.pushed})
		q.pushed++
		return nil
	}
	if err := errors.Join(push(a, ofA), push(b, ofB)); err != nil {
		return nil, err
	}
	var common []plumbing.Hash
	fresh := func(p pending) bool { return marks[p.commit]&stale == 0 }
	for slices.ContainsFunc(q.list, fresh) {
		c := heap.Pop(&q).(pending).commit
		mark := marks[c] & (ofA | ofB | stale)
		if mark == ofA|ofB {
			if marks[c]&listed == 0 {
				marks[c] |= listed
				common = append(common, c)
			}
			mark |= stale
		}
		for _, p := range h.seen[c].parents {
			if err := push(p, mark); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(common, func(c plumbing.Hash) bool { return marks[c]&stale != 0 }), nil
}

// pending is a commit that is to be looked at.
type pending struct {
	commit plumbing.Hash
	when   int64
	turn   int
}

// queue gives the newest commit first, of several the one that came first. A
// heap.Interface.
type queue struct {
	list   []pending
	pushed int
}

func (q *queue) Len() int { return len(q.list) }
func (q *queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q.list[j].when, q.list[i].when), cmp.Compare(q.list[i].turn, q.list[j].turn)) < 0
}
func (q *queue) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }
func (q *queue) Push(x any)    { q.list = append(q.list, x.(pending)) }
func (q *queue) Pop() any {
	last := q.list[len(q.list)-1]
	q.list = q.list[:len(q.list)-1]
	return last
}
