package forge

import (
	"context"
	"sync"
	"time"
)

// later is a forge that is opened when it is first needed, and once.
type later struct {
	kind Kind
	open func() (Forge, error)

	mu sync.Mutex
	is Forge // nil for not yet
}

// Later gives a forge whose settings can't be read so far: a file of certificates
// that is not there, say. Each call but Name and MaxComment tries to open it until that
// went well, and has open's error till then. Calls of open come one at a time.
func Later(kind Kind, open func() (Forge, error)) Forge {
	return &later{kind: kind, open: open}
}

// now opens the forge unless it is.
func (l *later) now() (Forge, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.is != nil {
		return l.is, nil
	}
	f, err := l.open()
	if err != nil {
		return nil, err
	}
	l.is = f
	return f, nil
}

// ask puts a question to a forge that may have to be opened first.
func ask[T any](l *later, question func(Forge) (T, error)) (answer T, err error) {
	f, err := l.now()
	if err != nil {
		return answer, err
	}
	return question(f)
}

// tell has a forge do something that has no answer.
func (l *later) tell(do func(Forge) error) error {
	f, err := l.now()
	if err != nil {
		return err
	}
	return do(f)
}

func (l *later) Name() Kind { return l.kind }

func (l *later) MaxComment() int {
	if l.kind == GitLab {
		return (*gitLab).MaxComment(nil)
	}
	return (*gitHub).MaxComment(nil) // and Gitea's
}

func (l *later) Self(ctx context.Context) (string, error) {
	return ask(l, func(f Forge) (string, error) { return f.Self(ctx) })
}

func (l *later) Pulls(ctx context.Context) ([]Pull, error) {
	return ask(l, func(f Forge) ([]Pull, error) { return f.Pulls(ctx) })
}

func (l *later) Pull(ctx context.Context, number int) (Pull, error) {
	return ask(l, func(f Forge) (Pull, error) { return f.Pull(ctx, number) })
}

func (l *later) Comments(ctx context.Context, number int, since time.Time) ([]Comment, error) {
	return ask(l, func(f Forge) ([]Comment, error) { return f.Comments(ctx, number, since) })
}

func (l *later) Comment(ctx context.Context, number int, body string) (Comment, error) {
	return ask(l, func(f Forge) (Comment, error) { return f.Comment(ctx, number, body) })
}

func (l *later) Edit(ctx context.Context, number int, id, body string) error {
	return l.tell(func(f Forge) error { return f.Edit(ctx, number, id, body) })
}

func (l *later) React(ctx context.Context, number int, id string, r Reaction) error {
	return l.tell(func(f Forge) error { return f.React(ctx, number, id, r) })
}

func (l *later) Annotate(ctx context.Context, p Pull, notes []Note) ([]Note, error) {
	return ask(l, func(f Forge) ([]Note, error) { return f.Annotate(ctx, p, notes) })
}

func (l *later) SetStatus(ctx context.Context, commit string, s Status) error {
	return l.tell(func(f Forge) error { return f.SetStatus(ctx, commit, s) })
}

func (l *later) Members(ctx context.Context, team string) ([]string, error) {
	return ask(l, func(f Forge) ([]string, error) { return f.Members(ctx, team) })
}

func (l *later) Writes(ctx context.Context, login string) (bool, error) {
	return ask(l, func(f Forge) (bool, error) { return f.Writes(ctx, login) })
}

func (l *later) Authors(ctx context.Context, number int) ([]string, error) {
	return ask(l, func(f Forge) ([]string, error) { return f.Authors(ctx, number) })
}
