package forge

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v93/github"

	"isobar.dev/engine/resource"
)

// pageSize is the most that GitHub and GitLab give in one page.
const pageSize = 100

// maxPages ends a list whose forge always names a next page.
const maxPages = 1000

// gitHub is a repository at GitHub.
type gitHub struct {
	api         *github.Client
	app         *appAuth // nil with a token
	owner, name string
	self        *once
}

func newGitHub(o Options, web *url.URL, next http.RoundTripper) (Forge, error) {
	base := gitHubAPI(web)
	owner, name, err := o.repo()
	if err != nil {
		return nil, err
	}
	g := &gitHub{owner: owner, name: name, self: newOnce()}
	var auth authorizer = bearer{token: o.Token, header: "Authorization", prefix: "Bearer "}
	if o.App != nil {
		if o.App.ID == "" || o.App.Key == nil {
			return nil, invalid("forge", "an App needs its id and its private key")
		}
		if g.app, err = newAppAuth(o, base, next); err != nil {
			return nil, err
		}
		auth = g.app
	}
	if g.api, err = gitHubClient(newWire(o, base, next, auth)); err != nil {
		return nil, err
	}
	return g, nil
}

// gitHubAPI gives the address of the REST API: api.github.com, api.NAME.ghe.com, or
// /api/v3 of an Enterprise Server.
// https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
// https://docs.github.com/en/enterprise-server@latest/rest/quickstart
func gitHubAPI(web *url.URL) *url.URL {
	u := *web
	host := strings.ToLower(u.Hostname())
	switch {
	case host == "github.com" || host == "www.github.com" || host == "api.github.com":
		u.Host, u.Path = "api.github.com", ""
	case strings.HasSuffix(host, ".ghe.com") && !strings.HasPrefix(host, "api."):
		u.Host, u.Path = "api."+host, ""
	case strings.HasSuffix(host, ".ghe.com"), strings.HasSuffix(u.Path, "/api/v3"):
	default:
		u.Path += "/api/v3"
	}
	return &u
}

func gitHubClient(w *wire) (*github.Client, error) {
	base := w.base.String() + "/"
	c, err := github.NewClient(github.WithHTTPClient(w.client()), github.WithURLs(&base, &base), github.WithDisableRateLimitCheck(), github.WithUserAgent(userAgent))
	if err != nil {
		return nil, invalid("forge", "the forge's address is not one that GitHub's client takes")
	}
	return c, nil
}

func (*gitHub) Name() Kind { return GitHub }

// MaxComment is what GitHub says when it refuses a longer one; its reference names
// no limit.
func (*gitHub) MaxComment() int { return 65536 }

// Self is the user of a token, or "SLUG[bot]" for an App.
func (g *gitHub) Self(ctx context.Context) (string, error) {
	return g.self.get(ctx, func() (string, error) {
		if g.app != nil {
			a, _, err := g.app.asApp.Apps.Get(ctx, "")
			return a.GetSlug() + "[bot]", classify("github: who are we", reading, err)
		}
		u, _, err := g.api.Users.Get(ctx, "")
		return u.GetLogin(), classify("github: who are we", reading, err)
	})
}

// pages calls for each page until there is no next one.
func pages(op string, page func(n int) (next int, err error)) error {
	n := 1
	for range maxPages {
		next, err := page(n)
		if err != nil {
			return classify(op, reading, err)
		}
		if next <= n {
			return nil
		}
		n = next
	}
	return &resource.Failure{Class: resource.Invalid, Op: op, Message: "the list has no end"}
}

// Pulls implements Forge.
// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
func (g *gitHub) Pulls(ctx context.Context) ([]Pull, error) {
	ctx = conditional(ctx)
	var out roll
	err := pages("github: list pulls", func(n int) (int, error) {
		list, resp, err := g.api.PullRequests.List(ctx, g.owner, g.name, &github.PullRequestListOptions{
			State: "open", Sort: "created", Direction: "asc", ListOptions: github.ListOptions{Page: n, PerPage: pageSize},
		})
		if err != nil {
			return 0, err
		}
		for _, p := range list {
			out.add(gitHubPull(p))
		}
		return resp.NextPage, nil
	})
	return out.sorted(err)
}

// roll gathers pulls from pages that may shift between two calls.
type roll struct{ by map[int]Pull }

func (r *roll) add(p Pull) {
	if r.by == nil {
		r.by = map[int]Pull{}
	}
	r.by[p.Number] = p
}

func (r *roll) sorted(err error) ([]Pull, error) {
	if err != nil {
		return nil, err
	}
	out := make([]Pull, 0, len(r.by))
	for _, p := range r.by {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Pull) int { return a.Number - b.Number })
	return out, nil
}

// Pull implements Forge.
// https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
func (g *gitHub) Pull(ctx context.Context, number int) (Pull, error) {
	p, _, err := g.api.PullRequests.Get(ctx, g.owner, g.name, number)
	if err != nil {
		return Pull{}, classify("github: read a pull", reading, err)
	}
	return gitHubPull(p), nil
}

