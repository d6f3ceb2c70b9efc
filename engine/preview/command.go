package preview

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/forge"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/review"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// longest is how far ahead a waiver of a comment may end: what is to hold for longer
// belongs into the spec, where it is reviewed.
const longest = 30 * 24 * time.Hour

// one does one command: in each environment that it is for, as far as its author
// may.
func (h *hearing) one(ctx context.Context, c review.Command) error {
	switch c.Verb {
	case review.Help:
		return h.help(ctx, nil)
	case review.Plan, review.Apply, review.Approve, review.Reject, review.Cancel, review.Waive, review.Unpin:
	}
	targets, why, err := h.targets(ctx, c)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return h.refuse(ctx, []review.Command{c}, why)
	}
	access, err := h.d.access(ctx)
	if wrong := diag.List(nil); errors.As(err, &wrong) {
		return h.refuse(ctx, []review.Command{c}, []string{"the base branch's isobar.cue can't be read, and with it who may do this: " + wrong.Sorted()[0].Message})
	}
	if err != nil {
		return err
	}
	var may []target
	for _, t := range targets {
		who, err := h.d.crowd.person(ctx, h.c.Author, access.Teams(t.env))
		if err != nil {
			return err
		}
		if a := access.Decide(review.Ask{Verb: c.Verb, Env: t.env, Who: who, Pull: h.p.asked()}); a.May {
			may = append(may, t)
		} else {
			why = append(why, a.Why)
		}
	}
	if len(may) == 0 {
		return h.refuse(ctx, []review.Command{c}, why)
	}
	for _, t := range may {
		no, err := h.do(ctx, c, t)
		if err != nil {
			return err
		}
		if no != "" {
			why = append(why, no)
			continue
		}
		if err := h.audit(ctx, c, t.env, nil); err != nil {
			return err
		}
	}
	if len(why) > 0 {
		return h.refuse(ctx, []review.Command{c}, why)
	}
	h.p.say = true
	return h.react(ctx, cmp.Or(map[review.Verb]forge.Reaction{review.Plan: forge.Seen, review.Apply: forge.Launched}[c.Verb], forge.Agreed))
}

// target is an environment that a command is for, with the plan or run that it
// names.
type target struct {
	env, digest, run string
}

// targets gives what a command is for, or why there is nothing.
func (h *hearing) targets(ctx context.Context, c review.Command) (out []target, why []string, err error) {
	switch c.Verb {
	case review.Approve, review.Reject:
		return h.plans(ctx, c)
	case review.Cancel:
		return h.cancelled(ctx, c)
	case review.Unpin:
		if len(c.Envs) == 0 && len(h.p.held()) == 0 {
			return nil, []string{"no environment is pinned to this pull request"}, nil
		}
	case review.Plan, review.Apply, review.Waive, review.Help:
	}
	for _, env := range h.p.all() {
		if len(c.Envs) == 0 && !h.means(c.Verb, env) || len(c.Envs) > 0 && !slices.Contains(c.Envs, env) {
			continue
		}
		out = append(out, target{env: env})
	}
	switch {
	case len(out) > 0:
	case c.Verb == review.Apply && h.p.State == forge.Open && len(h.p.view.Conflicts) > 0:
		why = []string{unmergeable}
	case c.Verb == review.Apply && h.p.State == forge.Open && len(h.p.Envs) > 0:
		why = []string{"there is nothing to apply"}
	default:
		why = []string{"this pull request concerns no environment"}
	}
	return out, why, nil
}

// means reports whether a command that names no environment is for this one.
func (h *hearing) means(v review.Verb, env string) bool {
	switch {
	case v == review.Unpin:
		return h.p.holds(env)
	case v == review.Apply && h.d.Early && h.p.State == forge.Open && len(h.p.Plans) > 0:
		return h.p.Plans[env] != "" // where there is something to do
	}
	return slices.Contains(h.envs(), env)
}

