// Package web is the daemon's doors: the control socket with /api/v1, and the
// HTTP listener with health, readiness and metrics. It turns requests into
// calls of ports that it declares, and answers in JSON. It must not decide
// anything. Floor 7.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Records is what the API reads.
type Records interface {
	Environments(ctx context.Context) ([]store.Environment, error)
	Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error)
	Run(ctx context.Context, id string) (store.Run, error)
	Deciders
	Events
	Shown
	store.AuditLog
	store.Upkeep
}

// Control is what the API sets going.
type Control interface {
	Verdict(ctx context.Context, env, digest, by string, v store.Verdict) (store.Environment, error)
	Look(ctx context.Context, env string) error
	Refresh(ctx context.Context, env string, lookups []string) error
	Say(ctx context.Context, w reconcile.Word) error
	Resume(ctx context.Context, env string, names []string, by string) error
	Cancel(ctx context.Context, run, by string) (store.Run, store.Approval, error)
	Underway(env string) *view.Run // the apply that goes on there; nil for none
	Ready() error
	Aside(row store.Environment) string                  // what to say of an environment beside its row; "" for nothing
	Pins(ctx context.Context) (map[string]string, error) // environments that a pull request holds → what is to be said of it
	Refused() []reconcile.Refusal
	Unread() map[string]string // repositories without environments that can't be read → what is to be said of it
	Unwritable() string        // why nothing can be recorded, and so done; "" where it can
}

// API answers /api/v1. Its exported fields are read only; it is safe for
// concurrent use.
type API struct {
	Records Records
	Control Control
	Now     func() time.Time
	Version string
	Spool   string // the file through which a backup goes; it is there only meanwhile

	spooling sync.Mutex // one backup at a time
}

// Problem is an error as the API tells it.
type Problem struct {
	Error   string        `json:"error"`
	Finding *diag.Finding `json:"finding,omitempty"` // what people are told of it, where it is of the store
}

// VerdictRequest is the body of POST /api/v1/plans/{digest}/approve and reject.
type VerdictRequest struct {
	Env string `json:"env,omitempty"`
	By  string `json:"by"`
}

// VerdictAnswer says whose plan a verdict was on.
type VerdictAnswer struct {
	Env    string `json:"env"`
	Digest string `json:"digest"`
}

// About is the answer of GET /api/v1/about.
type About struct {
	Version string `json:"version"`
}

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 10

// Handler gives the API's routes.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/about", func(w http.ResponseWriter, _ *http.Request) { answer(w, About{a.Version}) })
	mux.HandleFunc("GET /api/v1/environments", a.environments)
	mux.HandleFunc("GET /api/v1/runs", a.runs)
	mux.HandleFunc("GET /api/v1/runs/{id}", a.run)
	mux.HandleFunc("POST /api/v1/runs/{id}/cancel", a.cancel)
	mux.HandleFunc("GET /api/v1/plans/{digest}", a.plan)
	mux.HandleFunc("POST /api/v1/plans/{digest}/approve", a.verdict(store.Approve))
	mux.HandleFunc("POST /api/v1/plans/{digest}/reject", a.verdict(store.Reject))
	mux.HandleFunc("POST /api/v1/environments/{env}/look", a.look)
	mux.HandleFunc("POST /api/v1/environments/{env}/refresh", a.refresh)
	mux.HandleFunc("POST /api/v1/environments/{env}/resume", a.resume)
	mux.HandleFunc("POST /api/v1/environments/{env}/objects", a.say)
	mux.HandleFunc("GET /api/v1/audit", a.audit)
	mux.HandleFunc("GET /api/v1/audit/proof", a.proof)
	mux.HandleFunc("GET /api/v1/store", a.info)
	mux.HandleFunc("POST /api/v1/store/backup", a.backup)
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the peer may be gone: nobody is left to tell
}

func refuse(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	var none NotKept
	switch {
	case errors.Is(err, store.ErrNotFound), errors.As(err, &none), errors.Is(err, reconcile.ErrNoPlan), errors.Is(err, reconcile.ErrNoLookup), errors.Is(err, reconcile.ErrNotNamed),
		errors.Is(err, reconcile.ErrNotPaused):
		code = http.StatusNotFound
	case errors.Is(err, store.ErrAmbiguous), errors.Is(err, reconcile.ErrNotUnderWay):
		code = http.StatusConflict
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	p := Problem{Error: err.Error()}
	if f, ok := store.Finding(err); ok {
		p.Finding = &f
	}
	_ = json.NewEncoder(w).Encode(p) // as in answer
}

func (a *API) environments(w http.ResponseWriter, r *http.Request) {
	rows, err := a.Records.Environments(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	pins, err := a.Control.Pins(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	for i := range rows {
		for _, aside := range []string{pins[rows[i].Name], a.Control.Aside(rows[i])} {
			if aside != "" {
				rows[i].Note = strings.TrimPrefix(rows[i].Note+"; "+aside, "; ")
			}
		}
	}
	lines := withUnread(withRefused(Statuses(rows, a.Now()), a.Control.Refused()), a.Control.Unread())
	answer(w, blocked(lines, a.Control.Unwritable()))
}

func (a *API) runs(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit <= 0 || limit > 1000 {
		limit = 20
	}
	rows, err := a.Records.Runs(r.Context(), store.RunFilter{Env: r.URL.Query().Get("env"), Limit: limit})
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, RunLines(r.Context(), a.Records, rows, a.Now()))
}

// RunAnswer is one run with its plan and report, as view renders them in JSON.
type RunAnswer struct {
	store.Run
	Plan   json.RawMessage `json:"plan,omitempty"`
	Report json.RawMessage `json:"report,omitempty"`
}

func (a *API) run(w http.ResponseWriter, r *http.Request) {
	row, err := a.Records.Run(r.Context(), r.PathValue("id"))
	if err != nil {
		refuse(w, err)
		return
	}
	out := RunAnswer{Run: row, Plan: row.Plan, Report: row.Report}
	if now := a.Control.Underway(row.Env); now != nil && now.ID == row.ID {
		out.Report = now.JSON()
	}
	answer(w, out)
}

func (a *API) verdict(v store.Verdict) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req VerdictRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil || req.By == "" {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, Problem{Error: `the body must be JSON such as {"by": "mei"}: it says who decides`})
			return
		}
		row, err := a.Control.Verdict(r.Context(), req.Env, r.PathValue("digest"), req.By, v)
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, VerdictAnswer{row.Name, row.PlanDigest})
	}
}

func (a *API) look(w http.ResponseWriter, r *http.Request) {
	if err := a.Control.Look(r.Context(), r.PathValue("env")); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	answer(w, struct{}{})
}

// RefreshRequest is the body of POST /api/v1/environments/{env}/refresh: lookups
// by address, or none for all of them.
type RefreshRequest struct {
	Lookups []string `json:"lookups,omitempty"`
}

func (a *API) refresh(w http.ResponseWriter, r *http.Request) {
	var req RefreshRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, Problem{Error: `the body must be JSON such as {"lookups": ["aws.ami/web"]}, or {} for all lookups`})
		return
	}
	if err := a.Control.Refresh(r.Context(), r.PathValue("env"), req.Lookups); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	answer(w, struct{}{})
}
