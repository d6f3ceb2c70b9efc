package forge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"isobar.dev/engine/resource"
)

// notesPage is how many notes are asked for at a time: GitLab's may have a million
// characters each.
const notesPage = 20

// gitLab is a project at GitLab.
type gitLab struct {
	api  *gitlab.Client
	repo string
	self *once
}

func newGitLab(o Options, base *url.URL, next http.RoundTripper) (Forge, error) {
	if _, _, err := o.repo(); err != nil {
		return nil, err
	}
	auth := bearer{token: o.Token, header: "Private-Token"} // https://docs.gitlab.com/api/rest/authentication/
	w := newWire(o, base, next, auth)
	api, err := gitlab.NewClient("", gitlab.WithBaseURL(base.String()), gitlab.WithHTTPClient(w.client()), gitlab.WithoutRetries(),
		gitlab.WithCustomLimiter(unlimited{}), gitlab.WithUserAgent(userAgent), gitlab.WithURLWarningLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, invalid("forge", "the forge's address is not one that GitLab's client takes")
	}
	return &gitLab{api: api, repo: o.Repo, self: newOnce()}, nil
}

// unlimited keeps the SDK from waiting: the wire knows the forge's limits.
type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }

func (*gitLab) Name() Kind { return GitLab }

// MaxComment is GitLab's limit on comments:
// https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics
func (*gitLab) MaxComment() int { return 1_000_000 }

// Self implements Forge.
// https://docs.gitlab.com/api/users/#retrieve-the-current-user
func (g *gitLab) Self(ctx context.Context) (string, error) {
	return g.self.get(ctx, func() (string, error) {
		u, _, err := g.api.Users.CurrentUser(gitlab.WithContext(ctx))
		if err != nil {
			return "", classify("gitlab: who are we", reading, err)
		}
		return u.Username, nil
	})
}

// gitLabPage gives the options for a page. Offset pagination:
// https://docs.gitlab.com/api/rest/#offset-based-pagination
func gitLabPage(n, size int) gitlab.ListOptions {
	return gitlab.ListOptions{Page: int64(n), PerPage: int64(size)}
}

// Pulls implements Forge.
// https://docs.gitlab.com/api/merge_requests/#list-project-merge-requests
func (g *gitLab) Pulls(ctx context.Context) ([]Pull, error) {
	ctx = conditional(ctx)
	var out roll
	err := pages("gitlab: list merge requests", func(n int) (int, error) {
		opt := &gitlab.ListProjectMergeRequestsOptions{ListOptions: gitLabPage(n, pageSize), State: new("opened"), Scope: new("all"), OrderBy: new("created_at"), Sort: new("asc")}
		list, resp, err := g.api.MergeRequests.ListProjectMergeRequests(g.repo, opt, gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			out.add(gitLabPull(m))
		}
		return int(resp.NextPage), nil
	})
	return out.sorted(err)
}

// Pull implements Forge.
// https://docs.gitlab.com/api/merge_requests/#retrieve-a-merge-request
func (g *gitLab) Pull(ctx context.Context, number int) (Pull, error) {
	m, _, err := g.api.MergeRequests.GetMergeRequest(g.repo, int64(number), nil, gitlab.WithContext(ctx))
	if err != nil {
		return Pull{}, classify("gitlab: read a merge request", reading, err)
	}
	out := gitLabPull(&m.BasicMergeRequest)
	out.Base = m.DiffRefs.StartSha
	return out, nil
}

func gitLabPull(m *gitlab.BasicMergeRequest) Pull {
	out := Pull{
		Number: int(m.IID), Title: m.Title, Body: m.Description, URL: m.WebURL, State: Open, Draft: m.Draft,
		Fork: m.SourceProjectID != m.TargetProjectID, HeadRef: m.SourceBranch, BaseRef: m.TargetBranch, Head: m.SHA,
		HeadFetch: "refs/merge-requests/" + strconv.FormatInt(m.IID, 10) + "/head", Mergeable: Unknown,
	}
	if m.Author != nil {
		out.Author = m.Author.Username
	}
	if m.UpdatedAt != nil {
		out.Updated = *m.UpdatedAt
	}
	switch m.State {
	case "merged":
		out.State, out.MergeCommit = Merged, mergedAs(m)
	case "closed":
		out.State = Closed
	default: // opened; locked while it is being merged
		out.Mergeable = gitLabMergeable(m)
	}
	return out
}

// mergedAs is the merge commit, else the squashed one, else the head itself, which
// a fast-forward leaves as it is.
func mergedAs(m *gitlab.BasicMergeRequest) string {
	for _, c := range []string{m.MergeCommitSHA, m.SquashCommitSHA} {
		if c != "" {
			return c
		}
	}
	return m.SHA
}

// gitLabMergeable reads GitLab's merge status, which is of rules too: what only
// waits for an approval or a pipeline merges as far as Git goes.
// https://docs.gitlab.com/api/merge_requests/#merge-status
func gitLabMergeable(m *gitlab.BasicMergeRequest) Mergeable {
	switch m.DetailedMergeStatus {
	case "conflict":
		return No
	case "", "unchecked", "checking", "preparing", "approvals_syncing", "commits_status", "need_rebase":
		return Unknown
	}
	return mergeable(!m.HasConflicts)
}

