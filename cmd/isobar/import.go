package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/view"
)

func (a *app) importCommand() *cobra.Command {
	var f adoptFlags
	c := &cobra.Command{
		Use: "import ENV [ADDRESS ID…]", Short: "Bring existing objects under management, as they are", Args: f.args,
		Long: "Gives each object with an ID to the resource at ADDRESS of the spec, \"aws.vpc/main\". Everything is checked first:\n" +
			"what is not there, or belongs to somebody else, is refused, and then nothing is adopted. Nothing of an object but\n" +
			"isobar's mark is written: where it differs from the spec, import says so and leaves it for the next apply.\n" +
			"A resource that the spec does not have yet is printed as CUE, to be put into it, and nothing is adopted.\n\n" +
			"With --find or --state isobar looks for the objects itself, names them, writes what the spec lacks to\n" +
			"environments/ENV/imported.cue, or another name that is free, and adopts them; both may be given again and\n" +
			"together. What has an owner, what a provider made by itself and what can't be written exactly as it is are left\n" +
			"out, with the reason. --find takes, with the name of one of the environment's providers before the colon:\n\n" +
			"    aws:vpc=vpc-0123            that object and everything in it; any kind that others refer to\n" +
			"    vsphere:folder=/DC0/vm/web  as well\n" +
			"    aws:tag:team=web            what bears the tag; * and ? stand for any text and any character\n" +
			"    aws:name=web-*              what has the name, or the tag Name\n" +
			"    aws:id=i-0123               that object alone, though it be one that AWS made\n" +
			"    aws:all                     everything there\n\n" +
			"--state takes a Terraform state file (state pull prints one); Terraform itself is not needed, and is to forget\n" +
			"what isobar manages from then on: terraform state rm.\n\n" +
			"Without a terminal import wants --plan DIGEST or --auto-approve. The kinds' reference says what an ID looks like.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c.Context(), stopping, func(ctx context.Context) error {
				return a.withOnce(ctx, func(o *reconcile.Once) error {
					if f.finds() {
						return a.bring(ctx, o, args[0], f)
					}
					return a.adopt(ctx, o, args, f)
				})
			})
		},
	}
	c.Flags().StringVar(&f.plan, "plan", "", "carry out the plan with this `DIGEST`, and no other")
	c.Flags().BoolVar(&f.approve, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&f.dry, "dry-run", false, "show what would be adopted, and adopt nothing")
	c.Flags().StringArrayVar(&f.find, "find", nil, "look for what is `MEANT`, PROVIDER:KIND=ID, PROVIDER:tag:KEY=VALUE, PROVIDER:name=NAME, PROVIDER:id=ID or PROVIDER:all")
	c.Flags().StringArrayVar(&f.state, "state", nil, "look for the resources of the Terraform state in `FILE`")
	c.Flags().BoolVar(&f.print, "print", false, "with --find or --state, print the CUE and do nothing else")
	return a.sourceFlags(c)
}

type adoptFlags struct {
	applyFlags
	dry   bool
	find  []string
	state []string
	print bool
}

// finds reports whether isobar is to look for the objects itself.
func (f *adoptFlags) finds() bool { return len(f.find)+len(f.state) > 0 }

// aloneError says which ADDRESS lacks its ID.
type aloneError struct{ address string }

func (e *aloneError) Error() string { return e.address + " without an ID" }

// unpaired gives the first ADDRESS after ENV that another one follows, or none;
// "" where each has something.
func unpaired(args []string) string {
	for i := 1; i < len(args); i += 2 {
		if i+1 == len(args) || isAddress(args[i+1]) {
			return args[i]
		}
	}
	return ""
}

// isAddress reports whether an argument reads like "aws.vpc/main".
func isAddress(s string) bool {
	kind, name, ok := strings.Cut(s, "/")
	provider, kind, dotted := strings.Cut(kind, ".")
	return ok && dotted && provider != "" && kind != "" && name != "" && !strings.ContainsAny(kind, ".:")
}

// args wants an environment, and pairs of arguments after it where isobar does
// not look for the objects.
func (f *adoptFlags) args(_ *cobra.Command, args []string) error {
	if f.finds() && len(args) != 1 || !f.finds() && (len(args) < 3 || len(args)%2 == 0 || f.print) {
		if at := unpaired(args); !f.finds() && at != "" && !isAddress(args[0]) {
			return &aloneError{at}
		}
		return fmt.Errorf("arguments come as ENV and pairs of ADDRESS and ID, or as ENV and --find or --state")
	}
	return nil
}

