package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/vcsim"
)

// vcenter VERB NAME … does something at the vCenter as somebody else would,
// past isobar, or looks at it:
//
//	vcenter power NAME on|off
//	vcenter memory NAME MB
//	vcenter option NAME KEY VALUE
//	vcenter boots NAME ADDRESS (once it is there and on, tells its address as VMware Tools do)
//	vcenter rename PATH NEWNAME
//	vcenter destroy PATH
//	vcenter clone NAME NEWNAME
//	vcenter attach NAME FILE           (a new disk, "data/db.vmdk" of the datastore)
//	vcenter exchange NAME FILE         (its first disk for a new one)
//	vcenter strip NAME                 (of its first disk)
//	vcenter file FILE
//	vcenter machine NAME FACT=VALUE…   (cpus memory on path disks networks, option:KEY)
//	vcenter await NAME FACT=VALUE…     waits until it is so
//	vcenter none NAME
//	vcenter make FOLDER NAME
//	vcenter folder PATH NAME
//	vcenter pool PATH NAME LIMIT
//	vcenter describe PATH FILE [VAR]   (adds its configuration without isobar's mark to FILE, its id is VAR's)
func vcenter(ts *testscript.TestScript, _ bool, args []string) {
	ctx, center := context.Background(), stageOf(ts).center
	switch verb, name, rest := args[0], args[1], args[2:]; verb {
	case "power":
		ts.Check(center.Power(ctx, name, rest[0] == "on"))
	case "memory":
		mb, err := strconv.ParseInt(rest[0], 10, 64)
		ts.Check(err)
		ts.Check(center.SetMemory(ctx, name, mb))
	case "option":
		ts.Check(center.SetOption(ctx, name, rest[0], rest[1]))
	case "boots":
		until(ts, name+" is on", func() bool {
			all, err := center.Machines(ctx) // fails while one is half made
			return err == nil && all[name].On
		})
		ts.Check(center.TellAddress(ctx, name, rest[0]))
	case "rename":
		ts.Check(center.Rename(ctx, name, rest[0]))
	case "destroy":
		ts.Check(center.Destroy(ctx, name))
	case "clone":
		ts.Check(center.Clone(ctx, name, rest[0]))
	case "attach":
		ts.Check(center.Attach(ctx, name, rest[0]))
	case "exchange":
		ts.Check(center.Exchange(ctx, name, rest[0]))
	case "strip":
		ts.Check(center.Strip(ctx, name))
	case "file":
		has, err := center.HasFile(ctx, name)
		ts.Check(err)
		if !has {
			ts.Fatalf("the datastore has no %s", name)
		}
	case "make":
		ts.Check(center.Make(ctx, name, rest[0]))
	case "folder":
		ts.Check(center.Folder(ctx, name, rest[0]))
	case "pool":
		mb, err := strconv.ParseInt(rest[1], 10, 64)
		ts.Check(err)
		ts.Check(center.Pool(ctx, name, rest[0], mb))
	case "describe":
		id, config, err := center.Describe(ctx, name)
		ts.Check(err)
		if len(rest) > 1 {
			ts.Setenv(rest[1], id)
		}
		var all any
		ts.Check(json.Unmarshal([]byte(config), &all))
		text, err := json.MarshalIndent(unmarked(all), "", " ")
		ts.Check(err)
		file := ts.MkAbs(rest[0])
		have, _ := os.ReadFile(file)
		ts.Check(os.WriteFile(file, append(have, append(text, '\n')...), 0o600))
	case "machine", "none":
		all, err := center.Machines(ctx)
		ts.Check(err)
		m, found := all[name]
		if found != (verb == "machine") {
			ts.Fatalf("is there a machine %s: %v", name, found)
		}
		if wrong := unlike(m, rest); wrong != "" {
			ts.Fatalf("%s", wrong)
		}
	case "await":
		until(ts, strings.Join(rest, " "), func() bool {
			all, err := center.Machines(ctx)
			m, found := all[name]
			return err == nil && found && unlike(m, rest) == ""
		})
	default:
		ts.Fatalf("vcenter has no verb %s", verb)
	}
}

// unmarked is a configuration without what an import writes: isobar's options,
// and the counts of writes that the vCenter keeps.
func unmarked(v any) any {
	switch x := v.(type) {
	case []any:
		out := []any{}
		for _, e := range x {
			m, _ := e.(map[string]any)
			if key := fmt.Sprint(m["Key"], m["key"]); !strings.Contains(key, "isobar:") {
				out = append(out, unmarked(e))
			}
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			if k = strings.ToLower(k); k != "changeversion" && k != "modified" {
				out[k] = unmarked(e)
			}
		}
		return out
	}
	return v
}

// unlike says which of the facts a machine does not have, or "".
func unlike(m vcsim.Machine, want []string) string {
	facts := map[string]string{
		"cpus": fmt.Sprint(m.CPUs), "memory": fmt.Sprint(m.MemoryMB), "on": fmt.Sprint(m.On), "path": m.Path,
		"disks": fmt.Sprint(m.Disks), "networks": fmt.Sprint(m.Networks),
	}
	for k, v := range m.Options {
		facts["option:"+k] = v
	}
	for _, kv := range want {
		k, v, _ := strings.Cut(kv, "=")
		if facts[k] != v {
			return fmt.Sprintf("%s is %q, want %q", k, facts[k], v)
		}
	}
	return ""
}
