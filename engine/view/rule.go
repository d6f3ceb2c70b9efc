package view

import (
	"strconv"
	"strings"

	"isobar.dev/engine/resource"
)

// peers are the fields that may name a network rule's other side.
const peers = " cidrIpv4 cidrIpv6 referencedGroupId prefixListId "

// ruleText writes a network rule as people say it, "tcp 443 from 0.0.0.0/0";
// ok is false for a map that is not just one. Egress rules go "to" their peer.
func ruleText(v resource.Value, path string) (s string, ok bool) {
	m, isMap := v.(resource.Map)
	proto, hasProto := m["ipProtocol"].(resource.String)
	if !isMap || !hasProto {
		return "", false
	}
	verb := "from"
	if strings.HasPrefix(path, "egress") {
		verb = "to"
	}
	peer, note := "", ""
	for _, k := range m.Keys() {
		switch {
		case k == "ipProtocol" || k == "fromPort" || k == "toPort":
		case k == "description":
			note = " (" + clean(m.Text(k)) + ")"
		case strings.Contains(peers, " "+k+" ") && peer == "":
			peer = text(m[k])
		default:
			return "", false
		}
	}
	if peer == "" {
		return "", false
	}
	return join(" ", protocol(string(proto)), ports(m), verb, peer) + note, true
}

func protocol(p string) string {
	if p == "-1" {
		return "all traffic"
	}
	return clean(p)
}

func ports(m resource.Map) string {
	from, ok1 := m["fromPort"].(resource.Int)
	to, ok2 := m["toPort"].(resource.Int)
	switch {
	case !ok1 && !ok2 || from == -1:
		return ""
	case ok1 && ok2 && from == to:
		return strconv.Itoa(int(from))
	}
	return text(m["fromPort"]) + "-" + text(m["toPort"])
}
