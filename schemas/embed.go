// Package schemas holds the CUE module isobar.dev/schemas that users' files
// import, and the descriptors generated from it.
//
// It owns files alone; engine/spec evaluates them. It must not import anything
// but engine/resource. Floor 3.
package schemas

import (
	"embed"
	"io/fs"
	"slices"

	"isobar.dev/engine/resource"
)

//go:embed cue.mod/module.cue *.cue */*.cue
var module embed.FS

//go:embed descriptors.json
var descriptors []byte

// FS gives the CUE module: cue.mod/module.cue and every .cue file. Read-only,
// safe for concurrent use.
func FS() fs.FS { return module }

// Descriptors parses the generated descriptors of every kind. Each call gives
// a fresh value.
func Descriptors() (resource.Descriptors, error) { return resource.ParseDescriptors(descriptors) }

// DescriptorsJSON gives descriptors.json itself, as "make gen" wrote it.
func DescriptorsJSON() []byte { return slices.Clone(descriptors) }
