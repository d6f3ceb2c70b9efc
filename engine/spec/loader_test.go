package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// good is an environment that says everything once.
const good = `package prod

import "isobar.dev/schemas"

schemas.#Environment
name: "prod"
mode: "auto"
providers: aws: region: "eu-west-1"
providers: "aws-us": {type: "aws", region: "us-east-1", profile: "us"}
deletes: max: 3
secrets: "db/shop": env: "SHOP_PASSWORD"
policy: waivers: [{rule: "SG-004", address: "aws.security_group/a", reason: "a public site"}]
let Zones = ["a", "b"]
aws: {
	vpc: main: {cidrBlock: "10.0.0.0/16", tags: Name: "main"}
	for i, z in Zones {subnet: (z): {vpcId: aws.vpc.main.#out.id, cidrBlock: "10.0.\(i).0/24", availabilityZone: "eu-west-1\(z)"}}
	internet_gateway: gw: vpcId: aws.vpc.main.#out.id
	route_table: public: {
		vpcId: aws.vpc.main.#out.id
		routes: [{destinationCidrBlock: "0.0.0.0/0", gatewayId: aws.internet_gateway.gw.#out.id}]
		subnetIds: [for z in Zones {aws.subnet[z].#out.id}]
	}
	security_group: {
		a: {vpcId: aws.vpc.main.#out.id, ingress: [{ipProtocol: "-1", referencedGroupId: aws.security_group.b.#out.id}]}
		b: {vpcId: aws.vpc.main.#out.id, ingress: [{ipProtocol: "tcp", fromPort: 443, toPort: 443, referencedGroupId: aws.security_group.a.#out.id}]
			tags: Arn: "see \(aws.vpc.main.#out.arn)/*"
			$meta: {provider: "aws", preventDestroy: true, ignoreChanges: ["tags.Arn"], movedFrom: "aws.security_group/old"}}
	}
}
`

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env, err := newLoader(t, Limits{}).Environment(t.Context(), repo(map[string]string{"prod": good}), "prod")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	by := map[string]resource.Desired{}
	for _, d := range env.Desired {
		names = append(names, d.Address.Local())
		by[d.Address.Local()] = d
	}
	want := "aws.internet_gateway/gw aws.route_table/public aws.security_group/a aws.security_group/b aws.subnet/a aws.subnet/b aws.vpc/main"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("desired\n%s, want\n%s", got, want)
	}
	if env.Mode != ModeAuto || env.Deletes != (Deletes{Max: 3, MaxShare: 0.2}) || len(env.Warnings) > 0 || env.Dir != "environments/prod" {
		t.Errorf("settings: %+v", env)
	}
	if p := env.Providers["aws-us"]; p.Type != "aws" || p.Settings.Text("region") != "us-east-1" || p.Settings.Text("profile") != "us" {
		t.Errorf("alias: %+v", p)
	}
	if env.Secrets["db/shop"].Env != "SHOP_PASSWORD" || env.Policy.Waivers[0].Rule != "SG-004" {
		t.Errorf("secrets %+v, policy %+v", env.Secrets, env.Policy)
	}
	b := by["aws.security_group/b"]
	vpc := resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: "main"}
	if b.Fields["vpcId"] != (resource.Ref{Address: vpc, Out: "id"}) || b.Fields.Text("groupName") != "prod-b" || b.Fields.Text("description") != "Managed by isobar" {
		t.Errorf("fields: %v", b.Fields)
	}
	if _, ok := b.Fields["tags"].(resource.Map)["Arn"].(resource.Template); !ok {
		t.Errorf("tags: %#v", b.Fields["tags"])
	}
	m := b.Meta
	if m.Alias != "aws" || !m.PreventDestroy || m.IgnoreChanges[0].String() != "tags.Arn" || m.MovedFrom.String() != "prod/aws.security_group/old" {
		t.Errorf("meta: %+v", m)
	}
	if at, ok := b.Place(resource.Path{"ingress", "0", "fromPort"}); !ok || at != (resource.Position{File: "environments/prod/prod.cue", Line: 25, Col: 66}) {
		t.Errorf("place of a field: %v %v", at, ok)
	}
	if at, ok := b.Place(resource.Path{"description"}); ok || at.Line != 25 {
		t.Errorf("place of a default: %v %v", at, ok)
	}
	if s := by["aws.subnet/b"]; s.Fields.Text("cidrBlock") != "10.0.1.0/24" || s.At.Line != 16 {
		t.Errorf("a generated subnet: %+v", s)
	}
}

