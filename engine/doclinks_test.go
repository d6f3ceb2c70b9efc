package engine_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link is a link in Markdown: its target without a title.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks proves that what the pages link to within the repository exists.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, links := 0, 0
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".md"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			return err
		}
		pages++
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(root, path.Join(path.Dir(p), target))); err != nil {
				t.Errorf("%s links to %s, which does not exist", p, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 10 || links < 10 {
		t.Errorf("only %d pages with %d links found: the walk is broken", pages, links)
	}
}

// TestIndex: the index of the documentation has every page of it.
func TestIndex(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := fs.Glob(os.DirFS(filepath.Join(root, "docs")), "*/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("only the pages %v found: %v", pages, err)
	}
	for _, p := range pages {
		if path.Dir(p) != "adr" && !strings.Contains(string(index), "]("+p+")") {
			t.Errorf("docs/README.md does not lead to docs/%s", p)
		}
	}
}
