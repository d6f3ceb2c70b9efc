package aws_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/aws"
)

// class fails the test unless err is a failure of that class and code.
func class(t *testing.T, err error, want resource.Class, code string) {
	t.Helper()
	var f *resource.Failure
	if !errors.As(err, &f) || f.Class != want || f.Code != code {
		t.Fatalf("got %v (%s), want %s %s", err, resource.ClassOf(err), want, code)
	}
}

// made gives the kinds whose objects are made, not looked up.
func made() []provider.Kind {
	return slices.DeleteFunc(aws.Type().Kinds, func(k provider.Kind) bool { return k.Origin == provider.OriginLookedUp })
}

// creates gives what each kind's bare create takes.
func creates(t *testing.T, r *rig) map[string]resource.Map {
	vpc := r.vpc(t).ID
	sub := r.create(t, "subnet", resource.Map{"vpcId": str(vpc), "cidrBlock": resource.String("10.0.8.0/24")})
	return map[string]resource.Map{
		"bucket":           {"bucket": bucketName()},
		"key_pair":         {"keyName": resource.String(address("key_pair").Name), "publicKeyMaterial": publicKey(t)},
		"volume":           {"availabilityZone": resource.String(r.region + "a"), "size": resource.Int(1)},
		"instance":         {"imageId": r.image(t), "instanceType": resource.String("t3.micro"), "subnetId": str(sub.ID), "rootVolume": disk("volumeType", "gp3")},
		"vpc":              {"cidrBlock": resource.String("10.7.0.0/16")},
		"subnet":           {"vpcId": str(vpc), "cidrBlock": resource.String("10.0.9.0/24")},
		"internet_gateway": {},
		"route_table":      {"vpcId": str(vpc)},
		"security_group":   {"vpcId": str(vpc), "groupName": resource.String("lost"), "description": resource.String("d")},
	}
}

// A create whose answer was lost is an unknown outcome; Find gives the object
// and there is just one. With the request lost instead, Find gives nothing, or
// for a kind with a token makes it.
func TestLostCreateIsSettled(t *testing.T) {
	t.Parallel()
	for _, k := range made() {
		for name, f := range map[string]fault.Fault{"answer": fault.LoseAnswer(), "request": fault.LoseRequest(), "half": {Trim: true}} {
			t.Run(k.Name+" "+name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, "eu-west-2")
				fields := creates(t, r)[k.Name]
				action := map[string]string{"key_pair": "ImportKeyPair", "instance": "RunInstances"}[k.Name]
				r.proxy.Inject(fault.Rule{Action: cmp.Or(action, "Create*"), Times: 1, Do: f})
				a := address(k.Name)
				want, m := resource.Object{Address: a, Fields: fields}, r.mark(a)
				_, err := r.Create(t.Context(), want, m)
				class(t, err, resource.UnknownOutcome, "")
				p, err := r.Find(t.Context(), provider.Intent{Want: want, Mark: m, Since: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				made := name != "request" || k.Settle == provider.SettleToken
				if (p.Object.ID != "") != made {
					t.Fatalf("find gives %q", p.Object.ID)
				}
				got := r.read(t, k.Name, resource.Selector{Token: m.Token})
				if made && (len(got) != 1 || got[0].ID != p.Object.ID || got[0].Mark != m) || !made && len(got) != 0 {
					t.Fatalf("the mark finds %+v", got)
				}
			})
		}
	}
}

// A token that is replayed while the object does not show yet gives the same
// object.
func TestTokenReplayMakesNoTwin(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	a := address("route_table")
	want, m := resource.Object{Address: a, Fields: resource.Map{"vpcId": str(v.ID)}}, r.mark(a)
	if got := r.read(t, a.Kind, resource.Selector{Token: m.Token}); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	p, err := r.Create(t.Context(), want, m)
	if err != nil {
		t.Fatal(err)
	}
	r.proxy.Inject(fault.Rule{Action: "DescribeRouteTables", Times: 1, Do: fault.Fault{Stale: true}})
	q, err := r.Find(t.Context(), provider.Intent{Want: want, Mark: m, Since: time.Now()})
	if err != nil || q.Object.ID != p.Object.ID {
		t.Fatalf("find gives %q, %v; the create gave %q", q.Object.ID, err, p.Object.ID)
	}
	if n := r.proxy.Count("CreateRouteTable"); n != 2 {
		t.Fatalf("%d creates, want the replay to be one of 2", n)
	}
	r.proxy.Inject(fault.Rule{Action: "DescribeRouteTables", Times: 1, Do: fault.Fault{Stale: true}})
	q, err = r.Find(t.Context(), provider.Intent{Want: want, Mark: m, Since: time.Now().Add(-48 * time.Hour)})
	if err != nil || q.Object.ID != "" || r.proxy.Count("CreateRouteTable") != 2 {
		t.Fatalf("an old token was replayed: %+v %v", q, err)
	}
}

