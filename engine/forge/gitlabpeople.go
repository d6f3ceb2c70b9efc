package forge

import (
	"context"
	"errors"
	"strconv"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"isobar.dev/engine/resource"
)

// Writes implements Forge. Developers and higher roles push. The filter finds parts
// of names too. Who is blocked or has not accepted yet does not write.
// https://docs.gitlab.com/api/project_members/#list-all-project-members-including-inherited-and-invited-members
// https://docs.gitlab.com/user/permissions/#repository
func (g *gitLab) Writes(ctx context.Context, login string) (bool, error) {
	if impossible(login) {
		return false, nil
	}
	writes := false
	err := pages("gitlab: read a person's role", func(n int) (int, error) {
		opt := &gitlab.ListProjectMembersOptions{ListOptions: gitLabPage(n, pageSize), Query: &login}
		list, resp, err := g.api.ProjectMembers.ListAllProjectMembers(g.repo, opt, gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			if strings.EqualFold(m.Username, login) && m.State == "active" && m.AccessLevel >= gitlab.DeveloperPermissions {
				writes = true
				return 0, nil
			}
		}
		return int(resp.NextPage), nil
	})
	return writes && err == nil, err
}

// authorsQuery asks for people as only GitLab's GraphQL API names them: commits of
// its REST API have addresses and no users.
// https://docs.gitlab.com/api/graphql/reference/#mergerequest
const authorsQuery = `query($project: ID!, $iid: String!, $commits: String, $committers: String) {
  project(fullPath: $project) {
    mergeRequest(iid: $iid) {
      commits(first: 100, after: $commits) { nodes { author { username } } pageInfo { hasNextPage endCursor } }
      committers(first: 100, after: $committers) { nodes { username } pageInfo { hasNextPage endCursor } }
    }
  }
}`

// Authors implements Forge.
func (g *gitLab) Authors(ctx context.Context, number int) ([]string, error) {
	const op = "gitlab: list a merge request's commits"
	var h hands
	var committers []string
	vars := map[string]any{"project": g.repo, "iid": strconv.Itoa(number)}
	err := pages(op, func(n int) (int, error) {
		m, err := g.authorsPage(ctx, vars)
		if err != nil {
			return 0, err
		}
		for _, c := range m.Commits.Nodes {
			h.add(c.Author.Username)
		}
		for _, u := range m.Committers.Nodes {
			committers = append(committers, u.Username)
		}
		more := m.Commits.Page.on(vars, "commits") && !h.full()
		if m.Committers.Page.on(vars, "committers") || more {
			return n + 1, nil
		}
		return 0, nil
	})
	return sorted(append(h.logins, committers...), err)
}

type gitLabUser struct {
	Username string `json:"username"`
}

// gitLabCursor is where a page of GitLab's GraphQL API ends.
// https://docs.gitlab.com/api/graphql/getting_started/#pagination
type gitLabCursor struct {
	More bool   `json:"hasNextPage"`
	End  string `json:"endCursor"`
}

// on moves a variable to the next page, and reports whether there is one.
func (c gitLabCursor) on(vars map[string]any, name string) bool {
	if c.End != "" {
		vars[name] = c.End
	}
	return c.More
}

type gitLabAuthors struct {
	Commits struct {
		Nodes []struct {
			Author gitLabUser `json:"author"`
		} `json:"nodes"`
		Page gitLabCursor `json:"pageInfo"`
	} `json:"commits"`
	Committers struct {
		Nodes []gitLabUser `json:"nodes"`
		Page  gitLabCursor `json:"pageInfo"`
	} `json:"committers"`
}

// authorsPage asks for one page. GraphQL has answers of 200 for refusals and for
// what is not to be seen.
func (g *gitLab) authorsPage(ctx context.Context, vars map[string]any) (*gitLabAuthors, error) {
	var out struct {
		Data *struct {
			Project *struct {
				MergeRequest *gitLabAuthors `json:"mergeRequest"`
			} `json:"project"`
		} `json:"data"`
		gitlab.GenericGraphQLErrors
	}
	_, err := g.api.GraphQL.Do(gitlab.GraphQLQuery{Query: authorsQuery, Variables: vars}, &out, gitlab.WithContext(ctx))
	switch {
	case err != nil:
		return nil, err
	case len(out.Errors) > 0:
		return nil, &resource.Failure{Class: resource.Invalid, Message: "the forge refuses the query (" + plain(out.Errors[0].Message) + ")"}
	case out.Data == nil:
		return nil, errors.New("an answer without data")
	case out.Data.Project == nil, out.Data.Project.MergeRequest == nil:
		return nil, &resource.Failure{Class: resource.NotFound, Message: "not there, or the token may not see it"}
	}
	return out.Data.Project.MergeRequest, nil
}
