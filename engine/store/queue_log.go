package store

import (
	"context"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// warnings passes on what is a warning or worse: River tells much of its daily
// work.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler. What River calls an error it tries again by
// itself, several times over while the server is away, which the daemon says
// once: so it's a warning here.
func (w warnings) Handle(ctx context.Context, r slog.Record) error {
	r.Level = min(r.Level, slog.LevelWarn)
	return w.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// logged says that a job ended in an error or a panic, which is a fault of our
// own: workers answer for theirs.
type logged struct{ log *slog.Logger }

// HandleError implements river.ErrorHandler.
func (l *logged) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	l.log.ErrorContext(ctx, "a job failed", "job", job.ID, "args", string(job.EncodedArgs), "error", err)
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (l *logged) HandlePanic(ctx context.Context, job *rivertype.JobRow, p any, trace string) *river.ErrorHandlerResult {
	l.log.ErrorContext(ctx, "a job panicked", "job", job.ID, "args", string(job.EncodedArgs), "error", p, "trace", trace)
	return nil
}
