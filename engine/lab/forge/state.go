package forge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// repo is a repository with its pulls.
type repo struct {
	name     string
	id       int64
	dir      string // a bare repository, or ""
	pulls    map[int]*Pull
	statuses []Status
}

// Pull is a pull request. Zero fields of one that is opened take what the face
// gives new ones.
type Pull struct {
	Title, Body, Author string
	Draft               bool
	From                string            // the head's repository if it is another, or "-" for a fork that was deleted
	HeadRef, BaseRef    string            // branches
	Head, Base          string            // commits; read from the repository where it is on disk
	Patches             map[string]string // the hunks by file, where there is no repository on disk
	Conflict            bool              // where there is no repository on disk
	Unchecked           bool              // the forge has not tried the merge yet
	// Commits are the logins of the commits' people, oldest first, where there is no
	// repository on disk: "AUTHOR", or "AUTHOR/COMMITTER"; "" is somebody without a
	// login. On disk the names in the commits are the logins.
	Commits []string

	Number   int
	State    string // open, closed, merged
	Merged   string // commit
	Updated  time.Time
	Comments []*Comment
	Notes    []*Note
	seen     [2]string // head and base when the merge was last tried
}

// Comment is a comment on a pull, or what the forge itself notes (System).
type Comment struct {
	ID               int64
	Author, Body     string
	Created, Updated time.Time
	System           bool
	Reactions        []string // "NAME by LOGIN"
}

// Note is a remark on a line of the diff.
type Note struct {
	ID           int64
	Review       int64
	Author, Body string
	Path         string
	Line         int
	Head         string // the commit it was made on
	Created      time.Time
}

// Status is a status of a commit as it was set.
type Status struct {
	Commit, Context, State, Text, URL string
}

var (
	errNoRepo = errors.New("the lab has no such repository")
	errNoPull = errors.New("the lab has no such pull")
)

// Repo adds a repository, "owner/name"; dir is a bare repository on disk, or "".
func (s *Server) Repo(name, dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[name] = &repo{name: name, id: s.id(), dir: dir, pulls: map[int]*Pull{}}
}

// Team sets a team's members; its name is as isobar names it.
func (s *Server) Team(name string, members ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.teams[name] = members
}

// Open opens a pull and gives its number.
func (s *Server) Open(name string, p Pull) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[name]
	if r == nil {
		return 0, errNoRepo
	}
	p.Number, p.State, p.Updated = len(r.pulls)+1, "open", s.tick()
	r.pulls[p.Number] = &p
	if err := r.refresh(&p); err != nil {
		delete(r.pulls, p.Number)
		return 0, err
	}
	s.tell(r, event{kind: "pull", action: "opened", pull: &p})
	return p.Number, nil
}

// Change changes a pull by f and tells of it as an edit, or as a push where the head
// moved.
func (s *Server) Change(name string, number int, f func(*Pull)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.find(name, number)
	if err != nil {
		return err
	}
	head := p.Head
	f(p)
	p.Updated = s.tick()
	if err := r.refresh(p); err != nil {
		return err
	}
	action := "edited"
	if p.Head != head {
		action = "synchronize"
	}
	s.tell(r, event{kind: "pull", action: action, pull: p})
	return nil
}

// Merge closes a pull as merged; commit is what came of it on the base branch,
// where the test has put it.
func (s *Server) Merge(name string, number int, commit string) error {
	return s.end(name, number, "merged", commit)
}

// Shut closes a pull unmerged.
func (s *Server) Shut(name string, number int) error { return s.end(name, number, "closed", "") }

func (s *Server) end(name string, number int, state, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.find(name, number)
	if err != nil {
		return err
	}
	p.State, p.Merged, p.Updated = state, commit, s.tick()
	s.tell(r, event{kind: "pull", action: "closed", pull: p})
	return nil
}

// Push tells of a push to a branch of the repository, and of the pulls whose head
// it moved.
func (s *Server) Push(name, ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[name]
	if r == nil {
		return errNoRepo
	}
	s.tell(r, event{kind: "push", ref: "refs/heads/" + ref})
	for _, n := range slices.Sorted(maps.Keys(r.pulls)) {
		p := r.pulls[n]
		head := p.Head
		if err := r.refresh(p); err != nil {
			return err
		}
		if p.Head != head {
			p.Updated = s.tick()
			s.tell(r, event{kind: "pull", action: "synchronize", pull: p})
		}
	}
	return nil
}