// adopt shows what is to be adopted, has it confirmed and takes it in.
func (a *app) adopt(ctx context.Context, o *reconcile.Once, args []string, f adoptFlags) error {
	imports, err := a.imports(o, args[0], args[1:])
	if err != nil {
		return err
	}
	tries, err := a.draft(ctx, o, draftFlags{envs: args[:1], imports: imports})
	if err != nil {
		return err
	}
	t := tries[0]
	wrong := refusals(t)
	if objects := t.Unwritten(); len(objects) > 0 {
		return a.sketch(o, t, wrong, objects)
	}
	if len(wrong) > 0 {
		return a.refuse(wrong, "nothing was adopted")
	}
	if f.dry {
		return a.showPlans(ctx, o, tries, false)
	}
	return a.apply(ctx, o, tries, f.applyFlags)
}

// imports reads the pairs of addresses and ids.
func (a *app) imports(o *reconcile.Once, env string, pairs []string) ([]reconcile.Import, error) {
	var out []reconcile.Import
	var wrong diag.List
	seen := map[resource.Address]bool{}
	for i := 0; i < len(pairs); i += 2 {
		at, err := resource.ParseAddress(env + "/" + pairs[i])
		_, desc, known := o.Runner.Catalogue.Kind(at.Type())
		switch {
		case err != nil:
			wrong = append(wrong, errorf(diag.CommandImport, "write PROVIDER.KIND/NAME, aws.vpc/main", "%q is not an address", pairs[i])...)
		case !known:
			wrong = append(wrong, errorf(diag.CommandImport, "the kinds are listed in the reference", "there is no kind %s", at.Type())...)
		case desc.Lookup:
			wrong = append(wrong, errorf(diag.CommandImport, "leave it out: the next apply asks it", "%s is looked up, and what it finds is nobody's to manage", at.Local())...)
		case seen[at]:
			wrong = append(wrong, errorf(diag.CommandImport, "name each resource once", "%s stands twice", at.Local())...)
		}
		seen[at] = true
		out = append(out, reconcile.Import{Address: at, Named: pairs[i+1]})
	}
	if len(wrong) > 0 {
		return nil, a.refuse(wrong, "nothing was adopted")
	}
	return out, nil
}

// refusals is what stands in an import's way, in words. What the spec lacks is
// told at once: all of it is printed.
func refusals(t *reconcile.Attempt) diag.List {
	var out diag.List
	var lacking []string
	for _, h := range t.Plan.Held {
		if h.Why == plan.HeldUnspoken {
			lacking = append(lacking, h.Address.Local())
			continue
		}
		out = append(out, diag.Finding{Severity: diag.Error, Code: diag.CommandImport, Subject: h.Address.Local(), Message: h.Text, Mend: h.Mend})
	}
	if len(lacking) > 0 {
		out = append(out, errorf(diag.CommandUnspoken, "put what is printed into a file of environments/"+t.Job.Env+", read it, and type the same import again",
			"the spec has no %s", strings.Join(lacking, ", "))...)
	}
	return out
}

// sketch prints the objects that the spec lacks as CUE.
func (a *app) sketch(o *reconcile.Once, t *reconcile.Attempt, wrong diag.List, objects []resource.Desired) error {
	text, err := spec.Sketch(objects, o.Runner.Catalogue.Descriptors, t.Refer)
	if err != nil {
		return err
	}
	a.code = exitError
	const verdict = "nothing was adopted"
	if a.output == "json" {
		if err := a.writeJSON(sketchJSON{view.SchemaVersion, wrong, string(text), verdict}); err != nil {
			return err
		}
		return errSaid
	}
	a.write(text)
	fmt.Fprint(a.err, view.Findings(wrong, verdict, page(a.err)))
	return errSaid
}

// sketchJSON is what import prints where the spec lacks a resource.
type sketchJSON struct {
	Schema   int       `json:"schema_version"`
	Findings diag.List `json:"findings"`
	CUE      string    `json:"cue"`
	Verdict  string    `json:"verdict"`
}