// gitHubPull leaves out merge_commit_sha before the merge: it is the trial's then.
func gitHubPull(p *github.PullRequest) Pull {
	head, base := p.GetHead(), p.GetBase()
	n := strconv.Itoa(p.GetNumber())
	out := Pull{
		Number: p.GetNumber(), Title: p.GetTitle(), Body: p.GetBody(), URL: p.GetHTMLURL(), Author: p.GetUser().GetLogin(),
		State: Open, Draft: p.GetDraft(), HeadRef: head.GetRef(), BaseRef: base.GetRef(), Head: head.GetSHA(), Base: base.GetSHA(),
		Fork: head.GetRepo() == nil || head.GetRepo().GetID() != base.GetRepo().GetID(), HeadFetch: "refs/pull/" + n + "/head",
		Mergeable: Unknown, Updated: p.GetUpdatedAt().Time,
	}
	switch {
	case p.GetMerged() || p.MergedAt != nil:
		out.State, out.MergeCommit = Merged, p.GetMergeCommitSHA()
	case p.GetState() == "closed":
		out.State = Closed
	default:
		out.MergeFetch = "refs/pull/" + n + "/merge"
		if p.Mergeable != nil {
			out.Mergeable = mergeable(*p.Mergeable)
		}
	}
	return out
}

func mergeable(yes bool) Mergeable {
	if yes {
		return Yes
	}
	return No
}

// Comments implements Forge.
// https://docs.github.com/en/rest/issues/comments#list-issue-comments
func (g *gitHub) Comments(ctx context.Context, number int, since time.Time) ([]Comment, error) {
	opt := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
	if !since.IsZero() {
		since = since.UTC()
		opt.Since = &since
	}
	var out []Comment
	err := pages("github: list comments", func(n int) (int, error) {
		opt.Page = n
		list, resp, err := g.api.Issues.ListComments(ctx, g.owner, g.name, number, opt)
		if err != nil {
			return 0, err
		}
		for _, c := range list {
			out = append(out, gitHubComment(c))
		}
		return resp.NextPage, nil
	})
	return inOrder(out, since, err)
}

func gitHubComment(c *github.IssueComment) Comment {
	return Comment{
		ID: strconv.FormatInt(c.GetID(), 10), Author: c.GetUser().GetLogin(), Body: c.GetBody(), URL: c.GetHTMLURL(),
		Created: c.GetCreatedAt().Time, Updated: c.GetUpdatedAt().Time,
	}
}

// inOrder sorts comments by when they were made, drops what shifting pages
// doubled and what is older than since.
func inOrder(list []Comment, since time.Time, err error) ([]Comment, error) {
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c Comment) bool { return c.Updated.Before(since) })
	slices.SortStableFunc(list, func(a, b Comment) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		if c := len(a.ID) - len(b.ID); c != 0 { // ids are numbers that grow
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return slices.CompactFunc(list, func(a, b Comment) bool { return a.ID == b.ID }), nil
}

// Comment implements Forge.
// https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
func (g *gitHub) Comment(ctx context.Context, number int, body string) (Comment, error) {
	c, _, err := g.api.Issues.CreateComment(ctx, g.owner, g.name, number, github.IssueCommentRequest{Body: body})
	if err != nil {
		return Comment{}, classify("github: comment", writing, err)
	}
	return gitHubComment(c), nil
}

// Edit implements Forge.
// https://docs.github.com/en/rest/issues/comments#update-an-issue-comment
func (g *gitHub) Edit(ctx context.Context, _ int, id, body string) error {
	const op = "github: edit a comment"
	n, err := commentID(op, id)
	if err != nil {
		return err
	}
	_, _, err = g.api.Issues.UpdateComment(ctx, g.owner, g.name, n, github.IssueCommentRequest{Body: body})
	return classify(op, writing, err)
}

func commentID(op, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, invalid(op, "this is no comment's id")
	}
	return n, nil
}

// React implements Forge.
// https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment
func (g *gitHub) React(ctx context.Context, _ int, id string, r Reaction) error {
	const op = "github: react to a comment"
	n, err := commentID(op, id)
	if err != nil {
		return err
	}
	_, _, err = g.api.Reactions.CreateIssueCommentReaction(ctx, g.owner, g.name, n, string(r))
	return classify(op, writing, err)
}

// SetStatus implements Forge.
// https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
func (g *gitHub) SetStatus(ctx context.Context, commit string, s Status) error {
	state, text := string(s.Result), cut(s.Text, maxText)
	in := github.RepoStatus{State: &state, Description: &text, Context: &s.Context}
	if s.URL != "" {
		in.TargetURL = &s.URL
	}
	_, _, err := g.api.Repositories.CreateStatus(ctx, g.owner, g.name, commit, in)
	return classify("github: set a status", writing, err)
}

// cut shortens text to a number of characters.
func cut(text string, limit int) string {
	r := []rune(plain(text))
	if len(r) <= limit {
		return string(r)
	}
	return string(r[:limit-1]) + "…"
}

// Members implements Forge. Members of child teams count.
// https://docs.github.com/en/rest/teams/members#list-team-members
func (g *gitHub) Members(ctx context.Context, team string) ([]string, error) {
	const op = "github: list a team's members"
	org, slug, err := teamName(op, team)
	if err != nil {
		return nil, err
	}
	var out []string
	err = pages(op, func(n int) (int, error) {
		list, resp, err := g.api.Teams.ListTeamMembersBySlug(ctx, org, slug, &github.TeamListTeamMembersOptions{ListOptions: github.ListOptions{Page: n, PerPage: pageSize}})
		if err != nil {
			return 0, err
		}
		for _, u := range list {
			out = append(out, u.GetLogin())
		}
		return resp.NextPage, nil
	})
	return sorted(out, err)
}

func teamName(op, team string) (org, name string, err error) {
	org, name, ok := strings.Cut(team, "/")
	if !ok || org == "" || name == "" || strings.Contains(name, "/") {
		return "", "", invalid(op, "a team is named ORG/TEAM")
	}
	return org, name, nil
}

func sorted(names []string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