// Say adds a comment and gives its id.
func (s *Server) Say(name string, number int, author, body string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.find(name, number)
	if err != nil {
		return "", err
	}
	c := s.comment(r, p, Comment{Author: author, Body: body})
	return strconv.FormatInt(c.ID, 10), nil
}

// Remark adds what the forge itself notes on a pull, which GitLab lists among the
// comments.
func (s *Server) Remark(name string, number int, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.find(name, number)
	if err == nil {
		s.comment(r, p, Comment{Author: "ghost", Body: body, System: true})
	}
	return err
}

func (s *Server) comment(r *repo, p *Pull, c Comment) *Comment {
	c.ID, c.Created = s.id(), s.tick()
	c.Updated, p.Updated = c.Created, c.Created
	p.Comments = append(p.Comments, &c)
	if !c.System {
		s.tell(r, event{kind: "comment", action: "created", pull: p, comment: &c})
	}
	return &c
}

// Rewrite edits a comment.
func (s *Server) Rewrite(name, id, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, c := s.seek(name, id)
	if c == nil {
		return fmt.Errorf("the lab has no comment %s", id)
	}
	s.edit(r, p, c, body)
	return nil
}

// Delete takes a comment away.
func (s *Server) Delete(name, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, p, c := s.seek(name, id)
	if c == nil {
		return fmt.Errorf("the lab has no comment %s", id)
	}
	p.Comments = slices.DeleteFunc(p.Comments, func(o *Comment) bool { return o == c })
	return nil
}

func (s *Server) edit(r *repo, p *Pull, c *Comment, body string) {
	c.Body, c.Updated = body, s.tick()
	p.Updated = c.Updated
	s.tell(r, event{kind: "comment", action: "edited", pull: p, comment: c})
}

// Look gives a copy of a pull as it is, comments and notes too.
func (s *Server) Look(name string, number int) (Pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, p, err := s.find(name, number)
	if err != nil {
		return Pull{}, err
	}
	out := *p
	out.Comments, out.Notes = nil, nil
	for _, c := range p.Comments {
		one := *c
		one.Reactions = slices.Clone(c.Reactions)
		out.Comments = append(out.Comments, &one)
	}
	for _, n := range p.Notes {
		one := *n
		out.Notes = append(out.Notes, &one)
	}
	return out, nil
}

// Statuses gives the statuses of a commit as they were set.
func (s *Server) Statuses(name, commit string) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[name]
	if r == nil {
		return nil
	}
	var out []Status
	for _, st := range r.statuses {
		if st.Commit == commit {
			out = append(out, st)
		}
	}
	return out
}

func (s *Server) find(name string, number int) (*repo, *Pull, error) {
	r := s.repos[name]
	if r == nil {
		return nil, nil, errNoRepo
	}
	p := r.pulls[number]
	if p == nil {
		return nil, nil, errNoPull
	}
	return r, p, nil
}

func (s *Server) seek(name, id string) (*repo, *Pull, *Comment) {
	r := s.repos[name]
	if r == nil {
		return nil, nil, nil
	}
	for _, p := range r.pulls {
		for _, c := range p.Comments {
			if strconv.FormatInt(c.ID, 10) == id {
				return r, p, c
			}
		}
	}
	return nil, nil, nil
}

func (s *Server) id() int64 {
	s.ids++
	return s.ids
}

// tick gives a time that no other thing was made at.
func (s *Server) tick() time.Time {
	s.clock++
	return s.now()
}

func (s *Server) now() time.Time {
	if s.opts.Now != nil {
		return s.opts.Now().UTC()
	}
	return time.Unix(1_800_000_000+s.clock, 0).UTC()
}

// self is the login of whoever asks.
func (s *Server) self() string {
	if s.opts.App != nil {
		return s.opts.App.Slug + "[bot]"
	}
	return Self
}
