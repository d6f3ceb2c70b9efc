package main

import (
	"fmt"
	"strings"

	"isobar.dev/engine/resource"
)

// typeWords names a field's type: "list of struct", "map of string".
func typeWords(f *resource.Field) string {
	if f.Secret {
		return f.Type + " or secret"
	}
	if f.Elem == nil {
		return f.Type
	}
	word := f.Type
	if f.Type == "list" && !f.Ordered {
		word = "set"
	}
	return word + " of " + typeWords(f.Elem)
}

// defaultWords says what an unset field holds.
func defaultWords(f *resource.Field) string {
	switch {
	case f.Required:
		return "**required**"
	case f.Computed:
		return "computed"
	case f.DefaultsTo != nil:
		return "`" + string(resource.Encode(f.DefaultsTo.Value)) + "`"
	case f.Default == "server":
		return "the provider's"
	}
	return ""
}

// uniqueWords says among what a field's value is unique.
func uniqueWords(f *resource.Field) string {
	switch f.UniqueIn {
	case "":
		return "No two objects may share it."
	case resource.Anywhere:
		return "No two objects of the world may share it."
	}
	return fmt.Sprintf("No two objects with the same `%s` may share it.", f.UniqueIn)
}

// behaviour puts a field's attributes into sentences.
func behaviour(f *resource.Field) []string {
	var out []string
	say := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(f.Ref != "", "Takes an output of `%s`.", f.Ref)
	say(f.Within != "", "The resource lives and dies with that `%s`.", f.Within)
	say(f.Immutable, "A change replaces the resource.")
	say(f.Follows, "It follows a rename of what it names without one.")
	say(f.GrowOnly, "It can grow, and never shrink.")
	say(f.Disruptive, "A change interrupts service.")
	say(f.Unique, "%s", uniqueWords(f))
	say(f.Computed && f.Volatile, "The provider sets it, and an update may change it.")
	say(f.Computed && !f.Volatile, "The provider sets it.")
	say(f.Identity, "It tells one from another at the same key.")
	say(f.Sensitive, "It is a secret: shown nowhere.")
	say(f.WriteOnly, "It cannot be read back, so drift of it stays unseen.")
	say(f.Setting, "It is a setting of isobar's own, which no provider keeps.")
	say(f.Guards, "While it is true the resource is neither deleted nor replaced.")
	say(f.Data, "An element that is made anew is empty; one that is not the spec's outlives the resource.")
	say(f.Own == "element", "Only the elements written here are managed; others are left alone.")
	say(len(f.Key) > 0, "Elements are told apart by %s.", quoted(f.Key))
	say(f.CIDR, "Without host bits, and IPv6 as RFC 5952 writes it.")
	say(f.Block == "own", "Blocks of resources within it must lie in it.")
	say(f.Block != "" && f.Block != "own", "It must lie within the block of what `%s` names and overlap no other one there.", f.Block)
	say(f.TFType != "", "Rules see it as `%s`, beside the resource.", f.TFType)
	inner := innermost(f)
	for _, group := range inner.OneOf {
		say(true, "Exactly one of %s.", quoted(group))
	}
	for _, n := range inner.Needs {
		say(true, "`%s` needs `%s` beside it.", n.If, n.Then)
	}
	return out
}

// innermost is the struct within a list or map, or the field itself.
func innermost(f *resource.Field) *resource.Field {
	for f.Elem != nil {
		f = f.Elem
	}
	return f
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + n + "`"
	}
	return strings.Join(out, ", ")
}
