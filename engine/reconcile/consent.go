package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// A person consents to a plan that was shown, by its digest, once. What is as it
// was then may be done; what moved since is not, nor what needs it.

// NotNow says why a plan that a person names is not carried out.
type NotNow struct {
	Used bool // it was carried out before
	text string
}

func (e *NotNow) Error() string { return e.text }

// leastNamed is how many digits of a digest name a plan.
const leastNamed = 8

// digits is a plan's name as a person writes it, "9c1e-44b0", as the beginning of
// a digest.
func digits(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "")) }

// Show keeps the plan of an attempt that people are shown, so that they can name
// it later.
func (o *Once) Show(ctx context.Context, a *Attempt) error {
	if a.Plan.Digest == "" {
		return nil
	}
	return o.Store.PutPlan(ctx, store.Plan{
		Env: a.Job.Env, Digest: a.Plan.Digest, Shown: o.Runner.Now(), Body: a.ViewPlan(o.Runner.Catalogue.Descriptors, a.Run.Subject).Kept(view.Page{Detail: true}),
	})
}

// Name gives the attempt that carries out the plan which a person names, among
// attempts that were just made: as far as what they would do is what the plan
// was shown to do. What differs is held in it. The error is a *NotNow where
// nothing of the plan may be done.
func (o *Once) Name(ctx context.Context, tries []*Attempt, name string) (*Attempt, error) {
	var found []*Attempt
	var now []string
	for _, t := range tries {
		now = append(now, t.has())
		ok, err := o.consents(ctx, t, digits(name))
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		return nil, &NotNow{text: fmt.Sprintf("no plan is named %q now: %s", name, strings.Join(now, ", "))}
	}
	return found[0], nil
}

// has says which plan an attempt came to.
func (a *Attempt) has() string {
	if a.Plan.Digest == "" {
		return a.Job.Env + " has nothing to do"
	}
	return a.Job.Env + " has plan " + view.PlanID(a.Plan.Digest)
}

// consents narrows an attempt to the plan whose digest begins with prefix; ok is
// false where that is none of its environment's.
func (o *Once) consents(ctx context.Context, a *Attempt, prefix string) (ok bool, err error) {
	if len(prefix) < leastNamed {
		return false, nil
	}
	has, same := a.has(), strings.HasPrefix(a.Plan.Digest, prefix)
	a.consent = a.Plan.Digest
	var shown store.Plan
	if !same {
		kept, err := o.Store.PlansOf(ctx, a.Job.Env, prefix)
		if err != nil || len(kept) == 0 {
			return false, err
		}
		shown = kept[0]
		a.consent = shown.Digest
	}
	of := "plan " + view.PlanID(a.consent) + " of " + a.Job.Env
	switch used, err := o.used(ctx, a); {
	case err != nil:
		return false, err
	case used != "":
		return false, &NotNow{Used: true, text: of + " " + used + "; " + has + " now"}
	case same:
		return true, nil
	case len(a.Plan.Steps) == 0:
		return false, &NotNow{text: "nothing of " + of + " is left to do"}
	}
	narrow, err := o.Runner.within(a.Draft, shown.Body, "look at what is to be done now: isobar plan "+a.Job.Env)
	if err != nil {
		return false, err
	}
	if len(narrow.Steps) == 0 || len(a.Job.Imports) > 0 { // what is written beside an import says all of it
		return false, &NotNow{text: of + " is not what would be done now: " + moved(narrow) + "; " + has + " now"}
	}
	a.take(narrow, shown.Body)
	return true, nil
}

// moved says of a narrowed plan what is not as it was shown.
func moved(p *plan.Plan) string {
	var out []string
	for _, h := range p.Held {
		if h.Why == plan.HeldMoved {
			out = append(out, h.Address.Local()+": "+h.Text)
		}
	}
	return strings.Join(out, "; ")
}

// take makes what is left of a plan that was shown the draft's own: what else is
// to be done is none of it afterwards either.
func (d *Draft) take(narrow *plan.Plan, shown json.RawMessage) {
	var then view.PlanJSON
	if json.Unmarshal(shown, &then) == nil { // within read it
		d.Plan, d.only = narrow, then.Sums()
	}
}

// rest gives of a plan that was made after the draft's was carried out what was
// to be done by then.
func (d *Draft) rest(left *plan.Plan) *plan.Plan {
	if d.only == nil {
		return left
	}
	return left.Within(d.only, &plan.Moved{Why: func(string) string { return "" }})
}

// within gives the plan of a draft as far as its steps are those of a plan that a
// person was shown, which is given as it was.
func (r *Runner) within(d *Draft, shown json.RawMessage, mend string) (*plan.Plan, error) {
	var then view.PlanJSON
	if err := json.Unmarshal(shown, &then); err != nil {
		return nil, fmt.Errorf("a kept plan can't be read: %w", err)
	}
	now := d.ViewPlan(r.Catalogue.Descriptors, "").Report()
	return d.Plan.Within(then.Sums(), &plan.Moved{Why: func(address string) string { return now.Since(&then, address) }, Mend: mend}), nil
}

// used says how the plan that a person consents to was used up since it was last
// shown, "" where it was not.
func (o *Once) used(ctx context.Context, a *Attempt) (string, error) {
	ap, how, err := usedUp(ctx, o.Store, a.Job.Env, a.consent)
	if err != nil || how == "" {
		return "", err
	}
	shown, err := o.Store.PlansOf(ctx, a.Job.Env, a.consent)
	if err == nil && len(shown) > 0 && shown[0].Shown.After(ap.At) {
		how = ""
	}
	return how, err
}

