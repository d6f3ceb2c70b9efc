package forge

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// gitLab is the face of GitLab.
func (s *Server) gitLab() http.Handler {
	mux := http.NewServeMux()
	const mr = "/projects/{project}/merge_requests/{number}"
	for route, f := range map[string]func(http.ResponseWriter, *http.Request){
		"GET /user":                                  func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, object{"username": Self}) },
		"GET /groups/{group}/members/all":            s.gitLabMembers,
		"GET /projects/{project}/merge_requests":     s.gitLabPulls,
		"GET /projects/{project}/members/all":        s.gitLabProjectMembers,
		"GET " + mr:                                  s.onMerge(s.gitLabGet),
		"GET " + mr + "/diffs":                       s.onMerge(s.gitLabDiffs),
		"GET " + mr + "/notes":                       s.onMerge(s.gitLabList),
		"POST " + mr + "/notes":                      s.onMerge(s.gitLabSay),
		"PUT " + mr + "/notes/{id}":                  s.onMerge(s.gitLabEdit),
		"POST " + mr + "/notes/{id}/award_emoji":     s.onMerge(s.gitLabAward),
		"GET " + mr + "/discussions":                 s.onMerge(s.gitLabDiscussions),
		"POST " + mr + "/discussions":                s.onMerge(s.gitLabDiscuss),
		"POST /projects/{project}/statuses/{commit}": s.gitLabStatus,
	} {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" /api/v4"+path, f)
	}
	mux.HandleFunc("POST /api/graphql", s.gitLabAuthors)
	return mux
}

func (s *Server) inProject(w http.ResponseWriter, r *http.Request, f func(*repo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.repos[r.PathValue("project")]
	if in == nil {
		s.say(w, http.StatusNotFound, "404 Project Not Found")
		return
	}
	f(in)
}

func (s *Server) onMerge(f handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.inProject(w, r, func(in *repo) {
			p := in.pulls[number(r, "number")]
			if p == nil || in.refresh(p) != nil {
				s.say(w, http.StatusNotFound, "404 Not found")
				return
			}
			at := on{repo: in, pull: p}
			if id := r.PathValue("id"); id != "" {
				i := slices.IndexFunc(p.Comments, func(c *Comment) bool { return strconv.FormatInt(c.ID, 10) == id })
				if i < 0 {
					s.say(w, http.StatusNotFound, "404 Note Not Found")
					return
				}
				at.comment = p.Comments[i]
			}
			f(w, r, at)
		})
	}
}

// gitLabPull is a merge request as lists have it.
// https://docs.gitlab.com/api/merge_requests/#list-project-merge-requests
func (s *Server) gitLabPull(in *repo, p *Pull) object {
	out := object{
		"iid": p.Number, "title": p.Title, "description": p.Body, "state": "opened", "draft": p.Draft, "author": object{"username": p.Author},
		"web_url": s.URL() + "/" + in.name + "/-/merge_requests/" + strconv.Itoa(p.Number), "updated_at": stamp(p.Updated),
		"source_branch": p.HeadRef, "target_branch": p.BaseRef, "source_project_id": in.id, "target_project_id": in.id, "sha": p.Head,
		"merge_commit_sha": nil, "squash_commit_sha": nil, "has_conflicts": p.Conflict, "detailed_merge_status": "not_approved",
	}
	switch {
	case p.Unchecked:
		out["detailed_merge_status"] = "checking"
	case p.Conflict:
		out["detailed_merge_status"] = "conflict"
	}
	switch p.From {
	case "":
	case "-":
		out["source_project_id"] = nil
	default:
		out["source_project_id"] = in.id + 1_000_000
	}
	switch p.State {
	case "closed":
		out["state"] = "closed"
	case "merged":
		out["state"] = "merged"
		if p.Merged != p.Head { // else a fast-forward, of which GitLab names no commit
			out["squash_commit_sha"] = p.Merged
		}
	}
	return out
}

