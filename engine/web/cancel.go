package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"isobar.dev/engine/store"
)

// CancelRequest is the body of POST /api/v1/runs/{id}/cancel; id may be the
// beginning of one, or an environment.
type CancelRequest struct {
	By string `json:"by"`
}

// CancelAnswer says which run is cancelled, how far it was then, and who asked
// for it first.
type CancelAnswer struct {
	Env    string         `json:"env"`
	Run    string         `json:"run"`
	Digest string         `json:"digest"`
	State  store.RunState `json:"state"` // waiting or applying
	By     string         `json:"by"`
	At     time.Time      `json:"at"` // UTC
}

// Cancelling is the answer for a run as it was, and the cancel.
func Cancelling(run store.Run, a store.Approval) CancelAnswer {
	return CancelAnswer{Env: run.Env, Run: run.ID, Digest: run.Digest, State: run.State, By: a.By, At: a.At.UTC()}
}

func (a *API) cancel(w http.ResponseWriter, r *http.Request) {
	var req CancelRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil || req.By == "" {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, Problem{Error: `the body must be JSON such as {"by": "mei"}: it says who decides`})
		return
	}
	run, word, err := a.Control.Cancel(r.Context(), r.PathValue("id"), req.By)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, Cancelling(run, word))
}

// Cancel stops a run, or has its plan turned away where that waits; what names it
// by its id or the beginning of it, or by its environment.
func (c *Client) Cancel(ctx context.Context, what, by string) (CancelAnswer, error) {
	var out CancelAnswer
	err := c.call(ctx, http.MethodPost, "/api/v1/runs/"+url.PathEscape(what)+"/cancel", CancelRequest{by}, &out)
	return out, err
}
