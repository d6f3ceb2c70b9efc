package resource

import (
	"regexp"
	"testing"
)

// FuzzWords: what may be called how, beside the patterns that say the same.
func FuzzWords(f *testing.F) {
	patterns := map[*regexp.Regexp]func(string) bool{
		regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`):             isLabel,
		regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`):              isIdent,
		regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`): isName,
		regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`):        isOutput,
	}
	for _, s := range []string{"", "a", "prod-1", "a_b", "A.b", "-a", "9", ".", "é", "a\n", "Zz", "_x"} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(70))
	}
	f.Fuzz(func(t *testing.T, s string, more uint8) {
		for range more {
			s += "a"
		}
		for re, is := range patterns {
			if re.MatchString(s) != is(s) {
				t.Errorf("%q: by %s it is %v", s, re, !is(s))
			}
		}
	})
}
