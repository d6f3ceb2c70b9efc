package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/discover"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/view"
)

// bring looks for the objects that are meant, shows them, has their adoption
// confirmed, writes what the spec lacks and takes them in.
func (a *app) bring(ctx context.Context, o *reconcile.Once, env string, f adoptFlags) error {
	if (a.repo != "" || a.rev != "") && !f.print {
		return diag.List{usage("what import finds is written into the repository's directory, not into a commit", "add --print, or leave out --repo and --rev")}
	}
	kinds := o.Runner.Catalogue.Descriptors
	search, wrong := f.search(kinds)
	if len(wrong) > 0 {
		return a.refuse(wrong, "nothing was adopted")
	}
	job, err := a.importJob(ctx, o, env)
	if err != nil {
		return err
	}
	var list diag.List
	d, err := o.Runner.Discover(ctx, job, search)
	if errors.As(err, &list) {
		return a.refuse(list, "nothing was adopted")
	}
	if err != nil {
		return err
	}
	b, err := o.Bring(ctx, job, d, func(objects []resource.Desired, refer spec.Refer) ([]byte, error) {
		return spec.Sketch(objects, kinds, refer)
	})
	if errors.As(err, &list) {
		return a.refuse(list, "nothing was adopted")
	}
	if err != nil {
		return err
	}
	shown := shownSearch(env, d, b)
	if f.print {
		return a.printFound(shown, b)
	}
	return a.adoptFound(ctx, o, shown, b, f)
}

// search reads what --find and --state mean.
func (f *adoptFlags) search(kinds resource.Descriptors) (reconcile.Search, diag.List) {
	var out reconcile.Search
	var wrong diag.List
	for _, text := range f.find {
		ask, err := discover.ParseAsk(text)
		if err != nil {
			wrong = append(wrong, errorf(diag.CommandFind, "write --find "+discover.Forms, "%v", err)...)
		}
		out.Asks = append(out.Asks, ask)
	}
	for _, file := range f.state {
		data, err := os.ReadFile(file) //nolint:gosec // the person named it
		if err != nil {
			wrong = append(wrong, errorf(diag.CommandFind, "name the file that terraform state pull wrote", "the state can't be read: %v", err)...)
			continue
		}
		state, err := discover.ReadState(data, kinds)
		if err != nil {
			wrong = append(wrong, errorf(diag.CommandFind, "name the file that terraform state pull wrote", "%s can't be read: %v", file, err)...)
			continue
		}
		if out.State == nil {
			out.State = &discover.State{}
		}
		out.State.Found = append(out.State.Found, state.Found...)
		out.State.Aspects += state.Aspects
	}
	return out, wrong
}

// importJob is the job of an import that looks for objects.
func (a *app) importJob(ctx context.Context, o *reconcile.Once, env string) (reconcile.Job, error) {
	r, err := a.openRepo(ctx, o.Runner.Specs)
	if err != nil {
		return reconcile.Job{}, a.refuse(findings(err), "nothing was adopted")
	}
	if _, err := r.choose([]string{env}, nil); err != nil {
		return reconcile.Job{}, err
	}
	return reconcile.Job{Tree: r.tree, Rules: r.rules, Commit: r.commit, Actor: actor(), Trigger: "command", Env: env}, nil
}

// shownSearch is what was found, for people.
func shownSearch(env string, d *reconcile.Discovery, b *reconcile.Brought) *view.Search {
	out := &view.Search{Env: env, Found: make([]view.Found, len(b.Found)), Aspects: d.Aspects, File: b.File, CUE: string(b.CUE)}
	for i, f := range b.Found {
		out.Found[i] = view.Found{Kind: f.Type, ID: f.ID, By: f.By, Left: f.Left}
		if f.Left == "" {
			out.Found[i].Address = f.Address.Local()
		}
	}
	return out
}

// printFound prints the CUE; the table goes where it is not in the way.
func (a *app) printFound(s *view.Search, b *reconcile.Brought) error {
	if a.output == "json" {
		a.write(s.JSON())
		return nil
	}
	fmt.Fprint(a.err, s.Text(page(a.err)))
	a.write(b.CUE)
	return nil
}

// adoptFound shows what was found and the plan, and has it carried out.
func (a *app) adoptFound(ctx context.Context, o *reconcile.Once, s *view.Search, b *reconcile.Brought, f adoptFlags) error {
	switch a.output {
	case "text":
		fmt.Fprint(a.out, s.Text(page(a.out)))
	case "markdown":
		fmt.Fprint(a.out, s.Markdown())
	}
	if b.Try == nil {
		if a.output == "json" {
			a.write(s.JSON())
		}
		if len(b.Found) == 0 {
			return a.refuse(errorf(diag.CommandImport, "look at the spelling, and at where the environment's providers look", "nothing was found"), "")
		}
		return nil
	}
	if a.output != "json" {
		fmt.Fprintln(a.out)
	}
	tries := []*reconcile.Attempt{b.Try}
	if wrong := refusals(b.Try); len(wrong) > 0 {
		return a.refuse(wrong, "nothing was adopted")
	}
	if f.dry {
		return a.showPlans(ctx, o, tries, false)
	}
	f.ready = func() error { return a.writeFound(b) }
	return a.apply(ctx, o, tries, f.applyFlags)
}

// writeFound writes the file, over none that is there.
func (a *app) writeFound(b *reconcile.Brought) error {
	if b.File == "" {
		return nil
	}
	root, err := os.OpenRoot(a.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing is written to it
	file, err := root.OpenFile(b.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(b.CUE)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, root.Remove(b.File))
	}
	if a.output == "text" {
		fmt.Fprintf(a.out, "\nwrote %s: read it, and commit it\n", b.File)
	}
	return nil
}