// A list that fails on a later page is an error for those that needed it, and
// what it did give is kept.
func TestPartialListIsAnError(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	var ids []resource.ID
	for i := range 5 {
		o := r.create(t, "subnet", resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String(fmt.Sprintf("10.0.%d.0/24", i))})
		ids = append(ids, o.ID)
	}
	r.proxy.Page("DescribeSubnets", 2)
	if got := r.read(t, "subnet", resource.Selector{Estate: r.estate}); len(got) != 5 {
		t.Fatalf("3 pages gave %d subnets", len(got))
	}
	r.proxy.Forget()
	r.proxy.Inject(fault.Rule{Action: "DescribeSubnets", After: 2, Times: 1, Do: fault.Refuse(http.StatusInternalServerError, "InternalError", "An internal error has occurred")})
	got := r.Read(t.Context(), []resource.Want{
		{Kind: "subnet", By: resource.Selector{Estate: r.estate}},
		{Kind: "subnet", By: resource.Selector{IDs: ids}},
		{Kind: "vpc", By: resource.Selector{IDs: []resource.ID{v.ID}}},
	})
	class(t, got[0].Err, resource.Transient, "InternalError")
	if len(got[0].Objects) < 4 {
		t.Fatalf("of two good pages only %d subnets are kept", len(got[0].Objects))
	}
	if got[1].Err != nil || len(got[1].Objects) != 5 {
		t.Fatalf("by id: %d subnets, %v; a list of its own covers them", len(got[1].Objects), got[1].Err)
	}
	if got[2].Err != nil || len(got[2].Objects) != 1 {
		t.Fatalf("another kind's answer suffered: %+v", got[2])
	}
}

// One attribute that may not be read leaves the rest of the object usable.
func TestDeniedAttributeIsUnread(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	denied := fault.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")
	remove := r.proxy.Inject(fault.Rule{Action: "DescribeVpcAttribute", Do: denied})
	o := r.one(t, "vpc", v.ID)
	if u, ok := o.Fields["enableDnsSupport"].(resource.Unread); !ok || !strings.Contains(u.Why, "not authorized") {
		t.Fatalf("enableDnsSupport is %#v", o.Fields["enableDnsSupport"])
	}
	if o.Fields.Text("cidrBlock") != "10.0.0.0/16" || o.Fields.Text("mainRouteTableId") == "" {
		t.Fatalf("fields %s", resource.Encode(o.Fields))
	}
	remove()
	r.proxy.Inject(fault.Rule{Action: "DescribeVpcAttribute", Times: 1, Do: fault.Throttle()})
	a := r.Read(t.Context(), []resource.Want{{Kind: "vpc", By: resource.Selector{IDs: []resource.ID{v.ID}}}})[0]
	class(t, a.Err, resource.Throttled, "RequestLimitExceeded")
	r.proxy.Forget()
	a = r.Read(t.Context(), []resource.Want{{Kind: "vpc", By: resource.Selector{IDs: []resource.ID{v.ID}}, Aspects: []string{"dnsSupport"}}})[0]
	if a.Err != nil || a.Objects[0].Fields["enableDnsSupport"] != resource.Bool(true) || r.proxy.Count("") != 2 {
		t.Fatalf("%+v after %d calls", a, r.proxy.Count(""))
	}
	if _, ok := a.Objects[0].Fields["enableDnsHostnames"].(resource.Unread); !ok {
		t.Fatal("what nobody asked for is not Unread")
	}
}

