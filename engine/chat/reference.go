package chat

import (
	"strings"

	"isobar.dev/engine/resource"
)

// reference names a posted message: "CHANNEL/TS/KEY". The key rides along
// because an edit sends the metadata again.
type reference struct {
	channel, ts, key string
}

func (r reference) String() string { return r.channel + "/" + r.ts + "/" + r.key }

func parseReference(op, s string) (reference, error) {
	parts := strings.SplitN(s, "/", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return reference{}, invalid(op, "not a reference that Post gave")
	}
	r := reference{channel: parts[0], ts: parts[1]}
	if len(parts) == 3 {
		r.key = parts[2]
	}
	return r, nil
}

func invalid(op, message string) error {
	return &resource.Failure{Class: resource.Invalid, Op: op, Message: message}
}
