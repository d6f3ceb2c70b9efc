package spec

import (
	"fmt"
	"io/fs"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"isobar.dev/engine/resource"
)

// ProviderDoc is what the schemas say of a provider's block in an environment.
type ProviderDoc struct {
	Name   string // "aws", as it stands below providers
	Doc    string // the comment of its #Provider
	Fields []resource.Field
}

// DescribeProviders gives the block of each provider of a schema module (a
// folder a provider, each with its #Provider), sorted by name.
func DescribeProviders(schemas fs.FS) ([]ProviderDoc, error) {
	dirs, err := providerDirs(schemas)
	if err != nil {
		return nil, err
	}
	cc := cuecontext.New()
	var out []ProviderDoc
	for _, dir := range dirs {
		pkg, err := schemaPackage(cc, schemas, dir)
		if err != nil {
			return nil, err
		}
		def := pkg.LookupPath(cue.ParsePath("#Provider"))
		if !def.Exists() {
			continue // a shared package
		}
		if err := pkg.Err(); err != nil {
			return nil, fmt.Errorf("schemas/%s: %w", dir, err)
		}
		fields, err := describeFields(def)
		if err != nil {
			return nil, fmt.Errorf("schemas/%s: #Provider: %w", dir, err)
		}
		out = append(out, ProviderDoc{Name: dir, Doc: docOf(def), Fields: fields})
	}
	return out, nil
}