func TestThrottledAndRefusedCreateIsDefinite(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	a := address("vpc")
	want := resource.Object{Address: a, Fields: resource.Map{"cidrBlock": resource.String("10.0.0.0/16")}}
	r.proxy.Inject(fault.Rule{Action: "CreateVpc", Times: 1, Do: fault.Throttle()})
	_, err := r.Create(t.Context(), want, r.mark(a))
	class(t, err, resource.Throttled, "RequestLimitExceeded")
	r.proxy.Inject(fault.Rule{Action: "CreateVpc", Times: 1, Do: fault.Refuse(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")})
	_, err = r.Create(t.Context(), want, r.mark(a))
	class(t, err, resource.Denied, "AuthFailure")
	r.proxy.Inject(fault.Rule{Action: "CreateVpc", Times: 1, Do: fault.Refuse(http.StatusInternalServerError, "InternalError", "x")})
	_, err = r.Create(t.Context(), want, r.mark(a))
	class(t, err, resource.UnknownOutcome, "InternalError")
	if n := r.proxy.Count("CreateVpc"); n != 3 {
		t.Fatalf("%d calls were sent for 3 creates: something retries", n)
	}
}

func TestEstatesDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	a, b := newRig(t, "eu-west-2"), newRig(t, "eu-west-2")
	va, vb := a.vpc(t), b.vpc(t)
	for _, c := range []struct {
		estate string
		want   resource.ID
	}{{a.estate, va.ID}, {b.estate, vb.ID}} {
		got := a.read(t, "vpc", resource.Selector{Estate: c.estate})
		if len(got) != 1 || got[0].ID != c.want {
			t.Errorf("estate %s: %+v, want %s alone", c.estate, got, c.want)
		}
	}
	both := a.Read(t.Context(), []resource.Want{{Kind: "vpc", By: resource.Selector{Estate: a.estate}}, {Kind: "vpc", By: resource.Selector{Estate: b.estate}}})
	if len(both[0].Objects) != 1 || len(both[1].Objects) != 1 || both[0].Objects[0].ID == both[1].Objects[0].ID {
		t.Fatalf("%+v", both)
	}
	m := a.mark(address("vpc"))
	class(t, a.Mark(t.Context(), vb, &m), resource.Conflict, "")
	// A mark on an object of another kind counts for nothing.
	stray := a.mark(address("subnet"))
	if _, err := a.raw.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{string(va.ID)}, Tags: []types.Tag{
		{Key: ptr(resource.MarkAddress), Value: ptr(resource.ID(stray.Address.String()))},
	}}); err != nil {
		t.Fatal(err)
	}
	if got := a.one(t, "vpc", va.ID); !got.Mark.IsZero() {
		t.Fatalf("the mark of a subnet counts on a VPC: %+v", got.Mark)
	}
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ap-northeast-1") // this test lists everything
	v, w := r.vpc(t), r.vpc(t)
	all := r.read(t, "vpc", resource.Selector{All: true})
	for _, id := range []resource.ID{v.ID, w.ID} {
		if !slices.ContainsFunc(all, func(o resource.Object) bool { return o.ID == id }) {
			t.Errorf("All lacks %s", id)
		}
	}
	groups := r.read(t, "security_group", resource.Selector{Filter: map[string]string{"vpc-id": string(v.ID), "group-name": "default"}})
	if len(groups) != 1 || groups[0].Fields.Text("groupName") != "default" {
		t.Fatalf("the filter gives %+v", groups)
	}
	if got := r.one(t, "vpc", v.ID).Fields.Text("defaultSecurityGroupId"); got != string(groups[0].ID) {
		t.Fatalf("defaultSecurityGroupId is %q, want %s", got, groups[0].ID)
	}
	if got := r.read(t, "vpc", resource.Selector{IDs: []resource.ID{"vpc-0123456789abcdef0", v.ID, v.ID}}); len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	many := []resource.ID{v.ID}
	for i := range 449 {
		many = append(many, resource.ID(fmt.Sprintf("vpc-%017x", i)))
	}
	r.proxy.Forget()
	if got := r.read(t, "vpc", resource.Selector{IDs: many}); len(got) != 1 || r.proxy.Count("DescribeVpcs") != 3 {
		t.Fatalf("450 ids gave %d objects in %d lists, want 1 in 3", len(got), r.proxy.Count("DescribeVpcs"))
	}
	a := r.Read(t.Context(), []resource.Want{{Kind: "moon", By: resource.Selector{All: true}}})[0]
	class(t, a.Err, resource.Bug, "")
}

