package aws

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/resource"
)

// peer is the field of a rule that names its other side.
type peer string

const (
	peerIPv4   peer = "cidrIpv4"
	peerIPv6   peer = "cidrIpv6"
	peerGroup  peer = "referencedGroupId"
	peerPrefix peer = "prefixListId"
)

// ruleKey tells rules of one group and direction apart, as EC2 does: the
// description is not part of it.
type ruleKey struct {
	protocol string
	ports    bool // from and to are set
	from, to int32
	peer     peer
	source   string
}

// rule is one rule with one source, in normal form.
type rule struct {
	ruleKey
	description string
}

// newRule gives the normal form: protocols by EC2's names, no ports where all
// protocols go, CIDR blocks masked.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
func newRule(k ruleKey, description string) rule {
	k.protocol = protocolName(k.protocol)
	if k.protocol == "-1" {
		k.ports = false
	}
	if !k.ports {
		k.from, k.to = 0, 0
	}
	if k.peer == peerIPv4 || k.peer == peerIPv6 {
		k.source, _ = resource.CanonicalCIDR(k.source) // what is no block stays as it is
	}
	return rule{ruleKey: k, description: description}
}

// protocolName gives EC2's spelling of a protocol: a name for those that have
// one there, else the number.
func protocolName(p string) string {
	switch p = strings.ToLower(p); p {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1":
		return "icmp"
	case "58":
		return "icmpv6"
	case "all", "":
		return "-1"
	}
	return p
}

// rulesOf takes permissions apart, to one source a rule.
func rulesOf(ps []types.IpPermission) []rule {
	var out []rule
	for i := range ps {
		p := &ps[i]
		k := ruleKey{
			protocol: aws.ToString(p.IpProtocol), ports: p.FromPort != nil || p.ToPort != nil,
			from: aws.ToInt32(p.FromPort), to: aws.ToInt32(p.ToPort),
		}
		add := func(side peer, source, description *string) {
			k.peer, k.source = side, aws.ToString(source)
			out = append(out, newRule(k, aws.ToString(description)))
		}
		for _, r := range p.IpRanges {
			add(peerIPv4, r.CidrIp, r.Description)
		}
		for _, r := range p.Ipv6Ranges {
			add(peerIPv6, r.CidrIpv6, r.Description)
		}
		for _, r := range p.UserIdGroupPairs {
			add(peerGroup, r.GroupId, r.Description)
		}
		for _, r := range p.PrefixListIds {
			add(peerPrefix, r.PrefixListId, r.Description)
		}
	}
	return out
}

// permissions gives rules as EC2 takes them, one source each.
func permissions(rules []rule) []types.IpPermission {
	out := make([]types.IpPermission, len(rules))
	for i, r := range rules {
		p := types.IpPermission{IpProtocol: aws.String(r.protocol)}
		if r.ports {
			p.FromPort, p.ToPort = aws.Int32(r.from), aws.Int32(r.to)
		}
		var description *string
		if r.description != "" {
			description = aws.String(r.description)
		}
		source := aws.String(r.source)
		switch r.peer {
		case peerIPv4:
			p.IpRanges = []types.IpRange{{CidrIp: source, Description: description}}
		case peerIPv6:
			p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: source, Description: description}}
		case peerGroup:
			p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: source, Description: description}}
		case peerPrefix:
			p.PrefixListIds = []types.PrefixListId{{PrefixListId: source, Description: description}}
		}
		out[i] = p
	}
	return out
}

// checkRules refuses wanted rules that EC2 would keep in another spelling: they
// would differ from what is read back for ever.
func checkRules(v resource.Value) error {
	for _, m := range structs(v) {
		for _, r := range parseRules(resource.List{m}) {
			if kept := ruleList([]rule{r})[0]; !resource.Equal(m, kept) {
				return invalid("aws:Update", "EC2 keeps the rule "+string(resource.Encode(m))+" in another form: write "+string(resource.Encode(kept)))
			}
		}
	}
	return nil
}

// parseRules reads a field's rules.
func parseRules(v resource.Value) map[ruleKey]rule {
	out := map[ruleKey]rule{}
	for _, m := range structs(v) {
		from, hasFrom := m["fromPort"].(resource.Int)
		to, hasTo := m["toPort"].(resource.Int)
		k := ruleKey{protocol: m.Text("ipProtocol"), ports: hasFrom || hasTo, from: port(from), to: port(to)}
		if hasFrom && !hasTo {
			k.to = k.from
		}
		for _, side := range []peer{peerIPv4, peerIPv6, peerGroup, peerPrefix} {
			if s := m.Text(string(side)); s != "" {
				k.peer, k.source = side, s
			}
		}
		r := newRule(k, m.Text("description"))
		out[r.ruleKey] = r
	}
	return out
}

// port narrows a port, an ICMP type or -1; what no port can be becomes one
// that EC2 refuses.
func port(n resource.Int) int32 {
	if n < -1 || n > 65535 {
		return 65536
	}
	return int32(n)
}

// ruleList gives rules as a field's value, in canonical order.
func ruleList(rules []rule) resource.List {
	out := make(resource.List, len(rules))
	for i, r := range rules {
		m := resource.Map{"ipProtocol": resource.String(r.protocol), string(r.peer): resource.String(r.source)}
		if r.ports {
			m["fromPort"], m["toPort"] = resource.Int(r.from), resource.Int(r.to)
		}
		if r.description != "" {
			m["description"] = resource.String(r.description)
		}
		out[i] = m
	}
	return resource.Sorted(out)
}

// sortRules orders rules as their values are ordered, so that equal work makes
// equal calls.
func sortRules(rules []rule) {
	slices.SortFunc(rules, func(a, b rule) int {
		return resource.Compare(ruleList([]rule{a}), ruleList([]rule{b}))
	})
}
