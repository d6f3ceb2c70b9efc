package main

import (
	"context"
	"io/fs"
	"os"

	"isobar.dev/engine/spec"
	"isobar.dev/engine/web"
)

// referencePages gives the generated pages of docs/reference by name. examples
// is that folder: kinds/KIND.cue is an example environment a kind, providers.cue
// one of several providers, server.cue an example of a server's file.
func referencePages(schemas string, examples fs.FS) (map[string]string, error) {
	kinds, err := spec.Describe(os.DirFS(schemas))
	if err != nil {
		return nil, err
	}
	ofKinds, err := fs.Sub(examples, "kinds")
	if err != nil {
		return nil, err
	}
	pages, err := kindPages(kinds, ofKinds)
	if err != nil {
		return nil, err
	}
	server, err := fs.ReadFile(examples, "server.cue")
	if err != nil {
		return nil, err
	}
	if pages["server.md"], err = serverPage(os.DirFS(schemas), string(server)); err != nil {
		return nil, err
	}
	providers, err := fs.ReadFile(examples, "providers.cue")
	if err != nil {
		return nil, err
	}
	if pages["providers.md"], err = providersPage(os.DirFS(schemas), string(providers)); err != nil {
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