func (s *Server) gitLabPulls(w http.ResponseWriter, r *http.Request) {
	s.inProject(w, r, func(in *repo) {
		var out []object
		for _, n := range slices.Sorted(maps.Keys(in.pulls)) {
			if p := in.pulls[n]; p.State == "open" && in.refresh(p) == nil {
				out = append(out, s.gitLabPull(in, p))
			}
		}
		if r.URL.Query().Get("sort") != "asc" {
			slices.Reverse(out)
		}
		s.page(w, r, out)
	})
}

// https://docs.gitlab.com/api/merge_requests/#retrieve-a-merge-request
func (s *Server) gitLabGet(w http.ResponseWriter, r *http.Request, at on) {
	out := s.gitLabPull(at.repo, at.pull)
	out["diff_refs"] = object{"base_sha": at.pull.Base, "start_sha": at.pull.Base, "head_sha": at.pull.Head}
	s.tagged(w, r, out)
}

// https://docs.gitlab.com/api/merge_requests/#list-merge-request-diffs
func (s *Server) gitLabDiffs(w http.ResponseWriter, r *http.Request, at on) {
	var out []object
	for _, f := range at.repo.files(at.pull) {
		out = append(out, object{"old_path": f.path, "new_path": f.path, "diff": f.hunks + "\n"})
	}
	s.page(w, r, out)
}

func gitLabNote(c *Comment) object {
	return object{"id": c.ID, "type": nil, "body": c.Body, "author": object{"username": c.Author}, "system": c.System, "created_at": stamp(c.Created), "updated_at": stamp(c.Updated)}
}

func gitLabDiffNote(n *Note) object {
	return object{
		"id": n.ID, "type": "DiffNote", "body": n.Body, "author": object{"username": n.Author}, "system": false, "created_at": stamp(n.Created), "updated_at": stamp(n.Created),
		"position": object{"new_path": n.Path, "new_line": n.Line, "head_sha": n.Head},
	}
}

// gitLabList gives comments, what GitLab notes itself, and notes on the diff.
// https://docs.gitlab.com/api/notes/#list-all-merge-request-notes
func (s *Server) gitLabList(w http.ResponseWriter, r *http.Request, at on) {
	var out []object
	for _, c := range at.pull.Comments {
		out = append(out, gitLabNote(c))
	}
	for _, n := range at.pull.Notes {
		out = append(out, gitLabDiffNote(n))
	}
	field := "created_at"
	if r.URL.Query().Get("order_by") == "updated_at" {
		field = "updated_at"
	}
	slices.SortStableFunc(out, func(a, b object) int { return strings.Compare(a[field].(string), b[field].(string)) })
	if r.URL.Query().Get("sort") != "asc" {
		slices.Reverse(out)
	}
	s.page(w, r, out)
}

// gitLabBody reads a note's body, which may have a million characters.
func (s *Server) gitLabBody(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in bodyIn
	if !decode(r, &in) || strings.TrimSpace(in.Body) == "" || len([]rune(in.Body)) > 1_000_000 {
		reply(w, http.StatusBadRequest, object{"message": object{"note": []string{"is too long (maximum is 1000000 characters)"}}})
		return "", false
	}
	return in.Body, true
}

// https://docs.gitlab.com/api/notes/#create-a-merge-request-note
func (s *Server) gitLabSay(w http.ResponseWriter, r *http.Request, at on) {
	if body, ok := s.gitLabBody(w, r); ok {
		reply(w, http.StatusCreated, gitLabNote(s.comment(at.repo, at.pull, Comment{Author: Self, Body: body})))
	}
}

// https://docs.gitlab.com/api/notes/#update-a-merge-request-note
func (s *Server) gitLabEdit(w http.ResponseWriter, r *http.Request, at on) {
	if body, ok := s.gitLabBody(w, r); ok {
		s.edit(at.repo, at.pull, at.comment, body)
		reply(w, http.StatusOK, gitLabNote(at.comment))
	}
}

