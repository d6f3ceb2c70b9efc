package aws_test

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

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

func cases(image resource.Value) []providertest.Case {
	var n atomic.Int64
	fresh := func() string { return fmt.Sprintf("g-%d", n.Add(1)) }
	vpc := func(t *testing.T, h *providertest.Harness) resource.Object {
		return h.Make(t, "vpc", resource.Map{"cidrBlock": resource.String("10.0.0.0/16")})
	}
	public := func(t *testing.T, h *providertest.Harness) resource.Object {
		v := vpc(t, h)
		return h.Make(t, "subnet", resource.Map{
			"vpcId": str(v.ID), "cidrBlock": resource.String("10.0.1.0/24"), "availabilityZone": resource.String("eu-west-1a"),
			"mapPublicIpOnLaunch": resource.Bool(true),
		})
	}
	retag := resource.Map{"tags": tags("team", "y", "added", "1")}
	return []providertest.Case{
		{Kind: "ami", Prepare: func(*testing.T, *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create:  resource.Map{"ssmParameter": resource.String(parameter)},
				Nothing: []resource.Map{{"ssmParameter": resource.String(parameter + "/none")}, byFilter("nobody's image"), {"ssmParameter": resource.String(parameter + ":99")}},
			}
		}},
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
		{Kind: "bucket", Missing: "isobar-there-is-no-such-bucket", Prepare: func(*testing.T, *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create: resource.Map{
					"bucket": bucketName(), "forceDestroy": resource.Bool(false), "tags": tags("team", "x", "gone", "1"),
				},
				Updates: map[string]resource.Map{
					"":                  merge(retag, resource.Map{"forceDestroy": resource.Bool(true)}),
					"versioning":        {"versioning": rule("status", "Enabled")},
					"encryption":        {"encryption": merge(rule("sseAlgorithm", "aws:kms", "kmsMasterKeyId", testKey), resource.Map{"bucketKeyEnabled": resource.Bool(true)})},
					"publicAccessBlock": {"publicAccessBlock": blocks(true, false)},
					"policy":            {"policy": tlsOnly},
					"lifecycle": {"lifecycleRules": resource.List{
						merge(rule("id", "old", "status", "Enabled"), resource.Map{
							"filter": rule("prefix", "logs/"), "expiration": rule("days", 90),
							"transitions":                  resource.List{rule("days", 30, "storageClass", "STANDARD_IA"), rule("date", "2031-05-01", "storageClass", "GLACIER")},
							"noncurrentVersionTransitions": resource.List{rule("noncurrentDays", 7, "newerNoncurrentVersions", 3, "storageClass", "GLACIER_IR")},
							"noncurrentVersionExpiration":  rule("noncurrentDays", 60),
						}),
						merge(rule("id", "parts", "status", "Disabled"), resource.Map{
							"filter": resource.Map{"prefix": resource.String("up/"), "tags": tags("a", "b", "c", "d")}, "abortIncompleteMultipartUpload": rule("daysAfterInitiation", 2),
						}),
						merge(rule("id", "all", "status", "Enabled"), resource.Map{"expiration": resource.Map{"expiredObjectDeleteMarker": resource.Bool(true)}}),
					}},
				},
				Invalid: resource.Map{"bucket": resource.String("ab")},
			}
		}},
		{Kind: "key_pair", Missing: "key-0123456789abcdef0", Prepare: func(t *testing.T, _ *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create:  resource.Map{"keyName": resource.String(fresh()), "publicKeyMaterial": publicKey(t), "tags": tags("team", "x", "gone", "1")},
				Updates: map[string]resource.Map{"": retag},
				Invalid: resource.Map{"keyName": resource.String(fresh()), "publicKeyMaterial": resource.String("ssh-rsa AAAA")},
			}
		}},
		{Kind: "volume", Missing: "vol-0123456789abcdef0", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			i := h.Make(t, "instance", resource.Map{"imageId": image, "instanceType": resource.String("t3.micro"), "subnetId": str(public(t, h).ID)})
			return providertest.Fixture{
				Create: resource.Map{
					"availabilityZone": resource.String("eu-west-1a"), "size": resource.Int(10), "volumeType": resource.String("gp3"),
					"iops": resource.Int(3000), "encrypted": resource.Bool(true), "tags": tags("team", "x", "gone", "1"),
				},
				Updates: map[string]resource.Map{
					"":           merge(retag, resource.Map{"size": resource.Int(20), "iops": resource.Int(4000)}),
					"attachment": {"attachment": rule("instanceId", i.ID, "device", "/dev/sdf")},
				},
				Invalid: resource.Map{"availabilityZone": resource.String("eu-west-1a"), "volumeType": resource.String("gp3")},
			}
		}},
		{Kind: "instance", Missing: "i-0123456789abcdef0", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			sub := public(t, h)
			group := h.Make(t, "security_group", resource.Map{
				"vpcId": sub.Fields["vpcId"], "groupName": resource.String(fresh()), "description": resource.String("web"),
			})
			other := h.Make(t, "security_group", resource.Map{
				"vpcId": sub.Fields["vpcId"], "groupName": resource.String(fresh()), "description": resource.String("more"),
			})
			key := h.Make(t, "key_pair", resource.Map{"keyName": resource.String(fresh()), "publicKeyMaterial": publicKey(t)})
			return providertest.Fixture{
				Create: resource.Map{
					"imageId": image, "instanceType": resource.String("t3.micro"), "subnetId": str(sub.ID),
					"securityGroupIds": resource.List{str(group.ID)}, "keyName": key.Fields["keyName"],
					"userData": resource.String("#!/bin/sh\n"), "tags": tags("team", "x", "gone", "1"),
					"metadataOptions": rule("httpTokens", "required", "httpEndpoint", "enabled"),
					"rootVolume":      disk("volumeType", "gp3", "volumeSize", 10),
				},
				Updates: map[string]resource.Map{
					"": merge(retag, resource.Map{
						"instanceType":     resource.String("t3.small"),
						"securityGroupIds": resource.List{str(group.ID), str(other.ID)},
						"metadataOptions":  rule("httpTokens", "optional", "httpEndpoint", "enabled", "httpPutResponseHopLimit", 2),
						"rootVolume":       disk("volumeType", "gp2", "volumeSize", 20),
					}),
					"state":       {"state": resource.String("stopped")},
					"termination": {"disableApiTermination": resource.Bool(false)},
				},
				Invalid: resource.Map{
					"imageId": resource.String("ami-0123456789abcdef0"), "instanceType": resource.String("t3.micro"), "subnetId": str(sub.ID),
					"rootVolume": disk("volumeType", "gp3"),
				},
			}
		}},
	}
}