// What a new group lets out by AWS's own doing is taken out by what its create told,
// since a read may not show the group yet.
func TestNewGroupLetsNothingOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	for name, rules := range map[string]resource.List{
		"none": {},
		"one":  {rule("ipProtocol", "udp", "fromPort", 53, "toPort", 53, "cidrIpv4", "10.0.0.2/32")},
	} {
		g := r.create(t, "security_group", resource.Map{"vpcId": str(v.ID), "groupName": resource.String(name), "description": resource.String("d")})
		g.Address.Kind = "security_group"
		if err := r.change(t, g, "egress", rules); err != nil {
			t.Fatal(err)
		}
		if g = r.one(t, "security_group", g.ID); !resource.Equal(g.Fields["egress"], rules) {
			t.Errorf("%s: egress is %s", name, resource.Encode(g.Fields["egress"]))
		}
	}
}

// Drift made behind isobar's back is seen and put back, and what belongs to
// others stays.
func TestDriftIsSeenAndPutBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	g := r.create(t, "security_group", resource.Map{"vpcId": str(v.ID), "groupName": resource.String("web"), "description": resource.String("d"), "tags": tags("team", "x")})
	ours := resource.List{rule("ipProtocol", "tcp", "fromPort", 443, "toPort", 443, "cidrIpv4", "10.0.0.0/8", "description", "lan")}
	g = r.one(t, "security_group", g.ID)
	if err := r.change(t, g, "ingress", ours); err != nil {
		t.Fatal(err)
	}
	if _, err := r.raw.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: ptr(g.ID), IpPermissions: []types.IpPermission{
		{IpProtocol: ptr("tcp"), FromPort: i32(22), ToPort: i32(22), IpRanges: []types.IpRange{{CidrIp: ptr("0.0.0.0/0")}}},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.raw.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{string(g.ID)}, Tags: []types.Tag{
		{Key: ptr("team"), Value: ptr("y")}, {Key: ptr("theirs"), Value: ptr("1")},
	}}); err != nil {
		t.Fatal(err)
	}
	g = r.one(t, "security_group", g.ID)
	if n := len(g.Fields["ingress"].(resource.List)); n != 2 || g.Fields["tags"].(resource.Map).Text("team") != "y" {
		t.Fatalf("the drift is not seen: %s", resource.Encode(g.Fields))
	}
	if err := r.change(t, g, "ingress", ours); err != nil {
		t.Fatal(err)
	}
	want := g
	if _, err := r.Update(t.Context(), g, want, []resource.Change{{Path: resource.Path{"tags", "team"}, Before: resource.String("y"), After: resource.String("x")}}); err != nil {
		t.Fatal(err)
	}
	g = r.one(t, "security_group", g.ID)
	if !resource.Equal(g.Fields["ingress"], ours) || !resource.Equal(g.Fields["tags"], tags("team", "x", "theirs", "1")) {
		t.Fatalf("after: %s", resource.Encode(g.Fields))
	}
	// Rules that are there already, or gone already, are no error: the update
	// is computed from an old view.
	stale := g
	stale.Fields = resource.Map{"ingress": resource.List{rule("ipProtocol", "tcp", "fromPort", 9, "toPort", 9, "cidrIpv4", "10.0.0.0/8")}}
	next := append(slices.Clone(ours), rule("ipProtocol", "tcp", "fromPort", 80, "toPort", 80, "cidrIpv4", "10.0.0.0/8"))
	if err := r.change(t, stale, "ingress", next); err != nil {
		t.Fatal(err)
	}
	if g = r.one(t, "security_group", g.ID); !resource.Equal(resource.Sorted(g.Fields["ingress"].(resource.List)), resource.Sorted(next)) {
		t.Fatalf("after the stale update: %s", resource.Encode(g.Fields["ingress"]))
	}
	none := resource.List{}
	if err := r.change(t, g, "egress", none); err != nil {
		t.Fatal(err)
	}
	if g = r.one(t, "security_group", g.ID); !resource.Equal(g.Fields["egress"], none) {
		t.Fatalf("egress is %s", resource.Encode(g.Fields["egress"]))
	}
}

