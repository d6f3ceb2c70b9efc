package preview

import (
	"context"
	"errors"
	"slices"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
)

// remembered is how long what a forge says of people holds.
const remembered = 5 * time.Minute

// crowd knows people and teams, as the forge has them. It is the desk's alone.
type crowd struct {
	forge  forge.Forge
	now    func() time.Time
	writes map[string]remark[bool]
	teams  map[string]remark[[]string]
}

type remark[T any] struct {
	is T
	at time.Time
}

// person tells who somebody is, as far as these teams go.
func (c *crowd) person(ctx context.Context, login string, teams []string) (review.Person, error) {
	out := review.Person{Login: login}
	var err error
	if out.Writes, err = c.mayWrite(ctx, login); err != nil {
		return out, err
	}
	for _, t := range teams {
		members, err := c.members(ctx, t)
		if err != nil {
			return out, err
		}
		if slices.ContainsFunc(members, func(m string) bool { return review.Key(m) == review.Key(login) }) {
			out.Teams = append(out.Teams, t)
		}
	}
	return out, nil
}

// approvals gives who approved a plan of a pull.
func (c *crowd) approvals(ctx context.Context, r *record, teams []string, of word) (out []review.Approval, err error) {
	for _, w := range r.Words {
		if w.Env != of.Env || w.Digest != of.Digest {
			continue
		}
		who, err := c.person(ctx, w.By, teams)
		if err != nil {
			return nil, err
		}
		out = append(out, review.Approval{By: who, Digest: w.Digest})
	}
	return out, nil
}

func (c *crowd) mayWrite(ctx context.Context, login string) (bool, error) {
	key := review.Key(login)
	if r, ok := c.writes[key]; ok && c.now().Sub(r.at) < remembered {
		return r.is, nil
	}
	may, err := c.forge.Writes(ctx, login)
	if err != nil {
		return false, err
	}
	if c.writes == nil {
		c.writes = map[string]remark[bool]{}
	}
	c.writes[key] = remark[bool]{may, c.now()}
	return may, nil
}

// members gives a team's logins. A team that is not there has none: then nobody may
// what it is named for.
func (c *crowd) members(ctx context.Context, team string) ([]string, error) {
	if r, ok := c.teams[team]; ok && c.now().Sub(r.at) < remembered {
		return r.is, nil
	}
	logins, err := c.forge.Members(ctx, team)
	if f := (*resource.Failure)(nil); errors.As(err, &f) && f.Class == resource.NotFound {
		logins, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.teams == nil {
		c.teams = map[string]remark[[]string]{}
	}
	c.teams[team] = remark[[]string]{logins, c.now()}
	return logins, nil
}