// usedUp says by which run, when and with whose consent a plan was carried out,
// "" where it was not.
func usedUp(ctx context.Context, st store.Store, env, digest string) (store.Approval, string, error) {
	ap, err := st.Approval(ctx, env, digest)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && ap.Run == "":
		return ap, "", nil
	case err != nil:
		return ap, "", err
	}
	at := ap.At
	if run, err := st.Run(ctx, ap.Run); err == nil { // else it died before it was kept
		at = run.Started
	}
	return ap, fmt.Sprintf("was used already by run %s at %s, approved by %s", ap.Run, at.UTC().Format(time.RFC3339), ap.By), nil
}

// use takes the consent to an attempt's plan down, and uses it up, before
// anything is done under it. It wants the environment's lease.
func (o *Once) use(ctx context.Context, a *Attempt) error {
	if a.consent != "" {
		if used, err := o.used(ctx, a); err != nil || used != "" {
			return cmp.Or(err, error(&NotNow{Used: true, text: "plan " + view.PlanID(a.consent) + " of " + a.Job.Env + " " + used}))
		}
	}
	digest := cmp.Or(a.consent, a.Plan.Digest)
	if digest == "" {
		return nil
	}
	now := o.Runner.Now()
	err := o.Store.PutApproval(ctx, store.Approval{Env: a.Job.Env, Digest: digest, By: cmp.Or(a.Job.Actor, "somebody"), At: now, Verdict: store.Approve})
	if err == nil {
		_, err = o.Store.Consume(ctx, a.Job.Env, digest, a.Run.ID, now)
	}
	return err
}

// bind narrows a draft to the plan that a person approved, where it is another by
// now: what of it is as it was is done under that approval. Where nothing is,
// the draft says what differs.
func (t *turn) bind(ctx context.Context, draft *Draft) error {
	consent := t.state.Consent
	if consent == "" || draft.Plan.Digest == "" || draft.Plan.Digest == consent || draft.Denied() {
		return nil
	}
	olds, err := t.asking(ctx)
	if err != nil {
		return err
	}
	for i := range olds {
		if olds[i].Digest != consent {
			continue
		}
		narrow, err := t.d.Runner.within(draft, olds[i].Plan, "what is to be done about it now is asked anew")
		switch {
		case err != nil:
			return err
		case len(narrow.Steps) > 0:
			draft.take(narrow, olds[i].Plan)
			t.under = consent
		default:
			whole := *draft.Plan
			for _, h := range narrow.Held {
				if h.Why == plan.HeldMoved {
					whole.Notes = append(whole.Notes[:len(whole.Notes):len(whole.Notes)], plan.Note{Address: h.Address, Text: "moved since the approval: " + h.Text})
				}
			}
			draft.Plan = &whole
		}
		return nil
	}
	return nil
}

// lookBack is how many runs of an environment are looked through for a plan that
// does not wait any more.
const lookBack = 200

// bygone says what became of a plan that does not wait in env ("": in any), whose
// digest begins with prefix; "" where nothing is known of it.
func (d *Daemon) bygone(ctx context.Context, env, prefix string) (string, error) {
	if len(prefix) < leastNamed {
		return "", nil
	}
	runs, err := d.Store.Runs(ctx, store.RunFilter{Env: env, Limit: lookBack})
	if err != nil {
		return "", err
	}
	for i := range runs {
		r := &runs[i]
		if !strings.HasPrefix(r.Digest, prefix) {
			continue
		}
		of := "plan " + view.PlanID(r.Digest) + " of " + r.Env + " "
		_, used, err := usedUp(ctx, d.Store, r.Env, r.Digest)
		switch {
		case err != nil:
			return "", err
		case used != "":
			return of + used, nil
		case carried(r.State):
			return fmt.Sprintf("%swas used already by run %s at %s", of, r.ID, r.Started.UTC().Format(time.RFC3339)), nil
		case r.State == store.Rejected:
			return of + "was " + r.Note, nil
		}
		differs, err := d.differs(ctx, r)
		return of + cmp.Or(differs, "is not the one to decide on any more"), err
	}
	return "", nil
}

// carried reports whether a run in that state carried its plan out, or began to.
func carried(s store.RunState) bool {
	return s == store.Applying || s == store.Applied || s == store.Partial || s == store.Failed || s == store.Drained
}

// differs says how the plan that waits now differs from that of an older run, ""
// where none waits.
func (d *Daemon) differs(ctx context.Context, old *store.Run) (string, error) {
	row, err := d.Store.Environment(ctx, old.Env)
	if err != nil || row.PlanDigest == "" {
		return "", err
	}
	runs, err := d.Store.Runs(ctx, store.RunFilter{Env: old.Env, Limit: lookBack})
	if err != nil {
		return "", err
	}
	var then, now view.PlanJSON
	for _, r := range runs {
		if r.Digest != row.PlanDigest {
			continue
		}
		for id, to := range map[string]*view.PlanJSON{old.ID: &then, r.ID: &now} {
			full, err := d.Store.Run(ctx, id) // lists leave the plan out
			if err != nil || json.Unmarshal(full.Plan, to) != nil {
				return "", err
			}
		}
		return "is not what would be done now: " + strings.Join(now.Differs(&then), "; "), nil
	}
	return "", nil
}
