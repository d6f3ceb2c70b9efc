package forge

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"

	"isobar.dev/engine/resource"
)

// giteaPage is the most that Gitea gives in one page unless it is set otherwise:
// https://docs.gitea.com/administration/config-cheat-sheet#api-api
const giteaPage = 50

// giteaForge is a repository at a Gitea or Forgejo.
type giteaForge struct {
	wire        *wire
	owner, name string
	self        *once
}

func newGitea(o Options, base *url.URL, next http.RoundTripper) (Forge, error) {
	owner, name, err := o.repo()
	if err != nil {
		return nil, err
	}
	auth := bearer{token: o.Token, header: "Authorization", prefix: "token "} // https://docs.gitea.com/development/api-usage#authentication
	return &giteaForge{wire: newWire(o, base, next, auth), owner: owner, name: name, self: newOnce()}, nil
}

// api gives a client for one call: the SDK holds the context, not the call. It asks
// no version, as what is used is older than any that is still looked after.
func (g *giteaForge) api(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(g.wire.base.String(), gitea.SetHTTPClient(g.wire.client()), gitea.SetContext(ctx), gitea.SetGiteaVersion(""), gitea.SetUserAgent(userAgent))
}

func (*giteaForge) Name() Kind { return Gitea }

// MaxComment is ours: Gitea's columns take more than people read, and its reference
// names no limit.
func (*giteaForge) MaxComment() int { return 65536 }

func (g *giteaForge) Self(ctx context.Context) (string, error) {
	return g.self.get(ctx, func() (string, error) {
		api, err := g.api(ctx)
		if err != nil {
			return "", classify("gitea: who are we", reading, err)
		}
		u, _, err := api.GetMyUserInfo()
		if err != nil {
			return "", classify("gitea: who are we", reading, err)
		}
		return u.UserName, nil
	})
}

// pages calls for each page with a client.
func (g *giteaForge) pages(ctx context.Context, op string, page func(api *gitea.Client, list gitea.ListOptions) (*gitea.Response, error)) error {
	api, err := g.api(ctx)
	if err != nil {
		return classify(op, reading, err)
	}
	return pages(op, func(n int) (int, error) {
		resp, err := page(api, gitea.ListOptions{Page: n, PageSize: giteaPage})
		if err != nil {
			return 0, err
		}
		return resp.NextPage, nil
	})
}

// Pulls implements Forge.
// https://docs.gitea.com/api/ (repoListPullRequests)
func (g *giteaForge) Pulls(ctx context.Context) ([]Pull, error) {
	var out roll
	err := g.pages(conditional(ctx), "gitea: list pulls", func(api *gitea.Client, page gitea.ListOptions) (*gitea.Response, error) {
		list, resp, err := api.ListRepoPullRequests(g.owner, g.name, gitea.ListPullRequestsOptions{ListOptions: page, State: gitea.StateOpen, Sort: "oldest"})
		for _, p := range list {
			out.add(giteaPull(p))
		}
		return resp, err
	})
	return out.sorted(err)
}

// Pull implements Forge.
// https://docs.gitea.com/api/ (repoGetPullRequest)
func (g *giteaForge) Pull(ctx context.Context, number int) (Pull, error) {
	const op = "gitea: read a pull"
	api, err := g.api(ctx)
	if err != nil {
		return Pull{}, classify(op, reading, err)
	}
	p, _, err := api.GetPullRequest(g.owner, g.name, int64(number))
	if err != nil {
		return Pull{}, classify(op, reading, err)
	}
	return giteaPull(p), nil
}

// giteaPull takes a head without a branch of this repository for a stranger's:
// whoever may read may push to refs/for (https://docs.gitea.com/usage/agit). Such a
// head has no label.
func giteaPull(p *gitea.PullRequest) Pull {
	n := strconv.FormatInt(p.Index, 10)
	out := Pull{
		Number: int(p.Index), Title: p.Title, Body: p.Body, URL: p.HTMLURL, State: Open, Draft: p.Draft, Fork: true,
		HeadFetch: "refs/pull/" + n + "/head", Mergeable: Unknown,
	}
	if p.Poster != nil {
		out.Author = p.Poster.UserName
	}
	if p.Updated != nil {
		out.Updated = *p.Updated
	}
	if p.Base != nil {
		out.BaseRef, out.Base = p.Base.Ref, p.Base.Sha
	}
	switch {
	case p.HasMerged:
		out.State = Merged
		if p.MergedCommitID != nil {
			out.MergeCommit = *p.MergedCommitID
		}
	case p.State == gitea.StateClosed:
		out.State = Closed
	case p.Mergeable:
		out.Mergeable = Yes
	}
	if p.Head != nil && p.Base != nil {
		out.HeadRef, out.Head = p.Head.Ref, p.Head.Sha
		branchless := p.Head.Name == "" || out.State == Open && strings.HasPrefix(p.Head.Ref, "refs/")
		out.Fork = p.Head.RepoID != p.Base.RepoID || branchless
		if strings.HasPrefix(p.Head.Ref, "refs/") {
			out.HeadRef = p.Head.Name
		}
	}
	return out
}

