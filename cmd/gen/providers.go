package main

import (
	"fmt"
	"io/fs"
	"strings"

	"isobar.dev/engine/spec"
)

// providersPage describes the blocks of providers in an environment: an example,
// then where each gets its credentials, and its fields.
func providersPage(schemas fs.FS, example string) (string, error) {
	docs, err := spec.DescribeProviders(schemas)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Providers\n\n" + stamp + "\nAn environment says under `providers` where its resources live, a block a provider. A block under\nanother name takes a `type`: a second region or vCenter, which resources choose by\n`$meta: provider: \"NAME\"`. Credentials by name stand in [the server's file](server.md), which\n" +
		"[grants them to repositories](../explanation/several-repositories.md#credentials-by-name). What they must be allowed to do:\n[on AWS](../tutorial/first-hour.md#3-an-account-of-your-own), " +
		"[on a vCenter](../tutorial/first-hour.md#4-a-vcenter-of-your-own).\n\n## Example\n\n```cue\n" + example + "```\n")
	for _, d := range docs {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| field | type | default | what |\n|---|---|---|---|\n", d.Name, sentence(d.Doc))
		writeFields(&b, "", d.Fields)
	}
	return b.String(), nil
}
