package discover_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"isobar.dev/engine/discover"
	"isobar.dev/engine/resource"
)

// kinds gives the descriptors of all kinds.
func kinds(t testing.TB) resource.Descriptors {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "schemas", "descriptors.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := resource.ParseDescriptors(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestParseAsk(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]discover.Ask{
		"aws:all":                     {Alias: "aws", Way: discover.All},
		"aws:vpc=vpc-1":               {Alias: "aws", Way: discover.Within, Key: "vpc", Value: "vpc-1"},
		"aws:id=arn:aws:ec2:a=b":      {Alias: "aws", Way: discover.ID, Value: "arn:aws:ec2:a=b"},
		"west:name=web-*":             {Alias: "west", Way: discover.Name, Value: "web-*"},
		"aws:tag:team=web":            {Alias: "aws", Way: discover.Tag, Key: "team", Value: "web"},
		"aws:tag:kubernetes.io/x=a=b": {Alias: "aws", Way: discover.Tag, Key: "kubernetes.io/x", Value: "a=b"},
		"vsphere:folder=/DC0/vm/web":  {Alias: "vsphere", Way: discover.Within, Key: "folder", Value: "/DC0/vm/web"},
	} {
		want.Text = text
		if got, err := discover.ParseAsk(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "aws", "aws:", ":all", "aws:vpc", "aws:vpc=", "aws:tag:=x", "aws:name=[", "aws:all="} {
		if got, err := discover.ParseAsk(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func FuzzParseAsk(f *testing.F) {
	for _, s := range []string{"aws:all", "aws:vpc=vpc-1", "aws:tag:a=b", "aws:name=[a", ":=", "a:b=c"} {
		f.Add(s)
	}
	kinds := kinds(f)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := discover.ParseAsk(s)
		if err != nil {
			return
		}
		if a.Text != s || a.Alias == "" || a.Way != discover.All && a.Value == "" {
			t.Fatalf("%q is %+v", s, a)
		}
		if wants, err := a.Wants("aws", kinds); err == nil && len(wants) == 0 {
			t.Fatalf("%q asks for nothing", s)
		}
	})
}

// TestWants pins which kinds an ask reads: those that can be within a VPC are
// known by their references alone.
func TestWants(t *testing.T) {
	t.Parallel()
	kinds := kinds(t)
	for text, want := range map[string]string{
		"aws:vpc=vpc-1":     "instance* internet_gateway* route_table* security_group* subnet* volume* vpc vpc*",
		"aws:subnet=s":      "instance* route_table* subnet subnet* volume*",
		"aws:bucket=b":      "bucket bucket*",
		"aws:id=i-1":        "bucket instance internet_gateway key_pair route_table security_group subnet volume vpc",
		"aws:name=x":        "bucket* instance* internet_gateway* key_pair* route_table* security_group* subnet* volume* vpc*",
		"vsphere:folder=/a": "folder folder* vm*",
		"vsphere:all":       "folder* resource_pool* vm*",
	} {
		a, err := discover.ParseAsk(text)
		if err != nil {
			t.Fatal(err)
		}
		wants, err := a.Wants(a.Alias, kinds)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for _, w := range wants {
			star := ""
			if w.By.All {
				star = "*"
			}
			got = append(got, w.Kind+star)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s reads %s, want %s", text, strings.Join(got, " "), want)
		}
	}
	for _, text := range []string{"aws:ami=ami-1", "aws:folder=x"} {
		a, _ := discover.ParseAsk(text)
		if _, err := a.Wants("aws", kinds); err == nil || !strings.Contains(err.Error(), "internet_gateway") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
