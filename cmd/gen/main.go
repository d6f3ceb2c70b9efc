// Command gen writes what is derived: schemas/descriptors.json from the
// schemas' CUE, and of docs/reference the pages of kinds, providers,
// error codes, policies and metrics. Run it as "make gen" from the repository's root. It decides nothing:
// a wrong page is mended where its text stands. Floor 9.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"isobar.dev/engine/spec"
)

// stamp heads each page.
const stamp = "<!-- Written by make gen; edit what it is made from, not this page. -->\n"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes everything below the repository's root.
func run(root string) error {
	schemas := filepath.Join(root, "schemas")
	b, err := spec.DescribeJSON(os.DirFS(schemas))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(schemas, "descriptors.json"), b, 0o644); err != nil {
		return err
	}
	reference := filepath.Join(root, "docs", "reference")
	pages, err := referencePages(schemas, os.DirFS(reference))
	if err != nil {
		return err
	}
	return write(reference, pages)
}

// write puts pages in place by their slash-separated names, and removes those of
// kinds that are gone.
func write(dir string, pages map[string]string) error {
	old, err := filepath.Glob(filepath.Join(dir, "kinds", "*.md"))
	if err != nil {
		return err
	}
	for _, p := range old {
		if _, ok := pages["kinds/"+filepath.Base(p)]; !ok {
			err = errors.Join(err, os.Remove(p))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		p := filepath.Join(dir, filepath.FromSlash(name))
		err = errors.Join(err, os.MkdirAll(filepath.Dir(p), 0o755),
			os.WriteFile(p, []byte(pages[name]), 0o644))
	}
	return err
}
