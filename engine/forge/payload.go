package forge

import (
	"encoding/json"
	"math"
	"net/http"

	"isobar.dev/engine/resource"
)

// maxField is how many bytes a name from a payload may have: a ref at GitHub 255, a
// path of GitLab's groups 20 × 255.
const maxField = 8 << 10

// maxID is how many bytes a delivery's id may have: forges send UUIDs.
const maxID = 255

// read reads a verified delivery.
func read(kind Kind, header http.Header, body []byte) (Delivery, error) {
	if err := wantJSON(header); err != nil {
		return Delivery{}, err
	}
	var d Delivery
	var err error
	if kind == GitLab {
		d, err = readGitLab(header, body)
	} else {
		d, err = readGitHub(header, body)
	}
	switch {
	case err != nil:
		return Delivery{}, err
	case d.ID == "":
		return Delivery{}, invalid("webhook", "the delivery has no id")
	case len(d.ID) > maxID, len(d.Repo) > maxField, len(d.Ref) > maxField:
		return Delivery{}, invalid("webhook", "the delivery has a name that is too long")
	case (d.Event == Pulled || d.Event == Commented) && (d.Pull <= 0 || d.Pull > math.MaxInt32):
		return Delivery{}, invalid("webhook", "the delivery is about a pull without a number")
	case d.Event == Pushed && d.Ref == "":
		return Delivery{}, invalid("webhook", "the delivery is about a push without a ref")
	case d.Repo == "" && d.Event != Pinged && d.Event != Other:
		return Delivery{}, invalid("webhook", "the delivery names no repository")
	}
	return d, nil
}

func unreadable() error {
	return &resource.Failure{Class: resource.Invalid, Op: "webhook", Message: "the delivery can't be read as JSON"}
}

// gitHubBody is what is used of GitHub's payloads, and of Gitea's, which are alike.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
type gitHubBody struct {
	Ref        string `json:"ref"`
	Number     int64  `json:"number"`
	IsPull     bool   `json:"is_pull"` // Gitea
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	PullRequest *struct {
		Number int64 `json:"number"`
	} `json:"pull_request"`
	Issue *struct {
		Number      int64           `json:"number"`
		PullRequest json.RawMessage `json:"pull_request"` // there if the issue is a pull
	} `json:"issue"`
}

// readGitHub reads GitHub's and Gitea's deliveries. Forgejo and Gitea send GitHub's
// headers beside their own.
func readGitHub(header http.Header, body []byte) (Delivery, error) {
	var in gitHubBody
	if json.Unmarshal(body, &in) != nil {
		return Delivery{}, unreadable()
	}
	d := Delivery{
		ID:   first(header, "X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Github-Delivery"),
		Repo: in.Repository.FullName, Event: Other,
	}
	switch first(header, "X-Gitea-Event", "X-Forgejo-Event", "X-Github-Event") {
	case "push":
		d.Event, d.Ref = Pushed, in.Ref
	case "ping":
		d.Event = Pinged
	case "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread",
		"pull_request_approved", "pull_request_rejected", "pull_request_comment", "pull_request_sync": // the last four are Gitea's
		d.Event, d.Pull = Pulled, int(in.Number)
		if in.PullRequest != nil {
			d.Pull = int(in.PullRequest.Number)
		}
	case "issue_comment":
		if in.Issue != nil && (in.IsPull || len(in.Issue.PullRequest) > 0 && string(in.Issue.PullRequest) != "null") {
			d.Event, d.Pull = Commented, int(in.Issue.Number)
		}
	}
	return d, nil
}

// gitLabBody is what is used of GitLab's payloads.
// https://docs.gitlab.com/user/project/integrations/webhook_events/
type gitLabBody struct {
	Kind    string `json:"object_kind"`
	Ref     string `json:"ref"`
	Project struct {
		Path string `json:"path_with_namespace"`
	} `json:"project"`
	Attributes struct {
		IID int64  `json:"iid"`
		For string `json:"noteable_type"` //nolint:misspell // GitLab's word
	} `json:"object_attributes"`
	MergeRequest *struct {
		IID int64 `json:"iid"`
	} `json:"merge_request"`
}

// readGitLab goes by object_kind, as system hooks have one header for all. A
// delivery is the same as another if its Idempotency-Key is; older servers name the
// event alone.
func readGitLab(header http.Header, body []byte) (Delivery, error) {
	var in gitLabBody
	if json.Unmarshal(body, &in) != nil {
		return Delivery{}, unreadable()
	}
	d := Delivery{ID: first(header, "Idempotency-Key", "Webhook-Id", "X-Gitlab-Event-Uuid"), Repo: in.Project.Path, Event: Other}
	switch in.Kind {
	case "push", "tag_push":
		d.Event, d.Ref = Pushed, in.Ref
	case "merge_request":
		d.Event, d.Pull = Pulled, int(in.Attributes.IID)
	case "note":
		if in.Attributes.For == "MergeRequest" && in.MergeRequest != nil {
			d.Event, d.Pull = Commented, int(in.MergeRequest.IID)
		}
	}
	return d, nil
}
