package diag

import (
	"maps"
	"slices"
)

// Page explains a code: a title of a few words and a text of one paragraph on
// what it means and how to mend it.
type Page struct {
	Code  Code
	Title string
	Text  string
}

// Explain gives the page of a code.
func Explain(c Code) (Page, bool) {
	for _, area := range areas() {
		if p, ok := area[c]; ok {
			p.Code = c
			return p, true
		}
	}
	return Page{}, false
}

// Codes lists every code, sorted.
func Codes() []Code {
	var out []Code
	for _, area := range areas() {
		out = slices.AppendSeq(out, maps.Keys(area))
	}
	slices.Sort(out)
	return out
}

func areas() []map[Code]Page {
	return []map[Code]Page{specPages(), planPages(), policyPages(), applyPages(), gitPages(), storePages(), commandPages(), consentPages(), objectPages(), serverPages()}
}
