package preview

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/view"
)

// consentWait bounds how long the daemon waits for the forge to say whether a pull
// was merged.
const consentWait = 10 * time.Second

// Consent implements reconcile.Reviews. A plan counts as approved where it is just
// the one that was, whichever way its commit came to the branch: the digest tells
// what is done, and to what. Where a pull that was merged had another one approved
// for the environment, and that was not carried out yet, people are to look.
func (d *Desk) Consent(ctx context.Context, env, digest string) (reconcile.Consent, error) {
	d.ready()
	kept, err := d.records(ctx)
	if err != nil {
		return reconcile.Consent{}, err
	}
	for n, r := range kept {
		if r.State == forge.Open && r.holds(env) { // whatever other pulls say of the branch
			return r.consent(env, digest, d.sign()+strconv.Itoa(n)), nil
		}
	}
	var other reconcile.Consent
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(kept))) {
		r := kept[n]
		a, where := r.Agreed[env], d.sign()+strconv.Itoa(n)
		if in, ok := r.Pins[env]; ok && !in.Ended.IsZero() {
			other = reconcile.Consent{Where: where, Veil: "what " + where + " did before its merge is taken back, since " + in.EndedBy + " ended that"}
		}
		if r.State == forge.Closed || r.Done[env] {
			continue
		}
		switch no := r.Turned[env]; {
		case no.Digest == digest:
			other = reconcile.Consent{Where: where, Veil: no.By + " rejected this plan in " + where}
			continue
		case a.Digest == "":
			continue
		case a.Digest == digest && a.Past: // it is to be approved anew
			continue
		case a.Digest == digest:
			out, counts := d.counted(ctx, n, &r, word{Env: env, Digest: digest})
			if counts {
				return reconcile.Consent{By: strings.Join(a.By, ", ") + " (" + where + ")", At: a.At, Where: where}, nil
			}
			other = out
			continue
		case r.State == forge.Merged:
			other = reconcile.Consent{Other: a.Digest, Where: where}
			continue
		case d.Gone: // nobody can tell
			continue
		}
		switch merged, err := d.mergedBy(ctx, n); {
		case err != nil:
			other = reconcile.Consent{Where: where, Veil: "whether " + where + ", which was approved with plan " + view.PlanID(a.Digest) + ", is merged can't be told now: " + err.Error()}
		case merged:
			other = reconcile.Consent{Other: a.Digest, Where: where}
		}
	}
	return other, nil
}

// counted counts the approvals of a plan once more where the branch has other rules
// of who may by now than it had when they were counted: the ones that came with a
// merge, or just before it. Where they do not count, other is what to say of it.
func (d *Desk) counted(ctx context.Context, number int, r *record, of word) (other reconcile.Consent, counts bool) {
	ctx, cancel := context.WithTimeout(ctx, consentWait)
	defer cancel()
	where := d.sign() + strconv.Itoa(number)
	counts, err := d.recount(ctx, number, r, of)
	switch {
	case err != nil:
		return reconcile.Consent{Where: where, Veil: "whether the approvals of plan " + view.PlanID(of.Digest) + " in " + where + " count can't be told now: " + err.Error()}, false
	case !counts:
		return reconcile.Consent{Where: where, Veil: "the approvals of plan " + view.PlanID(of.Digest) + " in " + where + " do not count by what the branch's isobar.cue says now of who may give them"}, false
	}
	return reconcile.Consent{}, true
}

func (d *Desk) recount(ctx context.Context, number int, r *record, of word) (bool, error) {
	g := d.mirror()
	if g == nil {
		return false, errNotFetched
	}
	head, err := g.Head(ctx)
	if err != nil {
		return false, err
	}
	access, err := d.accessAt(ctx, g, head.Hash)
	if err != nil {
		return false, err
	}
	if before, err := d.accessAt(ctx, g, r.Base); err == nil && sameRule(before, access, of.Env) {
		return true, nil
	}
	now, err := d.Forge.Pull(ctx, number)
	if err != nil {
		return false, err
	}
	asked := crowd{forge: d.Forge, now: d.Now} // several plans may be asked about at once
	given, err := asked.approvals(ctx, r, access.Teams(of.Env), of)
	if err != nil {
		return false, err
	}
	return access.Tally(of.Env, of.Digest, review.Pull{Author: now.Author, Authors: r.Authors, Fork: now.Fork}, given).Done(), nil
}

// sameRule reports whether an environment has the same rule by both.
func sameRule(one, other review.Access, env string) bool {
	a, _ := one.For(env)
	b, _ := other.For(env)
	a.At, b.At = resource.Position{}, resource.Position{}
	return reflect.DeepEqual(a, b)
}

// consent is what people agreed to of a pull that holds an environment.
func (r *record) consent(env, digest, where string) reconcile.Consent {
	in, a, no := r.Pins[env], r.Agreed[env], r.Turned[env]
	switch {
	case no.Digest == digest:
		return reconcile.Consent{Where: where, Veil: no.By + " rejected this plan in " + where}
	case in.Applied: // drift is put back as the environment's mode says
		return reconcile.Consent{}
	case in.Digest != digest:
		return reconcile.Consent{Other: in.Digest, Where: where}
	case a.Digest != digest: // those who approved it are not known any more, since another plan was approved
		return reconcile.Consent{By: in.By + " (" + where + ")", At: in.At, Where: where}
	}
	return reconcile.Consent{By: strings.Join(a.By, ", ") + " (" + where + ")", At: a.At, Where: where}
}

// mergedBy asks the forge whether a pull that was open when it was last read is
// merged by now.
func (d *Desk) mergedBy(ctx context.Context, number int) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, consentWait)
	defer cancel()
	now, err := d.Forge.Pull(ctx, number)
	return now.State == forge.Merged, err
}

// Waivers implements reconcile.Reviews.
func (d *Desk) Waivers(ctx context.Context, env string) ([]spec.Waiver, error) {
	d.ready()
	kept, err := d.records(ctx)
	if err != nil {
		return nil, err
	}
	var out []spec.Waiver
	for _, n := range slices.Sorted(maps.Keys(kept)) {
		if r := kept[n]; r.State == forge.Merged && slices.Contains(r.Envs, env) || r.holds(env) {
			out = append(out, r.waivers(env)...)
		}
	}
	return out, nil
}
