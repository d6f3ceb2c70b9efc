package view_test

import (
	"strings"
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
)

// TestLongValuesShowWhereTheyDiffer: what a fold hides is not what a person consents
// to.
func TestLongValuesShowWhereTheyDiffer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("AAAAC3NzaC1", 20)
	statement := func(who string) resource.Value {
		actions := resource.List{}
		for _, a := range []string{"GetBucketLocation", "GetObject", "GetObjectTagging", "GetObjectVersion", "ListBucket"} {
			actions = append(actions, resource.String("s3:"+a))
		}
		return resource.List{resource.Map{"Action": actions, "Effect": resource.String("Allow"), "Principal": resource.String(who)}}
	}
	a := resource.Address{Env: "prod", Provider: "aws", Kind: "bucket", Name: "b"}
	for name, c := range map[string]struct {
		before, after resource.Value
		want          []string
	}{
		"a text":  {resource.String(long + "ONE"), resource.String(long + "TWO"), []string{"ONE", "TWO"}},
		"a part":  {statement("111122223333"), statement("999988887777"), []string{"policy.Statement.0.Principal", "111122223333", "999988887777"}},
		"a short": {resource.String("x"), resource.String("y"), []string{"x → y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := view.Plan{Plan: plan.Plan{Env: "prod", Changes: []plan.Change{{
				Address: a, Action: plan.Update, Fields: []plan.FieldChange{{Path: resource.Path{"policy", "Statement"}, Before: c.before, After: c.after, Cause: plan.CauseSpec}},
			}}}}
			for _, pg := range []view.Page{{}, {Width: 100}, {Detail: true}} {
				text := p.Text(pg)
				for _, w := range c.want {
					if !strings.Contains(text, w) {
						t.Errorf("%+v: no %q in\n%s", pg, w, text)
					}
				}
			}
		})
	}
}
