package engine_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mapRow is a line of the README's map: floor, packages, what they are.
var (
	mapRow  = regexp.MustCompile(`(?m)^\| ([0-9–]) \| (.*) \| .* \|$`)
	mapName = regexp.MustCompile("`([^`]+)`")
)

// TestMap: the README's map of the house has every package, on its floor.
func TestMap(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for _, row := range mapRow.FindAllStringSubmatch(string(readme), -1) {
		for _, name := range mapName.FindAllStringSubmatch(row[2], -1) {
			told[row[1]] = append(told[row[1]], name[1])
		}
	}
	for pkg, room := range house() {
		if room.sort == suite || pkg == "engine" || strings.HasPrefix(pkg, "engine/store/") {
			continue // told with the package that it belongs to
		}
		floor, name := fmt.Sprint(room.floor), pkg
		if room.sort == lab {
			floor, name = "–", path.Dir(pkg)
		}
		if !mentions(told[floor], name) {
			t.Errorf("the map in README.md lacks %s on floor %s: %q", name, floor, told[floor])
		}
	}
}

// mentions tells whether the package is among the names, whole or by its last part.
func mentions(names []string, pkg string) bool {
	for _, n := range names {
		if n == pkg || n == path.Base(pkg) {
			return true
		}
	}
	return false
}
