package fake

import (
	"context"
	"net/netip"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Name is the provider's name.
const Name = "fake"

// kind is the static part of a kind, its descriptor, and what only it does.
type kind struct {
	provider.Kind
	desc  *resource.Descriptor
	key   string                                // the natural key's field
	long  bool                                  // its create is long-running
	check func(fields resource.Map) string      // what is wrong with the fields, in words; "" for nothing
	fill  func(fields resource.Map, writes int) // sets the computed fields
}

// kinds is the table, sorted by name.
func kinds() []kind {
	created := func(name string, s provider.Settle) provider.Kind {
		return provider.Kind{Name: name, IDs: provider.ReachWorld, Settle: s, Origin: provider.OriginCreated}
	}
	record := created("record", provider.SettleNatural)
	record.Unmarked = true
	image := provider.Kind{Name: "image", IDs: provider.ReachWorld, Origin: provider.OriginLookedUp, Unmarked: true}
	return []kind{
		{Kind: created("disk", provider.SettleToken), desc: diskDescriptor(), check: checkDisk},
		{Kind: created("group", provider.SettleMark), desc: groupDescriptor()},
		{Kind: image, desc: imageDescriptor()},
		{Kind: created("machine", provider.SettleChosen), desc: machineDescriptor(), long: true, check: checkMachine},
		{Kind: created("network", provider.SettleMark), desc: networkDescriptor(), check: checkNetwork, fill: fillNetwork},
		{Kind: record, desc: recordDescriptor(), key: "name"},
	}
}

func (w *World) kindNamed(name string) *kind {
	for i := range w.kinds {
		if w.kinds[i].Name == name {
			return &w.kinds[i]
		}
	}
	return nil
}

// Descriptors gives the kinds' descriptors. They stand in Go, not in CUE: the
// fake is a test double and no part of the schemas.
func Descriptors() resource.Descriptors {
	out := resource.Descriptors{}
	for _, k := range kinds() {
		out[k.desc.Kind] = k.desc
	}
	return out
}

// Type gives the provider on a world. Its settings are region ("main" unless
// set) and user; the user "stranger" is refused.
func Type(w *World) provider.Type {
	t := provider.Type{Name: Name, Open: func(ctx context.Context, c provider.Config) (provider.Session, error) {
		return open(ctx, w, c)
	}}
	for _, k := range w.kinds {
		k.Lag = w.opt.Lag
		t.Kinds = append(t.Kinds, k.Kind)
	}
	return t
}

// Catalogue gives the provider joined with its descriptors.
func Catalogue(w *World) provider.Catalogue {
	return provider.Catalogue{Types: []provider.Type{Type(w)}, Descriptors: Descriptors()}
}

func checkNetwork(f resource.Map) string {
	p, err := netip.ParsePrefix(f.Text("cidr"))
	if err != nil || p != p.Masked() {
		return "cidr must be a block such as 10.0.0.0/16"
	}
	return ""
}

func fillNetwork(f resource.Map, writes int) {
	if p, err := netip.ParsePrefix(f.Text("cidr")); err == nil {
		f["gateway"] = resource.String(p.Masked().Addr().Next().String())
	}
	f["serial"] = resource.Int(int64(writes))
}

func checkDisk(f resource.Map) string {
	if n, _ := f["size"].(resource.Int); n <= 0 {
		return "size must be more than 0"
	}
	return ""
}

func checkMachine(f resource.Map) string {
	if n, _ := f["cpus"].(resource.Int); n <= 0 {
		return "cpus must be more than 0"
	}
	if s := f.Text("state"); s != "running" && s != "stopped" {
		return "state must be running or stopped"
	}
	return ""
}