// Comments implements Forge. GitLab does not filter by time: the newest come first
// until one is too old. Left out are what GitLab itself notes (system) and notes on
// the diff.
// https://docs.gitlab.com/api/notes/#list-all-merge-request-notes
func (g *gitLab) Comments(ctx context.Context, number int, since time.Time) ([]Comment, error) {
	var out []Comment
	err := pages("gitlab: list comments", func(n int) (int, error) {
		opt := &gitlab.ListMergeRequestNotesOptions{ListOptions: gitLabPage(n, notesPage), OrderBy: new("updated_at"), Sort: new("desc")}
		list, resp, err := g.api.Notes.ListMergeRequestNotes(g.repo, int64(number), opt, gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		for _, c := range list {
			if c.UpdatedAt != nil && c.UpdatedAt.Before(since) {
				return 0, nil
			}
			if !c.System && c.Type != gitlab.DiffNote {
				out = append(out, gitLabComment(c))
			}
		}
		return int(resp.NextPage), nil
	})
	return inOrder(out, since, err)
}

func gitLabComment(c *gitlab.Note) Comment {
	out := Comment{ID: strconv.FormatInt(c.ID, 10), Author: c.Author.Username, Body: c.Body}
	if c.CreatedAt != nil {
		out.Created = *c.CreatedAt
	}
	if c.UpdatedAt != nil {
		out.Updated = *c.UpdatedAt
	}
	return out
}

// Comment implements Forge.
// https://docs.gitlab.com/api/notes/#create-a-merge-request-note
func (g *gitLab) Comment(ctx context.Context, number int, body string) (Comment, error) {
	c, _, err := g.api.Notes.CreateMergeRequestNote(g.repo, int64(number), &gitlab.CreateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	if err != nil {
		return Comment{}, classify("gitlab: comment", writing, err)
	}
	return gitLabComment(c), nil
}

// Edit implements Forge.
// https://docs.gitlab.com/api/notes/#update-a-merge-request-note
func (g *gitLab) Edit(ctx context.Context, number int, id, body string) error {
	const op = "gitlab: edit a comment"
	n, err := commentID(op, id)
	if err != nil {
		return err
	}
	_, _, err = g.api.Notes.UpdateMergeRequestNote(g.repo, int64(number), n, &gitlab.UpdateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	return classify(op, writing, err)
}

// React implements Forge. GitLab answers 404 to an emoji that is there already.
// https://docs.gitlab.com/api/emoji_reactions/#add-reactions-to-comments
func (g *gitLab) React(ctx context.Context, number int, id string, r Reaction) error {
	const op = "gitlab: react to a comment"
	n, err := commentID(op, id)
	if err != nil {
		return err
	}
	name := string(r)
	switch r {
	case Agreed:
		name = "thumbsup"
	case Refused:
		name = "thumbsdown"
	case Seen, Confused, Launched:
	}
	_, _, err = g.api.AwardEmoji.CreateMergeRequestAwardEmojiOnNote(g.repo, int64(number), n, &gitlab.CreateAwardEmojiOptions{Name: name}, gitlab.WithContext(ctx))
	if said(err, resource.NotFound, "already been taken") {
		return nil
	}
	return classify(op, writing, err)
}

// said reports whether err is a refusal of a class in which the forge used words.
func said(err error, class resource.Class, words string) bool {
	var f *resource.Failure
	return errors.As(err, &f) && f.Class == class && strings.Contains(f.Message, words)
}

// SetStatus implements Forge. GitLab refuses to set a pending status again.
// https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
func (g *gitLab) SetStatus(ctx context.Context, commit string, s Status) error {
	text := cut(s.Text, maxText)
	opt := &gitlab.SetCommitStatusOptions{State: gitlab.Pending, Name: &s.Context, Description: &text}
	switch s.Result {
	case Success:
		opt.State = gitlab.Success
	case Failure, Error:
		opt.State = gitlab.Failed
	case Pending:
	}
	if s.URL != "" {
		opt.TargetURL = &s.URL
	}
	_, _, err := g.api.Commits.SetCommitStatus(g.repo, commit, opt, gitlab.WithContext(ctx))
	if s.Result == Pending && said(err, resource.Invalid, "from :pending") {
		return nil
	}
	return classify("gitlab: set a status", writing, err)
}

// Members implements Forge. Who is blocked or has not accepted yet is left out.
// https://docs.gitlab.com/api/group_members/#list-all-group-members-including-inherited-and-invited-members
func (g *gitLab) Members(ctx context.Context, team string) ([]string, error) {
	const op = "gitlab: list a group's members"
	if strings.Trim(team, "/") == "" {
		return nil, invalid(op, "a group is named by its full path")
	}
	var out []string
	err := pages(op, func(n int) (int, error) {
		list, resp, err := g.api.Groups.ListAllGroupMembers(team, &gitlab.ListGroupMembersOptions{ListOptions: gitLabPage(n, pageSize)}, gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			if m.State == "active" {
				out = append(out, m.Username)
			}
		}
		return int(resp.NextPage), nil
	})
	return sorted(out, err)
}
