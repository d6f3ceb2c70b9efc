// Package all lists the providers that come with isobar: an explicit list, with
// no registry behind it. Floor 8.
package all

import (
	"isobar.dev/engine/provider"
	"isobar.dev/providers/aws"
	"isobar.dev/providers/vsphere"
)

// Types gives every provider, sorted by name.
func Types() []provider.Type { return []provider.Type{aws.Type(), vsphere.Type()} }
