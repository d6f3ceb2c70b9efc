package forge

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// gitea is the face of Gitea and Forgejo.
func (s *Server) gitea() http.Handler {
	mux := http.NewServeMux()
	for route, f := range map[string]func(http.ResponseWriter, *http.Request){
		"GET /user": func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, object{"login": Self, "username": Self})
		},
		"GET /orgs/{org}/teams/search":                                   s.giteaTeams,
		"GET /teams/{id}/members":                                        s.giteaMembers,
		"GET /repos/{owner}/{repo}/pulls":                                s.giteaPulls,
		"GET /repos/{owner}/{repo}/pulls/{number}":                       s.giteaGet,
		"GET /repos/{owner}/{repo}":                                      s.getRepo,
		"GET /repos/{owner}/{repo}/collaborators/{login}/permission":     s.permission,
		"GET /repos/{owner}/{repo}/pulls/{number}/commits":               s.onPull(s.listCommits),
		"GET /repos/{owner}/{repo}/pulls/{number}/reviews":               s.onPull(s.giteaReviews),
		"POST /repos/{owner}/{repo}/pulls/{number}/reviews":              s.onPull(s.giteaReview),
		"GET /repos/{owner}/{repo}/pulls/{number}/reviews/{id}/comments": s.onPull(s.giteaNotes),
		"GET /repos/{owner}/{repo}/issues/{number}/comments":             s.onPull(s.listComments),
		"POST /repos/{owner}/{repo}/issues/{number}/comments":            s.onPull(s.addComment),
		"PATCH /repos/{owner}/{repo}/issues/comments/{id}":               s.onComment(s.editComment),
		"POST /repos/{owner}/{repo}/issues/comments/{id}/reactions":      s.onComment(s.react),
		"POST /repos/{owner}/{repo}/statuses/{commit}":                   s.gitHubStatus,
	} {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" /api/v1"+path, f)
	}
	return mux
}

// giteaPull is a pull as Gitea has it. A head whose branch is gone, or that came
// without one, is refs/pull/N/head.
func (s *Server) giteaPull(in *repo, p *Pull) object {
	out := s.gitHubPull(in, p)
	head := object{"label": p.HeadRef, "ref": p.HeadRef, "sha": p.Head, "repo_id": in.id}
	switch p.From {
	case "":
	case "-":
		head["repo_id"], head["ref"] = -1, "refs/pull/"+strconv.Itoa(p.Number)+"/head"
	default:
		head["repo_id"] = in.id + 1_000_000
	}
	if p.HeadRef == "" { // pushed to refs/for
		head["ref"] = "refs/pull/" + strconv.Itoa(p.Number) + "/head"
	}
	out["head"] = head
	out["base"] = object{"label": p.BaseRef, "ref": p.BaseRef, "sha": p.Base, "repo_id": in.id}
	out["html_url"] = s.URL() + "/" + in.name + "/pulls/" + strconv.Itoa(p.Number)
	out["merged"], out["merge_commit_sha"] = p.State == "merged", nil
	out["mergeable"] = p.State == "open" && !p.Conflict && !p.Unchecked && !p.Draft
	if p.State == "merged" {
		out["merge_commit_sha"] = p.Merged
	}
	return out
}

func (s *Server) giteaPulls(w http.ResponseWriter, r *http.Request) {
	s.inRepo(w, r, func(in *repo) {
		var out []object
		for _, n := range slices.Sorted(maps.Keys(in.pulls)) {
			if p := in.pulls[n]; p.State == "open" && in.refresh(p) == nil {
				out = append(out, s.giteaPull(in, p))
			}
		}
		if r.URL.Query().Get("sort") != "oldest" {
			slices.Reverse(out)
		}
		s.page(w, r, out)
	})
}

// giteaGet gives a pull, or its diff where the number ends with ".diff".
func (s *Server) giteaGet(w http.ResponseWriter, r *http.Request) {
	text, diff := strings.CutSuffix(r.PathValue("number"), ".diff")
	r.SetPathValue("number", text)
	s.onPull(func(w http.ResponseWriter, _ *http.Request, at on) {
		if diff {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte(at.repo.diff(at.pull)))
			return
		}
		reply(w, http.StatusOK, s.giteaPull(at.repo, at.pull))
	})(w, r)
}

func (s *Server) giteaReviews(w http.ResponseWriter, r *http.Request, at on) {
	counts := map[int64]int{}
	by := map[int64]string{}
	for _, n := range at.pull.Notes {
		by[n.Review] = n.Author
		if n.Head == at.pull.Head {
			counts[n.Review]++
		}
	}
	var out []object
	for _, id := range slices.Sorted(maps.Keys(by)) {
		out = append(out, object{"id": id, "user": object{"login": by[id]}, "state": "COMMENT", "comments_count": counts[id], "submitted_at": stamp(at.pull.Updated)})
	}
	s.page(w, r, out)
}

// giteaReview takes notes on any line, as Gitea does.
func (s *Server) giteaReview(w http.ResponseWriter, r *http.Request, at on) {
	var in struct {
		Event    string `json:"event"`
		CommitID string `json:"commit_id"`
		Comments []struct {
			Path string `json:"path"`
			Body string `json:"body"`
			Line int    `json:"new_position"`
		} `json:"comments"`
	}
	if !decode(r, &in) || in.Event != "COMMENT" || len(in.Comments) == 0 {
		s.say(w, http.StatusUnprocessableEntity, "review event COMMENT requires a body or a comment")
		return
	}
	review := s.id()
	for _, n := range in.Comments {
		s.keep(at, noteIn{Body: n.Body, Path: n.Path, Line: n.Line}, review)
	}
	reply(w, http.StatusOK, object{"id": review, "state": "COMMENT", "submitted_at": stamp(s.tick())})
}

func (s *Server) giteaNotes(w http.ResponseWriter, r *http.Request, at on) {
	out := []object{}
	for _, n := range at.pull.Notes {
		if strconv.FormatInt(n.Review, 10) == r.PathValue("id") && n.Head == at.pull.Head {
			out = append(out, object{"id": n.ID, "body": n.Body, "path": n.Path, "position": n.Line, "user": object{"login": n.Author}, "created_at": stamp(n.Created), "updated_at": stamp(n.Created)})
		}
	}
	reply(w, http.StatusOK, out)
}

// giteaTeamID numbers teams by the order of their names.
func (s *Server) giteaTeamID(name string) int {
	return slices.Index(slices.Sorted(maps.Keys(s.teams)), name) + 1
}

func (s *Server) giteaTeams(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []object{}
	for _, full := range slices.Sorted(maps.Keys(s.teams)) {
		org, name, _ := strings.Cut(full, "/")
		if org == r.PathValue("org") && strings.Contains(name, r.URL.Query().Get("q")) {
			out = append(out, object{"id": s.giteaTeamID(full), "name": name})
		}
	}
	reply(w, http.StatusOK, object{"ok": true, "data": out})
}

func (s *Server) giteaMembers(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, members := range s.teams {
		if strconv.Itoa(s.giteaTeamID(name)) == r.PathValue("id") {
			s.page(w, r, logins(members, "login"))
			return
		}
	}
	s.say(w, http.StatusNotFound, "Not Found")
}
