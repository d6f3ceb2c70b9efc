package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// ResumeRequest is the body of POST /api/v1/environments/{env}/resume: addresses
// or fields that are paused, or none for all of them.
type ResumeRequest struct {
	Fields []string `json:"fields,omitempty"`
	By     string   `json:"by"`
}

func (a *API) resume(w http.ResponseWriter, r *http.Request) {
	var req ResumeRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil || req.By == "" {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, Problem{Error: `the body must be JSON such as {"by": "mei", "fields": ["aws.vpc/main.tags.owner"]}, or without fields for all that are paused`})
		return
	}
	if err := a.Control.Resume(r.Context(), r.PathValue("env"), req.Fields, req.By); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	answer(w, struct{}{})
}

// Resume has the daemon put fields back again that it left alone: those named, by
// address or field, or all of the environment.
func (c *Client) Resume(ctx context.Context, env string, fields []string, by string) error {
	return c.call(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(env)+"/resume", ResumeRequest{fields, by}, &struct{}{})
}