// Routes and associations follow the wish in both directions.
func TestRoutesAndAssociationsAreReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	var gws, subs []resource.ID
	for i := range 2 {
		subs = append(subs, r.create(t, "subnet", resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String(fmt.Sprintf("10.0.%d.0/24", i))}).ID)
	}
	g := r.create(t, "internet_gateway", resource.Map{})
	g.Address = address("internet_gateway")
	if err := r.change(t, g, "vpcId", str(v.ID)); err != nil {
		t.Fatal(err)
	}
	gws = append(gws, g.ID)
	table := r.create(t, "route_table", resource.Map{"vpcId": str(v.ID)})
	read := func() resource.Object { return r.one(t, "route_table", table.ID) }
	world := rule("destinationCidrBlock", "0.0.0.0/0", "gatewayId", gws[0])
	lan := rule("destinationCidrBlock", "192.168.0.0/16", "gatewayId", gws[0])
	only, err := r.raw.CreateEgressOnlyInternetGateway(t.Context(), &ec2.CreateEgressOnlyInternetGatewayInput{VpcId: ptr(v.ID)})
	if err != nil {
		t.Fatal(err)
	}
	six := rule("destinationIpv6CidrBlock", "::/0", "egressOnlyInternetGatewayId", *only.EgressOnlyInternetGateway.EgressOnlyInternetGatewayId)
	for _, want := range []resource.List{{world}, {world, lan}, {lan}, {six}, {}} {
		if err := r.change(t, read(), "routes", want); err != nil {
			t.Fatal(err)
		}
		got, _ := read().Fields["routes"].(resource.List)
		if len(got) != len(want) || !resource.Equal(resource.Sorted(got), resource.Sorted(want)) && len(want) > 0 {
			t.Fatalf("routes %s, want %s", resource.Encode(got), resource.Encode(want))
		}
	}
	// An old view: the route is there by now, and the other is gone by now.
	if err := r.change(t, read(), "routes", resource.List{world}); err != nil {
		t.Fatal(err)
	}
	old := read()
	old.Fields = resource.Map{"routes": resource.List{lan}}
	if err := r.change(t, old, "routes", resource.List{world}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []resource.List{{str(subs[0])}, {str(subs[0]), str(subs[1])}, {str(subs[1])}} {
		if err := r.change(t, read(), "subnetIds", want); err != nil {
			t.Fatal(err)
		}
		if got := read().Fields["subnetIds"]; !resource.Equal(got, resource.Sorted(want)) {
			t.Fatalf("subnets %v, want %v", got, want)
		}
	}
	other := r.create(t, "route_table", resource.Map{"vpcId": str(v.ID)})
	other.Address = address("route_table")
	if err := r.change(t, other, "subnetIds", resource.List{str(subs[1])}); err != nil {
		t.Fatal(err)
	}
	if got, left := r.one(t, "route_table", other.ID).Fields["subnetIds"], read().Fields["subnetIds"]; !resource.Equal(got, resource.List{str(subs[1])}) || !resource.Empty(left) {
		t.Fatalf("taken from another table it has %v, and that one %v", got, left)
	}
	for _, id := range []resource.ID{table.ID, other.ID} { // and back
		if err := r.change(t, r.one(t, "route_table", id), "subnetIds", map[resource.ID]resource.Value{table.ID: resource.List{str(subs[1])}}[id]); err != nil {
			t.Fatal(err)
		}
	}
	if got := read().Fields["subnetIds"]; !resource.Equal(got, resource.List{str(subs[1])}) {
		t.Fatalf("taken back it has %v", got)
	}
	if _, err := r.Delete(t.Context(), read(), resource.Object{}); err != nil {
		t.Fatalf("delete of a table with an association: %v", err)
	}
	if err := r.change(t, r.one(t, "internet_gateway", g.ID), "vpcId", nil); err != nil {
		t.Fatal(err)
	}
	if got := r.one(t, "internet_gateway", g.ID).Fields["vpcId"]; got != nil {
		t.Fatalf("still attached to %v", got)
	}
}

