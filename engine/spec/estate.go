package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
)

// Modes: what isobar does unasked.
const (
	ModeObserve = "observe" // reports
	ModeApprove = "approve" // waits for a person
	ModeAuto    = "auto"    // applies, within the budget of deletes
)

// Estate is what a repository says of itself.
type Estate struct {
	ID           string   // random, unique to the repository; rides on every object's mark
	Mode         string   // of environments that do not say so themselves
	Environments []string // names, sorted; duplicates are left out
	Owners       []string
	Notify       Notify
	Flapping     Flapping
	Access       review.Access // who may approve and apply, sorted by glob
	Findings     diag.List     // of single environments, and warnings

	globs []string
	dirs  map[string]string // directories by environment
}

// Notify says where to tell what isobar does.
type Notify struct {
	SlackChannel string // a channel's id; "" for nowhere
}

// Flapping says how often a field is put back before it is left alone.
type Flapping struct {
	Times  int           // 0 is without end
	Within time.Duration // counted over the last so long
}

// Dir is an environment's directory from the repository's root, or "".
func (e Estate) Dir(env string) string { return e.dirs[env] }

func (e Estate) clone() Estate {
	e.Environments, e.Findings = slices.Clone(e.Environments), slices.Clone(e.Findings)
	e.dirs = maps.Clone(e.dirs)
	return e
}

// Environment is what one environment wants.
type Environment struct {
	Name      string
	Dir       string              // from the repository's root
	Mode      string              // its own, else the estate's
	MovedFrom string              // the name that it had before; "" for none
	Providers map[string]Provider // by alias
	Desired   []resource.Desired  // sorted by address
	Deletes   Deletes
	Policy    Policy
	Secrets   map[string]resource.SecretSource
	Digest    string    // of everything that the evaluation depended on
	Warnings  diag.List // nothing of it stops anything
}

// Provider is where resources live: a provider's type and its settings, which
// hold no references or secrets.
type Provider struct {
	Type     string // "aws"
	Settings resource.Map
	At       resource.Position
}

// Deletes limits what one plan may delete or replace unasked.
type Deletes struct {
	Max      int     `json:"max"`      // objects
	MaxShare float64 `json:"maxShare"` // of the environment's objects, 0 to 1
}

// Policy chooses rules and accepts findings.
type Policy struct {
	Packs   []string `json:"packs"` // built-in packs; nil means all
	Waivers []Waiver `json:"waivers"`
}

// Waiver accepts one rule's findings.
type Waiver struct {
	Rule    string `json:"rule"`
	Address string `json:"address"` // local, "aws.security_group/web"; "" for all
	Reason  string `json:"reason"`
	Until   string `json:"until"` // the last day, YYYY-MM-DD; "" for good

	At resource.Position `json:"at,omitzero"` // where the spec has it
}

// decodeEstate reads a child's answer.
func decodeEstate(o outcome) (Estate, error) {
	var in struct {
		Estate       string     `json:"estate"`
		Environments []string   `json:"environments"`
		Mode         string     `json:"mode"`
		Owners       []string   `json:"owners"`
		Access       accessJSON `json:"access"`
		Flapping     struct {
			Times  int    `json:"times"`
			Within string `json:"within"`
		} `json:"flapping"`
		Notifications struct {
			Slack struct {
				Channel string `json:"channel"`
			} `json:"slack"`
		} `json:"notifications"`
	}
	if err := json.Unmarshal(o.Estate, &in); err != nil {
		return Estate{}, fmt.Errorf("isobar.cue: %w", err)
	}
	within, err := time.ParseDuration(in.Flapping.Within)
	if err != nil {
		return Estate{}, fmt.Errorf("isobar.cue: flapping.within: %w", err)
	}
	warnings := diag.List{}
	for _, f := range o.Findings {
		if f.Severity != diag.Error {
			warnings = append(warnings, f)
		}
	}
	return Estate{
		ID: in.Estate, Mode: in.Mode, Owners: in.Owners, globs: in.Environments,
		Flapping: Flapping{Times: in.Flapping.Times, Within: within},
		Notify:   Notify{SlackChannel: in.Notifications.Slack.Channel}, Access: in.Access.rules(o.At), Findings: warnings,
	}, nil
}
