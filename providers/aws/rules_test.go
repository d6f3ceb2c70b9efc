package aws

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"pgregory.net/rapid"

	"isobar.dev/engine/resource"
)

// drawRule draws a rule in normal form.
func drawRule(t *rapid.T) rule {
	k := ruleKey{
		protocol: rapid.SampledFrom([]string{"tcp", "udp", "icmp", "icmpv6", "-1", "50", "6", "ALL"}).Draw(t, "protocol"),
		ports:    rapid.Bool().Draw(t, "ports"), from: rapid.Int32Range(-1, 65535).Draw(t, "from"), to: rapid.Int32Range(-1, 65535).Draw(t, "to"),
		peer: rapid.SampledFrom([]peer{peerIPv4, peerIPv6, peerGroup, peerPrefix}).Draw(t, "peer"),
	}
	n := rapid.IntRange(0, 9).Draw(t, "source")
	k.source = map[peer]string{
		peerIPv4: fmt.Sprintf("10.%d.0.1/16", n), peerIPv6: fmt.Sprintf("2001:DB8:%d::1/48", n),
		peerGroup: fmt.Sprintf("sg-%d", n), peerPrefix: fmt.Sprintf("pl-%d", n),
	}[k.peer]
	return newRule(k, rapid.SampledFrom([]string{"", "why"}).Draw(t, "description"))
}

// A rule is the same after its way through EC2's form and through the field.
func TestRulesKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := map[ruleKey]rule{}
		var rules []rule
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			if r := drawRule(t); want[r.ruleKey].peer == "" {
				want[r.ruleKey] = r
				rules = append(rules, r)
			}
		}
		for form, got := range map[string]map[ruleKey]rule{
			"field": parseRules(ruleList(rules)),
			"EC2":   parseRules(ruleList(rulesOf(permissions(rules)))),
		} {
			if len(got) != len(want) {
				t.Fatalf("%s: %d rules, want %d", form, len(got), len(want))
			}
			for k, r := range want {
				if got[k] != r {
					t.Fatalf("%s: %+v became %+v", form, r, got[k])
				}
			}
		}
	})
}

// The field does not depend on the order or the grouping in which EC2 answers.
func TestRuleFieldIsCanonical(t *testing.T) {
	t.Parallel()
	grouped := []types.IpPermission{{
		IpProtocol: aws.String("6"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
		IpRanges:         []types.IpRange{{CidrIp: aws.String("10.1.0.0/16")}, {CidrIp: aws.String("10.0.0.9/16"), Description: aws.String("a")}},
		UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String("sg-1"), UserId: aws.String("1")}},
	}}
	apart := []types.IpPermission{
		{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String("sg-1")}}},
		{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22), IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/16"), Description: aws.String("a")}}},
		{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22), IpRanges: []types.IpRange{{CidrIp: aws.String("10.1.0.0/16")}}},
	}
	if a, b := ruleList(rulesOf(grouped)), ruleList(rulesOf(apart)); !resource.Equal(a, b) {
		t.Fatalf("%s\n%s", resource.Encode(a), resource.Encode(b))
	}
	all := ruleList(rulesOf([]types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}))
	if got := string(resource.Encode(all)); got != `[{"cidrIpv4":"0.0.0.0/0","ipProtocol":"-1"}]` {
		t.Fatal(got)
	}
}

