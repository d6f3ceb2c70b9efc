package spec

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"isobar.dev/schemas"
)

func TestDescriptorsAreCurrent(t *testing.T) {
	t.Parallel()
	got, err := DescribeJSON(schemas.FS())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, schemas.DescriptorsJSON()) {
		t.Error("schemas/descriptors.json is not what the schemas say: run make gen")
	}
}

func TestDescriptorsParse(t *testing.T) {
	t.Parallel()
	ds, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	vpc := ds["aws.vpc"]
	if vpc == nil || vpc.TF != "aws_vpc" || !vpc.Field("cidrBlock").Immutable || !vpc.Field("cidrBlock").Required {
		t.Fatalf("aws.vpc: %+v", vpc)
	}
	for kind, d := range ds {
		if d.Doc == "" {
			t.Errorf("%s has no comment", kind)
		}
		for _, f := range d.Fields {
			if f.Doc == "" {
				t.Errorf("%s.%s has no comment", kind, f.Name)
			}
			if f.Immutable && f.Aspect != "" {
				t.Errorf("%s.%s is immutable and has an aspect", kind, f.Name)
			}
			if f.Ref != "" && ds[f.Ref] == nil {
				t.Errorf("%s.%s refers to %s, which is no kind", kind, f.Name, f.Ref)
			}
		}
	}
}

func TestDescribeRefusesUnknownAttributes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"field":        {"@aspect(dnsSupport)", "@aspct(dnsSupport)", "@aspct(dnsSupport) is no attribute of a field"},
		"no argument":  {"@aspect(dnsSupport)", "@aspect()", "@aspect() is no attribute of a field"},
		"kind":         {"@tf(aws_vpc)", "@immutable()", "@immutable() is no attribute of a kind"},
		"lookup":       {"@tf(aws_vpc)", "@lookup()", "a lookup's fields say what to look for"},
		"output":       {`#name)#id}"`, `#name)#id}" @immutable()`, "is no attribute of an output"},
		"alike group":  {`([0-9]{12})`, `[0-9]{12}`, "must match whole texts, ^…$, and have one group"},
		"alike quotes": {`@alike("^arn:aws[a-z-]*:iam::([0-9]{12}):root$")`, "@alike(arn)", "@alike(arn): "},
		"usual alone":  {"@default(server)", "@usual(1)", "@usual wants @default(server) beside it"},
		"usual field":  {"@usual(1)", "@usual(1,nothing=x)", "@usual names the field nothing, and there is none beside it"},
		"usual where":  {"@usual(1)", "@usual(1,httpTokens)", "@usual(1,httpTokens): write VALUE, or VALUE,FIELD=TEXT|TEXT"},
		"usual value":  {"@usual(1)", "@usual(one)", "one is no value as JSON has it"},
		"default word": {"@default(server)", "@default(client)", "@default(client) is no attribute of a field"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mod := fstest.MapFS{}
			err := fs.WalkDir(schemas.FS(), ".", func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := fs.ReadFile(schemas.FS(), p)
				if strings.HasPrefix(p, "aws/") {
					b = bytes.ReplaceAll(b, []byte(c.old), []byte(c.new))
				}
				mod[p] = &fstest.MapFile{Data: b}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Describe(mod); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
