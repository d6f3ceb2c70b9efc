package forge

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Delivery is a webhook that is not sent yet, or was. It may be sent again.
type Delivery struct {
	ID     string
	Header http.Header
	Body   []byte
}

// hook is where deliveries go.
type hook struct {
	url, secret string
}

// event is what a delivery tells of.
type event struct {
	kind    string // push, pull, comment
	action  string // GitHub's word
	ref     string
	pull    *Pull
	comment *Comment
}

// Hook sets up the webhook of all repositories: its address, which may be "", and its
// secret. GitHub pings it.
func (s *Server) Hook(url, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook{url, secret}
	if s.opts.Face == GitHub {
		s.enqueue("ping", object{"zen": "Keep it logically awesome.", "hook_id": 1})
	}
}

// Queued gives the deliveries that wait, oldest first, and forgets them: the test
// sends each once, twice, never, in any order.
func (s *Server) Queued() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.queue
	s.queue = nil
	return out
}

// Send posts deliveries to the hook's address and gives the statuses.
func (s *Server) Send(ctx context.Context, all ...Delivery) ([]int, error) {
	s.mu.Lock()
	url := s.hook.url
	s.mu.Unlock()
	var out []int
	for _, d := range all {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Body))
		if err != nil {
			return out, err
		}
		r.Header = d.Header.Clone()
		r.Close = true
		in, err := http.DefaultClient.Do(r)
		if err != nil {
			return out, err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(in.Body, 1<<20))
		_ = in.Body.Close()
		out = append(out, in.StatusCode)
	}
	return out, nil
}

// tell queues the delivery of an event as the face words it.
func (s *Server) tell(r *repo, e event) {
	if s.hook.secret == "" {
		return
	}
	switch s.opts.Face {
	case GitHub, Gitea:
		s.tellGitHub(r, e)
	case GitLab:
		s.tellGitLab(r, e)
	}
}

// tellGitHub words an event as GitHub does, and Gitea nearly.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
// https://docs.gitea.com/usage/webhooks#event-information
func (s *Server) tellGitHub(r *repo, e event) {
	body := object{"repository": object{"id": r.id, "full_name": r.name}, "sender": object{"login": "someone"}}
	switch e.kind {
	case "push":
		body["ref"], body["before"], body["after"] = e.ref, strings.Repeat("0", 40), strings.Repeat("1", 40)
		s.enqueue("push", body)
	case "pull":
		if s.opts.Face == Gitea && e.action == "synchronize" {
			e.action = "synchronized"
		}
		body["action"], body["number"], body["pull_request"] = e.action, e.pull.Number, s.gitHubPull(r, e.pull)
		s.enqueue("pull_request", body)
	case "comment":
		at := on{repo: r, pull: e.pull}
		issue := object{"number": e.pull.Number, "pull_request": object{"merged": false}}
		body["action"], body["issue"], body["comment"] = e.action, issue, s.commentObject(at, e.comment)
		if s.opts.Face == Gitea {
			body["is_pull"] = true
		}
		s.enqueue("issue_comment", body)
	}
}

// tellGitLab words an event as GitLab does.
// https://docs.gitlab.com/user/project/integrations/webhook_events/
func (s *Server) tellGitLab(r *repo, e event) {
	body := object{"project": object{"id": r.id, "path_with_namespace": r.name}, "user": object{"username": "someone"}}
	switch e.kind {
	case "push":
		body["object_kind"], body["ref"] = "push", e.ref
		s.enqueue("Push Hook", body)
	case "pull":
		action, ok := map[string]string{"opened": "open", "closed": "close"}[e.action]
		if !ok {
			action = "update"
		}
		if e.pull.State == "merged" {
			action = "merge"
		}
		body["object_kind"], body["object_attributes"] = "merge_request", object{"iid": e.pull.Number, "action": action, "title": e.pull.Title}
		s.enqueue("Merge Request Hook", body)
	case "comment":
		body["object_kind"] = "note"
		body["object_attributes"] = object{"id": e.comment.ID, "note": e.comment.Body, "noteable_type": "MergeRequest"} //nolint:misspell // GitLab's word
		body["merge_request"] = object{"iid": e.pull.Number}
		s.enqueue("Note Hook", body)
	}
}

// enqueue signs a delivery as the face does.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
// https://docs.gitlab.com/user/project/integrations/webhooks/#delivery-headers
func (s *Server) enqueue(name string, body object) {
	text, err := json.Marshal(body)
	if err != nil {
		return
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.id())
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	mac := hmac.New(sha256.New, []byte(s.hook.secret))
	_, _ = mac.Write(text)
	sum := hex.EncodeToString(mac.Sum(nil))
	switch s.opts.Face {
	case GitLab:
		h.Set("X-Gitlab-Event", name)
		h.Set("X-Gitlab-Token", s.hook.secret)
		h.Set("X-Gitlab-Event-Uuid", id)
		h.Set("Idempotency-Key", id)
	case Gitea:
		h.Set("X-Gitea-Delivery", id)
		h.Set("X-Gitea-Event", name)
		h.Set("X-Gitea-Signature", sum)
		fallthrough
	case GitHub:
		h.Set("X-Github-Delivery", id)
		h.Set("X-Github-Event", name)
		h.Set("X-Hub-Signature-256", "sha256="+sum)
	}
	s.queue = append(s.queue, Delivery{ID: id, Header: h, Body: text})
}
