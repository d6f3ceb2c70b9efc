package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// decodeEnvironment reads a child's answer. Names that cannot be addresses and
// the like are a diag.List.
func decodeEnvironment(o outcome) (Environment, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(o.Env, &top); err != nil {
		return Environment{}, err
	}
	env := Environment{Providers: map[string]Provider{}}
	var found diag.List
	for _, key := range slices.Sorted(keysOf(top)) {
		var err error
		switch key {
		case "name":
			err = json.Unmarshal(top[key], &env.Name)
		case "mode":
			err = json.Unmarshal(top[key], &env.Mode)
		case "movedFrom":
			err = json.Unmarshal(top[key], &env.MovedFrom)
		case "deletes":
			err = json.Unmarshal(top[key], &env.Deletes)
		case "policy":
			err = json.Unmarshal(top[key], &env.Policy)
			for i := range env.Policy.Waivers {
				env.Policy.Waivers[i].At = o.At[resource.Path{key, "waivers", strconv.Itoa(i)}.String()]
			}
		case "secrets":
			err = json.Unmarshal(top[key], &env.Secrets)
		case "providers":
			err = decodeProviders(&env, top[key], o)
		}
		if err != nil {
			found = append(found, valueFinding(o.At[key], key, err))
		}
	}
	for key, data := range top {
		switch key {
		case "name", "mode", "movedFrom", "deletes", "policy", "secrets", "providers":
		default:
			found = append(found, decodeResources(&env, key, data, o)...)
		}
	}
	slices.SortFunc(env.Desired, func(a, b resource.Desired) int { return a.Address.Compare(b.Address) })
	if len(found) > 0 {
		return Environment{}, unfollowed(found, env.Name)
	}
	return env, nil
}

// unfollowed leaves out what only follows from a name that cannot be one: a
// reference to the resource of that name.
func unfollowed(found diag.List, env string) diag.List {
	var refs []string
	for _, f := range found {
		if f.Code == codeName {
			refs = append(refs, strings.TrimSuffix(strconv.Quote("${isobar:"+env+"/"+f.Subject+"#"), `"`))
		}
	}
	return slices.DeleteFunc(found, func(f diag.Finding) bool {
		return f.Code == codeValue && slices.ContainsFunc(refs, func(to string) bool { return strings.Contains(f.Message, to) })
	})
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func valueFinding(at resource.Position, subject string, err error) diag.Finding {
	return diag.Finding{
		Code: codeValue, Severity: diag.Error, Where: diag.Place(at), Subject: subject,
		Message: err.Error(), Mend: "correct the value",
	}
}

func decodeProviders(env *Environment, data []byte, o outcome) error {
	v, err := resource.Decode(data)
	if err != nil {
		return err
	}
	all, _ := v.(resource.Map)
	for alias, s := range all {
		settings, _ := s.(resource.Map)
		p := Provider{Type: settings.Text("type"), Settings: resource.Map{}, At: o.At[resource.Path{"providers", alias}.String()]}
		if p.Type == "" {
			p.Type = alias
		}
		for k, e := range settings {
			if k != "type" {
				p.Settings[k] = e
			}
		}
		env.Providers[alias] = p
	}
	return nil
}

func decodeResources(env *Environment, provider string, data []byte, o outcome) diag.List {
	var kinds map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &kinds); err != nil {
		return diag.List{valueFinding(o.At[provider], provider, err)}
	}
	var found diag.List
	for kind, named := range kinds {
		for name, body := range named {
			a := resource.Address{Env: env.Name, Provider: provider, Kind: kind, Name: name}
			at := o.At[a.Local()]
			if !a.Valid() {
				found = append(found, diag.Finding{
					Code: codeName, Severity: diag.Error, Where: diag.Place(at), Subject: a.Local(),
					Message: fmt.Sprintf("%q cannot name a resource", name),
					Mend:    "use letters, digits, _, . and -, at most 128, the first a letter, digit or _",
				})
				continue
			}
			v, err := resource.Decode(body)
			if err != nil {
				found = append(found, valueFinding(at, a.Local(), err))
				continue
			}
			d := resource.Desired{Address: a, At: at, Where: o.Where[a.Local()]}
			d.Fields, _ = v.(resource.Map)
			found = append(found, takeMeta(&d, env.Name)...)
			env.Desired = append(env.Desired, d)
		}
	}
	return found
}

// takeMeta moves $meta out of the fields.
func takeMeta(d *resource.Desired, env string) diag.List {
	m, _ := d.Fields["$meta"].(resource.Map)
	delete(d.Fields, "$meta")
	if m == nil {
		return nil
	}
	flag := func(key string) bool { b, _ := m[key].(resource.Bool); return bool(b) }
	create, said := m["createBeforeDestroy"].(resource.Bool)
	d.Meta = resource.Lifecycle{
		Alias: m.Text("provider"), PreventDestroy: flag("preventDestroy"), CreateBeforeDestroy: bool(create), DestroyBeforeCreate: said && !bool(create),
	}
	var found diag.List
	place := func(key string) diag.Place {
		p, _ := d.Place(resource.Path{"$meta", key})
		return diag.Place(p)
	}
	ignore, _ := m["ignoreChanges"].(resource.List)
	for _, e := range ignore {
		s, _ := e.(resource.String)
		p, err := resource.ParsePath(string(s))
		if err != nil {
			found = append(found, diag.Finding{
				Code: codeIgnore, Severity: diag.Error, Where: place("ignoreChanges"), Subject: d.Address.Local(),
				Message: err.Error(), Mend: `write a field, "tags" or "tags.Owner"`,
			})
			continue
		}
		d.Meta.IgnoreChanges = append(d.Meta.IgnoreChanges, p)
	}
	if from := m.Text("movedFrom"); from != "" {
		if strings.Count(from, "/") == 1 {
			from = env + "/" + from
		}
		a, err := resource.ParseAddress(from)
		switch {
		case err != nil:
			found = append(found, diag.Finding{
				Code: codeMovedFrom, Severity: diag.Error, Where: place("movedFrom"), Subject: d.Address.Local(),
				Message: err.Error(), Mend: `write the former address, "` + d.Address.Type() + `/old"`,
			})
		default:
			d.Meta.MovedFrom = &a
		}
	}
	return found
}
