package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

func TestPagesAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	schemas, examples := filepath.Join("..", "..", "schemas"), os.DirFS(filepath.Join("..", "..", "docs", "reference"))
	first, err := referencePages(schemas, examples)
	if err != nil {
		t.Fatal(err)
	}
	second, err := referencePages(schemas, examples)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(first, second) {
		t.Error("two runs differ")
	}
	for _, code := range diag.Codes() {
		if !strings.Contains(first["errors.md"], "\n### "+string(code)+"\n") {
			t.Errorf("errors.md misses %s", code)
		}
	}
	for _, field := range []string{"| `repos.*.url` | string | **required** |", "| `workers` | int | `4` |", "| `credentials.*.aws.roleArn` |"} {
		if !strings.Contains(first["server.md"], field) {
			t.Errorf("server.md misses %s:\n%s", field, first["server.md"])
		}
	}
	for _, want := range []string{
		"\n## aws\n\nOne account and region.", "| `region` | string | **required** | The region", "\n- a key in AWS_ACCESS_KEY_ID and",
		"\n## vsphere\n\nOne vCenter and", "| `url` | string | **required** |", "| `insecure` | bool |", "\n- GOVC_USERNAME and GOVC_PASSWORD",
	} {
		if !strings.Contains(first["providers.md"], want) {
			t.Errorf("providers.md lacks %q:\n%s", want, first["providers.md"])
		}
	}
	if !strings.Contains(first["metrics.md"], "| `isobar_runs_total` | counter | `env` `state` `trigger` |") {
		t.Errorf("metrics.md misses the runs:\n%s", first["metrics.md"])
	}
	for _, want := range []string{
		"| [SG-001](#sg-001) | denies | SSH or RDP is open to the world |", "### DEL-001\n", "`warn_missing_owner` warns · [its file](../../policies/owner_tag.rego)",
		"Source: CIS AWS Foundations Benchmark 3.0.0, 5.6.",
	} {
		if !strings.Contains(first["policies.md"], want) {
			t.Errorf("policies.md lacks %q:\n%s", want, first["policies.md"])
		}
	}
}

func TestFieldsAreSaidInWords(t *testing.T) {
	t.Parallel()
	kind := resource.Descriptor{
		Kind: "x.box", TF: "x_box", Doc: "#Box is a thing.",
		Fields: []resource.Field{
			{Name: "items", Type: "list", Key: []string{"name"}, Elem: &resource.Field{Type: "struct", OneOf: [][]string{{"a", "b"}}, Fields: []resource.Field{
				{Name: "name", Type: "string", Required: true, Doc: "A <name> | none."},
			}}},
			{Name: "order", Type: "list", Ordered: true, Elem: &resource.Field{Type: "int"}},
			{Name: "peers", Type: "map", Elem: &resource.Field{Type: "struct", Fields: []resource.Field{{Name: "port", Type: "int"}}}},
			{Name: "secret", Type: "string", Sensitive: true, WriteOnly: true},
			{Name: "size", Type: "int", GrowOnly: true, DefaultsTo: &resource.Constant{Value: resource.Int(8)}},
			{Name: "vpcId", Type: "string", Required: true, Immutable: true, Ref: "x.vpc"},
			{Name: "zone", Type: "string", Default: "server"},
		},
		Outs: []resource.Out{{Name: "ip", Volatile: true, Doc: "Its address."}},
	}
	pages, err := kindPages([]resource.Descriptor{kind}, fstest.MapFS{"x.box.cue": {Data: []byte("package example\n")}})
	if err != nil {
		t.Fatal(err)
	}
	page := pages["kinds/x.box.md"]
	for _, want := range []string{
		"\nA thing.\n", "Rules see it as `x_box`.", "```cue\npackage example\n```",
		"| `items` | set of struct |  | Elements are told apart by `name`. Exactly one of `a`, `b`. |",
		"| `items[].name` | string | **required** | A &lt;name> \\| none. |",
		"| `order` | list of int |", "| `peers.*.port` | int |",
		"shown nowhere. It cannot be read back", "| `size` | int | `8` | It can grow, and never shrink. |",
		"| `vpcId` | string | **required** | Takes an output of `x.vpc`. A change replaces the resource. |",
		"| `zone` | string | the provider's |", "| `ip` | Its address. An update of the resource may change it. |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Index(page, "`vpcId`") > strings.Index(page, "`items`") {
		t.Error("required fields come first")
	}
}

func TestWriteRemovesKindsThatAreGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := write(dir, map[string]string{"kinds/x.old.md": "old", "metrics.md": "m"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kinds", "x.old.cue"), []byte("package example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(dir, map[string]string{"kinds/x.new.md": "new"}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"x.new.md", "x.old.cue"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
