package preview

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// record is what is kept of a pull request, as JSON.
type record struct {
	Title    string            `json:"title,omitempty"`
	State    forge.State       `json:"state,omitempty"`
	Head     string            `json:"head,omitempty"`     // the commit that was planned
	Base     string            `json:"base,omitempty"`     // the commit that it was planned on
	Envs     []string          `json:"envs,omitempty"`     // that it concerns
	Plans    map[string]string `json:"plans,omitempty"`    // the digests of the plans by environment
	Comment  string            `json:"comment,omitempty"`  // our comment's id
	Said     string            `json:"said,omitempty"`     // the sum of its text
	SaidAt   time.Time         `json:"said_at,omitzero"`   //
	Statuses map[string]string `json:"statuses,omitempty"` // what was set, by commit and context
	Heard    time.Time         `json:"heard,omitzero"`     // comments are read from here on
	Known    []string          `json:"known,omitempty"`    // the ids of comments that were seen to, since Heard
	Helped   bool              `json:"helped,omitempty"`   // somebody was told which commands there are
	Words    []word            `json:"words,omitempty"`    // approvals
	Waivers  []waiver          `json:"waivers,omitempty"`
	Merged   string            `json:"merged,omitempty"`    // the commit that the merge made
	MergedAt time.Time         `json:"merged_at,omitzero"`  // when that was seen
	Agreed   map[string]agreed `json:"agreed,omitempty"`    // by environment: the plan that had all its approvals last
	Turned   map[string]word   `json:"turned,omitempty"`    // by environment: the plan that somebody rejected last
	Done     map[string]bool   `json:"done,omitempty"`      // by environment: the merge was carried out there
	Pins     map[string]pin    `json:"pins,omitempty"`      // by environment: what was applied before the merge
	Authors  []string          `json:"authors,omitempty"`   // the logins of those who made its commits
	Updated  time.Time         `json:"updated_at,omitzero"` // as the forge's list had it
}

// word is somebody's approval.
type word struct {
	Env    string    `json:"env"`
	Digest string    `json:"digest"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// agreed is a plan that had all its approvals.
type agreed struct {
	Digest string    `json:"digest"`
	By     []string  `json:"by"`
	At     time.Time `json:"at"`
	Past   bool      `json:"past,omitempty"` // by now the pull request has another plan
}

// waiver is what somebody accepted in a comment.
type waiver struct {
	Env     string `json:"env,omitempty"` // "" is every one that the pull request concerns
	Rule    string `json:"rule"`
	Address string `json:"address,omitempty"`
	Reason  string `json:"reason"`
	Until   string `json:"until"`
	By      string `json:"by"`
}

// waivers gives those for one environment.
func (r *record) waivers(env string) []spec.Waiver {
	var out []spec.Waiver
	for _, w := range r.Waivers {
		if w.Env == "" || w.Env == env {
			out = append(out, spec.Waiver{Rule: w.Rule, Address: w.Address, Reason: w.Reason + ", " + w.By + " says in a comment", Until: w.Until})
		}
	}
	return out
}

// open reports whether anything is to be done about a pull request still.
func (r *record) open() bool {
	switch r.State {
	case forge.Open:
		return true
	case forge.Closed:
		return len(r.Pins) > 0 // they are to be taken back
	case forge.Merged:
	}
	return len(r.Pins) > 0 || slices.ContainsFunc(r.Envs, func(env string) bool { return !r.Done[env] })
}

// keep writes a pull's record.
func (d *Desk) keep(ctx context.Context, p *pull) error {
	body, err := json.Marshal(p.record)
	if err != nil {
		return err
	}
	if err := d.remain(ctx); err != nil {
		return err
	}
	return d.Store.PutPull(context.WithoutCancel(ctx), store.Pull{Repo: d.Repo, Number: p.number, Open: p.open(), Updated: d.Now(), Body: body})
}

// records reads what is kept of the repository's pull requests.
func (d *Desk) records(ctx context.Context) (map[int]record, error) {
	kept, err := d.Store.Pulls(ctx, d.Repo)
	if err != nil {
		return nil, err
	}
	out := map[int]record{}
	for _, k := range kept {
		var r record
		if err := json.Unmarshal(k.Body, &r); err != nil {
			return nil, fmt.Errorf("what is kept of pull request %d can't be read: %w", k.Number, err)
		}
		out[k.Number] = r
	}
	return out, nil
}
