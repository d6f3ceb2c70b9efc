package aws_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/provider/providertest"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/aws"
	"isobar.dev/schemas"
)

func rule(kv ...any) resource.Map {
	m := resource.Map{}
	for pair := range slices.Chunk(kv, 2) {
		field := fmt.Sprint(pair[0])
		switch v := pair[1].(type) {
		case int:
			m[field] = resource.Int(v)
		default:
			m[field] = resource.String(fmt.Sprint(v))
		}
	}
	return m
}

func tags(kv ...string) resource.Map {
	m := resource.Map{}
	for pair := range slices.Chunk(kv, 2) {
		m[pair[0]] = resource.String(pair[1])
	}
	return m
}

func cases() []providertest.Case {
	var n atomic.Int64
	fresh := func() string { return fmt.Sprintf("g-%d", n.Add(1)) }
	vpc := func(t *testing.T, h *providertest.Harness) resource.Object {
		return h.Make(t, "vpc", resource.Map{"cidrBlock": resource.String("10.0.0.0/16")})
	}
	retag := resource.Map{"tags": tags("team", "y", "added", "1")}
	return []providertest.Case{
		{Kind: "vpc", Missing: "vpc-0123456789abcdef0", Prepare: func(*testing.T, *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create: resource.Map{
					"cidrBlock": resource.String("10.1.0.0/16"), "instanceTenancy": resource.String("default"),
					"tags": tags("team", "x", "gone", "1"),
				},
				Updates: map[string]resource.Map{
					"":             retag,
					"dnsSupport":   {"enableDnsSupport": resource.Bool(false)},
					"dnsHostnames": {"enableDnsHostnames": resource.Bool(true)},
				},
				Invalid: resource.Map{"cidrBlock": resource.String("10.0.0.0/8")},
			}
		}},
		{Kind: "subnet", Missing: "subnet-0123456789abcdef0", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			v := vpc(t, h)
			return providertest.Fixture{
				Create:  resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String("10.0.1.0/24"), "tags": tags("team", "x", "gone", "1")},
				Updates: map[string]resource.Map{"": retag, "mapPublicIpOnLaunch": {"mapPublicIpOnLaunch": resource.Bool(true)}},
				Invalid: resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String("192.168.0.0/24")},
				Holds:   &v,
			}
		}},
		{Kind: "internet_gateway", Missing: "igw-0123456789abcdef0", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			v := vpc(t, h)
			return providertest.Fixture{
				Create:  resource.Map{"tags": tags("team", "x", "gone", "1")},
				Updates: map[string]resource.Map{"": retag, "attachment": {"vpcId": str(v.ID)}},
			}
		}},
		{Kind: "route_table", Missing: "rtb-0123456789abcdef0", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			v := vpc(t, h)
			sub := h.Make(t, "subnet", resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String("10.0.1.0/24")})
			gw := h.Make(t, "internet_gateway", resource.Map{"vpcId": str(v.ID)})
			return providertest.Fixture{
				Create: resource.Map{"vpcId": str(v.ID), "tags": tags("team", "x", "gone", "1")},
				Updates: map[string]resource.Map{
					"": retag,
					"routes": {"routes": resource.List{
						rule("destinationCidrBlock", "0.0.0.0/0", "gatewayId", gw.ID),
						rule("destinationCidrBlock", "192.168.0.0/16", "gatewayId", gw.ID),
					}},
					"associations": {"subnetIds": resource.List{str(sub.ID)}},
				},
				Invalid: resource.Map{},
			}
		}},
		{Kind: "security_group", Missing: "sg-0123456789abcdef0", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			v := vpc(t, h)
			name := func() resource.Value { return resource.String(fresh()) }
			peer := h.Make(t, "security_group", resource.Map{"vpcId": str(v.ID), "groupName": name(), "description": resource.String("peer")})
			return providertest.Fixture{
				Create: resource.Map{"vpcId": str(v.ID), "groupName": name(), "description": resource.String("web"), "tags": tags("team", "x", "gone", "1")},
				Updates: map[string]resource.Map{
					"": retag,
					"ingress": {"ingress": resource.List{
						rule("ipProtocol", "tcp", "fromPort", 443, "toPort", 443, "cidrIpv4", "0.0.0.0/0", "description", "world"),
						rule("ipProtocol", "tcp", "fromPort", 443, "toPort", 443, "cidrIpv6", "::/0"),
						rule("ipProtocol", "-1", "referencedGroupId", peer.ID),
						rule("ipProtocol", "icmp", "fromPort", -1, "toPort", -1, "cidrIpv4", "10.0.0.0/8"),
					}},
					"egress": {"egress": resource.List{rule("ipProtocol", "udp", "fromPort", 53, "toPort", 53, "cidrIpv4", "10.0.0.2/32")}},
				},
				Invalid: resource.Map{"groupName": name(), "vpcId": str(v.ID)},
			}
		}},
	}
}

// TestConformance runs the whole suite over moto. What moto does not refuse
// (credentials) the proxy refuses.
func TestConformance(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	descriptors, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	denying, err := fault.Start(t.Context(), cloud.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(denying.Close)
	denying.Inject(fault.Rule{Do: fault.Refuse(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")})
	good, bad := r.proxy.Client(provider.FenceTransport), denying.Client(provider.FenceTransport)
	t.Cleanup(func() { closeIdle(good); closeIdle(bad) })
	settings := resource.Map{"region": resource.String(r.region)}
	providertest.Run(t, providertest.Subject{
		Type: aws.Type(), Descriptors: descriptors, Cases: cases(),
		Config: provider.Config{Alias: "aws", Estate: r.estate, Settings: settings, HTTP: good},
		Wrong:  &provider.Config{Alias: "aws", Estate: r.estate, Settings: settings, HTTP: bad},
	})
}