// plans gives the plans that a command names: those of the preview or, once it is
// merged, those that wait.
func (h *hearing) plans(ctx context.Context, c review.Command) (out []target, why []string, err error) {
	var has []string
	for _, env := range h.p.all() {
		if len(c.Envs) > 0 && !slices.Contains(c.Envs, env) {
			continue
		}
		digests := []string{h.p.Plans[env]}
		if h.p.runs(env) {
			row, err := h.d.Store.Environment(ctx, env)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, nil, err
			}
			digests = append(digests, row.PlanDigest)
		}
		for _, digest := range slices.Compact(digests) {
			if digest == "" {
				continue
			}
			has = append(has, env+" has plan "+view.PlanID(digest))
			if c.Names(digest) {
				out = append(out, target{env: env, digest: digest})
			}
		}
	}
	switch {
	case len(out) > 0:
	case len(has) == 0:
		why = []string{"there is no plan to decide on"}
	default:
		for _, s := range has {
			why = append(why, "no plan has that digest now: "+s)
		}
	}
	return out, why, nil
}

// cancelled gives the run that a command names, or those of the pull request's
// environments.
func (h *hearing) cancelled(ctx context.Context, c review.Command) (out []target, why []string, err error) {
	if c.Run != "" && !slices.Contains(h.p.all(), c.Run) {
		run, err := h.d.Store.Run(ctx, c.Run)
		if err == nil && slices.Contains(h.p.all(), run.Env) {
			return []target{{env: run.Env, run: run.ID}}, nil, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrAmbiguous) {
			return nil, nil, err
		}
		return nil, []string{"no run or environment of this pull request is called " + c.Run}, nil
	}
	for _, env := range h.p.all() {
		if c.Run == "" && (h.p.State == forge.Merged || len(h.p.Pins) == 0 || h.p.runs(env)) || c.Run == env {
			out = append(out, target{env: env, run: env})
		}
	}
	if len(out) == 0 {
		why = []string{"this pull request concerns no environment"}
	}
	return out, why, nil
}

// do does one command in one environment. no says why it could not be done.
func (h *hearing) do(ctx context.Context, c review.Command, t target) (no string, err error) {
	merged := h.p.State == forge.Merged
	switch c.Verb {
	case review.Plan:
		if merged {
			return h.asked(h.d.Daemon.Look(ctx, t.env))
		}
		h.p.replan = true
		return "", nil
	case review.Approve:
		return h.approve(ctx, t)
	case review.Reject:
		return h.reject(ctx, t)
	case review.Apply:
		if !merged {
			return h.early(ctx, t.env)
		}
		return h.asked(h.d.Daemon.Look(ctx, t.env))
	case review.Cancel:
		if !h.p.runs(t.env) {
			return "nothing of this pull request is applied before it is merged", nil
		}
		_, _, err := h.d.Daemon.Cancel(ctx, t.run, h.by())
		return h.asked(err)
	case review.Waive:
		return h.waive(c, t)
	case review.Unpin:
		return h.unpin(ctx, t.env)
	case review.Help:
	}
	return "", nil
}

// asked tells an answer of the daemon from an error of ours.
func (h *hearing) asked(err error) (no string, _ error) {
	if errors.Is(err, reconcile.ErrNoPlan) || errors.Is(err, reconcile.ErrNotUnderWay) || errors.Is(err, store.ErrNotFound) {
		return err.Error(), nil
	}
	return "", err
}

// by is who gave the command, as records have it.
func (h *hearing) by() string { return fmt.Sprintf("%s (%s%d)", h.c.Author, h.d.sign(), h.p.number) }

