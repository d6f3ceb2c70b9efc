package spec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"cuelang.org/go/cue/literal"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

// Options set up a Loader. The zero value is that of the isobar binary.
type Options struct {
	Command  []string    // how to start a child; nil is this executable with ChildWord
	Env      []string    // the child's environment variables; credentials have no place here
	Limits   Limits      // of one evaluation
	Parallel int         // evaluations at once; 0 is 2
	Used     func(Usage) // told what each child cost once it ended; nil tells nobody
	Jobs     int         // how many evaluations a child does at most; 0 is 64
}

// Loader turns trees into estates and environments. It is safe for concurrent
// use and needs no closing: its children end a second after their last job.
type Loader struct {
	command []string
	env     []string
	limits  Limits
	slots   chan struct{}
	jobs    int
	linger  time.Duration
	used    func(Usage)
	kinds   resource.Descriptors
	schemas map[string][]byte
	stamp   string // digest of the schemas

	mu      sync.Mutex
	idle    []*child
	estates map[string]Estate // by digest
	trees   map[string]Estate // with their environments, by the tree's hash
}

// keptEstates bounds the loader's memory of isobar.cue evaluations.
const keptEstates = 64

// New sets up a loader.
func New(o Options) (*Loader, error) {
	kinds, err := schemas.Descriptors()
	if err != nil {
		return nil, err
	}
	files, err := schemaFiles()
	if err != nil {
		return nil, err
	}
	if o.Command == nil {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("the evaluation's program cannot be found: %w", err)
		}
		o.Command = []string{exe, ChildWord}
	}
	if o.Parallel <= 0 {
		o.Parallel = 2
	}
	if o.Jobs <= 0 {
		o.Jobs = 64
	}
	return &Loader{
		jobs: o.Jobs, linger: lingering, command: o.Command, env: append([]string{"GOTRACEBACK=none"}, o.Env...), limits: o.Limits.orDefault(),
		slots: make(chan struct{}, o.Parallel), used: o.Used, kinds: kinds, schemas: files,
		stamp: digestOf([]string{"isobar spec 1"}, files), estates: map[string]Estate{}, trees: map[string]Estate{},
	}, nil
}

// Estate evaluates isobar.cue and lists the environments. User mistakes that
// leave nothing to work with are an error of type diag.List; those of single
// environments (a duplicate name) stand in Findings, and the environment is
// left out.
func (l *Loader) Estate(ctx context.Context, tree fs.FS) (Estate, error) {
	est, c, err := l.listed(ctx, tree)
	if err != nil {
		return Estate{}, err
	}
	est = est.clone()
	est.Findings = append(est.Findings, l.compareSchemas(c)...)
	est.Findings = append(est.Findings, est.idleAccess()...)
	est.Findings = illustrate(append(est.Findings, c.found...).Sorted(), tree)
	return est, nil
}

// estate gives what isobar.cue says, from memory where it has not changed.
func (l *Loader) estate(ctx context.Context, tree fs.FS) (Estate, error) {
	c := newClosure(tree, l.limits)
	if c.major == "" {
		return Estate{}, diag.List{{
			Code: codeNoEstate, Severity: diag.Error, Where: diag.Place{File: moduleFile},
			Message: "there is no CUE module here", Mend: "isobar init writes one; in an existing repository: cue mod init",
		}}
	}
	if c.read(estateFile) == nil {
		return Estate{}, append(c.found, diag.Finding{
			Code: codeNoEstate, Severity: diag.Error, Where: diag.Place{File: estateFile},
			Message: "there is no isobar.cue here", Mend: "isobar init writes a repository to start from",
		})
	}
	c.pkg(".", "isobar")
	if err := illustrate(c.found, tree).Err(); err != nil {
		return Estate{}, err
	}
	digest := digestOf([]string{l.stamp, c.major}, c.files)
	l.mu.Lock()
	known, ok := l.estates[digest]
	l.mu.Unlock()
	if ok {
		return known.clone(), nil
	}
	o, err := l.run(ctx, job{}, l.serve(c))
	if err != nil {
		return Estate{}, err
	}
	if err := illustrate(append(o.Findings, c.found...).Sorted(), tree).Err(); err != nil {
		return Estate{}, err
	}
	est, err := decodeEstate(o)
	if err != nil {
		return Estate{}, err
	}
	if err := illustrate(checkAccess(est.Access, o.At).Sorted(), tree).Err(); err != nil {
		return Estate{}, err
	}
	l.mu.Lock()
	if len(l.estates) >= keptEstates {
		clear(l.estates)
	}
	l.estates[digest] = est.clone()
	l.mu.Unlock()
	return est, nil
}

