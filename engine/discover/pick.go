package discover

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// Found is one object that a person may mean.
type Found struct {
	Type    string           // its kind's full name, "aws.vpc"
	ID      string           // its id, or another name that its kind is known by
	Alias   string           // the provider's alias that shows it
	Region  string           // where it is said to be; "" where nobody said
	By      string           // how it was found, in words
	Base    string           // the name that it has already, from which Assign makes the resource's
	Mark    resource.Mark    // who owns it, as far as it was read
	Address resource.Address // the resource that it is to be the object of; zero where it is left out
	Left    string           // why it is left out, in words; "" where it is not
}

// Leave leaves the object out for a reason, unless it is already.
func (f *Found) Leave(why string) {
	if f.Left == "" {
		f.Left, f.Address = why, resource.Address{}
	}
}

// Seen is what a read of one kind gave.
type Seen struct {
	Want   resource.Want
	Answer resource.Answer
}

// thing is an object on its way through Pick.
type thing struct {
	resource.Object
	full string
	desc *resource.Descriptor
}

func (t *thing) id() string { return t.full + " " + string(t.ID) }

// Pick gives the objects that an ask means among what was read for it, sorted by
// kind and id. What the provider made by itself, or along with another object,
// is among them and left out, but not where it was asked for by its id. A list
// that failed is among them as well, since it may have held more.
func (a Ask) Pick(typ string, kinds resource.Descriptors, seen []Seen) ([]Found, error) {
	things, roots, out := a.sort(typ, kinds, seen)
	if a.Way == Within {
		if len(roots) != 1 && len(out) > 0 {
			return out, nil // which says why
		}
		if len(roots) == 0 {
			return nil, fmt.Errorf("%s shows no %s.%s %s", a.Alias, typ, a.Key, a.Value)
		}
		if len(roots) != 1 {
			return nil, fmt.Errorf("%d objects of %s.%s are called %s: give the id of one", len(roots), typ, a.Key, a.Value)
		}
	}
	part := parts(things)
	for _, t := range a.meant(things, roots) {
		f := Found{Type: t.full, ID: string(t.ID), Alias: a.Alias, By: a.Text, Base: called(t), Mark: t.Mark}
		if !slices.ContainsFunc(roots, func(r *thing) bool { return r.id() == t.id() }) {
			if t.Given != "" {
				f.Leave(t.Given)
			}
			if whole := part[string(t.ID)]; whole != "" {
				f.Leave("it is part of " + whole)
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, compare)
	return out, nil
}

// sort takes apart what was read: all objects, each once, those that were asked
// for by their id, and the lists that failed.
func (a Ask) sort(typ string, kinds resource.Descriptors, seen []Seen) (things, roots []*thing, failed []Found) {
	known := map[string]bool{}
	for _, s := range seen {
		full := typ + "." + s.Want.Kind
		for _, o := range s.Answer.Objects {
			t := &thing{o, full, kinds[full]}
			if s.Want.By.Named != "" {
				roots = append(roots, t)
			}
			if !known[t.id()] {
				known[t.id()] = true
				things = append(things, t)
			}
		}
		if s.Answer.Err != nil {
			failed = append(failed, Found{Type: full, Alias: a.Alias, By: a.Text, Left: "could not be read: " + s.Answer.Err.Error()})
		}
	}
	if a.Way == ID && len(roots) > 0 {
		failed = nil // an id of one kind need not make sense to the others
	}
	return things, roots, failed
}

// meant gives the objects that the ask means.
func (a Ask) meant(things, roots []*thing) []*thing {
	switch a.Way {
	case All:
		return things
	case ID:
		return roots
	case Within:
		return within(things, roots)
	case Name, Tag:
	}
	var out []*thing
	for _, t := range things {
		text := called(t)
		if a.Way == Tag {
			tags, _ := t.Fields["tags"].(resource.Map)
			if tags[a.Key] == nil {
				continue
			}
			text = tags.Text(a.Key)
		}
		if ok, _ := path.Match(flat(a.Value), flat(text)); ok || text == a.Value {
			out = append(out, t)
		}
	}
	return out
}

// flat keeps path.Match from stopping at a slash, which is a letter like others
// in names.
func flat(s string) string { return strings.ReplaceAll(s, "/", "\x00") }

// within gives the roots and everything in them, in what is in them, and so on.
func within(things, roots []*thing) []*thing {
	inside := map[string]bool{} // kind, output and value of what is there already
	have := map[string]bool{}
	var out []*thing
	add := func(t *thing) {
		have[t.id()] = true
		out = append(out, t)
		for name, v := range t.desc.Outputs(t.Object) {
			if text, ok := v.(resource.String); ok {
				inside[t.full+"\x00"+name+"\x00"+string(text)] = true
			}
		}
	}
	for _, r := range roots {
		add(r)
	}
	for more := true; more; {
		more = false
		for _, t := range things {
			if have[t.id()] {
				continue
			}
			places(t.desc.Fields, t.Fields, func(f *resource.Field, v resource.Value) {
				text, ok := v.(resource.String)
				if ok && !have[t.id()] && inside[f.Ref+"\x00"+cmp.Or(f.RefOut, "id")+"\x00"+string(text)] {
					add(t)
					more = true
				}
			})
		}
	}
	return out
}

// parts names, by the id of an object, the one that it was made with: an output
// that is an id and that no field sets (a VPC's default group, a machine's root
// disk) says so.
func parts(things []*thing) map[string]string {
	out := map[string]string{}
	for _, t := range things {
		for name, v := range t.desc.Outputs(t.Object) {
			if text, ok := v.(resource.String); ok && strings.HasSuffix(name, "Id") && t.desc.Field(name) == nil && string(text) != string(t.ID) {
				out[string(text)] = t.full + " " + string(t.ID)
			}
		}
	}
	return out
}

func compare(a, b Found) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Alias, b.Alias), cmp.Compare(a.ID, b.ID), cmp.Compare(a.By, b.By))
}

// Merge joins what several asks found: an object that several found stands once,
// and is left out only where all leave it out.
func Merge(lists ...[]Found) []Found {
	var out []Found
	at := map[string]int{}
	for _, f := range slices.Concat(lists...) {
		key := f.Type + "\x00" + f.Alias + "\x00" + f.ID
		i, twice := at[key]
		switch {
		case !twice:
			at[key] = len(out)
			out = append(out, f)
		case out[i].Left != "" && f.Left == "":
			out[i] = f
		}
	}
	return out
}
