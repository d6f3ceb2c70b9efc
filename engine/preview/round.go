package preview

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// deliveriesAtOnce bounds the deliveries that are read at a time.
const deliveriesAtOnce = 500

// round does what is to be done now.
func (d *Desk) round(ctx context.Context) {
	if err := d.begin(ctx); err != nil {
		d.wrong(ctx, 0, err)
		return
	}
	if d.Gone {
		if err := d.windUp(ctx); err != nil {
			d.wrong(ctx, 0, err)
		}
		return
	}
	if err := d.deliveries(ctx); err != nil {
		d.wrong(ctx, 0, err)
	}
	if now := d.Now(); !now.Before(d.list) && !now.Before(d.rest) {
		if err := d.listed(ctx); err != nil {
			d.wrong(ctx, 0, err)
		}
		d.list = now.Add(d.Poll)
	}
	if err := d.moved(ctx); err != nil {
		d.wrong(ctx, 0, err)
	}
	fine := true
	for _, n := range d.due() {
		if ctx.Err() != nil || d.Now().Before(d.rest) {
			return
		}
		p := d.pulls[n]
		err := d.work(ctx, p)
		if err == nil {
			p.tries = 0
			continue
		}
		fine = false
		p.tries++
		p.later = d.Now().Add(min(d.Beat<<min(p.tries, 6), 2*time.Minute))
		d.wrong(ctx, n, err)
	}
	if fine && ctx.Err() == nil {
		d.told = ""
	}
}

// windUp ends what the pull requests hold of a repository whose forge was taken out:
// nobody can merge, close or unpin them where isobar would hear of it.
func (d *Desk) windUp(ctx context.Context) error {
	for _, n := range slices.Sorted(maps.Keys(d.pulls)) {
		p := d.pulls[n]
		if len(p.Pins) == 0 {
			continue
		}
		if err := d.giveUp(ctx, p, "the server's file, in which "+d.Repo+" has no forge any more,"); err != nil {
			return err
		}
		if err := d.back(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// begin takes up what was kept, once.
func (d *Desk) begin(ctx context.Context) error {
	if d.heard > 0 || len(d.pulls) > 0 {
		return nil
	}
	kept, err := d.records(ctx)
	if err != nil {
		return err
	}
	for n, r := range kept {
		if r.open() {
			d.pulls[n] = &pull{record: r, number: n, reread: true, replan: true}
		}
	}
	return nil
}

// deliveries notes what forges told of since it was last asked.
func (d *Desk) deliveries(ctx context.Context) error {
	for {
		told, err := d.Store.Deliveries(ctx, d.Repo, d.heard, deliveriesAtOnce)
		if err != nil {
			return err
		}
		for _, t := range told {
			d.heard = t.N
			switch forge.Event(t.Event) {
			case forge.Pulled, forge.Commented:
				d.at(t.Pull).reread = true
			case forge.Pushed:
				d.pushed(ctx, t.Ref)
			case forge.Pinged, forge.Other:
			}
		}
		if len(told) < deliveriesAtOnce {
			return nil
		}
	}
}

// pushed sees to a branch that moved.
func (d *Desk) pushed(ctx context.Context, ref string) {
	if branch := d.git.Branch(); branch != "" && ref == "refs/heads/"+branch {
		if err := d.Daemon.Poke(ctx, d.Repo); err != nil && ctx.Err() == nil {
			d.Log.InfoContext(ctx, "the repository is fetched at the next poll", "repo", d.Repo, "error", err)
		}
		d.list = time.Time{} // a merge, perhaps
		return
	}
	for _, p := range d.pulls {
		if ref == "refs/heads/"+p.now.HeadRef {
			p.reread = true
		}
	}
}

// at gives a pull, new to the desk or not.
func (d *Desk) at(number int) *pull {
	p := d.pulls[number]
	if p == nil {
		p = &pull{number: number, replan: true}
		d.pulls[number] = p
	}
	return p
}

// listed looks through the forge's list for what nobody told of.
func (d *Desk) listed(ctx context.Context) error {
	all, err := d.Forge.Pulls(ctx)
	if err != nil {
		return err
	}
	there := map[int]bool{}
	for _, f := range all {
		there[f.Number] = true
		if p := d.pulls[f.Number]; p == nil || !p.Updated.Equal(f.Updated) || p.now.Head != "" && p.now.Head != f.Head {
			d.at(f.Number).reread = true
		}
	}
	for n, p := range d.pulls {
		switch {
		case p.State == forge.Open && !there[n]:
			p.reread = true // closed or merged
		case p.State == forge.Merged: // the list has only open ones, and somebody may have commented
			p.reread = true
		}
	}
	return nil
}

// moved finds the pulls that were planned on what is not so any more.
func (d *Desk) moved(ctx context.Context) error {
	head, err := d.git.Head(ctx)
	if err != nil {
		return nil //nolint:nilerr // nothing was fetched yet, which the follower tells
	}
	for _, n := range slices.Sorted(maps.Keys(d.pulls)) {
		p := d.pulls[n]
		switch {
		case p.State == forge.Closed:
			p.say = true // it waits for its environments to come back
			continue
		case p.view == nil:
			continue
		case p.State == forge.Open && p.view.base != head.Hash:
			p.replan, p.view.Stale.Base = true, head.Hash
		case p.State == forge.Merged && p.view.base != head.Hash: // it may have the merge now, which frees what it holds
			p.view.base, p.say = head.Hash, true
		}
		for _, env := range p.all() {
			is, err := d.Daemon.Standing(ctx, env)
			if err != nil {
				return err
			}
			if was, ok := p.view.standing[env]; ok && was == is {
				continue
			}
			if p.State == forge.Open {
				p.replan = true
				p.view.outdated(env)
			} else {
				p.view.standing[env], p.say = is, true
			}
		}
	}
	return nil
}

// due gives the pulls to work on: first those that somebody just spoke of.
func (d *Desk) due() []int {
	now := d.Now()
	var out []int
	for n, p := range d.pulls {
		if (p.reread || p.replan || p.say) && !now.Before(p.later) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b int) int {
		first := map[bool]int{true: 0, false: 1}
		return cmp.Or(cmp.Compare(first[d.pulls[a].reread], first[d.pulls[b].reread]), cmp.Compare(a, b))
	})
	return out
}

// wrong tells what went wrong, once for as long as it stays so, and leaves a forge
// alone that asked for it.
func (d *Desk) wrong(ctx context.Context, number int, err error) {
	if ctx.Err() != nil || errors.Is(err, store.ErrFenced) { // another process sees to it
		return
	}
	if f := (*resource.Failure)(nil); errors.As(err, &f) && f.Class == resource.Throttled {
		d.rest = d.Now().Add(max(f.After, 10*time.Second))
	}
	if text := err.Error(); text != d.told {
		d.told = text
		d.Log.WarnContext(ctx, "pull requests could not be seen to; it is tried again, and this is told once", "repo", d.Repo, "pull", number, "error", err)
	}
}
