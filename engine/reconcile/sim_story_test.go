package reconcile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// story is what people want of a simulated world, commit by commit. It draws
// only specs that can be met, so that a world which does not come to them breaks
// a law. Not safe for concurrent use.
type story struct {
	rnd    *rand.Rand
	realms []*realm
	n      int // of things that must not be alike
}

// realm is one environment as its spec has it now.
type realm struct {
	name  string
	mode  string
	gone  bool // its folder was removed
	bare  bool // no machine is wanted in it: its names would be in the way of a network made before the old one goes
	items []resource.Desired
	past  [][]resource.Desired // earlier commits, for who takes one back
}

func newStory(rnd *rand.Rand, envs int) *story {
	y := &story{rnd: rnd}
	for _, name := range []string{"prod", "stage", "dev"}[:envs] {
		r := &realm{name: name, mode: y.pick("auto", "auto", "auto", "approve", "observe"), bare: y.odds(3)}
		y.realms = append(y.realms, r)
		y.add(r, "network")
		for range 1 + rnd.IntN(7) {
			y.add(r, "")
		}
	}
	return y
}

func (y *story) pick(from ...string) string { return from[y.rnd.IntN(len(from))] }

func (y *story) odds(one int) bool { return y.rnd.IntN(one) == 0 }

// commit gives the specs as they stand.
func (y *story) commit(channel string) commit {
	c := commit{channel: channel, envs: map[string]environment{}}
	for _, r := range y.realms {
		if !r.gone {
			c.envs[r.name] = environment{Environment: spec.Environment{Mode: r.mode, Desired: slices.Clone(r.items)}}
		}
	}
	return c
}

// names are those of a realm's items of a kind, in order.
func (r *realm) names(kind string) []string {
	var out []string
	for i := range r.items {
		if r.items[i].Address.Kind == kind {
			out = append(out, r.items[i].Address.Name)
		}
	}
	return out
}

func (r *realm) address(kind, name string) resource.Address {
	return resource.Address{Env: r.name, Provider: "fake", Kind: kind, Name: name}
}

func (r *realm) ref(kind, name, out string) resource.Value {
	return resource.Ref{Address: r.address(kind, name), Out: out}
}

// some refers to one of the realm's objects of a kind; nil where it has none.
func (y *story) some(r *realm, kind, out string) resource.Value {
	names := r.names(kind)
	if len(names) == 0 {
		return nil
	}
	return r.ref(kind, y.pick(names...), out)
}

// add puts a new resource into the spec; its name may be one that was used
// before.
func (y *story) add(r *realm, kind string) {
	if kind == "" {
		kind = y.pick("network", "disk", "disk", "machine", "machine", "group", "group", "record", "image")
	}
	if kind == "machine" && r.bare {
		kind = "group"
	}
	if (kind == "machine" || kind == "group") && len(r.names("network")) == 0 {
		kind = "network"
	}
	var free []string
	for _, n := range []string{"a", "b", "c", "d"} {
		if !slices.Contains(r.names(kind), n) {
			free = append(free, n)
		}
	}
	if len(free) == 0 || len(r.items) >= 8 {
		return
	}
	d := resource.Desired{Address: r.address(kind, y.pick(free...)), At: resource.Position{File: r.name + ".cue", Line: 1, Col: 1}}
	d.Fields = y.fields(r, kind, d.Address.Name)
	if d.Fields == nil {
		return
	}
	d.Meta.CreateBeforeDestroy = y.odds(3) && (r.bare && kind == "network" || kind == "disk" || kind == "group")
	r.items = append(r.items, d)
}

// fields draws a new resource's fields.
func (y *story) fields(r *realm, kind, name string) resource.Map {
	net := y.some(r, "network", "id")
	switch kind {
	case "network":
		return resource.Map{"cidr": y.cidr(), "label": y.word()}
	case "disk":
		f := resource.Map{"size": resource.Int(int64(1 + y.rnd.IntN(4)))}
		if net != nil && y.odds(2) {
			f["networkId"] = net
		}
		if y.odds(3) {
			f["policy"] = resource.Map{"keep": y.word()}
		}
		if y.odds(4) {
			f["passphrase"] = secretOf("disk")
		}
		return f
	case "machine":
		f := resource.Map{"hostname": y.unique(r, kind, "hostname", name), "cpus": resource.Int(1), "networkId": net, "state": text("running")}
		if disk := y.some(r, "disk", "id"); disk != nil && y.odds(2) {
			f["diskIds"] = resource.List{disk}
		}
		if image := y.some(r, "image", "id"); image != nil {
			f["imageId"] = image
		}
		if y.odds(4) {
			f["password"] = secretOf("web")
		}
		return f
	case "group":
		return resource.Map{"networkId": net, "rules": resource.List{y.rule(r, name)}}
	case "image":
		return resource.Map{"name": text("linux")}
	}
	return resource.Map{"name": y.unique(r, kind, "name", name), "values": y.values(r)}
}