// approve takes an approval in. Once a plan that waits has all that it needs, it is
// carried out.
func (h *hearing) approve(ctx context.Context, t target) (no string, err error) {
	p := h.p
	w := word{Env: t.env, Digest: t.digest, By: h.c.Author, At: h.c.Created}
	if !slices.ContainsFunc(p.Words, func(o word) bool {
		return o.Env == w.Env && o.Digest == w.Digest && review.Key(o.By) == review.Key(w.By)
	}) {
		p.Words = append(p.Words, w)
	}
	if p.Turned[t.env].Digest == t.digest {
		delete(p.Turned, t.env)
	}
	if err := h.d.keep(ctx, p); err != nil || p.State != forge.Merged {
		if err := errors.Join(err, h.d.approvals(ctx, p)); err != nil || !p.runs(t.env) {
			return "", err
		}
	}
	access, err := h.d.access(ctx)
	if err != nil {
		return "", err
	}
	tally, err := h.d.tally(ctx, p, access, t.env, t.digest)
	if err != nil || !tally.Done() {
		return "", err
	}
	if p.Plans[t.env] == t.digest && !p.Done[t.env] {
		if p.Agreed == nil {
			p.Agreed = map[string]agreed{}
		}
		p.Agreed[t.env] = agreed{Digest: t.digest, By: tally.By, At: p.lastWord(t.env, t.digest)}
		if err := h.d.keep(ctx, p); err != nil {
			return "", err
		}
	}
	row, err := h.d.Store.Environment(ctx, t.env)
	if err != nil || row.PlanDigest != t.digest {
		return "", errors.Join(err, h.d.Daemon.Look(ctx, t.env)) // it is not planned yet
	}
	by := fmt.Sprintf("%s (%s%d)", strings.Join(tally.By, ", "), h.d.sign(), p.number)
	_, err = h.d.Daemon.Verdict(ctx, t.env, t.digest, by, store.Approve)
	return h.asked(err)
}

// reject turns a plan away: what was said for it is void.
func (h *hearing) reject(ctx context.Context, t target) (no string, err error) {
	p := h.p
	p.Words = slices.DeleteFunc(p.Words, func(w word) bool { return w.Env == t.env && w.Digest == t.digest })
	if p.Agreed[t.env].Digest == t.digest {
		delete(p.Agreed, t.env)
	}
	if p.Turned == nil {
		p.Turned = map[string]word{}
	}
	p.Turned[t.env] = word{Env: t.env, Digest: t.digest, By: h.c.Author, At: h.c.Created}
	if err := h.d.keep(ctx, p); err != nil {
		return "", err
	}
	if !p.runs(t.env) {
		return "", nil
	}
	_, err = h.d.Daemon.Verdict(ctx, t.env, t.digest, h.by(), store.Reject)
	return h.asked(err)
}

// waive takes a waiver in, for this pull request and, once it is merged, for what it
// concerns, until its day.
func (h *hearing) waive(c review.Command, t target) (no string, err error) {
	until, err := time.Parse(time.DateOnly, c.Until)
	switch now := h.d.Now(); {
	case err != nil:
		return "the day is none of the calendar", nil //nolint:nilerr // an answer
	case until.Add(24 * time.Hour).Before(now):
		return "the day " + c.Until + " is over", nil
	case until.After(now.Add(longest)):
		return "a waiver of a comment holds for 30 days at most: write a longer one into the spec, under policy: waivers", nil
	}
	w := waiver{Env: t.env, Rule: c.Rule, Address: c.Address, Reason: c.Reason, Until: c.Until, By: h.c.Author}
	h.p.Waivers = slices.DeleteFunc(h.p.Waivers, func(o waiver) bool { return o.Env == w.Env && o.Rule == w.Rule && o.Address == w.Address })
	h.p.Waivers = append(h.p.Waivers, w)
	h.p.replan = h.p.State == forge.Open
	return "", nil
}

// audit puts a command on record.
func (h *hearing) audit(ctx context.Context, c review.Command, env string, refused []string) error {
	body, err := json.Marshal(struct {
		Repo    string   `json:"repo"`
		Pull    int      `json:"pull"`
		Command string   `json:"command"`
		Comment string   `json:"comment"`
		Refused []string `json:"refused,omitempty"`
	}{h.d.Repo, h.p.number, c.String(), h.c.ID, refused})
	if err != nil {
		return err
	}
	kind := "comment." + string(c.Verb)
	if len(refused) > 0 {
		kind = "comment.refused"
	}
	return h.d.Store.Audit(ctx, store.AuditEntry{At: h.d.Now(), Kind: kind, Env: env, Actor: h.c.Author, Body: body})
}
