package spec

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cuelang.org/go/cue/format"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

// live gives what a reference reads as on an object that refers.
func live(r resource.Ref) resource.String {
	switch r.Out {
	case "availabilityZone":
		return "eu-west-1a"
	case "path":
		return resource.String("Cluster/" + r.Address.Name)
	}
	return resource.String(r.Address.Kind + "-" + r.Address.Name)
}

func asLive(fields resource.Map) resource.Map {
	m, _ := resource.Rewrite(fields, func(v resource.Value) resource.Value {
		if r, ok := v.(resource.Ref); ok {
			return live(r)
		}
		return v
	}).(resource.Map)
	return m
}

// TestSketchOfEveryKind writes the objects that each kind's example would make as
// CUE, and evaluates that: the same is wanted again, by references where the
// schema tells of one, and what isobar writes is formatted as cue fmt does.
func TestSketchOfEveryKind(t *testing.T) {
	t.Parallel()
	kinds, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "kinds", kind+".cue"))
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(text), "\n"+strings.Split(kind, ".")[0]+": ")
			loader := newLoader(t, Limits{})
			env := wanted(t, loader, string(text))
			var objects []resource.Desired
			have := map[[3]string]resource.Address{}
			for _, d := range env {
				for _, o := range kinds[d.Address.Type()].Outs {
					have[[3]string{d.Address.Type(), o.Name, string(live(resource.Ref{Address: d.Address, Out: o.Name}))}] = d.Address
				}
				objects = append(objects, resource.Desired{Address: d.Address, Fields: asLive(d.Fields)})
			}
			sketch, err := Sketch(objects, kinds, func(kind, out, text string) (resource.Desired, bool) {
				a, ok := have[[3]string{kind, out, text}]
				return resource.Desired{Address: a}, ok
			})
			if err != nil {
				t.Fatal(err)
			}
			if tidy, err := format.Source(sketch); err != nil || string(tidy) != string(sketch) {
				t.Errorf("cue fmt makes it %s (%v)", tidy, err)
			}
			again := wanted(t, loader, head+"\n"+string(sketch))
			if len(again) != len(env) {
				t.Fatalf("%d resources, want %d:\n%s", len(again), len(env), sketch)
			}
			for i := range env {
				d := kinds[env[i].Address.Type()]
				for _, f := range d.Fields {
					was, now := asLive(env[i].Fields)[f.Name], asLive(again[i].Fields)[f.Name]
					if f.WriteOnly || f.Sensitive || now == nil && (f.IsUsual(was, asLive(env[i].Fields)) || f.Default != "server" && was == resource.Value(resource.Bool(false))) {
						continue
					}
					if !plan.Same(&f, told(&f, was), told(&f, now)) {
						t.Errorf("%s %s is %s, want %s", env[i].Address, f.Name, resource.Encode(now), resource.Encode(was))
					}
					if f.Ref != "" && !resource.Equal(env[i].Fields[f.Name], again[i].Fields[f.Name]) {
						t.Errorf("%s %s is written as %s, want %s", env[i].Address, f.Name, resource.Encode(again[i].Fields[f.Name]), resource.Encode(env[i].Fields[f.Name]))
					}
				}
			}
		})
	}
}

// told leaves out of a struct's or map's values what a sketch leaves out.
func told(f *resource.Field, v resource.Value) resource.Value {
	m, ok := v.(resource.Map)
	if !ok {
		return v
	}
	m = maps.Clone(m)
	for k, e := range m {
		sub := f.Elem
		for i := range f.Fields {
			if f.Fields[i].Name == k {
				sub = &f.Fields[i]
			}
		}
		if sub == nil {
			continue
		}
		if m[k] = told(sub, e); sub.IsUsual(e, v.(resource.Map)) || sub.Sensitive {
			delete(m, k)
		}
	}
	return m
}

