package forge

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// gitHub is the face of GitHub.
func (s *Server) gitHub() http.Handler {
	mux := http.NewServeMux()
	for route, f := range map[string]func(http.ResponseWriter, *http.Request){
		"GET /user": func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, object{"login": Self}) },
		"GET /app": func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, object{"slug": s.opts.App.Slug})
		},
		"GET /repos/{owner}/{repo}/installation": func(w http.ResponseWriter, r *http.Request) {
			s.inRepo(w, r, func(*repo) { reply(w, http.StatusOK, object{"id": s.opts.App.Installation}) })
		},
		"GET /repos/{owner}/{repo}":                                  s.getRepo,
		"GET /repos/{owner}/{repo}/collaborators/{login}/permission": s.permission,
		"GET /repos/{owner}/{repo}/pulls/{number}/commits":           s.onPull(s.listCommits),
		"POST /app/installations/{id}/access_tokens":                 s.issue,
		"GET /orgs/{org}/teams/{team}/members":                       s.gitHubMembers,
		"GET /repos/{owner}/{repo}/pulls":                            s.gitHubPulls,
		"GET /repos/{owner}/{repo}/pulls/{number}":                   s.onPull(s.gitHubGetPull),
		"GET /repos/{owner}/{repo}/pulls/{number}/files":             s.onPull(s.gitHubFiles),
		"GET /repos/{owner}/{repo}/pulls/{number}/comments":          s.onPull(s.gitHubNotes),
		"POST /repos/{owner}/{repo}/pulls/{number}/comments":         s.onPull(s.gitHubNote),
		"POST /repos/{owner}/{repo}/pulls/{number}/reviews":          s.onPull(s.gitHubReview),
		"GET /repos/{owner}/{repo}/issues/{number}/comments":         s.onPull(s.listComments),
		"POST /repos/{owner}/{repo}/issues/{number}/comments":        s.onPull(s.addComment),
		"PATCH /repos/{owner}/{repo}/issues/comments/{id}":           s.onComment(s.editComment),
		"POST /repos/{owner}/{repo}/issues/comments/{id}/reactions":  s.onComment(s.react),
		"POST /repos/{owner}/{repo}/statuses/{commit}":               s.gitHubStatus,
	} {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" /api/v3"+path, f)
	}
	return mux
}

// inRepo calls f under the lock with the repository that the path names.
func (s *Server) inRepo(w http.ResponseWriter, r *http.Request, f func(*repo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.repos[r.PathValue("owner")+"/"+r.PathValue("repo")]
	if in == nil {
		s.say(w, http.StatusNotFound, "Not Found")
		return
	}
	f(in)
}

// on is a pull, and a comment where the path names one.
type on struct {
	repo    *repo
	pull    *Pull
	comment *Comment
}

type handler func(w http.ResponseWriter, r *http.Request, at on)

func (s *Server) onPull(f handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.inRepo(w, r, func(in *repo) {
			p := in.pulls[number(r, "number")]
			if p == nil || in.refresh(p) != nil {
				s.say(w, http.StatusNotFound, "Not Found")
				return
			}
			f(w, r, on{repo: in, pull: p})
		})
	}
}

