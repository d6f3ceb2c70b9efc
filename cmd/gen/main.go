// Command gen writes schemas/descriptors.json from the schemas' CUE. Run it as
// "make gen" from the repository's root.
package main

import (
	"fmt"
	"os"

	"isobar.dev/engine/spec"
)

func main() {
	if err := run("schemas"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	b, err := spec.DescribeJSON(os.DirFS(dir))
	if err != nil {
		return err
	}
	return os.WriteFile(dir+"/descriptors.json", b, 0o644)
}