func wanted(t *testing.T, l *Loader, text string) []resource.Desired {
	t.Helper()
	env, err := l.Environment(context.Background(), repo(map[string]string{"environments/example/example.cue": text}), "example")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return env.Desired
}

// TestSketch pins what the round trip does not see.
func TestSketch(t *testing.T) {
	t.Parallel()
	vm := resource.Address{Env: "prod", Provider: "vsphere", Kind: "vm", Name: "db-1.x"}
	kinds, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Sketch([]resource.Desired{
		{Address: resource.Address{Env: "prod", Provider: "aws", Kind: "subnet", Name: "a"}, Fields: resource.Map{
			"vpcId": resource.String("vpc-1"), "cidrBlock": resource.String("10.0.0.0/24"), "availabilityZone": resource.String("eu-west-1a"),
			"tags": resource.Map{"kubernetes.io/role": resource.String("a \"b\"\n\\(c)")},
			"arn":  resource.String("arn:aws:ec2"), "mapPublicIpOnLaunch": resource.Bool(true),
		}},
		{Address: resource.Address{Env: "prod", Provider: "aws", Kind: "nothing", Name: "a"}},
		{Address: resource.Address{Env: "prod", Provider: "aws", Kind: "subnet", Name: "b"}, Fields: resource.Map{
			"vpcId": resource.String("vpc-1"), "cidrBlock": resource.String("10.1.0.0/24"),
		}},
		{Address: resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: "the-main"}, Fields: resource.Map{"cidrBlock": resource.String("10.0.0.0/16")}},
		{Address: vm, Meta: resource.Lifecycle{Alias: "lab"}, Fields: resource.Map{
			"folder": resource.Unread{Why: "denied"}, "name": resource.String("db"), "datastore": resource.String("ds"), "cloudInit": resource.Map{"userData": resource.String("planted-word")},
			"disks": resource.Map{"scsi0:0": resource.Map{"capacityMB": resource.Int(64), "thin": resource.Bool(true)}},
		}},
	}, kinds, func(kind, out, text string) (resource.Desired, bool) {
		main := resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: "the-main"}
		return resource.Desired{Address: main, Fields: resource.Map{"cidrBlock": resource.String("10.0.0.0/16")}}, kind == "aws.vpc" && out == "id" && text == "vpc-1"
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `aws: subnet: a: {
	cidrBlock:           "10.0.0.0/24"
	vpcId:               aws.vpc["the-main"].#out.id
	availabilityZone:    "eu-west-1a"
	mapPublicIpOnLaunch: true
	tags: "kubernetes.io/role": """
		a "b"
		\\(c)
		"""
}

aws: subnet: b: {
	cidrBlock: "10.1.0.0/24"
	vpcId:     "vpc-1"
	// vpcId is aws.vpc/the-main, by its id, since the block lies in another block of it than the one in its file
}

aws: vpc: "the-main": cidrBlock: "10.0.0.0/16"

vsphere: vm: "db-1.x": {
	$meta: provider: "lab"
	datastore: "ds"
	disks: "scsi0:0": capacityMB: 64
	name: "db"
	// cloudInit is set and not shown
	// folder could not be read (denied): write it as the object is
}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSketchWritesWhatWasChosen tells what a person chose from what the provider
// chooses by itself: that is left out, and so is what no spec may say.
func TestSketchWritesWhatWasChosen(t *testing.T) {
	t.Parallel()
	kinds, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	num := func(n int) resource.Value { return resource.Int(n) }
	key := "arn:aws:kms:eu-west-1:123456789012:key/0c1d"
	speed := func(kind string, iops, throughput int) resource.Map {
		return resource.Map{"volumeType": resource.String(kind), "iops": num(iops), "throughput": num(throughput)}
	}
	const refused = ", which a spec may not say: it stays as it is"
	for name, c := range map[string]struct {
		kind   string
		fields resource.Map
		want   []string // lines
	}{
		"gp3, usual":      {"aws.volume", speed("gp3", 3000, 125), nil},
		"gp3, chosen":     {"aws.volume", speed("gp3", 6000, 250), []string{"iops: 6000", "throughput: 250"}},
		"gp3, half":       {"aws.volume", speed("gp3", 3000, 250), []string{"throughput: 250"}},
		"gp2":             {"aws.volume", speed("gp2", 3000, 250), []string{`volumeType: "gp2"`}},
		"gp2, as gp3's":   {"aws.volume", speed("gp2", 300, 125), []string{`volumeType: "gp2"`}},
		"st1":             {"aws.volume", speed("st1", 500, 500), []string{`volumeType: "st1"`}},
		"sc1":             {"aws.volume", speed("sc1", 500, 500), []string{`volumeType: "sc1"`}},
		"standard":        {"aws.volume", speed("standard", 100, 125), []string{`volumeType: "standard"`}},
		"io1":             {"aws.volume", speed("io1", 3000, 125), []string{"iops: 3000", `volumeType: "io1"`}},
		"io2":             {"aws.volume", speed("io2", 100, 4000), []string{"iops: 100", `volumeType: "io2"`}},
		"out of range":    {"aws.volume", speed("io2", 300000, 0), []string{`volumeType: "io2"`, "// iops is 300000" + refused}},
		"volume, rest":    {"aws.volume", resource.Map{"kmsKeyId": resource.String(key), "snapshotId": resource.String("snap-0a1b2c3d")}, []string{`kmsKeyId: "` + key + `"`, `snapshotId: "snap-0a1b2c3d"`}},
		"volume, refused": {"aws.volume", resource.Map{"kmsKeyId": resource.String("no key")}, []string{`// kmsKeyId is "no key"` + refused}},
		"root": {
			"aws.instance",
			resource.Map{
				"rootVolume":      resource.Map{"volumeType": resource.String("gp3"), "iops": num(4000), "throughput": num(125), "volumeSize": num(20), "kmsKeyId": resource.String("k")},
				"metadataOptions": resource.Map{"httpPutResponseHopLimit": num(2)},
			},
			[]string{"metadataOptions: httpPutResponseHopLimit: 2", "iops: 4000", "volumeSize: 20", `// rootVolume.kmsKeyId is "k"` + refused},
		},
		"root, usual": {
			"aws.instance", resource.Map{"metadataOptions": resource.Map{"httpPutResponseHopLimit": num(1)}}, nil,
		},
		"bucket": {
			"aws.bucket",
			resource.Map{"encryption": resource.Map{"sseAlgorithm": resource.String("aws:kms"), "kmsMasterKeyId": resource.String(key), "bucketKeyEnabled": resource.Bool(true)}},
			[]string{`sseAlgorithm: "aws:kms"`, "bucketKeyEnabled: true", `kmsMasterKeyId: "` + key + `"`},
		},
		"bucket, refused": {
			"aws.bucket",
			resource.Map{"encryption": resource.Map{"sseAlgorithm": resource.String("aws:kms"), "kmsMasterKeyId": resource.String("no key"), "bucketKeyEnabled": resource.Bool(false)}},
			[]string{`sseAlgorithm: "aws:kms"`, `// encryption.kmsMasterKeyId is "no key"` + refused},
		},
		"subnet": {"aws.subnet", resource.Map{"availabilityZone": resource.String("eu-west-1b")}, []string{`availabilityZone: "eu-west-1b"`}},
		"vm": {
			"vsphere.vm",
			resource.Map{
				"annotation": resource.String("by\nMei"),
				"disks":      resource.Map{"scsi0:0": resource.Map{"capacityMB": num(64), "thin": resource.Bool(true)}, "scsi0:1": resource.Map{"capacityMB": num(64), "thin": resource.Bool(false)}},
			},
			[]string{`annotation: """`, "by", "Mei", `"""`, `"scsi0:0": capacityMB: 64`, `"scsi0:1": {`, "capacityMB: 64", "thin: false"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider, kind, _ := strings.Cut(c.kind, ".")
			text, err := Sketch([]resource.Desired{{Address: resource.Address{Env: "prod", Provider: provider, Kind: kind, Name: "it"}, Fields: c.fields}}, kinds,
				func(string, string, string) (resource.Desired, bool) { return resource.Desired{}, false })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' }) {
				line = strings.Join(strings.Fields(line), " ")
				line = strings.TrimPrefix(line, provider+": "+kind+": it: ")
				switch line {
				case "{", "}", "{}", "rootVolume: {", "encryption: {", "disks: {":
				default:
					if !strings.Contains(line, "can't be read") {
						got = append(got, line)
					}
				}
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s\nof\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"), text)
			}
		})
	}
}