// Comments implements Forge. Gitea gives them all in one answer, and would name a
// next page if it did not.
// https://docs.gitea.com/api/ (issueGetComments)
func (g *giteaForge) Comments(ctx context.Context, number int, since time.Time) ([]Comment, error) {
	var out []Comment
	err := g.pages(ctx, "gitea: list comments", func(api *gitea.Client, page gitea.ListOptions) (*gitea.Response, error) {
		list, resp, err := api.ListIssueComments(g.owner, g.name, int64(number), gitea.ListIssueCommentOptions{ListOptions: page, Since: since})
		for _, c := range list {
			out = append(out, giteaComment(c))
		}
		return resp, err
	})
	return inOrder(out, since, err)
}

func giteaComment(c *gitea.Comment) Comment {
	out := Comment{ID: strconv.FormatInt(c.ID, 10), Body: c.Body, URL: c.HTMLURL, Created: c.Created, Updated: c.Updated}
	if c.Poster != nil {
		out.Author = c.Poster.UserName
	}
	return out
}

// Comment implements Forge.
// https://docs.gitea.com/api/ (issueCreateComment)
func (g *giteaForge) Comment(ctx context.Context, number int, body string) (Comment, error) {
	const op = "gitea: comment"
	api, err := g.api(ctx)
	if err != nil {
		return Comment{}, classify(op, reading, err)
	}
	c, _, err := api.CreateIssueComment(g.owner, g.name, int64(number), gitea.CreateIssueCommentOption{Body: body})
	if err != nil {
		return Comment{}, classify(op, writing, err)
	}
	return giteaComment(c), nil
}

// Edit implements Forge.
// https://docs.gitea.com/api/ (issueEditComment)
func (g *giteaForge) Edit(ctx context.Context, _ int, id, body string) error {
	const op = "gitea: edit a comment"
	n, err := commentID(op, id)
	if err != nil {
		return err
	}
	api, err := g.api(ctx)
	if err != nil {
		return classify(op, reading, err)
	}
	_, _, err = api.EditIssueComment(g.owner, g.name, n, gitea.EditIssueCommentOption{Body: body})
	return classify(op, writing, err)
}

// React implements Forge. Gitea takes GitHub's names, unless it is set to others.
// https://docs.gitea.com/api/ (issuePostCommentReaction)
func (g *giteaForge) React(ctx context.Context, _ int, id string, r Reaction) error {
	const op = "gitea: react to a comment"
	n, err := commentID(op, id)
	if err != nil {
		return err
	}
	api, err := g.api(ctx)
	if err != nil {
		return classify(op, reading, err)
	}
	_, _, err = api.PostIssueCommentReaction(g.owner, g.name, n, string(r))
	return classify(op, writing, err)
}

// SetStatus implements Forge.
// https://docs.gitea.com/api/ (repoCreateStatus)
func (g *giteaForge) SetStatus(ctx context.Context, commit string, s Status) error {
	const op = "gitea: set a status"
	api, err := g.api(ctx)
	if err != nil {
		return classify(op, reading, err)
	}
	_, _, err = api.CreateStatus(g.owner, g.name, commit, gitea.CreateStatusOption{
		State: gitea.StatusState(s.Result), TargetURL: s.URL, Description: cut(s.Text, maxText), Context: s.Context,
	})
	return classify(op, writing, err)
}

// Members implements Forge. Gitea knows teams by number, so the name is sought
// first.
// https://docs.gitea.com/api/ (teamSearch, orgListTeamMembers)
func (g *giteaForge) Members(ctx context.Context, team string) ([]string, error) {
	const op = "gitea: list a team's members"
	org, name, err := teamName(op, team)
	if err != nil {
		return nil, err
	}
	var id int64
	err = g.pages(ctx, op, func(api *gitea.Client, page gitea.ListOptions) (*gitea.Response, error) {
		list, resp, err := api.SearchOrgTeams(org, &gitea.SearchTeamsOptions{ListOptions: page, Query: name})
		for _, t := range list {
			if strings.EqualFold(t.Name, name) {
				id = t.ID
			}
		}
		return resp, err
	})
	switch {
	case err != nil:
		return nil, err
	case id == 0:
		return nil, &resource.Failure{Class: resource.NotFound, Op: op, Message: "the organisation has no such team, or the token may not see it"}
	}
	var out []string
	err = g.pages(ctx, op, func(api *gitea.Client, page gitea.ListOptions) (*gitea.Response, error) {
		list, resp, err := api.ListTeamMembers(id, gitea.ListTeamMembersOptions{ListOptions: page})
		for _, u := range list {
			out = append(out, u.UserName)
		}
		return resp, err
	})
	return sorted(out, err)
}