// gitLabAward answers 404 to an emoji that is there already, as GitLab does.
// https://docs.gitlab.com/api/emoji_reactions/#add-reactions-to-comments
func (s *Server) gitLabAward(w http.ResponseWriter, r *http.Request, at on) {
	var in struct {
		Name string `json:"name"`
	}
	_ = decode(r, &in)
	if in.Name == "" {
		in.Name = r.URL.Query().Get("name")
	}
	one := in.Name + " by " + Self
	switch {
	case !slices.Contains([]string{"thumbsup", "thumbsdown", "eyes", "rocket", "confused"}, in.Name):
		s.say(w, http.StatusNotFound, "404 Award Emoji Name is not a valid emoji name Not Found")
	case slices.Contains(at.comment.Reactions, one):
		s.say(w, http.StatusNotFound, "404 Award Emoji Name has already been taken Not Found")
	default:
		at.comment.Reactions = append(at.comment.Reactions, one)
		reply(w, http.StatusCreated, object{"id": s.id(), "name": in.Name})
	}
}

// https://docs.gitlab.com/api/discussions/#list-project-merge-request-discussion-items
func (s *Server) gitLabDiscussions(w http.ResponseWriter, r *http.Request, at on) {
	var out []object
	for _, c := range at.pull.Comments {
		out = append(out, object{"id": strconv.FormatInt(c.ID, 10), "individual_note": true, "notes": []object{gitLabNote(c)}})
	}
	for _, n := range at.pull.Notes {
		out = append(out, object{"id": strconv.FormatInt(n.ID, 10), "individual_note": false, "notes": []object{gitLabDiffNote(n)}})
	}
	s.page(w, r, out)
}

// gitLabDiscuss takes a note on a line of the diff: with the old number too where
// the base has the line, without where it was added.
// https://docs.gitlab.com/api/discussions/#create-a-new-thread-in-the-merge-request-diff
func (s *Server) gitLabDiscuss(w http.ResponseWriter, r *http.Request, at on) {
	var in struct {
		Body     string `json:"body"`
		Position struct {
			Base    string `json:"base_sha"`
			Start   string `json:"start_sha"`
			Head    string `json:"head_sha"`
			Type    string `json:"position_type"`
			NewPath string `json:"new_path"`
			OldPath string `json:"old_path"`
			NewLine int    `json:"new_line"`
			OldLine int    `json:"old_line"`
		} `json:"position"`
	}
	ok := decode(r, &in)
	p := in.Position
	old, shown := at.repo.shows(at.pull, p.NewPath, p.NewLine)
	if !ok || in.Body == "" || p.Type != "text" || p.Head != at.pull.Head || p.Base != at.pull.Base || p.Start != at.pull.Base || p.OldPath != p.NewPath || !shown || old != p.OldLine {
		reply(w, http.StatusBadRequest, object{"message": `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]}`})
		return
	}
	s.keep(at, noteIn{Body: in.Body, Path: p.NewPath, Line: p.NewLine}, 0)
	n := at.pull.Notes[len(at.pull.Notes)-1]
	reply(w, http.StatusCreated, object{"id": strconv.FormatInt(n.ID, 10), "notes": []object{gitLabDiffNote(n)}})
}

// gitLabStatus refuses pending upon pending, as GitLab does.
// https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
func (s *Server) gitLabStatus(w http.ResponseWriter, r *http.Request) {
	var in struct {
		State       string `json:"state"`
		Name        string `json:"name"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
	}
	s.inProject(w, r, func(at *repo) {
		if !decode(r, &in) || !slices.Contains([]string{"pending", "running", "success", "failed", "canceled", "skipped"}, in.State) {
			s.say(w, http.StatusBadRequest, "state does not have a valid value")
			return
		}
		one := Status{Commit: r.PathValue("commit"), Context: in.Name, State: in.State, Text: in.Description, URL: in.TargetURL}
		for _, old := range slices.Backward(at.statuses) {
			if old.Commit == one.Commit && old.Context == one.Context {
				if old.State == "pending" && one.State == "pending" {
					s.say(w, http.StatusBadRequest, `Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")`)
					return
				}
				break
			}
		}
		at.statuses = append(at.statuses, one)
		reply(w, http.StatusCreated, object{"id": s.id(), "status": in.State})
	})
}

// https://docs.gitlab.com/api/group_members/
func (s *Server) gitLabMembers(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	members, ok := s.teams[r.PathValue("group")]
	if !ok {
		s.say(w, http.StatusNotFound, "404 Group Not Found")
		return
	}
	out := logins(members, "username")
	s.page(w, r, append(out, object{"username": "invited", "state": "awaiting"}))
}