// TestSketchWritesEmptyOnes: what is empty on the object is written where leaving it
// out means something else, and left out where it means the same.
func TestSketchWritesEmptyOnes(t *testing.T) {
	t.Parallel()
	kinds, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	some := &resource.Constant{Value: resource.List{resource.String("a")}}
	none := &resource.Constant{Value: resource.List{}}
	kinds["aws.other"] = &resource.Descriptor{Kind: "aws.other", Fields: []resource.Field{
		{Name: "chosen", Type: "list", Default: "server"},
		{Name: "chosenNone", Type: "list", Default: "server", Usual: []resource.Usual{{Value: none}}},
		{Name: "filled", Type: "list", DefaultsTo: some},
		{Name: "filledMap", Type: "map", DefaultsTo: &resource.Constant{Value: resource.Map{"a": resource.String("b")}}},
		{Name: "filledNone", Type: "list", DefaultsTo: none},
		{Name: "plain", Type: "list"},
		{Name: "plainMap", Type: "map"},
		{Name: "required", Type: "map", Required: true},
		{Name: "within", Type: "struct", Fields: []resource.Field{{Name: "chosen", Type: "list", Default: "server"}, {Name: "plain", Type: "list"}}},
	}}
	for name, c := range map[string]struct {
		fields resource.Map
		want   string
	}{
		"security_group": {
			resource.Map{"vpcId": resource.String("vpc-1"), "egress": resource.List{}, "ingress": resource.List{}, "tags": resource.Map{}},
			"aws: security_group: it: {\n\tvpcId: \"vpc-1\"\n\tegress: []\n}\n",
		},
		"other": {
			resource.Map{
				"chosen": resource.List{}, "chosenNone": resource.List{}, "filled": resource.List{}, "filledMap": resource.Map{}, "filledNone": resource.List{},
				"plain": resource.List{}, "plainMap": resource.Map{}, "required": resource.Map{},
				"within": resource.Map{"chosen": resource.List{}, "plain": resource.List{}},
			},
			"aws: other: it: {\n\trequired: {}\n\tchosen: []\n\tfilled: []\n\tfilledMap: {}\n\twithin: chosen: []\n}\n",
		},
		"instance": {
			resource.Map{
				"imageId": resource.String("ami-0a1b2c3d"), "instanceType": resource.String("t3.micro"), "subnetId": resource.String("subnet-0a1b2c3d"),
				"securityGroupIds": resource.Null{}, "metadataOptions": resource.Map{}, "tags": resource.Null{},
			},
			"aws: instance: it: {\n\timageId:      \"ami-0a1b2c3d\"\n\tinstanceType: \"t3.micro\"\n\tsubnetId:     \"subnet-0a1b2c3d\"\n" +
				"\t// userData can't be read: if the spec is to have it, write it before the adoption; later it replaces the object\n}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Sketch([]resource.Desired{{Address: resource.Address{Env: "prod", Provider: "aws", Kind: name, Name: "it"}, Fields: c.fields}}, kinds,
				func(string, string, string) (resource.Desired, bool) { return resource.Desired{}, false })
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