// bucketName gives a fresh bucket's name.
func bucketName() resource.Value { return resource.String("isobar-" + uuid.NewString()) }

// disk is a root volume that is encrypted and goes with its instance.
func disk(kv ...any) resource.Map {
	return merge(rule(kv...), resource.Map{"encrypted": resource.Bool(true), "deleteOnTermination": resource.Bool(true)})
}

func merge(ms ...resource.Map) resource.Map {
	out := resource.Map{}
	for _, m := range ms {
		maps.Copy(out, m)
	}
	return out
}

// publicKey gives a fresh public key in OpenSSH's form.
func publicKey(t *testing.T) resource.Value {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return resource.String(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
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
	maps.DeleteFunc(descriptors, func(kind string, _ *resource.Descriptor) bool { return !strings.HasPrefix(kind, "aws.") })
	denying, err := fault.Start(t.Context(), cloud.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(denying.Close)
	denying.Inject(fault.Rule{Do: fault.Refuse(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")})
	r.put(t, parameter, r.image(t).(resource.String))
	good, bad := r.proxy.Client(provider.FenceTransport), denying.Client(provider.FenceTransport)
	t.Cleanup(func() { closeIdle(good); closeIdle(bad) })
	settings := resource.Map{"region": resource.String(r.region)}
	providertest.Run(t, providertest.Subject{
		Type: aws.Type(), Descriptors: descriptors, Cases: cases(r.image(t)),
		Config: provider.Config{Alias: "aws", Estate: r.estate, Settings: settings, HTTP: good},
		Wrong:  &provider.Config{Alias: "aws", Estate: r.estate, Settings: settings, HTTP: bad},
	})
}