// bad is one environment's body with what must be said of it: for each finding
// "line:col code subject: message | mend", in order, and nothing else.
type bad struct {
	body string
	want []string
}

const head = "package prod\nname: \"prod\"\nproviders: aws: region: \"eu-west-1\"\n"

func badInputs() map[string]bad {
	return map[string]bad{
		"typo": {"aws: vpc: main: cidrBlok: \"10.0.0.0/16\"", []string{
			"4:11 SPEC-103 aws.vpc/main: field missing: cidrBlock | add cidrBlock: The IPv4 block of the network, from /16 to /28: \"10.0.0.0/16\"",
			"4:17 SPEC-102 aws.vpc/main: field not allowed: cidrBlok | did you mean cidrBlock?",
		}},
		"kind": {"aws: vcp: main: cidrBlock: \"10.0.0.0/16\"", []string{
			"4:6 SPEC-107 aws.vcp: aws has no kind vcp | did you mean vpc?",
		}},
		"provider": {"asw: vpc: main: cidrBlock: \"10.0.0.0/16\"", []string{
			"4:1 SPEC-102 field not allowed: asw | did you mean aws?",
		}},
		"wrong type": {"aws: vpc: main: {cidrBlock: 10, enableDnsSupport: \"yes\"}", []string{
			"4:29 SPEC-104 aws.vpc/main: cidrBlock: want text, got 10 | The IPv4 block of the network, from /16 to /28: \"10.0.0.0/16\"",
			"4:51 SPEC-104 aws.vpc/main: enableDnsSupport: want bool, got \"yes\" | Whether instances can resolve names through Amazon's DNS server",
		}},
		"wrong form": {"aws: vpc: main: cidrBlock: \"10.0/16\"", []string{
			"4:28 SPEC-104 aws.vpc/main: cidrBlock: \"10.0/16\" has the wrong form | The IPv4 block of the network, from /16 to /28: \"10.0.0.0/16\"",
		}},
		"one wrong VPC masks its subnets": {`aws: vpc: main: {cidrBlok: "10.0.0.0/16", instanceTenancy: 3}
aws: subnet: {
	a: {vpcId: aws.vpc.mian.#out.id, cidrBlock: "10.0.1.0/24"}
	b: {vpcId: aws.vpc.main.#out.idd, cidrBlock: "10.0.2.0/24"}
	c: {vpcId: aws.vpc.main.#out.id, cidrBlock: "10.0.3.0/24", zone: "x"}
	d: {vpcId: aws.vpc.main.#out.id}
}`, []string{
			"4:11 SPEC-103 aws.vpc/main: field missing: cidrBlock | add cidrBlock: The IPv4 block of the network, from /16 to /28: \"10.0.0.0/16\"",
			"4:18 SPEC-102 aws.vpc/main: field not allowed: cidrBlok | did you mean cidrBlock?",
			"4:60 SPEC-104 aws.vpc/main: instanceTenancy: want \"dedicated\" or \"default\", got 3 | Whether instances run on hardware of their own",
			"6:21 SPEC-105 aws.subnet/a: nothing is called mian here | did you mean main?",
			"7:31 SPEC-105 aws.subnet/b: nothing is called idd here | did you mean id?",
			"8:61 SPEC-102 aws.subnet/c: field not allowed: zone | fields: availabilityZone, cidrBlock, mapPublicIpOnLaunch, tags, vpcId",
			"9:2 SPEC-103 aws.subnet/d: field missing: cidrBlock | add cidrBlock: The IPv4 block of the subnet, within its VPC's: \"10.0.1.0/24\"",
		}},
		"unknown name": {"aws: vpc: main: cidrBlock: Block", []string{
			"4:28 SPEC-105 nothing is called Block here | define it, or correct the name",
		}},
		"syntax": {"aws: vpc: main: {cidrBlock: ", []string{
			"4:29 SPEC-101 expected '}', found 'EOF' | correct the CUE; cue fmt shows where it stumbles",
		}},
		"hand-typed reference": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: internet_gateway: g: vpcId: "${isobar:prod/aws.vpc/main#id}"
aws: internet_gateway: h: vpcId: "$\u007bisobar:prod/aws.vpc/main#id}"`, []string{
			"5:34 SPEC-106 a reference is written by hand | refer to the resource's output instead, e.g. aws.vpc.main.#out.id",
			"6:34 SPEC-106 a reference is written by hand | refer to the resource's output instead, e.g. aws.vpc.main.#out.id",
		}},
		"a reference pieced together": {`aws: internet_gateway: g: vpcId: "${iso" + "bar:prod/aws.vpc/gone#id}"
aws: internet_gateway: h: vpcId: "${iso" + "bar:prod/aws.internet_gateway/h#what}"`, []string{
			"4:27 SPEC-105 aws.internet_gateway/g: aws.vpc/gone does not exist | define it, or refer to one that does",
			"5:27 SPEC-105 aws.internet_gateway/h: aws.internet_gateway/h has no output what | outputs: arn, id, ownerId",
		}},
		"its own id before it is made": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: g: {vpcId: aws.vpc.main.#out.id, description: "the group \(aws.security_group.g.#out.id)"}`, []string{
			"5:55 SPEC-105 aws.security_group/g: it refers to itself | refer to another resource, or write the value",
		}},
		"the wrong kind's id": {`aws: internet_gateway: g: {}
aws: internet_gateway: h: vpcId: aws.internet_gateway.g.#out.id`, []string{
			"5:27 SPEC-117 aws.internet_gateway/h: vpcId wants the id of aws.vpc, got aws.internet_gateway/g#id | refer to aws.vpc.NAME.#out.id",
		}},
		"a reference in settings": {`providers: us: {type: "aws", region: "us-east-1", profile: aws.internet_gateway.g.#out.id}
aws: internet_gateway: g: {}`, []string{
			"4:51 SPEC-117 providers.us: profile holds a reference, and providers are set up before anything is resolved | write the value itself",
		}},
		"blocks": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: subnet: [string]: vpcId: aws.vpc.main.#out.id
aws: subnet: {
	a: cidrBlock: "10.0.0.0/23"
	b: cidrBlock: "10.0.1.0/24"
	c: cidrBlock: "10.1.0.0/24"
	d: cidrBlock: "10.0.9.1/24"
}`, []string{
			"8:5 SPEC-120 aws.subnet/b: cidrBlock: 10.0.1.0/24 overlaps 10.0.0.0/23 of aws.subnet/a | choose a block of its own",
			"9:5 SPEC-120 aws.subnet/c: cidrBlock: 10.1.0.0/24 lies outside 10.0.0.0/16 of aws.vpc/main | choose a block within 10.0.0.0/16; where aws.vpc/main has further blocks, write its id as vpcId instead of the reference",
			"10:5 SPEC-120 aws.subnet/d: cidrBlock: 10.0.9.1/24 starts within its block | write \"10.0.9.0/24\"",
		}},
		"one of": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: g: {vpcId: aws.vpc.main.#out.id, ingress: [{ipProtocol: "-1"}, {ipProtocol: "-1", cidrIpv4: "10.0.0.0/8", cidrIpv6: "::/0"}]}
aws: route_table: t: {vpcId: aws.vpc.main.#out.id, routes: [for i in [1, 2] {destinationCidrBlock: "0.0.0.0/0", instanceId: "i-0123456\(i)"}]}
aws: security_group: h: {vpcId: aws.vpc.main.#out.id, egress: [for d in ["a", "b"] {ipProtocol: "-1", cidrIpv6: "::/0", description: d}]}`, []string{
			"5:65 SPEC-123 aws.security_group/g: ingress.0: none of cidrIpv4, cidrIpv6, referencedGroupId, prefixListId is set | set one of them",
			"5:85 SPEC-123 aws.security_group/g: ingress.1: cidrIpv4 and cidrIpv6 exclude each other | keep one of them",
			"6:77 SPEC-110 aws.route_table/t: routes: destinationCidrBlock \"0.0.0.0/0\" stands twice | keep one of them",
			"7:84 SPEC-110 aws.security_group/h: egress: ipProtocol \"-1\", cidrIpv6 \"::/0\" stands twice | keep one of them",
		}},
		"meta": {`aws: internet_gateway: {
	g: $meta: {provider: "eu", ignoreChanges: ["tag"], movedFrom: "aws.vpc/x"}
	h: $meta: {movedFrom: "aws.internet_gateway/g", preventDestory: true}
}`, []string{
			"6:50 SPEC-102 aws.internet_gateway/h: field not allowed: preventDestory | did you mean preventDestroy?",
		}},
		"what AWS would keep otherwise": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: route_table: t: {vpcId: aws.vpc.main.#out.id, routes: [
	{destinationCidrBlock: "10.9.0.5/24", natGatewayId: "nat-0a1b2c3d"},
	{destinationIpv6CidrBlock: "2001:DB8::/32", egressOnlyInternetGatewayId: "eigw-0a1b2c3d"},
	{destinationCidrBlock: "0.0.0.0/0", egressOnlyInternetGatewayId: "eigw-0a1b2c3d"},
	{destinationIpv6CidrBlock: ":::/32", natGatewayId: "nat-0a1b2c3d"},
]}
aws: security_group: g: {vpcId: aws.vpc.main.#out.id, ingress: [
	{ipProtocol: "tcp", fromPort: 22, toPort: 22, cidrIpv4: "10.1.2.3/16"},
	{ipProtocol: "tcp", fromPort: 22, cidrIpv4: "10.1.2.3/32"},
]}`, []string{
			"6:3 SPEC-120 aws.route_table/t: routes.0.destinationCidrBlock: 10.9.0.5/24 starts within its block | write \"10.9.0.0/24\"",
			"7:3 SPEC-120 aws.route_table/t: routes.1.destinationIpv6CidrBlock: 2001:DB8::/32 is kept in another spelling | write \"2001:db8::/32\"",
			"8:38 SPEC-134 aws.route_table/t: routes.2: egressOnlyInternetGatewayId needs destinationIpv6CidrBlock beside it | set destinationIpv6CidrBlock, or leave egressOnlyInternetGatewayId out",
			"9:3 SPEC-120 aws.route_table/t: routes.3.destinationIpv6CidrBlock: \":::/32\" is no address block | write one such as \"10.0.0.0/16\" or \"2001:db8::/32\"",
			"12:48 SPEC-120 aws.security_group/g: ingress.0.cidrIpv4: 10.1.2.3/16 starts within its block | write \"10.1.0.0/16\"",
			"13:22 SPEC-134 aws.security_group/g: ingress.1: fromPort needs toPort beside it | set toPort, or leave fromPort out",
		}},
		"ports where all go": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: g: {vpcId: aws.vpc.main.#out.id, ingress: [{ipProtocol: "-1", fromPort: 0, toPort: 0, cidrIpv4: "10.1.0.0/16"}, {ipProtocol: "tcp", cidrIpv4: "10.1.0.0/16"}]}`, []string{
			"5:84 SPEC-134 aws.security_group/g: ingress.0: fromPort needs ipProtocol to be tcp, udp, icmp, icmpv6 | write another ipProtocol, or leave fromPort out",
			"5:135 SPEC-134 aws.security_group/g: ingress.1: ipProtocol tcp needs fromPort beside it | set fromPort",
		}},
		"meta across resources": {`aws: internet_gateway: {
	g: $meta: {provider: "eu", ignoreChanges: ["tag"], movedFrom: "aws.vpc/x"}
	h: $meta: movedFrom: "aws.internet_gateway/g"
	i: $meta: movedFrom: "live/aws.internet_gateway/i"
}`, []string{
			"5:13 SPEC-116 aws.internet_gateway/g: there is no provider eu | providers here: aws",
			"5:29 SPEC-119 aws.internet_gateway/g: ignoreChanges: aws.internet_gateway has no field tag | did you mean tags?",
			"5:53 SPEC-118 aws.internet_gateway/g: movedFrom: prod/aws.vpc/x is no aws.internet_gateway | name the address that this resource had before",
			"6:12 SPEC-118 aws.internet_gateway/h: movedFrom: aws.internet_gateway/g is still here | remove that resource, or movedFrom",
			"7:12 SPEC-118 aws.internet_gateway/i: movedFrom: live/aws.internet_gateway/i is another environment's, and a resource is renamed within its own | " +
				"to give its object to this one: isobar forget live aws.internet_gateway/i, take it out there and apply that, then isobar import prod aws.internet_gateway/i ID",
		}},
		"a name": {`aws: internet_gateway: "a b": {}`, []string{
			"4:24 SPEC-122 aws.internet_gateway/a b: \"a b\" cannot name a resource | use letters, digits, _, . and -, at most 128, the first a letter, digit or _",
		}},
		"a name that is referred to": {`providers: vsphere: url: "https://vcenter.example.com"
vsphere: folder: "a/b%2f": {}
vsphere: folder: c: parent: vsphere.folder."a/b%2f".#out.path
aws: internet_gateway: g: tags: A: vsphere.folder."a/b%2f".#out.path`, []string{
			"5:18 SPEC-122 vsphere.folder/a/b%2f: \"a/b%2f\" cannot name a resource | use letters, digits, _, . and -, at most 128, the first a letter, digit or _",
		}},
		"a reference where none can stand": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: x: {vpcId: aws.vpc.main.#out.id, groupName: aws.security_group.y.#out.id}
aws: security_group: y: vpcId: aws.vpc.main.#out.id`, []string{
			"5:66 SPEC-104 aws.security_group/x: groupName: a reference cannot stand here | write the value itself, or another output of that resource",
		}},
		"two that refer to each other where none can": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: x: {vpcId: aws.vpc.main.#out.id, groupName: aws.security_group.y.#out.id}
aws: security_group: y: {vpcId: aws.vpc.main.#out.id, groupName: aws.security_group.x.#out.id}`, []string{
			"5:66 SPEC-104 aws.security_group/x: groupName: a reference cannot stand here | write the value itself, or another output of that resource",
			"6:66 SPEC-104 aws.security_group/y: groupName: a reference cannot stand here | write the value itself, or another output of that resource",
		}},
		"a text that fits neither default nor pattern": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: x: {vpcId: aws.vpc.main.#out.id, groupName: "a:b", description: 3}`, []string{
			"5:66 SPEC-104 aws.security_group/x: groupName: \"a:b\" has the wrong form | The group's name, unique within its VPC. Unset takes \"<environment>-<name>\"",
			"5:86 SPEC-104 aws.security_group/x: description: want text, got 3 | What the group is for. AWS lets nobody change it",
		}},
		"a reference within a text": {`aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: security_group: x: {vpcId: aws.vpc.main.#out.id, description: "for \(aws.vpc.mian.#out.id)", ingress: [{ipProtocol: "-1", cidrIpv4: "10.0.0.0/8", description: "see \(aws.vpc.mian.#out.id)"}]}
aws: security_group: y: {vpcId: aws.vpc.main.#out.id, tags: A: "for \(aws.vpc.mian.#out.id)"}`, []string{
			"5:83 SPEC-105 aws.security_group/x: nothing is called mian here | did you mean main?",
			"5:180 SPEC-105 aws.security_group/x: nothing is called mian here | did you mean main?",
			"6:79 SPEC-105 aws.security_group/y: nothing is called mian here | did you mean main?",
		}},
		"a reference within a text, in one struct": {`aws: {
	vpc: main: cidrBlock: "10.0.0.0/16"
	security_group: x: {vpcId: aws.vpc.main.#out.id, description: "for \(aws.vpc.mian.#out.id)"}
}`, []string{
			"6:79 SPEC-105 aws.security_group/x: nothing is called mian here | did you mean main?",
		}},
		"settings": {"mode: \"atuo\"\ndeletes: {max: -1, maxShar: 1}\nproviders: us: region: \"us-east-1\"", []string{
			"4:7 SPEC-104 mode: want \"approve\" or \"auto\" or \"observe\", got \"atuo\" | What isobar does unasked: observe reports, approve waits for a person, auto applies. Unset takes the estate's mode",
			"5:16 SPEC-104 deletes.max: want >=0, got -1 | The most objects, 5 unless told",
			"5:20 SPEC-102 field not allowed: maxShar | did you mean maxShare?",
			"6:12 SPEC-103 field missing: providers.us.type | add it: Further accounts, regions and vCenters, under names of your choice: type is aws or vsphere",
		}},
		"no struct": {"aws: vpc: 3\naws: subnet: a: [1]\naws: internet_gateway: g: $meta: preventDestroy: \"yes\"", []string{
			"4:11 SPEC-104 aws.vpc: want a struct, got 3 | Virtual private clouds",
			"5:17 SPEC-104 aws.subnet/a: want a struct, got [1] | correct the value",
			"6:50 SPEC-104 aws.internet_gateway/g: $meta.preventDestroy: want bool, got \"yes\" | Refuse every plan that would delete or replace the resource",
		}},
		"two values": {"name: \"other\"", []string{
			"4:7 SPEC-104 name: two different values: \"other\" and \"prod\" | keep one: the other stands at environments/prod/prod.cue:2:7",
		}},
		"not definite": {"aws: vpc: main: {cidrBlock: \"10.0.0.0/16\", tags: Name: string}", []string{
			"4:50 SPEC-128 aws.vpc/main: tags.Name has no definite value: text | Tags of the VPC",
		}},
		"no such package": {"", []string{
			"2:8 SPEC-108 the package example.com/net cannot be loaded: isobar asks no registry | import isobar.dev/schemas, CUE's own packages, or packages of this repository (estate.example/infra/…)",
		}},
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for name, b := range badInputs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := head + b.body + "\n"
			if name == "no such package" {
				src = "package prod\nimport \"example.com/net\"\nname: net.name\n"
			}
			_, err := l.Environment(t.Context(), repo(map[string]string{"prod": src}), "prod")
			wantFindings(t, err, b.want)
		})
	}
}

