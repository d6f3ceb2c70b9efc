// Package examples holds whole environments to start from: a directory each,
// named as the environment is. CI applies each of them, and cmd/demo tells its
// story with shop.
//
// It owns files alone, and must not import anything of isobar. Floor 3.
package examples

import "embed"

//go:embed */*.cue
var files embed.FS

// Environment gives the spec of the example of that name.
func Environment(name string) (string, error) {
	b, err := files.ReadFile(name + "/" + name + ".cue")
	return string(b), err
}

// Names lists the examples, sorted.
func Names() ([]string, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}
