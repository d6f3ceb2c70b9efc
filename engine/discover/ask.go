// Package discover says which objects of the world a person means who has some
// already and wants them under management: it reads what they ask for ("all of
// this VPC", "tagged team=web"), picks the objects among those that were read,
// takes resources out of a Terraform state, and gives each a name. It must not
// read anything itself, nor know a provider: engine/reconcile reads, and kinds
// are known by their descriptors alone. Pure. Floor 3.
package discover

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// Way is how objects are asked for.
type Way string

// The ways.
const (
	All    Way = "all"  // everything that the provider shows
	ID     Way = "id"   // one object, by its id or another name that its kind is known by
	Name   Way = "name" // by name, or the tag Name; * and ? stand for any text and any character
	Tag    Way = "tag"  // by a tag's value, with * and ? too
	Within Way = "in"   // an object and everything in it
)

// Ask is one thing that a person wants found.
type Ask struct {
	Text  string // as it was typed
	Alias string // the provider's alias in the environment, "aws"
	Way   Way
	Key   string // the tag's key, or the kind of the object that others are in
	Value string
}

// Forms is how an ask can be written, for messages.
const Forms = "PROVIDER:KIND=ID, PROVIDER:tag:KEY=VALUE, PROVIDER:name=NAME, PROVIDER:id=ID or PROVIDER:all"

// ParseAsk reads "aws:vpc=vpc-0123", "aws:tag:team=web", "aws:name=web-*",
// "aws:id=i-0123" or "aws:all". Whether there is such a kind is for Wants to say.
func ParseAsk(s string) (Ask, error) {
	a := Ask{Text: s}
	alias, rest, ok := strings.Cut(s, ":")
	a.Alias = alias
	what, value, has := strings.Cut(rest, "=")
	a.Value = value
	switch key, tagged := strings.CutPrefix(what, "tag:"); {
	case !ok || alias == "" || what == "" || tagged && key == "":
		return a, fmt.Errorf("%q does not say what to find", s)
	case what == string(All) && !has:
		a.Way = All
		return a, nil
	case tagged:
		a.Way, a.Key = Tag, key
	case what == string(Name):
		a.Way = Name
	case what == string(ID):
		a.Way = ID
	default:
		a.Way, a.Key = Within, what
	}
	if !has || value == "" {
		return a, fmt.Errorf("%q has no value", s)
	}
	if _, err := path.Match(value, ""); err != nil && (a.Way == Name || a.Way == Tag) {
		return a, fmt.Errorf("%q is no pattern: a bracket is open, which is written \\[ where it stands for itself", value)
	}
	return a, nil
}

// Wants lists what to read of a provider of a type to answer the ask, sorted by
// kind: lists carry no aspects, since most of what they show is not meant.
func (a Ask) Wants(typ string, kinds resource.Descriptors) ([]resource.Want, error) {
	all := kindsOf(typ, kinds)
	if a.Way == Within {
		if d := kinds[typ+"."+a.Key]; d == nil || d.Lookup {
			return nil, fmt.Errorf("%s has no kind %s for others to be in: it has %s; or write id, name, tag:KEY or all", a.Alias, a.Key, strings.Join(all, ", "))
		}
	}
	var out []resource.Want
	for _, k := range all {
		switch {
		case a.Way == ID:
			out = append(out, resource.Want{Kind: k, By: resource.Selector{Named: a.Value}, Aspects: bare()})
			continue
		case a.Way == Within && k == a.Key:
			out = append(out, resource.Want{Kind: k, By: resource.Selector{Named: a.Value}, Aspects: bare()})
		case a.Way == Within && !reaches(typ+"."+k, typ+"."+a.Key, kinds, nil):
			continue
		}
		out = append(out, resource.Want{Kind: k, By: resource.Selector{All: true}, Aspects: bare()})
	}
	return out, nil
}

// bare are the aspects of a list: the fields that have none.
func bare() []string { return []string{""} }

// kindsOf gives the names of a provider's kinds that are made, sorted.
func kindsOf(typ string, kinds resource.Descriptors) []string {
	var out []string
	for full, d := range kinds {
		if p, k, _ := strings.Cut(full, "."); p == typ && !d.Lookup {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// reaches reports whether objects of one kind may be in those of another: by a
// reference, or over what they refer to.
func reaches(from, to string, kinds resource.Descriptors, seen []string) bool {
	if slices.Contains(seen, from) || kinds[from] == nil {
		return false
	}
	found := false
	places(kinds[from].Fields, nil, func(f *resource.Field, _ resource.Value) {
		found = found || f.Ref == to || reaches(f.Ref, to, kinds, append(seen, from))
	})
	return found
}

// places calls each reference that says where an object is: those of its fields
// and of their lists, but not of lists of structs, whose elements (a rule, a
// route) may lead anywhere. live may be nil; else only texts in it are called.
func places(fs []resource.Field, live resource.Map, call func(f *resource.Field, v resource.Value)) {
	for i := range fs {
		f := &fs[i]
		v := live[f.Name]
		switch {
		case f.Type == "struct":
			sub, _ := v.(resource.Map)
			places(f.Fields, sub, call)
		case f.Ref != "" && f.Type != "list":
			call(f, v)
		case f.Type == "list" && f.Elem != nil && f.Elem.Ref != "":
			if live == nil {
				call(f.Elem, nil)
			}
			list, _ := v.(resource.List)
			for _, e := range list {
				call(f.Elem, e)
			}
		}
	}
}
