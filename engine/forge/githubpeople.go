package forge

import (
	"context"
	"slices"

	"github.com/google/go-github/v93/github"
)

// webFlow is the login that commits what is made on GitHub's pages.
// https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification
const webFlow = "web-flow"

// Writes implements Forge. The permission is the one that a role comes down to:
// maintainers write, and custom roles have their base's. As GitHub says 404 of a
// login that is no person's and of a repository that is not to be seen, the latter
// is asked for then.
// https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
func (g *gitHub) Writes(ctx context.Context, login string) (bool, error) {
	const op = "github: read a person's permission"
	if impossible(login) {
		return false, nil
	}
	p, _, err := g.api.Repositories.GetPermissionLevel(ctx, g.owner, g.name, login)
	switch {
	case absent(err):
		_, _, err = g.api.Repositories.Get(ctx, g.owner, g.name)
		return false, classify(op, reading, err)
	case err != nil:
		return false, classify(op, reading, err)
	}
	return slices.Contains([]string{"admin", "maintain", "write"}, p.GetPermission()), nil
}

// Authors implements Forge.
// https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request
func (g *gitHub) Authors(ctx context.Context, number int) ([]string, error) {
	var h hands
	err := pages("github: list a pull's commits", func(n int) (int, error) {
		list, resp, err := g.api.PullRequests.ListCommits(ctx, g.owner, g.name, number, &github.ListOptions{Page: n, PerPage: pageSize})
		if err != nil {
			return 0, err
		}
		for _, c := range list {
			if !h.add(person(c.GetAuthor()), person(c.GetCommitter())) {
				return 0, nil
			}
		}
		return resp.NextPage, nil
	})
	return sorted(h.logins, err)
}

// person gives a user's login, "" for GitHub's own.
func person(u *github.User) string {
	if u.GetLogin() == webFlow {
		return ""
	}
	return u.GetLogin()
}
