package forge

import (
	"context"
	"slices"

	"code.gitea.io/sdk/gitea"
)

// Writes implements Forge. As Gitea says 404 of a login that nobody has and of a
// repository that is not to be seen, the latter is asked for then.
// https://docs.gitea.com/api/ (repoGetRepoPermissions)
func (g *giteaForge) Writes(ctx context.Context, login string) (bool, error) {
	const op = "gitea: read a person's permission"
	if impossible(login) {
		return false, nil
	}
	api, err := g.api(ctx)
	if err != nil {
		return false, classify(op, reading, err)
	}
	p, _, err := api.CollaboratorPermission(g.owner, g.name, login)
	switch {
	case absent(err):
		_, _, err = api.GetRepo(g.owner, g.name)
		return false, classify(op, reading, err)
	case err != nil:
		return false, classify(op, reading, err)
	case p == nil:
		return false, nil
	}
	return slices.Contains([]gitea.AccessMode{gitea.AccessModeOwner, gitea.AccessModeAdmin, gitea.AccessModeWrite}, p.Permission), nil
}

// Authors implements Forge.
// https://docs.gitea.com/api/ (repoGetPullRequestCommits)
func (g *giteaForge) Authors(ctx context.Context, number int) ([]string, error) {
	var h hands
	err := g.pages(ctx, "gitea: list a pull's commits", func(api *gitea.Client, page gitea.ListOptions) (*gitea.Response, error) {
		list, resp, err := api.ListPullRequestCommits(g.owner, g.name, int64(number), gitea.ListPullRequestCommitsOptions{ListOptions: page})
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			if !h.add(userName(c.Author), userName(c.Committer)) {
				resp.NextPage = 0
				break
			}
		}
		return resp, nil
	})
	return sorted(h.logins, err)
}

func userName(u *gitea.User) string {
	if u == nil {
		return ""
	}
	return u.UserName
}
