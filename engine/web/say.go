package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
)

// WordRequest is the body of POST /api/v1/environments/{env}/objects: what a
// person says of objects by address. Verdict is "delete", "let go" or "keep".
type WordRequest struct {
	Addresses []string      `json:"addresses"`
	Verdict   store.Verdict `json:"verdict"`
	By        string        `json:"by"`
}

func (a *API) say(w http.ResponseWriter, r *http.Request) {
	var req WordRequest
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req)
	if err != nil || req.By == "" || len(req.Addresses) == 0 || !req.Verdict.OfObject() {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, Problem{Error: `the body must be JSON such as {"addresses": ["aws.vpc/main"], "verdict": "delete", "by": "mei"}; the verdict is delete, let go or keep`})
		return
	}
	if err := a.Control.Say(r.Context(), reconcile.Word{Env: r.PathValue("env"), Addresses: req.Addresses, By: req.By, Verdict: req.Verdict}); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	answer(w, struct{}{})
}

// Say tells the daemon what a person says of objects.
func (c *Client) Say(ctx context.Context, w reconcile.Word) error {
	return c.call(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(w.Env)+"/objects", WordRequest{w.Addresses, w.Verdict, w.By}, &struct{}{})
}
