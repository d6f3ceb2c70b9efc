package forge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listed is how many commits of a pull GitHub lists, the oldest.
const listed = 250

// commit is one of a pull, by its people's logins.
type commit struct{ author, committer string }

// Writer sets who may write to a repository beside isobar itself. One who is named
// as the repository's owner owns it.
func (s *Server) Writer(repo string, logins ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers[repo] = logins
}

// access is a person's: write, owner, read for those who were seen somewhere, and ""
// for a login that nobody has. GitHub's Apps are no persons.
func (s *Server) access(r *repo, login string) string {
	is := func(other string) bool { return strings.EqualFold(other, login) }
	owner, _, _ := strings.Cut(r.name, "/")
	switch {
	case strings.HasSuffix(login, "[bot]"):
		return ""
	case slices.ContainsFunc(s.writers[r.name], is) && is(owner):
		return "owner"
	case slices.ContainsFunc(s.writers[r.name], is), is(Self):
		return "write"
	}
	for _, members := range s.teams {
		if slices.ContainsFunc(members, is) {
			return "read"
		}
	}
	for _, p := range r.pulls {
		if is(p.Author) || slices.ContainsFunc(p.Comments, func(c *Comment) bool { return is(c.Author) }) {
			return "read"
		}
	}
	return ""
}

func (s *Server) getRepo(w http.ResponseWriter, r *http.Request) {
	s.inRepo(w, r, func(in *repo) { s.tagged(w, r, object{"id": in.id, "full_name": in.name}) })
}

// permission is what GitHub and Gitea say of a person.
// https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
// https://docs.gitea.com/api/ (repoGetRepoPermissions)
func (s *Server) permission(w http.ResponseWriter, r *http.Request) {
	s.inRepo(w, r, func(in *repo) {
		login := r.PathValue("login")
		access := s.access(in, login)
		if access == "" {
			s.say(w, http.StatusNotFound, login+" is not a user")
			return
		}
		if s.opts.Face == GitHub && access == "owner" {
			access = "admin"
		}
		s.tagged(w, r, object{"permission": access, "role_name": access, "user": object{"login": login}})
	})
}

// commits gives a pull's, oldest first.
func (r *repo) commits(p *Pull) []commit {
	var out []commit
	if r.dir == "" {
		for _, text := range p.Commits {
			author, committer, two := strings.Cut(text, "/")
			if !two {
				committer = author
			}
			out = append(out, commit{author, committer})
		}
		return out
	}
	text, err := r.git("log", "--reverse", "--format=%an%x09%cn", p.Base+".."+p.Head)
	if err != nil || text == "" {
		return nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		author, committer, _ := strings.Cut(line, "\t")
		out = append(out, commit{author, committer})
	}
	return out
}

// listCommits gives GitHub's oldest, and all of Gitea's with the newest first.
// https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request
// https://docs.gitea.com/api/ (repoGetPullRequestCommits)
func (s *Server) listCommits(w http.ResponseWriter, r *http.Request, at on) {
	all := at.repo.commits(at.pull)
	if s.opts.Face == Gitea {
		slices.Reverse(all)
	} else {
		all = all[:min(len(all), listed)]
	}
	user := func(login string) any {
		if login == "" {
			return nil
		}
		return object{"login": login}
	}
	out := []object{}
	for i, c := range all {
		out = append(out, object{"sha": fmt.Sprintf("%040x", i+1), "author": user(c.author), "committer": user(c.committer)})
	}
	s.page(w, r, out)
}

// gitLabProjectMembers gives developers and owners, members of groups as reporters,
// and one developer who has not accepted yet.
// https://docs.gitlab.com/api/project_members/#list-all-project-members-including-inherited-and-invited-members
func (s *Server) gitLabProjectMembers(w http.ResponseWriter, r *http.Request) {
	s.inProject(w, r, func(in *repo) {
		people := append([]string{Self}, s.writers[in.name]...)
		for _, members := range s.teams {
			people = append(people, members...)
		}
		slices.Sort(people)
		out := []object{}
		add := func(login, state string, level int) {
			if strings.Contains(strings.ToLower(login), strings.ToLower(r.URL.Query().Get("query"))) {
				out = append(out, object{"username": login, "state": state, "access_level": level})
			}
		}
		add("invited", "awaiting", 30)
		for _, login := range slices.Compact(people) {
			add(login, "active", map[string]int{"read": 20, "write": 30, "owner": 50}[s.access(in, login)])
		}
		s.page(w, r, out)
	})
}

// gitLabAuthors answers the one query of GraphQL that the lab knows: the authors of
// a merge request's commits, the newest first, and its committers.
// https://docs.gitlab.com/api/graphql/reference/#mergerequest
func (s *Server) gitLabAuthors(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Query     string `json:"query"`
		Variables struct {
			Project    string `json:"project"`
			IID        string `json:"iid"`
			Commits    string `json:"commits"`
			Committers string `json:"committers"`
		} `json:"variables"`
	}
	ok := decode(r, &in)
	for _, part := range []string{"project(fullPath: $project)", "mergeRequest(iid: $iid)", "commits(first: 100, after: $commits)", "committers(first: 100, after: $committers)"} {
		ok = ok && strings.Contains(in.Query, part)
	}
	if !ok {
		reply(w, http.StatusOK, object{"errors": []object{{"message": "the lab knows another query"}}})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.repos[in.Variables.Project]
	if at == nil {
		reply(w, http.StatusOK, object{"data": object{"project": nil}})
		return
	}
	iid, _ := strconv.Atoi(in.Variables.IID)
	p := at.pulls[iid]
	if p == nil || at.refresh(p) != nil {
		reply(w, http.StatusOK, object{"data": object{"project": object{"mergeRequest": nil}}})
		return
	}
	all := at.commits(p)
	slices.Reverse(all)
	var commits, committers []any
	var seen []string
	for _, c := range all {
		var author any
		if c.author != "" {
			author = object{"username": c.author}
		}
		commits = append(commits, object{"author": author})
		if c.committer != "" && !slices.Contains(seen, c.committer) {
			seen = append(seen, c.committer)
			committers = append(committers, object{"username": c.committer})
		}
	}
	reply(w, http.StatusOK, object{"data": object{"project": object{"mergeRequest": object{
		"commits": s.connection(commits, in.Variables.Commits), "committers": s.connection(committers, in.Variables.Committers),
	}}}})
}

// connection is a page of a list of GraphQL: what comes after a cursor.
// https://docs.gitlab.com/api/graphql/getting_started/#pagination
func (s *Server) connection(all []any, after string) object {
	from := 0
	if text, err := base64.StdEncoding.DecodeString(after); err == nil {
		from, _ = strconv.Atoi(string(text))
	}
	size := 100
	if s.opts.Page > 0 {
		size = s.opts.Page
	}
	from = min(from, len(all))
	to := min(from+size, len(all))
	info := object{"hasNextPage": to < len(all), "endCursor": nil}
	if to > from {
		info["endCursor"] = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return object{"nodes": append([]any{}, all[from:to]...), "pageInfo": info}
}