func (s *Server) onComment(f handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.inRepo(w, r, func(in *repo) {
			_, p, c := s.seek(in.name, r.PathValue("id"))
			if c == nil {
				s.say(w, http.StatusNotFound, "Not Found")
				return
			}
			f(w, r, on{repo: in, pull: p, comment: c})
		})
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// gitHubPull is a pull as lists have it.
// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
func (s *Server) gitHubPull(in *repo, p *Pull) object {
	base := object{"id": in.id, "full_name": in.name}
	from := any(base)
	switch p.From {
	case "":
	case "-":
		from = nil
	default:
		from = object{"id": in.id + 1_000_000, "full_name": p.From}
	}
	out := object{
		"number": p.Number, "title": p.Title, "body": p.Body, "state": p.State, "draft": p.Draft,
		"html_url": s.URL() + "/" + in.name + "/pull/" + strconv.Itoa(p.Number), "user": object{"login": p.Author},
		"updated_at": stamp(p.Updated), "merged_at": nil, "merge_commit_sha": "ffffffffffffffffffffffffffffffffffffffff", // the trial's
		"head": object{"ref": p.HeadRef, "sha": p.Head, "repo": from}, "base": object{"ref": p.BaseRef, "sha": p.Base, "repo": base},
	}
	if p.State == "merged" {
		out["state"], out["merged_at"], out["merge_commit_sha"] = "closed", stamp(p.Updated), p.Merged
	}
	return out
}

func (s *Server) gitHubPulls(w http.ResponseWriter, r *http.Request) {
	s.inRepo(w, r, func(in *repo) {
		var out []object
		for _, n := range slices.Sorted(maps.Keys(in.pulls)) {
			if p := in.pulls[n]; p.State == "open" && in.refresh(p) == nil {
				out = append(out, s.gitHubPull(in, p))
			}
		}
		if r.URL.Query().Get("direction") != "asc" {
			slices.Reverse(out)
		}
		s.page(w, r, out)
	})
}

// https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
func (s *Server) gitHubGetPull(w http.ResponseWriter, r *http.Request, at on) {
	out := s.gitHubPull(at.repo, at.pull)
	out["merged"] = at.pull.State == "merged"
	out["mergeable"] = nil
	if at.pull.State == "open" && !at.pull.Unchecked {
		out["mergeable"] = !at.pull.Conflict
	}
	s.tagged(w, r, out)
}

// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
func (s *Server) gitHubFiles(w http.ResponseWriter, r *http.Request, at on) {
	var out []object
	for _, f := range at.repo.files(at.pull) {
		out = append(out, object{"filename": f.path, "status": "modified", "patch": f.hunks})
	}
	s.page(w, r, out)
}

// since gives the comments that were edited at since or later, and false where that
// is no time.
func since(r *http.Request, all []*Comment) ([]*Comment, bool) {
	text := r.URL.Query().Get("since")
	if text == "" {
		return all, true
	}
	t, err := time.Parse(time.RFC3339, text)
	return slices.DeleteFunc(slices.Clone(all), func(c *Comment) bool { return c.Updated.Before(t) }), err == nil
}

func (s *Server) commentObject(at on, c *Comment) object {
	return object{
		"id": c.ID, "body": c.Body, "user": object{"login": c.Author}, "created_at": stamp(c.Created), "updated_at": stamp(c.Updated),
		"html_url": fmt.Sprintf("%s/%s/pull/%d#issuecomment-%d", s.URL(), at.repo.name, at.pull.Number, c.ID),
	}
}

// listComments gives GitHub's pages, and Gitea's all at once.
// https://docs.github.com/en/rest/issues/comments#list-issue-comments
func (s *Server) listComments(w http.ResponseWriter, r *http.Request, at on) {
	found, ok := since(r, at.pull.Comments)
	if !ok {
		s.say(w, http.StatusUnprocessableEntity, "since is no time")
		return
	}
	out := []object{}
	for _, c := range found {
		if !c.System {
			out = append(out, s.commentObject(at, c))
		}
	}
	if s.opts.Face == Gitea {
		reply(w, http.StatusOK, out)
		return
	}
	s.page(w, r, out)
}

type bodyIn struct {
	Body string `json:"body"`
}

// taken reads a comment's body; GitHub refuses one that is empty or too long.
func (s *Server) taken(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in bodyIn
	switch {
	case !decode(r, &in):
		s.say(w, http.StatusBadRequest, "Problems parsing JSON")
	case strings.TrimSpace(in.Body) == "", s.opts.Face == GitHub && utf8.RuneCountInString(in.Body) > 65536:
		reply(w, http.StatusUnprocessableEntity, object{"message": "Validation Failed", "errors": []object{{"resource": "IssueComment", "message": "body is too long (maximum is 65536 characters)"}}})
	default:
		return in.Body, true
	}
	return "", false
}

// https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
func (s *Server) addComment(w http.ResponseWriter, r *http.Request, at on) {
	if body, ok := s.taken(w, r); ok {
		c := s.comment(at.repo, at.pull, Comment{Author: s.self(), Body: body})
		reply(w, http.StatusCreated, s.commentObject(at, c))
	}
}

// https://docs.github.com/en/rest/issues/comments#update-an-issue-comment
func (s *Server) editComment(w http.ResponseWriter, r *http.Request, at on) {
	if body, ok := s.taken(w, r); ok {
		s.edit(at.repo, at.pull, at.comment, body)
		reply(w, http.StatusOK, s.commentObject(at, at.comment))
	}
}

// react answers 200 to a reaction that is there, 201 to a new one.
// https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment
func (s *Server) react(w http.ResponseWriter, r *http.Request, at on) {
	var in struct {
		Content string `json:"content"`
	}
	if !decode(r, &in) || !slices.Contains([]string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}, in.Content) {
		s.say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	status := http.StatusOK
	if one := in.Content + " by " + s.self(); !slices.Contains(at.comment.Reactions, one) {
		at.comment.Reactions = append(at.comment.Reactions, one)
		status = http.StatusCreated
	}
	reply(w, status, object{"id": s.id(), "content": in.Content})
}

// gitHubNotes gives no line to a note on another head: it is outdated.
// https://docs.github.com/en/rest/pulls/comments#list-review-comments-on-a-pull-request
func (s *Server) gitHubNotes(w http.ResponseWriter, r *http.Request, at on) {
	var out []object
	for _, n := range at.pull.Notes {
		o := object{"id": n.ID, "body": n.Body, "path": n.Path, "user": object{"login": n.Author}, "line": n.Line, "original_line": n.Line, "side": "RIGHT"}
		if n.Head != at.pull.Head {
			o["line"] = nil
		}
		out = append(out, o)
	}
	s.page(w, r, out)
}

type noteIn struct {
	Body     string `json:"body"`
	CommitID string `json:"commit_id"`
	Path     string `json:"path"`
	Line     int    `json:"line"`
	Side     string `json:"side"`
}

// fits reports whether GitHub takes a note: on a line that the diff shows.
func (s *Server) fits(at on, n noteIn) bool {
	_, ok := at.repo.shows(at.pull, n.Path, n.Line)
	return ok && n.Side == "RIGHT" && n.Body != ""
}

func (s *Server) keep(at on, n noteIn, review int64) {
	at.pull.Notes = append(at.pull.Notes, &Note{ID: s.id(), Review: review, Author: s.self(), Body: n.Body, Path: n.Path, Line: n.Line, Head: at.pull.Head, Created: s.tick()})
}

// https://docs.github.com/en/rest/pulls/comments#create-a-review-comment-for-a-pull-request
func (s *Server) gitHubNote(w http.ResponseWriter, r *http.Request, at on) {
	var in noteIn
	if !decode(r, &in) || in.CommitID != at.pull.Head || !s.fits(at, in) {
		reply(w, http.StatusUnprocessableEntity, object{"message": "Validation Failed", "errors": []object{{"resource": "PullRequestReviewComment", "code": "custom", "field": "pull_request_review_thread.line", "message": "pull_request_review_thread.line must be part of the diff"}}})
		return
	}
	s.keep(at, in, 0)
	reply(w, http.StatusCreated, object{"id": s.ids})
}

// https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
func (s *Server) gitHubReview(w http.ResponseWriter, r *http.Request, at on) {
	var in struct {
		CommitID string   `json:"commit_id"`
		Event    string   `json:"event"`
		Comments []noteIn `json:"comments"`
	}
	if !decode(r, &in) || in.CommitID != at.pull.Head || in.Event != "COMMENT" || len(in.Comments) == 0 ||
		slices.ContainsFunc(in.Comments, func(n noteIn) bool { return !s.fits(at, n) }) {
		reply(w, http.StatusUnprocessableEntity, object{"message": "Unprocessable Entity", "errors": []string{"Line could not be resolved"}})
		return
	}
	review := s.id()
	for _, n := range in.Comments {
		s.keep(at, n, review)
	}
	reply(w, http.StatusOK, object{"id": review})
}

// https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
func (s *Server) gitHubStatus(w http.ResponseWriter, r *http.Request) {
	var in struct {
		State       string `json:"state"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
		Context     string `json:"context"`
	}
	s.inRepo(w, r, func(at *repo) {
		if !decode(r, &in) || !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) || utf8.RuneCountInString(in.Description) > 140 {
			s.say(w, http.StatusUnprocessableEntity, "Validation Failed")
			return
		}
		at.statuses = append(at.statuses, Status{Commit: r.PathValue("commit"), Context: in.Context, State: in.State, Text: in.Description, URL: in.TargetURL})
		reply(w, http.StatusCreated, object{"id": s.id(), "state": in.State})
	})
}

// https://docs.github.com/en/rest/teams/members#list-team-members
func (s *Server) gitHubMembers(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	members, ok := s.teams[r.PathValue("org")+"/"+r.PathValue("team")]
	if !ok {
		s.say(w, http.StatusNotFound, "Not Found")
		return
	}
	s.page(w, r, logins(members, "login"))
}

func logins(names []string, field string) []object {
	out := []object{}
	for _, n := range names {
		out = append(out, object{field: n, "state": "active"})
	}
	return out
}

// issue gives an installation's token, which lasts an hour.
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Repositories []string `json:"repositories"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.opts.App == nil || r.PathValue("id") != strconv.FormatInt(s.opts.App.Installation, 10):
		s.say(w, http.StatusNotFound, "Not Found")
	case !decode(r, &in):
		s.say(w, http.StatusBadRequest, "Problems parsing JSON")
	default:
		token, ends := fmt.Sprintf("ghs_lab%d", s.id()), s.now().Add(time.Hour)
		s.issued[token] = ends
		var to []object
		for _, name := range in.Repositories {
			to = append(to, object{"name": name})
		}
		reply(w, http.StatusCreated, object{"token": token, "expires_at": stamp(ends), "repositories": to})
	}
}

// verify checks a JWT: RS256 (RFC 7518 §3.3), the issuer, and times no more than ten
// minutes ahead.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func (a *App) verify(text string, now time.Time) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return errors.New("not a JWT")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return err
		}
		raw[i] = b
	}
	var head struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Iss string `json:"iss"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
	}
	if err := errors.Join(json.Unmarshal(raw[0], &head), json.Unmarshal(raw[1], &claims)); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch {
	case head.Alg != "RS256":
		return errors.New("not RS256")
	case claims.Iss != a.ID:
		return errors.New("another issuer")
	case claims.Iat > now.Unix(), claims.Exp <= now.Unix(), claims.Exp > now.Add(10*time.Minute).Unix():
		return errors.New("out of time")
	}
	return rsa.VerifyPKCS1v15(a.Key, crypto.SHA256, sum[:], raw[2])
}
