package view

import (
	"strings"
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestSecretChanges: what becomes of a secret is told by its name and version.
func TestSecretChanges(t *testing.T) {
	t.Parallel()
	secret := func(name, field, version, mac string) resource.Secret {
		return resource.Secret{Name: name, Field: field, Version: version, MAC: mac}
	}
	for _, c := range []struct {
		before, after resource.Value
		want, why     string
	}{
		{secret("db/shop", "", "", "aa"), secret("db/shop", "", "", "bb"), "(secret) db/shop, value changed", "value changed, spec.cue:3"},
		{secret("db/shop", "pw", "", "aa"), secret("db/shop", "pw", "", "bb"), "(secret) db/shop#pw, value changed", "value changed, spec.cue:3"},
		{secret("db/shop", "", "v6", "aa"), secret("db/shop", "", "v7", "bb"), "(secret) db/shop v6 → (secret) db/shop v7", "spec.cue:3"},
		{secret("db/shop", "", "", "aa"), secret("db/web", "", "", "bb"), "(secret) db/shop → (secret) db/web", "spec.cue:3"},
		{resource.String("plain"), secret("db/shop", "", "", "bb"), "(secret) → (secret) db/shop", "spec.cue:3"},
		{secret("db/shop", "", "", "bb"), resource.String("plain"), "(secret) db/shop → (secret)", "spec.cue:3"},
		{nil, secret("db/shop", "", "", "bb"), "(unset) → (secret) db/shop", "spec.cue:3"},
		{resource.String("plain"), resource.String("other"), "(secret) → (secret)", "spec.cue:3"},
	} {
		p := &Plan{
			Kinds: resource.Descriptors{"aws.db": {Kind: "aws.db", Fields: []resource.Field{{Name: "password", Type: "string", Sensitive: true, Secret: true}}}},
			Plan: plan.Plan{Env: "prod", Digest: "0123456789", Changes: []plan.Change{{
				Address: addr("aws.db/main"), Action: plan.Update,
				Fields: []plan.FieldChange{{
					Path: resource.Path{"password"}, Before: c.before, After: c.after, Cause: plan.CauseSpec, Sensitive: true,
					At: resource.Position{File: "spec.cue", Line: 3, Col: 1},
				}},
			}}},
		}
		if text := p.Text(Page{}); !strings.Contains(text, "password  "+c.want+"  spec.cue:3\n") {
			t.Errorf("want %s, got\n%s", c.want, text)
		}
		if f := p.Report().Changes[0].Fields[0]; f.Why != c.why {
			t.Errorf("why is %q, want %q", f.Why, c.why)
		}
	}
}
