package preview

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
	"isobar.dev/engine/view"
)

// express brings the comment, the notes on lines and the statuses up to date.
func (d *Desk) express(ctx context.Context, p *pull) error {
	if p.view == nil || !p.say {
		return nil
	}
	if err := d.approvals(ctx, p); err != nil {
		return err
	}
	if err := d.annotate(ctx, p); err != nil {
		return err
	}
	if err := d.check(ctx, p); err != nil {
		return err
	}
	body := view.PreviewMarkdown(&p.view.Preview, d.Forge.MaxComment())
	sum := sha256.Sum256([]byte(body))
	said := hex.EncodeToString(sum[:16])
	switch {
	case said == p.Said:
		p.say = false
		return nil
	case p.Comment != "" && d.Now().Sub(p.SaidAt) < pace:
		p.later = p.SaidAt.Add(pace)
		return nil
	}
	if err := d.write(ctx, p, body); err != nil {
		return err
	}
	p.Said, p.SaidAt, p.say = said, d.Now(), false
	return d.keep(ctx, p)
}

// write puts the comment there, or edits the one that is.
func (d *Desk) write(ctx context.Context, p *pull, body string) error {
	if p.Comment == "" {
		var err error
		if p.Comment, err = d.ours(ctx, p); err != nil {
			return err
		}
	}
	if p.Comment != "" {
		err := d.Forge.Edit(ctx, p.number, p.Comment, body)
		if f := (*resource.Failure)(nil); !errors.As(err, &f) || f.Class != resource.NotFound {
			return err
		}
		p.Comment = "" // somebody deleted it
	}
	c, err := d.Forge.Comment(ctx, p.number, body)
	if err != nil {
		return err
	}
	p.Comment = c.ID
	return nil
}

// ours finds our comment: an earlier process may not have lived to keep its id.
func (d *Desk) ours(ctx context.Context, p *pull) (string, error) {
	self, err := d.Forge.Self(ctx)
	if err != nil {
		return "", err
	}
	all, err := d.Forge.Comments(ctx, p.number, time.Time{})
	if err != nil {
		return "", err
	}
	for i := range all {
		if m, ok := review.Marked(all[i].Body); ok && strings.EqualFold(all[i].Author, self) && m.Kind == review.Preview && m.Estate == p.view.Mark.Estate {
			return all[i].ID, nil
		}
	}
	return "", nil
}

// approvals counts what each plan has, and keeps which have all that they need.
func (d *Desk) approvals(ctx context.Context, p *pull) error {
	if p.State != forge.Open {
		return nil
	}
	full := map[string]agreed{}
	for env, was := range p.Agreed { // what is not planned now, by a conflict or a mistake, may be again
		if e := p.planOf(env); e == nil && p.view.unplanned() || e != nil && e.Plan == nil {
			was.Past = true
			full[env] = was
		}
	}
	access, err := d.access(ctx)
	if wrong := diag.List(nil); errors.As(err, &wrong) {
		return nil // the base branch is broken, which the daemon tells
	}
	if err != nil {
		return err
	}
	for i := range p.view.Envs {
		e := &p.view.Envs[i]
		if e.Plan == nil {
			continue
		}
		digest := e.Plan.Plan.Digest
		if e.Tally, err = d.tally(ctx, p, access, e.Env, digest); err != nil {
			return err
		}
		if e.Tally.Done() && digest != "" {
			full[e.Env] = agreed{Digest: digest, By: e.Tally.By, At: p.lastWord(e.Env, digest)}
		} else if was, ok := p.Agreed[e.Env]; ok && was.Digest != digest {
			was.Past = true // another plan is asked about; of this one the approvals do not count any more
			full[e.Env] = was
		}
	}
	if reflect.DeepEqual(full, p.Agreed) || len(full)+len(p.Agreed) == 0 {
		return nil
	}
	p.Agreed = full
	return d.keep(ctx, p)
}

// annotate puts mistakes of the spec on their lines, once a plan.
func (d *Desk) annotate(ctx context.Context, p *pull) error {
	if len(p.view.wrong) == 0 || p.State != forge.Open {
		return nil
	}
	var notes []forge.Note
	of := map[int]diag.Finding{}
	var rest diag.List
	for _, f := range p.view.wrong.Sorted() {
		if f.Severity != diag.Error || f.Where.File == "" || f.Where.Line == 0 {
			rest = append(rest, f)
			continue
		}
		of[len(notes)] = f
		notes = append(notes, forge.Note{Path: f.Where.File, Line: f.Where.Line, Body: view.NoteMarkdown(f)})
	}
	left, err := d.Forge.Annotate(ctx, p.now, notes)
	if err != nil {
		return err
	}
	for i, n := range notes {
		if slices.Contains(left, n) {
			rest = append(rest, of[i])
		}
	}
	p.view.Placed += len(notes) - len(left)
	p.view.Spec = append(p.view.Spec, rest...)
	p.view.wrong = nil
	return nil
}

// check sets the statuses that are not set so already.
func (d *Desk) check(ctx context.Context, p *pull) error {
	commit, checks := p.view.Head, p.view.All()
	if p.Statuses == nil {
		p.Statuses = map[string]string{}
	}
	prefix := short(commit) + " "
	for key := range p.Statuses { // of heads before
		if !strings.HasPrefix(key, prefix) {
			delete(p.Statuses, key)
		}
	}
	changed, now := false, map[string]bool{}
	for _, c := range checks {
		now[prefix+c.Context] = true
	}
	for key := range p.Statuses { // of environments that it does not concern any more
		if now[key] || p.State != forge.Open {
			continue
		}
		if err := d.Forge.SetStatus(ctx, commit, unconcerned(strings.TrimPrefix(key, prefix), len(p.view.Conflicts) > 0)); err != nil {
			return err
		}
		delete(p.Statuses, key)
		changed = true
	}
	for _, c := range checks {
		if p.State == forge.Merged && !strings.HasPrefix(c.Context, "isobar/apply") {
			continue // of the head as it was reviewed
		}
		is := string(c.State) + " " + c.Text
		if p.Statuses[prefix+c.Context] == is {
			continue
		}
		if err := d.Forge.SetStatus(ctx, commit, forge.Status{Context: c.Context, Result: forge.Result(c.State), Text: c.Text, URL: ""}); err != nil {
			return err
		}
		p.Statuses[prefix+c.Context], changed = is, true
	}
	if !changed {
		return nil
	}
	return d.keep(ctx, p)
}

// unconcerned is the status of an environment which a pull request that was planned
// anew does not concern, or that was not planned because it conflicts.
func unconcerned(context string, conflicts bool) forge.Status {
	out := forge.Status{Context: context, Result: forge.Success, Text: "not concerned any more"}
	if conflicts {
		out.Result, out.Text = forge.Pending, "not planned: it can't be merged as it is"
	}
	return out
}

func short(commit string) string { return fmt.Sprintf("%.12s", commit) }
