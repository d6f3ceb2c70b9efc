package forge

import (
	"context"

	"github.com/google/go-github/v93/github"
)

// Annotate implements Forge.
func (g *gitHub) Annotate(ctx context.Context, p Pull, notes []Note) ([]Note, error) {
	return annotate(ctx, g, p, notes)
}

// changed reads the changed files with their hunks until it has seen all that are
// wanted; GitHub gives at most 3,000, and no hunks of large ones.
// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
func (g *gitHub) changed(ctx context.Context, p Pull, wanted map[string]bool) (lines, error) {
	out, seen := lines{}, 0
	err := pages("github: list changed files", func(n int) (int, error) {
		list, resp, err := g.api.PullRequests.ListFiles(ctx, g.owner, g.name, p.Number, &github.ListOptions{Page: n, PerPage: pageSize})
		if err != nil {
			return 0, err
		}
		for _, f := range list {
			if !wanted[f.GetFilename()] {
				continue
			}
			seen++
			old := f.GetPreviousFilename()
			if old == "" {
				old = f.GetFilename()
			}
			out.add(old, f.GetFilename(), f.GetPatch())
		}
		if seen == len(wanted) {
			return 0, nil
		}
		return resp.NextPage, nil
	})
	return out, err
}

// noted leaves out notes without a line, which GitHub shows as outdated.
// https://docs.github.com/en/rest/pulls/comments#list-review-comments-on-a-pull-request
func (g *gitHub) noted(ctx context.Context, p Pull) ([]string, error) {
	self, err := g.Self(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	err = pages("github: list notes", func(n int) (int, error) {
		list, resp, err := g.api.PullRequests.ListComments(ctx, g.owner, g.name, p.Number, &github.PullRequestListCommentsOptions{ListOptions: github.ListOptions{Page: n, PerPage: pageSize}})
		if err != nil {
			return 0, err
		}
		for _, c := range list {
			if c.GetUser().GetLogin() == self && c.Line != nil {
				out = append(out, c.GetBody())
			}
		}
		return resp.NextPage, nil
	})
	return out, err
}

func (*gitHub) together() int { return maxNotes }

// note writes one review that holds all notes, so that people get one message; one
// note alone goes without a review.
// https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
// https://docs.github.com/en/rest/pulls/comments#create-a-review-comment-for-a-pull-request
func (g *gitHub) note(ctx context.Context, p Pull, notes []placed) error {
	const op = "github: annotate"
	if len(notes) == 1 {
		n := notes[0]
		side := "RIGHT"
		_, _, err := g.api.PullRequests.CreateComment(ctx, g.owner, g.name, p.Number, github.CreatePullRequestCommentRequest{
			Body: n.text, CommitID: p.Head, Path: n.Path, Line: &n.Line, Side: &side,
		})
		return classify(op, writing, err)
	}
	event, side := "COMMENT", "RIGHT"
	review := &github.PullRequestReviewRequest{CommitID: &p.Head, Event: &event, Body: new("")}
	for _, n := range notes {
		review.Comments = append(review.Comments, &github.DraftReviewComment{Path: &n.Path, Line: &n.Line, Side: &side, Body: &n.text})
	}
	_, _, err := g.api.PullRequests.CreateReview(ctx, g.owner, g.name, p.Number, review)
	return classify(op, writing, err)
}