// wantFindings checks that an error is just these findings, and that each can
// be shown and explained.
func wantFindings(t *testing.T, err error, want []string) {
	t.Helper()
	var found diag.List
	if !errors.As(err, &found) {
		t.Fatalf("got %v, want findings", err)
	}
	var got []string
	for _, f := range found {
		got = append(got, line(f))
		if _, ok := diag.Explain(f.Code); !ok {
			t.Errorf("%s has no page", f.Code)
		}
		if f.Message == "" || strings.HasSuffix(f.Message, ": ") {
			t.Errorf("%v says nothing", f)
		}
		if f.Excerpt == "" || f.Where.Col+f.Width-1 > len(f.Excerpt)+1 {
			t.Errorf("%v: excerpt %q, width %d", f, f.Excerpt, f.Width)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func line(f diag.Finding) string {
	subject := ""
	if f.Subject != "" {
		subject = f.Subject + ": "
	}
	return fmt.Sprintf("%d:%d %s %s%s | %s", f.Where.Line, f.Where.Col, f.Code, subject, f.Message, f.Mend)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	var deep strings.Builder
	deep.WriteString("_x: " + strings.Repeat("(", 200000) + "1" + strings.Repeat(")", 200000) + "\n")
	var laughs strings.Builder
	laughs.WriteString("_l0: \"ha\"\n")
	for i := range 40 {
		fmt.Fprintf(&laughs, "_l%d: \"\\(_l%d)\\(_l%d)\"\n", i+1, i, i)
	}
	laughs.WriteString("aws: vpc: main: {cidrBlock: \"10.0.0.0/16\", tags: Name: _l40}\n")
	tight := Limits{HeapBytes: 192 << 20, CPU: 3 * time.Second, Wall: 20 * time.Second, OutputBytes: 1 << 20}
	for name, c := range map[string]struct {
		limits Limits
		body   string
		codes  string
	}{
		"a list of 50 million":     {tight, "import \"list\"\n_l: [for x in list.Range(0, 50000000, 1) {x}]\naws: vpc: main: {cidrBlock: \"10.0.0.0/16\", tags: Name: \"\\(len(_l))\"}\n", "SPEC-112 SPEC-113"},
		"a repeated text":          {tight, "import \"strings\"\naws: vpc: main: {cidrBlock: \"10.0.0.0/16\", tags: Name: strings.Repeat(\"ha\", 1000000000)}\n", "SPEC-104"},
		"a billion laughs":         {tight, laughs.String(), "SPEC-112 SPEC-113 SPEC-115"},
		"a deep comprehension":     {tight, "_n: [for x in [1, 2, 3, 4, 5, 6, 7, 8, 9] {x}]\naws: subnet: {for a in _n for b in _n for c in _n for d in _n for e in _n for f in _n for g in _n for h in _n {\"\\(a)\\(b)\\(c)\\(d)\\(e)\\(f)\\(g)\\(h)\": {}}}\n", "SPEC-112 SPEC-113"},
		"nesting without end":      {tight, deep.String(), "SPEC-101 SPEC-112 SPEC-113 SPEC-115"},
		"little processor time":    {Limits{CPU: time.Millisecond}, "aws: {for i in [1,2,3,4,5,6,7,8,9] for j in [1,2,3,4,5,6,7,8,9] for k in [1,2,3,4,5,6,7,8,9] {internet_gateway: \"g\\(i)\\(j)\\(k)\": {}}}\n", "SPEC-113"},
		"little time by the clock": {Limits{Wall: time.Millisecond}, "", "SPEC-113"},
		"a long answer":            {Limits{OutputBytes: 300}, "aws: vpc: main: {cidrBlock: \"10.0.0.0/16\", tags: Name: \"a name of some length\"}\n", "SPEC-114"},
		"a long file":              {Limits{FileBytes: 200}, strings.Repeat("// long\n", 50), "SPEC-114"},
		"long files":               {Limits{InputBytes: 200}, strings.Repeat("// long\n", 50), "SPEC-114"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := head + c.body
			if strings.HasPrefix(c.body, "import ") {
				line, rest, _ := strings.Cut(c.body, "\n")
				src = "package prod\n" + line + "\n" + strings.TrimPrefix(head, "package prod\n") + rest
			}
			l := newLoader(t, Limits{})
			l.jobs = 1 // a child goes by the limits of its first job
			tree := repo(map[string]string{"prod": src})
			est, err := l.Estate(t.Context(), tree) // known, so that the limits meet the environment
			if err != nil {
				t.Fatal(err)
			}
			l.limits = c.limits.orDefault()
			if len(est.Environments) != 1 {
				t.Fatalf("estate: %+v", est)
			}
			_, err = l.Environment(t.Context(), tree, "prod")
			var found diag.List
			if !errors.As(err, &found) || len(found) != 1 || !strings.Contains(c.codes, string(found[0].Code)) || found[0].Mend == "" {
				t.Errorf("got %v, want one of %s", err, c.codes)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Environment(ctx, repo(map[string]string{"prod": good}), "prod"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestEstate(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	est, err := l.Estate(t.Context(), repo(map[string]string{
		"isobar.cue":              "package isobar\nimport \"isobar.dev/schemas\"\nschemas.#Estate\nestate: \"0123456789\"\nenvironments: [\"environments/*\", \"teams/*/*\"]\nmode: \"auto\"\nowners: [\"ops\"]\nnotifications: slack: channel: \"C0123456789\"\n",
		"prod":                    good,
		"teams/a/prod/prod.cue":   good,
		"teams/a/lab/lab.cue":     "package lab\nname: \"lab\"\n",
		"teams/a/My-Env/x.cue":    "package x\n",
		"teams/a/empty/README.md": "nothing",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if est.Mode != ModeAuto || est.Notify.SlackChannel != "C0123456789" || !slices.Equal(est.Environments, []string{"lab"}) || est.Dir("lab") != "teams/a/lab" {
		t.Errorf("estate: %+v", est)
	}
	if len(est.Findings) != 2 || est.Findings[0].Code != codeName || est.Findings[1].Code != codeDuplicate {
		t.Errorf("findings: %v", est.Findings)
	}
}

func TestEstateMistakes(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"mode":   {map[string]string{"isobar.cue": "package isobar\nestate: \"0123456789\"\nmode: \"auto\"\nmod: 3\n"}, "isobar.cue:4:1: field not allowed: mod"},
		"id":     {map[string]string{"isobar.cue": "package isobar\n"}, "field missing: estate"},
		"short":  {map[string]string{"isobar.cue": "package isobar\nestate: \"x\"\n"}, `isobar.cue:2:9: estate: "x" has the wrong form`},
		"syntax": {map[string]string{"isobar.cue": "package isobar\nestate: {\n"}, "isobar.cue:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := l.Estate(t.Context(), repo(c.files))
			var found diag.List
			if !errors.As(err, &found) || len(found) != 1 || !strings.Contains(found[0].String(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for want, tree := range map[string]fs.FS{
		"there is no CUE module here": fstest.MapFS{},
		"there is no isobar.cue here": fstest.MapFS{"cue.mod/module.cue": {Data: []byte(`module: "a.example/b@v0"`)}},
	} {
		if _, err := l.Estate(t.Context(), tree); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestPackagesAndNames(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for name, c := range map[string]struct {
		files map[string]string
		env   string
		want  string
	}{
		"other package": {map[string]string{"prod": "// about\n\npackage prd\nname: \"prod\"\n"}, "prod", "environments/prod/prod.cue:3:9: prod: the package is called prd, its directory prod"},
		"no package":    {map[string]string{"prod": good, "environments/prod/x.cue": "a: 1\n"}, "prod", "environments/prod/x.cue:1:1: prod: the file has no package clause, so it would be left out"},
		"an empty file": {map[string]string{"prod": good, "environments/prod/x.cue": ""}, "prod", "environments/prod/x.cue:1:1: prod: the file is empty"},
		"other name":    {map[string]string{"prod": strings.Replace(good, `name: "prod"`, `name: "prd"`, 1)}, "prod", "environments/prod/prod.cue:6:1: prod: the name is prd, the directory prod"},
		"not there":     {map[string]string{"prod": good}, "pord", "pord: there is no environment pord"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := l.Environment(t.Context(), repo(c.files), c.env)
			var found diag.List
			if !errors.As(err, &found) || len(found) != 1 || found[0].String() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestClosureAndDigest(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	files := func() map[string]string {
		return map[string]string{
			"prod":                         "@extern(embed)\npackage prod\nimport \"estate.example/infra/lib/net\"\nname: \"prod\"\nproviders: aws: region: net.region\n_data: _ @embed(file=\"data.json\")\naws: vpc: main: {cidrBlock: block, tags: _data}\n",
			"environments/shared.cue":      "package prod\nblock: string\nblock: \"10.0.0.0/16\"\n",
			"environments/prod/data.json":  `{"Name": "main"}`,
			"lib/net/net.cue":              "package net\nimport \"estate.example/infra/lib/inner\"\nregion: inner.region\n",
			"lib/inner/inner.cue":          "package inner\nregion: \"eu-west-1\"\n",
			"lib/other/other.cue":          "package other\n",
			"environments/lab/lab.cue":     "package lab\nname: \"lab\"\n",
			"environments/prod/notes.md":   "notes",
			"environments/prod/x_tool.cue": "package prod\nbroken: {",
		}
	}
	f := files()
	f["environments/shared.cue"] = "package prod\n_block: \"10.0.0.0/16\"\n"
	f["prod"] = strings.Replace(f["prod"], "cidrBlock: block", "cidrBlock: _block", 1)
	env, err := l.Environment(t.Context(), repo(f), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if env.Desired[0].Fields["tags"].(resource.Map).Text("Name") != "main" || env.Providers["aws"].Settings.Text("region") != "eu-west-1" {
		t.Errorf("environment: %+v", env)
	}
	for _, c := range []struct {
		file    string
		changes bool
	}{
		{"prod", true},
		{"environments/shared.cue", true},
		{"environments/prod/data.json", true},
		{"lib/net/net.cue", true},
		{"lib/inner/inner.cue", true},
		{"lib/other/other.cue", false},
		{"environments/lab/lab.cue", false},
		{"environments/prod/x_tool.cue", false},
	} {
		g := map[string]string{}
		for k, v := range f {
			g[k] = v
		}
		if g[c.file] += "\n//\n"; strings.HasSuffix(c.file, ".json") {
			g[c.file] = `{"Name": "other"}`
		}
		got, err := l.Digest(t.Context(), repo(g), "prod")
		if err != nil {
			t.Fatal(err)
		}
		if (got != env.Digest) != c.changes {
			t.Errorf("a change of %s changes the digest: %v, want %v", c.file, got != env.Digest, c.changes)
		}
	}
}

// TestEnvironmentsKeep proves that an evaluation can be kept as JSON.
func TestEnvironmentsKeep(t *testing.T) {
	t.Parallel()
	env, err := newLoader(t, Limits{}).Environment(t.Context(), repo(map[string]string{"prod": good}), "prod")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	var again Environment
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(env, again) {
		t.Errorf("kept\n%+v\nas\n%+v", env, again)
	}
}

func TestConditionalResourcesHavePlaces(t *testing.T) {
	t.Parallel()
	src := head + "aws: vpc: main: cidrBlock: \"10.0.0.0/16\"\nif aws.vpc.main.enableDnsSupport {aws: internet_gateway: g: vpcId: aws.vpc.main.#out.id}\n"
	env, err := newLoader(t, Limits{}).Environment(t.Context(), repo(map[string]string{"prod": src}), "prod")
	if err != nil || len(env.Desired) != 2 {
		t.Fatalf("got %+v, %v", env, err)
	}
	if at, ok := env.Desired[0].Place(resource.Path{"vpcId"}); !ok || at.Line != 5 || env.Desired[0].At.Line != 5 {
		t.Errorf("place %v %v, resource %v", at, ok, env.Desired[0].At)
	}
}

func TestAttributesWarn(t *testing.T) {
	t.Parallel()
	env, err := newLoader(t, Limits{}).Environment(t.Context(), repo(map[string]string{"prod": head + "aws: vpc: main: cidrBlock: \"10.0.0.0/16\" @aspect(x)\n"}), "prod")
	if err != nil || len(env.Warnings) != 1 || line(env.Warnings[0]) != "4:42 SPEC-121 the attribute @aspect has no effect here | remove it: only isobar's own schemas may declare behaviour" {
		t.Errorf("got %v, %v", env.Warnings, err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	dir := initRepo(t)
	secret := filepath.Join(t.TempDir(), "secret.cue")
	if err := os.WriteFile(secret, []byte("package dev\n_token: \"s3cret\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "environments/dev/link.cue")); err != nil {
		t.Fatal(err)
	}
	env, err := newLoader(t, Limits{}).Environment(t.Context(), os.DirFS(dir), "dev")
	if err != nil || len(env.Warnings) != 1 || env.Warnings[0].Code != codeUnreadable {
		t.Errorf("got %v, %v", env.Warnings, err)
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	tree := failing{repo(map[string]string{"prod": good}), "environments/prod/prod.cue"}
	_, err := newLoader(t, Limits{}).Environment(t.Context(), tree, "prod")
	if err == nil || !strings.Contains(err.Error(), "environments/prod/prod.cue: cannot be read: no light") {
		t.Errorf("got %v", err)
	}
}

// failing cannot open one file.
type failing struct {
	fs.FS
	name string
}

func (f failing) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: "/somewhere/" + name, Err: errors.New("no light")}
	}
	return f.FS.Open(name)
}
