package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/resource"
)

// Hooks takes what forges deliver. Safe for concurrent use.
type Hooks interface {
	// Hook gives a repository's forge, its name there ("OWNER/NAME") and what its
	// deliveries may be signed with. ok is false where none is heard.
	Hook(repo string) (kind forge.Kind, name string, secrets []func() (string, error), ok bool)
	// Deliver keeps a delivery for good, unless it was kept before: a forge may
	// deliver twice.
	Deliver(ctx context.Context, repo string, d forge.Delivery) error
}

const (
	// bodies is how many bodies are read at once: each may have forge.MaxBody.
	bodies = 4
	// keepLimit is how long a delivery may take to be kept: GitHub waits for ten
	// seconds. https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks
	keepLimit = 8 * time.Second
	// retryAfter is what a forge is told when it comes at a bad time.
	retryAfter = "10"
)

// outcome is what came of a delivery, as the metric has it.
type outcome string

const (
	kept    outcome = "kept"
	ignored outcome = "ignored"
	unknown outcome = "unknown"
	refused outcome = "refused"
	large   outcome = "large"
	invalid outcome = "invalid"
	busy    outcome = "busy"
	failed  outcome = "failed"
)

func (o outcome) status() int {
	switch o {
	case kept, ignored:
		return http.StatusAccepted
	case unknown:
		return http.StatusNotFound
	case refused:
		return http.StatusUnauthorized
	case large:
		return http.StatusRequestEntityTooLarge
	case busy, failed:
		return http.StatusServiceUnavailable
	case invalid:
	}
	return http.StatusBadRequest
}

// heard is an outcome with what the forge is told: nothing of the body, and no secret.
type heard struct {
	outcome
	text string
}

func unheard() heard  { return heard{unknown, "no webhook is heard here"} }
func tooLarge() heard { return heard{large, "the body is larger than any that a forge sends"} }
func unkept() heard   { return heard{failed, "it can't be kept now"} }

// Hear gives POST /hooks/{repo}, where forges deliver: for a listener on the
// network, as what is not signed is refused before it is looked at. It answers as
// soon as a delivery is kept: 202, also for one that was kept before and for what has
// nothing to do with us; 404 where none is heard, 401 for a wrong signature, 400 for
// what is no delivery of that repository, 413 for a body above forge.MaxBody, 503
// where the store can't take it, or too many come at once. No body gets into a log or
// an answer.
func Hear(h Hooks, m *Metrics, log *slog.Logger) http.Handler {
	e := &ear{hooks: h, log: log, slots: make(chan struct{}, bodies)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{repo}", func(w http.ResponseWriter, r *http.Request) {
		repo, out := e.hear(w, r)
		m.Hooked(repo, string(out.outcome))
		if out.status() == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(out.status())
		_, _ = io.WriteString(w, out.text+"\n")
	})
	return mux
}

type ear struct {
	hooks Hooks
	log   *slog.Logger
	slots chan struct{}
}

// hear takes one delivery, and gives the repository that it is for, "" for none.
func (e *ear) hear(w http.ResponseWriter, r *http.Request) (repo string, _ heard) {
	repo = r.PathValue("repo")
	kind, name, secrets, ok := e.hooks.Hook(repo)
	if !ok || len(secrets) == 0 {
		return "", unheard()
	}
	if r.ContentLength > forge.MaxBody {
		return repo, tooLarge()
	}
	select {
	case e.slots <- struct{}{}:
	default:
		return repo, heard{busy, "too much is delivered at once"}
	}
	told, out := e.verified(w, r, kind, secrets)
	<-e.slots
	switch {
	case out.outcome != kept:
		return repo, out
	case told.Repo != "" && !strings.EqualFold(told.Repo, name):
		return repo, heard{invalid, "the delivery is about another repository than this webhook's"}
	case told.Event == forge.Pinged, told.Event == forge.Other:
		return repo, heard{ignored, "nothing to do"}
	}
	// The forge may hang up once it has sent all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepLimit)
	defer cancel()
	if err := e.hooks.Deliver(ctx, repo, told); err != nil {
		e.log.WarnContext(ctx, "what a forge delivered can't be kept", "repo", repo, "error", err)
		return repo, unkept()
	}
	return repo, heard{kept, "kept"}
}

// verified reads a body and what it tells.
func (e *ear) verified(w http.ResponseWriter, r *http.Request, kind forge.Kind, secrets []func() (string, error)) (forge.Delivery, heard) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, forge.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return forge.Delivery{}, tooLarge()
	case err != nil:
		return forge.Delivery{}, heard{invalid, "the body ended early"}
	}
	var unread error
	ask := make([]func() (string, error), len(secrets))
	for i, secret := range secrets {
		ask[i] = func() (string, error) {
			s, err := secret()
			if err != nil {
				unread = err
			}
			return s, err
		}
	}
	told, err := forge.Hear(kind, r.Header, body, ask...)
	var wrong *resource.Failure
	switch {
	case err == nil:
		return told, heard{kept, ""}
	case unread != nil:
		e.log.WarnContext(r.Context(), "a webhook's secret can't be read", "repo", r.PathValue("repo"), "error", unread)
		return forge.Delivery{}, unkept()
	case errors.As(err, &wrong) && wrong.Class == resource.Denied:
		return forge.Delivery{}, heard{refused, wrong.Message}
	case errors.As(err, &wrong):
		return forge.Delivery{}, heard{invalid, wrong.Message}
	}
	return forge.Delivery{}, heard{invalid, "this is no delivery"}
}
