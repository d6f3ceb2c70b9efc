package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"isobar.dev/engine/resource"
)

// kindPages gives a page a kind and their list.
func kindPages(kinds []resource.Descriptor, examples fs.FS) (map[string]string, error) {
	pages := map[string]string{}
	var list strings.Builder
	list.WriteString("# Kinds\n\n" + stamp + "\nA resource stands in its environment under provider, kind and name: `aws: vpc: main: {…}`. Fields\nhave the names of the provider's own API. [Attributes](../attributes.md) says what the words about\nfields mean and what `$meta` takes; [Providers](../providers.md) what stands under `providers` and\nwhere credentials come from.\n\n| kind | what | in rules |\n|---|---|---|\n")
	for i := range kinds {
		k := &kinds[i]
		example, err := fs.ReadFile(examples, k.Kind+".cue")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		pages["kinds/"+k.Kind+".md"] = kindPage(k, string(example))
		tf := ""
		if k.TF != "" {
			tf = "`" + k.TF + "`"
		}
		fmt.Fprintf(&list, "| [%s](%s.md) | %s | %s |\n", k.Kind, k.Kind, cell(sentence(k.Doc)), tf)
	}
	pages["kinds/README.md"] = list.String()
	return pages, nil
}

// kindPage describes one kind: what it is, an example, its fields, its outputs.
func kindPage(k *resource.Descriptor, example string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n%s\n", k.Kind, stamp, sentence(k.Doc))
	if k.Lookup {
		b.WriteString("\nIt is a [lookup](../attributes.md#lookups): found, pinned and never made, changed or deleted.\n")
	}
	if k.TF != "" {
		fmt.Fprintf(&b, "\nRules see it as `%s`.\n", k.TF)
	}
	if example != "" {
		fmt.Fprintf(&b, "\n## Example\n\n```cue\n%s```\n", example)
	}
	b.WriteString("\n## Fields\n\n| field | type | default | what |\n|---|---|---|---|\n")
	writeFields(&b, "", k.Fields)
	for _, group := range k.OneOf {
		fmt.Fprintf(&b, "\nExactly one of %s.\n", quoted(group))
	}
	for _, o := range k.Outs {
		if o.Name == "id" && !k.Lookup {
			fmt.Fprintf(&b, "\n## Import\n\n    isobar import ENV %s/NAME ID\n\nID: %s\n", k.Kind, lowered(o.Doc))
		}
	}
	b.WriteString("\n## Outputs\n\n")
	if len(k.Outs) == 0 {
		b.WriteString("None.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "Other resources refer to them as `%s.NAME.#out.OUTPUT`.\n\n| output | what |\n|---|---|\n", k.Kind)
	for _, o := range k.Outs {
		doc := o.Doc
		if o.Volatile {
			doc += " An update of the resource may change it."
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.Name, cell(doc))
	}
	return b.String()
}

// lowered is a sentence that goes on from a colon.
func lowered(doc string) string {
	if doc == "" {
		return doc
	}
	return strings.ToLower(doc[:1]) + doc[1:]
}

// writeFields writes a line a field, those within others below them by their path.
func writeFields(b *strings.Builder, under string, fields []resource.Field) {
	for _, f := range requiredFirst(fields) {
		path := under + f.Name
		what := strings.Join(append([]string{f.Doc}, behaviour(f)...), " ")
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", path, typeWords(f), defaultWords(f), cell(what))
		inner, below := f, path+"."
		for inner.Elem != nil {
			if inner.Type == "map" {
				below = strings.TrimSuffix(below, ".") + ".*."
			} else {
				below = strings.TrimSuffix(below, ".") + "[]."
			}
			inner = inner.Elem
		}
		writeFields(b, below, inner.Fields)
	}
}

// requiredFirst puts the fields that one must write before the others.
func requiredFirst(fields []resource.Field) []*resource.Field {
	out := make([]*resource.Field, 0, len(fields))
	for _, required := range []bool{true, false} {
		for i := range fields {
			if fields[i].Required == required {
				out = append(out, &fields[i])
			}
		}
	}
	return out
}

// sentence is a definition's comment without the CUE name that it starts with:
// "#VPC is a network" gives "A network".
func sentence(doc string) string {
	if !strings.HasPrefix(doc, "#") {
		return doc
	}
	_, rest, _ := strings.Cut(doc, " ")
	return upperFirst(strings.TrimPrefix(rest, "is "))
}

// cell is a text in a table's cell.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(strings.Join(strings.Fields(s), " "))
}
