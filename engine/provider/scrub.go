package provider

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"slices"
	"strings"
	"sync"

	"isobar.dev/engine/resource"
)

// fragment is the shortest piece of a secret, in bytes, that is hidden where it
// stands apart from the rest: an API may repeat a line of a script, or cut the
// text that it repeats.
const fragment = 12

// known are the values that a run has read, to know them again. Safe for
// concurrent use.
type known struct {
	guard  sync.Mutex
	values map[string]bool
}

func (k *known) learn(value string) {
	if value == "" {
		return
	}
	k.guard.Lock()
	defer k.guard.Unlock()
	if k.values == nil {
		k.values = map[string]bool{}
	}
	k.values[value] = true
}

func (k *known) all() []string {
	k.guard.Lock()
	defer k.guard.Unlock()
	out := make([]string, 0, len(k.values))
	for v := range k.values {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// text gives s with "(secret)" in the place of every value: whole, in the forms
// that it travels in, and in pieces.
func (k *known) text(s string) string {
	if s == "" {
		return s
	}
	hidden := make([]bool, len(s))
	found := false
	for _, value := range k.all() {
		for _, form := range forms(value) {
			found = cover(hidden, s, form) || found
		}
	}
	if !found {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case !hidden[i]:
			b.WriteByte(s[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(resource.Hidden)
		}
	}
	return b.String()
}

// cover marks where form stands in s, whole or in pieces of at least fragment
// bytes.
func cover(hidden []bool, s, form string) bool {
	found := false
	mark := func(at, n int) {
		found = true
		for i := at; i < at+n; i++ {
			hidden[i] = true
		}
	}
	if len(form) < fragment {
		for from := 0; from < len(s); {
			i := strings.Index(s[from:], form)
			if i < 0 {
				break
			}
			mark(from+i, len(form))
			from += i + 1
		}
		return found
	}
	for i := 0; i+fragment <= len(s); i++ {
		if strings.Contains(form, s[i:i+fragment]) {
			mark(i, fragment)
		}
	}
	return found
}

// forms are the spellings of a value on its way: as it is, in base64 (also as
// part of something longer, which shifts it), in JSON, XML and URLs.
func forms(value string) []string {
	out := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range min(3, len(value)) {
			if part := value[shift:]; shift == 0 || len(part) >= fragment {
				out = append(out, enc.EncodeToString([]byte(part)))
			}
		}
	}
	var b strings.Builder
	for _, html := range []bool{true, false} {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(value) == nil {
			out = append(out, strings.TrimSuffix(b.String(), "\"\n")[1:])
		}
		b.Reset()
	}
	if xml.EscapeText(&b, []byte(value)) == nil {
		out = append(out, b.String())
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

// hide makes a text that repeats a value a secret, and hides what a longer one
// repeats. Values too short to be told from ordinary words stay: their place
// gives them away, not their text.
func (k *known) hide(v resource.Value) resource.Value {
	s, ok := v.(resource.String)
	if !ok {
		return v
	}
	for _, value := range k.all() {
		if len(value) < fragment {
			continue
		}
		for _, form := range forms(value) {
			if strings.Contains(string(s), form) {
				return resource.Secret{}
			}
		}
	}
	return v
}