// What is in use is a conflict.
func TestDeleteOfWhatIsInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	v := r.vpc(t)
	r.proxy.Inject(fault.Rule{Action: "DeleteVpc", Times: 1, Do: fault.Refuse(http.StatusBadRequest, "DependencyViolation", "The vpc has dependencies and cannot be deleted.")})
	_, err := r.Delete(t.Context(), v, v)
	class(t, err, resource.Conflict, "DependencyViolation")
}

// A read of a whole environment costs few requests, however many objects.
func TestRequestsOfARead(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-3")
	for range 5 {
		v := r.vpc(t)
		for j := range 4 {
			r.create(t, "subnet", resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String(fmt.Sprintf("10.0.%d.0/24", j))})
		}
		for j := range 5 {
			r.create(t, "security_group", resource.Map{"vpcId": str(v.ID), "groupName": resource.String(fmt.Sprintf("g%d", j)), "description": resource.String("d")})
		}
		r.create(t, "route_table", resource.Map{"vpcId": str(v.ID)})
		r.create(t, "internet_gateway", resource.Map{})
	}
	r.proxy.Forget()
	var wants []resource.Want
	for _, k := range made() {
		wants = append(wants, resource.Want{Kind: k.Name, By: resource.Selector{Estate: r.estate}})
	}
	n := 0
	for _, a := range r.Read(t.Context(), wants) {
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		n += len(a.Objects)
	}
	by := map[string]int{}
	for _, c := range r.proxy.Calls() {
		by[c.Action]++
	}
	t.Logf("%d objects in %d requests: %v", n, r.proxy.Count(""), by)
	// One list a kind, two of the VPCs' companions, two attributes a VPC.
	if n != 60 || r.proxy.Count("") > len(wants)+2+2*5 {
		t.Fatalf("%d objects in %d requests", n, r.proxy.Count(""))
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-central-1")
	if got := r.Scope(); got != "aws/123456789012/eu-central-1" {
		t.Fatal(got)
	}
	open := func(settings resource.Map) error {
		_, err := aws.Type().Open(t.Context(), provider.Config{Settings: settings})
		return err
	}
	class(t, open(resource.Map{}), resource.Invalid, "")
	class(t, open(resource.Map{"region": resource.String("eu-west-1"), "accountId": resource.String("000000000000")}), resource.Denied, "")
	class(t, open(resource.Map{"region": resource.String("eu-west-1"), "profile": resource.String("nobody")}), resource.Denied, "")
	// Without a client of the caller's the session makes its own.
	if err := open(resource.Map{"region": resource.String("eu-west-1"), "accountId": resource.String("123456789012")}); err != nil {
		t.Fatal(err)
	}
}

func i32(n int32) *int32 { return &n }

// What AWS makes by itself, and what another of its services manages, says so.
func TestGiven(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ap-northeast-2")
	v := r.vpc(t)
	for _, by := range []struct{ kind, filter, want string }{
		{"security_group", "group-name", "it is the default group of its VPC"},
		{"route_table", "association.main", "it is the main route table of its VPC"},
	} {
		value := map[string]string{"group-name": "default", "association.main": "true"}[by.filter]
		got := r.read(t, by.kind, resource.Selector{Filter: map[string]string{"vpc-id": string(v.ID), by.filter: value}})
		if len(got) != 1 || got[0].Given != by.want {
			t.Errorf("%s: %+v", by.kind, got)
		}
	}
	mine := r.one(t, "vpc", v.ID)
	given := slices.DeleteFunc(r.read(t, "vpc", resource.Selector{All: true}), func(o resource.Object) bool { return o.Given == "" })
	if mine.Given != "" || len(given) != 1 || given[0].Given != "it is the region's default VPC" {
		t.Errorf("mine says %q, and %d others %+v", mine.Given, len(given), given)
	}
	subnets := r.read(t, "subnet", resource.Selector{Filter: map[string]string{"vpc-id": string(given[0].ID)}})
	if len(subnets) == 0 || slices.ContainsFunc(subnets, func(o resource.Object) bool { return o.Given != "it is the default subnet of its availability zone" }) {
		t.Errorf("the default VPC has %+v", subnets)
	}
}
