package fake_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/provider/providertest"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

func text(s resource.ID) resource.Value { return resource.String(s) }

func texts(ids ...resource.ID) resource.List {
	var out resource.List
	for _, id := range ids {
		out = append(out, text(id))
	}
	return out
}

func cases(w *fake.World) []providertest.Case {
	w.Publish("linux", "")
	w.Publish("linux", "edge")
	var names atomic.Int64
	fresh := func(base string) resource.Value { return resource.String(fmt.Sprintf("%s-%d", base, names.Add(1))) }
	network := func(t *testing.T, h *providertest.Harness) resource.Object {
		return h.Make(t, "network", resource.Map{"cidr": text("10.0.0.0/16")})
	}
	return []providertest.Case{
		{Kind: "network", Missing: "network-none", Prepare: func(*testing.T, *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create:  resource.Map{"cidr": text("10.1.0.0/16"), "label": text("a"), "tags": resource.Map{"team": text("x"), "tier": text("1")}},
				Updates: map[string]resource.Map{"": {"label": nil, "tags": resource.Map{"team": text("y")}}},
				Invalid: resource.Map{"cidr": text("10.1.0.1/16")},
			}
		}},
		{Kind: "disk", Missing: "disk-none", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			n := network(t, h)
			return providertest.Fixture{
				Create: resource.Map{"networkId": text(n.ID), "size": resource.Int(8)},
				Updates: map[string]resource.Map{
					"":       {"size": resource.Int(9)},
					"policy": {"policy": resource.Map{"keep": text("7d")}},
				},
				Invalid: resource.Map{"size": resource.Int(0)},
				Holds:   &n,
			}
		}},
		{Kind: "machine", Missing: "machine-none", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			n := network(t, h)
			a := h.Make(t, "disk", resource.Map{"size": resource.Int(1)})
			b := h.Make(t, "disk", resource.Map{"size": resource.Int(2)})
			return providertest.Fixture{
				Create: resource.Map{"networkId": text(n.ID), "cpus": resource.Int(2), "hostname": fresh("host"), "password": text("swordfish"), "state": text("running")},
				Updates: map[string]resource.Map{
					"":      {"cpus": resource.Int(4), "state": text("stopped"), "password": text("mellon")},
					"disks": {"diskIds": texts(b.ID, a.ID)},
				},
				Invalid: resource.Map{"networkId": text(n.ID), "cpus": resource.Int(2), "hostname": fresh("host"), "state": text("flying")},
				Holds:   &n,
			}
		}},
		{Kind: "image", Prepare: func(*testing.T, *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create:  resource.Map{"name": text("linux"), "channel": text("edge")},
				Nothing: []resource.Map{{"name": text("minix")}, {"name": text("linux"), "channel": text("none")}},
			}
		}},
		{Kind: "group", Missing: "group-none", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			n := network(t, h)
			peer := h.Make(t, "group", resource.Map{"networkId": text(n.ID)})
			return providertest.Fixture{
				Create: resource.Map{"networkId": text(n.ID)},
				Updates: map[string]resource.Map{
					"":      {"notes": text("mine")},
					"rules": {"rules": resource.List{resource.Map{"port": resource.Int(443)}, resource.Map{"peer": text(peer.ID), "port": resource.Int(22)}}},
				},
				Invalid: resource.Map{"notes": text("no network")},
				Holds:   &n,
			}
		}},
		{Kind: "record", Missing: "record-none", Prepare: func(*testing.T, *providertest.Harness) providertest.Fixture {
			return providertest.Fixture{
				Create:  resource.Map{"name": fresh("www"), "values": texts("b", "a")},
				Updates: map[string]resource.Map{"": {"values": texts("a", "b", "c")}},
				Invalid: resource.Map{"values": texts("a")},
			}
		}},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]fake.Options{
		"reads at once":  {Now: time.Now},
		"reads that lag": {Now: time.Now, Lag: time.Hour, LagReads: 3, Polls: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.NewWorld(o)
			typ := fake.Type(w)
			bare := providertest.Subject{
				Type: typ, Descriptors: fake.Descriptors(), Cases: cases(w),
				Config: provider.Config{Estate: "estate-1"},
				Wrong:  &provider.Config{Settings: resource.Map{"user": resource.String("stranger")}},
				Every:  time.Microsecond,
			}
			providertest.Run(t, bare)
			t.Run("wrapped", func(t *testing.T) {
				wrapped := bare
				wrapped.Type.Open = func(ctx context.Context, c provider.Config) (provider.Session, error) {
					s, err := typ.Open(ctx, c)
					if err != nil {
						return nil, err
					}
					fast := provider.Rate{Start: 1e6, Max: 1e6}
					return provider.Wrap(s, provider.Options{Budgets: provider.NewBudgets(fast, provider.Clock{}), Trace: func(context.Context, provider.Span) {}}), nil
				}
				providertest.Run(t, wrapped)
			})
		})
	}
}
