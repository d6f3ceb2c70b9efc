package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/discover"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// Writer writes objects as a spec says them.
type Writer func(objects []resource.Desired, refer spec.Refer) ([]byte, error)

// Brought is a discovery that is ready to be adopted.
type Brought struct {
	Found []discover.Found // with their addresses, and what was left out on the way
	File  string           // the file for the text, from the repository's root: a name that is free; "" where there is none to write
	CUE   []byte           // what the spec lacks of the resources, for File
	Try   *Attempt         // the adoption, planned with the file in its place; nil where nothing is left to adopt
}

// fileName is where what was found is written.
const fileName = "imported"

// Bring names what was found, has written what the spec lacks, and plans the
// adoption of all of it as if the file were there. The plan changes nothing but
// marks: what can't be written as it is, or belongs to somebody, is left out,
// with the reason in Found. Nothing is written, to a file or to the world.
func (o *Once) Bring(ctx context.Context, job Job, d *Discovery, write Writer) (*Brought, error) {
	b := &bringing{once: o, job: job, write: write, Brought: &Brought{Found: slices.Clone(d.Found)}, busy: map[resource.Address]bool{}}
	var err error
	if b.estate, err = o.Runner.Specs.Estate(ctx, job.Tree); err != nil {
		return nil, err
	}
	state, err := o.Runner.Ledger.State(ctx, job.Env)
	if err != nil {
		return nil, err
	}
	for _, e := range state.Sorted() {
		b.busy[e.Address] = true
	}
	if err := b.name(ctx); err != nil {
		return nil, err
	}
	return b.Brought, b.settle(ctx, freeFile(job.Tree, d.Dir))
}

// bringing is a Bring under way.
type bringing struct {
	once   *Once
	job    Job
	write  Writer
	estate spec.Estate
	busy   map[resource.Address]bool // addresses that have an object, or want another one
	bare   *Attempt                  // the adoption without the file
	*Brought
}

// name gives addresses until none is that of a resource which the spec wants to
// be otherwise. A resource of the spec without an object is given the one of its
// name if it is as that says: an import that died after its file was written
// goes on so.
func (b *bringing) name(ctx context.Context) error {
	for {
		discover.Assign(b.Found, b.job.Env, func(a resource.Address) bool { return b.busy[a] })
		job := b.job
		job.Imports = b.imports()
		if len(job.Imports) == 0 {
			return nil
		}
		try, err := b.once.Draft(ctx, job)
		if err != nil {
			return err
		}
		b.bare = try
		again := false
		for i := range try.Plan.Changes {
			if c := &try.Plan.Changes[i]; len(c.Fields) > 0 {
				b.busy[c.Address], again = true, true
			}
		}
		for i := range try.Plan.Held {
			if h := &try.Plan.Held[i]; h.Why != plan.HeldUnspoken && b.spoken(h.Address) {
				b.busy[h.Address], again = true, true // what is there says nothing of this object
			}
		}
		if !again {
			b.drop(try.Plan)
			return nil
		}
	}
}

// spoken reports whether the spec has a resource of that address.
func (b *bringing) spoken(a resource.Address) bool {
	return b.bare != nil && slices.ContainsFunc(b.bare.Spec.Desired, func(w resource.Desired) bool { return w.Address == a })
}

// settle plans the adoption with the file in its place, and leaves out what
// stands in its way, until nothing does.
func (b *bringing) settle(ctx context.Context, file string) error {
	for {
		job := b.job
		if job.Imports = b.imports(); len(job.Imports) == 0 {
			b.Try, b.CUE, b.File = nil, nil, ""
			return nil
		}
		if err := b.text(&job, file); err != nil {
			return err
		}
		try, err := b.once.Draft(ctx, job)
		var wrong diag.List
		switch {
		case errors.As(err, &wrong):
			if !b.refused(wrong) {
				return wrong
			}
			continue
		case err != nil:
			return err
		}
		b.Try = try
		if !b.drop(try.Plan) {
			return nil
		}
	}
}

// text writes what the spec lacks and lays it into the job's tree.
func (b *bringing) text(job *Job, file string) error {
	var lacking []resource.Desired
	for _, w := range b.bare.Unwritten() {
		if b.at(w.Address) != nil {
			lacking = append(lacking, w)
		}
	}
	b.CUE, b.File = nil, ""
	if len(lacking) == 0 {
		return nil
	}
	text, err := b.write(lacking, func(kind, out, text string) (resource.Desired, bool) {
		to, ok := b.bare.Refer(kind, out, text)
		a := to.Address
		return to, ok && (b.busy[a] || b.spoken(a) || b.at(a) != nil)
	})
	if err != nil {
		return err
	}
	b.File, b.CUE = file, append([]byte("package "+b.job.Env+"\n\n// Written by isobar import from what it found: it is yours now.\n\n"), text...)
	job.Tree = beside{job.Tree, b.File, b.CUE}
	return nil
}

func (b *bringing) at(a resource.Address) *discover.Found {
	i := slices.IndexFunc(b.Found, func(f discover.Found) bool { return f.Left == "" && f.Address == a })
	if i < 0 {
		return nil
	}
	return &b.Found[i]
}

func (b *bringing) imports() []Import {
	var out []Import
	for i := range b.Found {
		if f := &b.Found[i]; f.Left == "" {
			out = append(out, Import{Address: f.Address, Named: f.ID, Alias: f.Alias})
		}
	}
	return out
}

// drop leaves out what a plan of the adoption holds, or would find otherwise
// than it is written.
func (b *bringing) drop(p *plan.Plan) (left bool) {
	leave := func(a resource.Address, why string) {
		if f := b.at(a); f != nil {
			f.Leave(why)
			left = true
		}
	}
	for i := range p.Held {
		if h := &p.Held[i]; h.Why != plan.HeldUnspoken {
			leave(h.Address, h.Text)
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if len(c.Fields) > 0 {
			leave(c.Address, "it can't be written as it is: "+c.Fields[0].Path.String()+" would differ")
		}
	}
	for _, n := range p.Notes {
		if !slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return c.Address == n.Address }) {
			leave(n.Address, n.Text)
		}
	}
	return left
}

// refused leaves out the resources that the schema takes no object as.
func (b *bringing) refused(wrong diag.List) (left bool) {
	for _, w := range wrong {
		for i := range b.Found {
			if f := &b.Found[i]; w.Severity == diag.Error && f.Left == "" && f.Address.Local() == w.Subject {
				f.Leave("it can't be written: " + w.Message)
				left = true
			}
		}
	}
	return left
}

// freeFile gives a name in an environment's directory that no file has.
func freeFile(tree fs.FS, dir string) string {
	for n := 1; ; n++ {
		name := path.Join(dir, fileName+".cue")
		if n > 1 {
			name = path.Join(dir, fmt.Sprintf("%s_%d.cue", fileName, n))
		}
		if _, err := fs.Stat(tree, name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}
