package main

import (
	"io/fs"
	"strings"

	"isobar.dev/engine/spec"
)

// serverPage describes a server's file: an example, then its fields.
func serverPage(schemas fs.FS, example string) (string, error) {
	doc, fields, err := spec.DescribeServer(schemas)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# The server's file\n\n" + stamp + "\n" + sentence(doc) + "\n\n`isobar serve --config FILE` runs by it, and `isobar serve --config FILE --check` says what is wrong\n" +
		"with it. Other verbs take its store and credentials from it with `--config FILE`, or\n`ISOBAR_CONFIG` in the environment. [Several repositories](../explanation/several-repositories.md)\nsays what happens when two of them have an environment of one name.\n\n## Example\n\n```cue\n" + example + "```\n\n" +
		"## Fields\n\n| field | type | default | what |\n|---|---|---|---|\n")
	writeFields(&b, "", fields)
	return b.String(), nil
}
