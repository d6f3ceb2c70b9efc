package forge

import (
	"context"

	"code.gitea.io/sdk/gitea"
)

// Annotate implements Forge.
func (g *giteaForge) Annotate(ctx context.Context, p Pull, notes []Note) ([]Note, error) {
	return annotate(ctx, g, p, notes)
}

// changed reads the whole diff: Gitea gives no hunks by file. Gitea would take a
// note on any line, and show it nowhere in the diff.
// https://docs.gitea.com/api/ (repoDownloadPullDiffOrPatch)
func (g *giteaForge) changed(ctx context.Context, p Pull, _ map[string]bool) (lines, error) {
	const op = "gitea: read the diff"
	api, err := g.api(ctx)
	if err != nil {
		return nil, classify(op, reading, err)
	}
	diff, _, err := api.GetPullRequestDiff(g.owner, g.name, int64(p.Number), gitea.PullRequestDiffOptions{})
	if err != nil {
		return nil, classify(op, reading, err)
	}
	out := lines{}
	out.addAll(string(diff))
	return out, nil
}

// noted reads our own reviews: Gitea lists notes by review, and leaves out those
// that are outdated.
// https://docs.gitea.com/api/ (repoListPullReviews, repoGetPullReviewComments)
func (g *giteaForge) noted(ctx context.Context, p Pull) ([]string, error) {
	const op = "gitea: list notes"
	self, err := g.Self(ctx)
	if err != nil {
		return nil, err
	}
	var ours []int64
	err = g.pages(ctx, op, func(api *gitea.Client, page gitea.ListOptions) (*gitea.Response, error) {
		list, resp, err := api.ListPullReviews(g.owner, g.name, int64(p.Number), gitea.ListPullReviewsOptions{ListOptions: page})
		for _, r := range list {
			if r.Reviewer != nil && r.Reviewer.UserName == self && r.CodeCommentsCount > 0 {
				ours = append(ours, r.ID)
			}
		}
		return resp, err
	})
	if err != nil {
		return nil, err
	}
	api, err := g.api(ctx)
	if err != nil {
		return nil, classify(op, reading, err)
	}
	var out []string
	for _, id := range ours {
		list, _, err := api.ListPullReviewComments(g.owner, g.name, int64(p.Number), id)
		if err != nil {
			return nil, classify(op, reading, err)
		}
		for _, c := range list {
			out = append(out, c.Body)
		}
	}
	return out, nil
}

func (*giteaForge) together() int { return maxNotes }

// note writes one review that holds all notes.
// https://docs.gitea.com/api/ (repoCreatePullReview)
func (g *giteaForge) note(ctx context.Context, p Pull, notes []placed) error {
	const op = "gitea: annotate"
	api, err := g.api(ctx)
	if err != nil {
		return classify(op, reading, err)
	}
	review := gitea.CreatePullReviewOptions{State: gitea.ReviewStateComment, CommitID: p.Head}
	for _, n := range notes {
		review.Comments = append(review.Comments, gitea.CreatePullReviewComment{Path: n.Path, Body: n.text, NewLineNum: int64(n.Line)})
	}
	_, _, err = api.CreatePullReview(g.owner, g.name, int64(p.Number), review)
	return classify(op, writing, err)
}