func (y *story) word() resource.Value { y.n++; return text(fmt.Sprint("w", y.n)) }

func (y *story) cidr() resource.Value { y.n++; return text(fmt.Sprintf("10.%d.0.0/16", y.n%250)) }

// unique gives a value that no other item of the realm has; one that is free
// again comes again.
func (y *story) unique(r *realm, kind, field, name string) resource.Value {
	v := text(r.name + "-" + name)
	for i := range r.items {
		if r.items[i].Address.Kind == kind && resource.Equal(r.items[i].Fields[field], v) {
			y.n++
			return text(fmt.Sprintf("%s-%s-%d", r.name, name, y.n))
		}
	}
	return v
}

func (y *story) rule(r *realm, self string) resource.Value {
	y.n++
	peer := y.some(r, "group", "id")
	if peer == nil || y.odds(3) {
		peer = r.ref("group", self, "id")
	}
	return resource.Map{"port": resource.Int(int64(y.n)), "peer": peer}
}

// values are those of a record: a text, an output that never moves, one that
// moves with each write, or one of another environment.
func (y *story) values(r *realm) resource.Value {
	switch first := y.realms[0]; {
	case first != r && y.odds(2):
		return resource.List{first.ref("network", first.names("network")[0], "gateway")}
	case len(r.names("network")) > 0 && y.odds(2):
		return resource.List{y.some(r, "network", "gateway")}
	case len(r.names("network")) > 0 && y.odds(3):
		return resource.List{resource.Template{text("serial "), y.some(r, "network", "serial")}}
	}
	return resource.List{y.word()}
}

// edit changes the spec in one of the ways that people do.
func (y *story) edit() string {
	r := y.realms[y.rnd.IntN(len(y.realms))]
	if r.gone {
		r.gone = false
		return r.name + ": its folder is back"
	}
	r.past = append(r.past, slices.Clone(r.items))
	if len(r.items) == 0 {
		y.add(r, "network")
		return r.name + ": a spec again"
	}
	i := y.rnd.IntN(len(r.items))
	it := r.items[i]
	switch y.rnd.IntN(12) {
	case 0, 1:
		y.add(r, "")
		r.items = r.grown(r.items) // it may have the name of one that is not gone yet
		return r.name + ": more"
	case 2, 3:
		if y.keeps(r, &it) {
			return r.name + ": nothing"
		}
		y.remove(r, it.Address)
		return r.name + ": without " + it.Address.Local()
	case 4, 5:
		y.rename(r, i)
		return r.name + ": " + it.Address.Local() + " is " + r.items[i].Address.Local()
	case 6:
		r.mode = y.pick("auto", "approve", "observe")
		return r.name + ": mode " + r.mode
	case 7:
		if len(y.realms) == 1 { // what another environment refers to stays
			r.items = r.grown(r.past[y.rnd.IntN(len(r.past))])
			return r.name + ": an earlier commit again"
		}
	}
	y.change(r, &r.items[i])
	return r.name + ": " + it.Address.Local() + " changed"
}

// grown gives items of an earlier commit or a new one, with disks as large as they ever were: no
// disk shrinks.
func (r *realm) grown(items []resource.Desired) []resource.Desired {
	most := map[resource.Address]resource.Int{}
	for _, was := range append(slices.Clone(r.past), r.items) {
		for i := range was {
			size, _ := was[i].Fields["size"].(resource.Int)
			most[was[i].Address] = max(most[was[i].Address], size)
		}
	}
	out := slices.Clone(items)
	for i := range out {
		if size := most[out[i].Address]; size > 0 {
			out[i].Fields = maps.Clone(out[i].Fields)
			out[i].Fields["size"] = size
		}
	}
	return out
}

