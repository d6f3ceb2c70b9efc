package forge

import (
	"context"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// Annotate implements Forge.
func (g *gitLab) Annotate(ctx context.Context, p Pull, notes []Note) ([]Note, error) {
	return annotate(ctx, &gitLabNotes{gitLab: g}, p, notes)
}

// gitLabNotes is one call of Annotate.
type gitLabNotes struct {
	*gitLab

	refs gitlab.MergeRequestDiffRefs // of the diff that changed read
}

// changed reads the changed files with their hunks; GitLab gives no hunks of large
// ones.
// https://docs.gitlab.com/api/merge_requests/#list-merge-request-diffs
func (g *gitLabNotes) changed(ctx context.Context, p Pull, wanted map[string]bool) (lines, error) {
	m, _, err := g.api.MergeRequests.GetMergeRequest(g.repo, int64(p.Number), nil, gitlab.WithContext(ctx))
	if err != nil {
		return nil, classify("gitlab: read a merge request", reading, err)
	}
	g.refs = m.DiffRefs
	if g.refs.HeadSha != p.Head {
		return nil, nil
	}
	out := lines{}
	err = pages("gitlab: list changed files", func(n int) (int, error) {
		list, resp, err := g.api.MergeRequests.ListMergeRequestDiffs(g.repo, int64(p.Number), &gitlab.ListMergeRequestDiffsOptions{ListOptions: gitLabPage(n, pageSize)}, gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		for _, f := range list {
			if wanted[f.NewPath] && !f.DeletedFile {
				out.add(f.OldPath, f.NewPath, f.Diff)
			}
		}
		return int(resp.NextPage), nil
	})
	return out, err
}

// https://docs.gitlab.com/api/discussions/#list-project-merge-request-discussion-items
func (g *gitLabNotes) noted(ctx context.Context, p Pull) ([]string, error) {
	self, err := g.Self(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	err = pages("gitlab: list notes", func(n int) (int, error) {
		list, resp, err := g.api.Discussions.ListMergeRequestDiscussions(g.repo, int64(p.Number), &gitlab.ListMergeRequestDiscussionsOptions{ListOptions: gitLabPage(n, notesPage)}, gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		for _, d := range list {
			for _, c := range d.Notes {
				if c.Type == gitlab.DiffNote && c.Author.Username == self {
					out = append(out, c.Body)
				}
			}
		}
		return int(resp.NextPage), nil
	})
	return out, err
}

func (*gitLabNotes) together() int { return 1 }

// note opens a discussion.
// https://docs.gitlab.com/api/discussions/#create-a-new-thread-in-the-merge-request-diff
func (g *gitLabNotes) note(ctx context.Context, p Pull, notes []placed) error {
	n := notes[0]
	pos := &gitlab.PositionOptions{
		BaseSHA: &g.refs.BaseSha, StartSHA: &g.refs.StartSha, HeadSHA: &g.refs.HeadSha, PositionType: new("text"),
		NewPath: &n.Path, OldPath: &n.oldPath, NewLine: new(int64(n.Line)),
	}
	if n.old != 0 { // a line that is in both takes both numbers
		pos.OldLine = new(int64(n.old))
	}
	_, _, err := g.api.Discussions.CreateMergeRequestDiscussion(g.repo, int64(p.Number), &gitlab.CreateMergeRequestDiscussionOptions{Body: &n.text, Position: pos}, gitlab.WithContext(ctx))
	return classify("gitlab: annotate", writing, err)
}
