package spec

import (
	"io/fs"
	"strings"

	"isobar.dev/engine/diag"
)

// maxExcerpt bounds the source line that a finding quotes, in bytes.
const maxExcerpt = 240

// illustrate adds to each finding with a place the line that it points at and
// the width of what stands there.
func illustrate(l diag.List, tree fs.FS) diag.List {
	lines := map[string][]string{}
	for i := range l {
		f := &l[i]
		if f.Where.Line <= 0 || f.Where.Col <= 0 || f.Excerpt != "" {
			continue
		}
		file, ok := lines[f.Where.File]
		if !ok {
			if b, err := fs.ReadFile(tree, f.Where.File); err == nil {
				file = strings.Split(string(b), "\n")
			}
			lines[f.Where.File] = file
		}
		if f.Where.Line > len(file) {
			continue
		}
		if f.Where.Line == len(file) && len(file) > 1 && file[len(file)-1] == "" {
			f.Where.Line, f.Where.Col = len(file)-1, maxExcerpt
		}
		line := strings.TrimSuffix(file[f.Where.Line-1], "\r")
		if len(line) > maxExcerpt {
			continue
		}
		f.Where.Col = min(f.Where.Col, len(line)+1) // the end of a file counts as the end of its last line
		f.Excerpt, f.Width = line, widthAt(line[f.Where.Col-1:])
	}
	return l
}

// widthAt is the length of the word or quoted text at the start of s.
func widthAt(s string) int {
	if strings.HasPrefix(s, `"`) {
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(s)
	}
	n := strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && r != '#' && r != '$' && r != '.' && r != '@' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	switch {
	case n < 0:
		return max(1, len(s))
	case n == 0:
		return 1
	}
	return n
}
