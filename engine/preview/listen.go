package preview

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
	"isobar.dev/engine/view"
)

// overlap is how far comments are read back: forges date them by clocks of their
// own, and some to the second.
const overlap = time.Minute

// edited is by how much a comment may be younger than it was made, and still be as
// its author wrote it.
const edited = 2 * time.Second

// answer is the kind of our comments that answer somebody.
const answer = "answer"

// listen obeys the commands of comments that were not seen to yet. Each is seen to
// once: it does what can be done twice, and then is noted.
func (d *Desk) listen(ctx context.Context, p *pull) error {
	if p.view == nil {
		return nil
	}
	since := p.Heard
	if !since.IsZero() {
		since = since.Add(-overlap)
	}
	all, err := d.Forge.Comments(ctx, p.number, since)
	if err != nil || len(all) == 0 {
		return err
	}
	self, err := d.Forge.Self(ctx)
	if err != nil {
		return err
	}
	mine := func(c forge.Comment) bool { return strings.EqualFold(c.Author, self) }
	answered := map[string]bool{}
	for _, c := range all {
		if m, ok := review.Marked(c.Body); ok && mine(c) && m.Kind == answer {
			answered[m.Of] = true
		}
	}
	changed := false
	for _, c := range all {
		if mine(c) || slices.Contains(p.Known, c.ID) {
			continue
		}
		h := hearing{d: d, p: p, c: c, answered: answered[plainID(c.ID)]}
		if err := h.obey(ctx); err != nil {
			return err
		}
		p.Known, changed = append(p.Known, c.ID), true
		if err := d.keep(ctx, p); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	p.heard(all)
	return d.keep(ctx, p)
}

// plainID is a comment's id as a mark has it.
func plainID(id string) string {
	m, _ := review.Marked(review.Mark{Kind: answer, Of: id}.String())
	return m.Of
}

// heard notes how far comments were read, and forgets the ids of those before.
func (r *record) heard(all []forge.Comment) {
	near := map[string]bool{}
	for _, c := range all {
		if c.Updated.After(r.Heard) {
			r.Heard = c.Updated
		}
	}
	for _, c := range all {
		if !c.Updated.Before(r.Heard.Add(-2 * overlap)) {
			near[c.ID] = true
		}
	}
	const most = 1000
	if len(r.Known) > most {
		r.Known = slices.DeleteFunc(r.Known, func(id string) bool { return !near[id] })
	}
}

// hearing is one comment that is seen to.
type hearing struct {
	d        *Desk
	p        *pull
	c        forge.Comment
	answered bool // by an earlier process that did not live to note it
}

// obey does what a comment asks for.
func (h *hearing) obey(ctx context.Context) error {
	commands, mistakes := review.Parse(h.c.Body)
	if len(commands)+len(mistakes) == 0 {
		return nil
	}
	if h.c.Updated.Sub(h.c.Created) > edited {
		return h.refuse(ctx, commands, []string{"the comment was edited, and who did is not known: write it again in a new one"})
	}
	for _, c := range commands {
		if m := c.Among(h.p.all()); m != nil {
			mistakes = append(mistakes, *m)
		}
	}
	if len(mistakes) > 0 {
		return h.help(ctx, mistakes)
	}
	for _, c := range commands {
		if err := h.one(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// envs are the environments that the pull concerns.
func (h *hearing) envs() []string { return h.p.Envs }

// help says which commands there are: to who asks, and once a pull to who seems not
// to know.
func (h *hearing) help(ctx context.Context, mistakes []review.Mistake) error {
	if len(mistakes) > 0 && h.p.Helped {
		return h.react(ctx, forge.Confused)
	}
	if err := h.reply(ctx, view.HelpMarkdown(h.mark(), mistakes)); err != nil {
		return err
	}
	if len(mistakes) == 0 {
		return h.react(ctx, forge.Agreed)
	}
	h.p.Helped = true
	return h.react(ctx, forge.Confused)
}

func (h *hearing) mark() review.Mark {
	return review.Mark{Kind: answer, Estate: h.p.view.Mark.Estate, Pull: h.p.number, Of: h.c.ID}
}

// reply answers the comment, once.
func (h *hearing) reply(ctx context.Context, body string) error {
	if h.answered {
		return nil
	}
	if _, err := h.d.Forge.Comment(ctx, h.p.number, body); err != nil {
		return err
	}
	h.answered = true
	return nil
}

// react acknowledges the comment. A comment that is gone needs none.
func (h *hearing) react(ctx context.Context, r forge.Reaction) error {
	err := h.d.Forge.React(ctx, h.p.number, h.c.ID, r)
	if f := (*resource.Failure)(nil); errors.As(err, &f) && f.Class == resource.NotFound {
		return nil
	}
	return err
}

// refuse answers that commands were not done, and puts that on record.
func (h *hearing) refuse(ctx context.Context, commands []review.Command, why []string) error {
	if len(commands) == 0 {
		return h.react(ctx, forge.Confused)
	}
	for _, c := range commands {
		if err := h.audit(ctx, c, "", why); err != nil {
			return err
		}
	}
	if err := h.reply(ctx, view.RefusedMarkdown(h.mark(), commands[0], why)); err != nil {
		return err
	}
	return h.react(ctx, forge.Refused)
}