// A spelling that EC2 would not keep is refused with the one that it keeps.
func TestOtherSpellingsAreRefused(t *testing.T) {
	t.Parallel()
	tcp := func(cidr string) resource.Map {
		return resource.Map{"ipProtocol": resource.String("tcp"), "fromPort": resource.Int(1), "toPort": resource.Int(2), "cidrIpv4": resource.String(cidr)}
	}
	with := func(m resource.Map, field string, v resource.Value) resource.Map {
		out := maps.Clone(m)
		if out[field] = v; v == nil {
			delete(out, field)
		}
		return out
	}
	good := tcp("10.0.0.0/16")
	for name, c := range map[string]struct {
		rule resource.Map
		mend string // "" is fine as it is
	}{
		"canonical":        {good, ""},
		"number":           {with(good, "ipProtocol", resource.String("6")), `"tcp"`},
		"host bits":        {tcp("10.0.3.4/16"), `"10.0.0.0/16"`},
		"one port":         {with(good, "toPort", nil), `"toPort":1`},
		"ports of all":     {with(good, "ipProtocol", resource.String("-1")), `{"cidrIpv4":"10.0.0.0/16","ipProtocol":"-1"}`},
		"capital IPv6":     {with(with(good, "cidrIpv4", nil), "cidrIpv6", resource.String("2001:DB8::/32")), `"2001:db8::/32"`},
		"empty text":       {with(good, "description", resource.String("")), `write {"cidrIpv4":"10.0.0.0/16","fromPort"`},
		"with description": {with(good, "description", resource.String("lan")), ""},
	} {
		err := checkRules(resource.List{c.rule})
		if (err == nil) != (c.mend == "") || err != nil && (resource.ClassOf(err) != resource.Invalid || !strings.Contains(err.Error(), c.mend)) {
			t.Errorf("%s: %v, want %q", name, err, c.mend)
		}
	}
}

// Of a route table's routes only those are shown that somebody made as routes.
func TestRoutesOfOthersAreNotShown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		route types.Route
		shown bool
	}{
		"local":      {types.Route{DestinationCidrBlock: aws.String("10.0.0.0/16"), GatewayId: aws.String("local"), Origin: types.RouteOriginCreateRouteTable}, false},
		"propagated": {types.Route{DestinationCidrBlock: aws.String("10.9.0.0/16"), GatewayId: aws.String("vgw-1"), Origin: types.RouteOriginEnableVgwRoutePropagation}, false},
		"endpoint":   {types.Route{DestinationPrefixListId: aws.String("pl-1"), GatewayId: aws.String("vpce-1"), Origin: types.RouteOriginCreateRoute}, false},
		"ours":       {types.Route{DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: aws.String("igw-1"), Origin: types.RouteOriginCreateRoute}, true},
		"black hole": {types.Route{DestinationCidrBlock: aws.String("0.0.0.0/0"), NatGatewayId: aws.String("nat-1"), State: types.RouteStateBlackhole}, true},
	} {
		if got := routeValue(&c.route) != nil; got != c.shown {
			t.Errorf("%s: shown is %v", name, got)
		}
	}
	via := routeValue(&types.Route{DestinationCidrBlock: aws.String("10.9.0.0/16"), InstanceId: aws.String("i-1"), NetworkInterfaceId: aws.String("eni-1")})
	if got := string(resource.Encode(via)); got != `{"destinationCidrBlock":"10.9.0.0/16","instanceId":"i-1"}` {
		t.Fatal(got)
	}
	out := routeValue(&types.Route{DestinationIpv6CidrBlock: aws.String("::/0"), EgressOnlyInternetGatewayId: aws.String("eigw-1")})
	if got := string(resource.Encode(out)); got != `{"destinationIpv6CidrBlock":"::/0","egressOnlyInternetGatewayId":"eigw-1"}` {
		t.Fatal(got)
	}
}

// Every field that the schema lets change in place has its aspect here, and no
// other has.
func TestAspectsMatchTheSchema(t *testing.T) {
	t.Parallel()
	ds := descriptors(t)
	for _, k := range kinds() {
		d := ds[name+"."+k.Name]
		if d == nil {
			t.Errorf("%s has no schema", k.Name)
			continue
		}
		for _, f := range d.Fields {
			aspect, ok := k.fields[f.Name]
			if mutable := !f.Immutable && !f.Computed && !d.Lookup; ok != mutable || aspect != f.Aspect {
				t.Errorf("%s.%s: aspect %q (%v), the schema has %q (%v)", k.Name, f.Name, aspect, ok, f.Aspect, mutable)
			}
		}
		for f := range k.fields {
			if d.Field(f) == nil {
				t.Errorf("%s.%s is not in the schema", k.Name, f)
			}
		}
	}
}