// list finds the environments' directories.
func (l *Loader) list(est *Estate, c *closure) {
	dirs := map[string][]string{}
	for _, glob := range est.globs {
		matches, err := fs.Glob(c.tree, glob)
		if err != nil {
			est.Findings = append(est.Findings, diag.Finding{
				Code: codeValue, Severity: diag.Error, Where: diag.Place{File: estateFile},
				Message: fmt.Sprintf("environments: %q is no pattern: %v", glob, err), Mend: `write one such as "environments/*"`,
			})
		}
		for _, dir := range matches {
			if info, err := fs.Stat(c.tree, dir); err != nil || !info.IsDir() {
				continue
			}
			if len(c.cueFiles(dir)) > 0 && !slices.Contains(dirs[path.Base(dir)], dir) {
				dirs[path.Base(dir)] = append(dirs[path.Base(dir)], dir)
			}
		}
	}
	est.dirs = map[string]string{}
	for name, at := range dirs {
		switch {
		case len(at) > 1:
			slices.Sort(at)
			est.Findings = append(est.Findings, diag.Finding{
				Code: codeDuplicate, Severity: diag.Error, Where: diag.Place{File: at[1]}, Subject: name,
				Message: "two environments are called " + name, Mend: "rename one: the other is " + at[0],
			})
		case !(resource.Address{Env: name, Provider: "a", Kind: "b", Name: "c"}).Valid() || strings.Contains(name, "-"):
			est.Findings = append(est.Findings, diag.Finding{
				Code: codeName, Severity: diag.Error, Where: diag.Place{File: at[0]}, Subject: name,
				Message: fmt.Sprintf("%q cannot name an environment", name),
				Mend:    "use lower-case letters, digits and _, a letter first: the directory names the CUE package",
			})
		default:
			est.dirs[name] = at[0]
			est.Environments = append(est.Environments, name)
		}
	}
	slices.Sort(est.Environments)
}

// compareSchemas tells when the repository's copy of the schemas, which editors
// and cue vet use, is not the one that isobar evaluates with.
func (l *Loader) compareSchemas(c *closure) diag.List {
	if info, err := fs.Stat(c.tree, strings.TrimSuffix(schemaDir, "/")); err != nil || !info.IsDir() {
		return nil //nolint:nilerr // no copy, nothing to compare
	}
	for name, want := range l.schemas {
		if got, err := fs.ReadFile(c.tree, name); err != nil || string(got) != string(want) {
			return diag.List{{
				Code: codeSchemas, Severity: diag.Warning, Where: diag.Place{File: strings.TrimSuffix(schemaDir, "/")},
				Message: "the copy of isobar's schemas differs from this isobar's own, which it goes by",
				Mend:    "move it away and copy .schemas from a repository that this isobar init writes",
			}}
		}
	}
	return nil
}

