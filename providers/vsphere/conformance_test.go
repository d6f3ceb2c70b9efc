package vsphere_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/provider/providertest"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/vsphere"
	"isobar.dev/schemas"
)

func allocation(reservation, limit int64, shares string) resource.Map {
	return resource.Map{
		"reservation": resource.Int(reservation), "limit": resource.Int(limit),
		"expandableReservation": resource.Bool(true), "shares": resource.String(shares),
	}
}

func disk(mb int64) resource.Map {
	return resource.Map{"capacityMB": resource.Int(mb), "thin": resource.Bool(true)}
}

func adapter(network, kind string) resource.Map {
	return resource.Map{"network": resource.String(network), "adapterType": resource.String(kind)}
}

func with(m resource.Map, kv resource.Map) resource.Map {
	out := resource.Map{}
	for k, v := range m {
		out[k] = v
	}
	for k, v := range kv {
		out[k] = v
	}
	return out
}

func cases() []providertest.Case {
	var n atomic.Int64
	fresh := func(what string) resource.String { return resource.String(fmt.Sprintf("c-%s-%d", what, n.Add(1))) }
	return []providertest.Case{
		{Kind: "folder", Missing: "group-v999999", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			up := h.Make(t, "folder", resource.Map{"name": fresh("up")})
			other := h.Make(t, "folder", resource.Map{"name": fresh("other")})
			return providertest.Fixture{
				Create:  resource.Map{"name": fresh("folder"), "parent": up.Fields["path"]},
				Updates: map[string]resource.Map{"": {"name": fresh("renamed"), "parent": other.Fields["path"]}},
				Invalid: resource.Map{"name": fresh("folder"), "parent": resource.String("no/such/folder")},
				Holds:   &up,
			}
		}},
		{Kind: "resource_pool", Missing: "resgroup-999999", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			up := h.Make(t, "resource_pool", resource.Map{"name": fresh("up"), "parent": resource.String(vcsim.Pool)})
			return providertest.Fixture{
				Create: resource.Map{
					"name": fresh("pool"), "parent": up.Fields["path"],
					"cpuAllocation": allocation(0, -1, "normal"), "memoryAllocation": allocation(128, 1024, "high"),
				},
				Updates: map[string]resource.Map{"": {"name": fresh("renamed"), "cpuAllocation": allocation(100, 2000, "low")}},
				Invalid: resource.Map{"name": fresh("pool"), "parent": resource.String("no/such/pool")},
				Holds:   &up,
			}
		}},
		{Kind: "vm", Missing: "00000000-0000-4000-8000-000000000000", Prepare: func(t *testing.T, h *providertest.Harness) providertest.Fixture {
			in := h.Make(t, "folder", resource.Map{"name": fresh("machines")})
			pool := h.Make(t, "resource_pool", resource.Map{"name": fresh("pool"), "parent": resource.String(vcsim.Pool)})
			return providertest.Fixture{
				Create: with(machine(), resource.Map{
					"name": fresh("vm"), "folder": in.Fields["path"], "resourcePool": pool.Fields["path"], "annotation": resource.String("first"),
					"disks": resource.Map{"scsi0:0": disk(64), "sata0:1": disk(32)},
					"networks": resource.Map{
						"ethernet0": adapter(vcsim.Network, "vmxnet3"), "ethernet1": adapter(vcsim.Portgroup, "e1000e"),
					},
					"cloudInit": resource.Map{"userData": resource.String("#cloud-config\n"), "metaData": resource.String("{}")},
				}),
				Updates: map[string]resource.Map{
					"": {
						"name": fresh("renamed"), "annotation": resource.String("second"), "numCPUs": resource.Int(2), "memoryMB": resource.Int(128),
						"guestId": resource.String("ubuntu64Guest"), "firmware": resource.String("efi"),
						"disks": resource.Map{"scsi0:0": disk(128), "scsi1:3": disk(16)},
						"networks": resource.Map{
							"ethernet0": adapter(vcsim.Portgroup, "vmxnet3"), "ethernet2": adapter(vcsim.Network, "e1000"),
						},
						"cloudInit": resource.Map{"userData": resource.String("#!/bin/sh\n")},
					},
					"power": {"powerState": resource.String("poweredOn")},
				},
				Invalid: with(machine(), resource.Map{"networks": resource.Map{"ethernet0": adapter("no-such-network", "vmxnet3")}}),
				Holds:   &in,
			}
		}},
	}
}

// TestConformance runs the whole suite over the simulator.
func TestConformance(t *testing.T) {
	t.Parallel()
	descriptors, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(descriptors, func(kind string, _ *resource.Descriptor) bool { return !strings.HasPrefix(kind, "vsphere.") })
	r := newRig(t)
	bad := newLine(t)
	password := regexp.MustCompile(`<password>[^<]*</password>`)
	bad.before = func(_, body string) (string, error) {
		return password.ReplaceAllString(body, "<password>no</password>"), nil
	}
	wrong := config(bad, r.estate)
	providertest.Run(t, providertest.Subject{
		Type: vsphere.Type(), Descriptors: descriptors, Cases: cases(), Config: config(r.line, r.estate), Wrong: &wrong,
	})
}
