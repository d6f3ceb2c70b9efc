package main

import (
	"context"
	"io/fs"
	"os"

	"isobar.dev/engine/spec"
	"isobar.dev/engine/web"
)

// referencePages gives the generated pages of docs/reference by name. examples
// holds an example environment a kind, as KIND.cue.
func referencePages(schemas string, examples fs.FS) (map[string]string, error) {
	kinds, err := spec.Describe(os.DirFS(schemas))
	if err != nil {
		return nil, err
	}
	pages, err := kindPages(kinds, examples)
	if err != nil {
		return nil, err
	}
	metrics, err := web.Catalogue()
	if err != nil {
		return nil, err
	}
	pages["metrics.md"] = metricsPage(metrics)
	pages["errors.md"] = errorsPage()
	rules, err := packRules(context.Background())
	if err != nil {
		return nil, err
	}
	pages["policies.md"] = policiesPage(rules)
	return pages, nil
}