// gather collects an environment's closure; user mistakes are a diag.List.
func (l *Loader) gather(ctx context.Context, tree fs.FS, env string) (*closure, Estate, error) {
	est, c, err := l.listed(ctx, tree)
	if err != nil {
		return nil, Estate{}, err
	}
	dir, ok := est.dirs[env]
	if !ok {
		for _, f := range est.Findings {
			if f.Subject == env {
				return nil, Estate{}, diag.List{f}
			}
		}
		return nil, Estate{}, diag.List{{
			Code: codeNoEnv, Severity: diag.Error, Subject: env, Message: "there is no environment " + env,
			Mend: didYouMean(env, est.Environments, "environments here: "+strings.Join(est.Environments, ", ")),
		}}
	}
	declared := c.pkg(dir, env)
	for _, pkg := range declared {
		if pkg != env {
			c.found = append(c.found, wrongPackage(c, dir, pkg, env))
		}
	}
	c.wanting(dir)
	if err := illustrate(c.found.Sorted(), tree).Err(); err != nil {
		return nil, Estate{}, err
	}
	return c, est, nil
}

// Digest identifies everything that an environment's evaluation depends on: the
// files that it is served, the schemas, its name, its directory and the
// estate's mode. Equal digests evaluate equally.
func (l *Loader) Digest(ctx context.Context, tree fs.FS, env string) (string, error) {
	c, est, err := l.gather(ctx, tree, env)
	if err != nil {
		return "", err
	}
	return l.digest(c, est, env), nil
}

func (l *Loader) digest(c *closure, est Estate, env string) string {
	return digestOf([]string{l.stamp, c.major, env, est.dirs[env], est.Mode}, c.files)
}

// Environment evaluates one environment. User mistakes come back as an error of
// type diag.List, all of them, sorted, each with its place in the user's file.
func (l *Loader) Environment(ctx context.Context, tree fs.FS, env string) (Environment, error) {
	c, est, err := l.gather(ctx, tree, env)
	if err != nil {
		return Environment{}, err
	}
	j := job{Env: env, Dir: est.dirs[env]}
	o, err := l.run(ctx, j, l.serve(c))
	if err != nil {
		return Environment{}, err
	}
	found := append(o.Findings, c.found...)
	if found.Errors() > 0 {
		return Environment{}, illustrate(found.Sorted(), tree)
	}
	out, err := decodeEnvironment(o)
	if err != nil {
		var user diag.List
		if errors.As(err, &user) {
			return Environment{}, illustrate(append(found, user...).Sorted(), tree)
		}
		return Environment{}, fmt.Errorf("environment %s: %w", env, err)
	}
	if out.Mode == "" {
		out.Mode = est.Mode
	}
	out.Dir, out.Digest = est.dirs[env], l.digest(c, est, env)
	for i := range out.Desired {
		if d := l.kinds[out.Desired[i].Address.Type()]; d != nil {
			listed(d.Fields, out.Desired[i].Fields)
		}
	}
	found = append(found, l.check(&out, o)...)
	found = illustrate(found.Sorted(), tree)
	if err := found.Err(); err != nil {
		return Environment{}, err
	}
	out.Warnings = found
	return out, nil
}

func wrongPackage(c *closure, dir, pkg, env string) diag.Finding {
	f := diag.Finding{Code: codePackage, Severity: diag.Error, Where: diag.Place{File: dir}, Subject: env}
	for _, file := range c.cueFiles(dir) {
		if p, at := c.packageOf(file); p == pkg {
			f.Where = at
			break
		}
	}
	f.Mend = "write package " + env
	switch {
	case pkg != "":
		f.Message = "the package is called " + pkg + ", its directory " + path.Base(dir)
	case len(c.read(f.Where.File)) == 0: // cut short, or made by a shell that was to fill it
		f.Message = "the file is empty"
		f.Mend = "write package " + env + ", or delete the file; what isobar prints is put there by >> into a file that has its package, or written elsewhere and then moved: a shell's > empties a file before isobar reads it"
	default:
		f.Message = "the file has no package clause, so it would be left out"
	}
	return f
}

func quoteCUE(s string) string { return literal.String.Quote(s) }