// keeps reports whether an item must stay: another environment may refer to it.
func (y *story) keeps(r *realm, it *resource.Desired) bool {
	return r == y.realms[0] && len(y.realms) > 1 && it.Address.Kind == "network"
}

// change gives an item other fields: what the kind can change, or what makes it
// anew.
func (y *story) change(r *realm, it *resource.Desired) {
	f := resource.Map{}
	for k, v := range it.Fields {
		f[k] = v
	}
	it.Fields = f
	anew := y.odds(3)
	switch it.Address.Kind {
	case "network":
		switch {
		case anew:
			f["cidr"] = y.cidr()
		case y.odds(2):
			f["tags"] = resource.Map{y.pick("team", "tier"): y.word()}
		default:
			f["label"] = y.word()
		}
	case "disk":
		switch size, _ := f["size"].(resource.Int); {
		case anew:
			f["kind"] = text(y.pick("hdd", "ssd"))
		case y.odds(2):
			f["size"] = size + 1
		case y.odds(2):
			f["policy"] = resource.Map{"keep": y.word()}
		default:
			delete(f, "policy")
		}
	case "machine":
		y.changeMachine(r, it, anew)
	case "group":
		if anew {
			f["networkId"] = y.some(r, "network", "id")
		} else {
			f["rules"] = resource.List{y.rule(r, it.Address.Name)}
		}
	case "image":
		f["channel"] = text("edge")
	case "record":
		f["values"] = y.values(r)
		if anew {
			y.n++
			f["name"] = text(fmt.Sprintf("%s-%s-%d", r.name, it.Address.Name, y.n))
		}
	}
}

func (y *story) changeMachine(r *realm, it *resource.Desired, anew bool) {
	f := it.Fields
	switch cpus, _ := f["cpus"].(resource.Int); {
	case anew:
		y.n++
		f["hostname"] = text(fmt.Sprintf("%s-%s-%d", r.name, it.Address.Name, y.n))
	case y.odds(3):
		f["cpus"] = cpus + 1
	case y.odds(2):
		f["state"] = text(y.pick("running", "stopped"))
	default:
		delete(f, "diskIds")
		if disk := y.some(r, "disk", "id"); disk != nil && y.odds(2) {
			f["diskIds"] = resource.List{disk}
		}
	}
}

// remove takes a resource out of the spec, with what can't be without it.
func (y *story) remove(r *realm, a resource.Address) {
	var next []resource.Desired
	var more []resource.Address
	for _, it := range r.items {
		if it.Address == a {
			continue
		}
		kept := resource.Map{}
		for name, v := range it.Fields {
			if v = without(v, a); v != nil {
				kept[name] = v
			}
		}
		needs := map[string]string{"machine": "networkId", "group": "networkId", "record": "values"}[it.Address.Kind]
		if needs != "" && kept[needs] == nil {
			more = append(more, it.Address)
		}
		it.Fields = kept
		next = append(next, it)
	}
	r.items = next
	for _, m := range more {
		y.remove(r, m)
	}
}

// without gives a value less what refers to an address; nil where nothing is
// left.
func without(v resource.Value, a resource.Address) resource.Value {
	refers := func(v resource.Value) bool {
		return slices.ContainsFunc(resource.Refs(v), func(r resource.Ref) bool { return r.Address == a })
	}
	if !refers(v) {
		return v
	}
	var out resource.List
	if l, ok := v.(resource.List); ok {
		for _, e := range l {
			if !refers(e) {
				out = append(out, e)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// rename gives an item another name, and says from where it moved; what refers
// to it follows, in every environment.
func (y *story) rename(r *realm, i int) {
	from := r.items[i].Address
	to := r.address(from.Kind, y.pick("x", "y", "z"))
	if slices.Contains(r.names(to.Kind), to.Name) || from.Kind == "image" {
		return
	}
	for _, other := range y.realms {
		for j := range other.items {
			v := resource.Rewrite(other.items[j].Fields, func(v resource.Value) resource.Value {
				if x, ok := v.(resource.Ref); ok && x.Address == from {
					x.Address = to
					return x
				}
				return v
			})
			other.items[j].Fields, _ = v.(resource.Map)
			if m := other.items[j].Meta.MovedFrom; m != nil && other == r && (*m == to || *m == from) {
				other.items[j].Meta.MovedFrom = nil
			}
		}
	}
	r.items[i].Address, r.items[i].Meta.MovedFrom = to, &from
}
