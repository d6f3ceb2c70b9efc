package view

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Found is an object that a search found, for people.
type Found struct {
	Address string `json:"address,omitempty"` // "aws.vpc/main", the resource that it is to be the object of; "" where it is left out
	Kind    string `json:"kind"`              // "aws.vpc"; another tool's word where isobar has no kind for it
	ID      string `json:"id,omitempty"`
	By      string `json:"found_by"`
	Left    string `json:"left_out,omitempty"` // why it is left out; "" where it is not
}

// Search is what a search for objects to adopt found.
type Search struct {
	Env     string  `json:"environment"`
	Found   []Found `json:"found"`
	Aspects int     `json:"aspects"`        // resources of another tool that are aspects of others here
	File    string  `json:"file,omitempty"` // where the CUE goes, from the repository's root
	CUE     string  `json:"cue,omitempty"`
}

// ordered gives the objects in the order that people read them in: what is to be
// adopted by address, then what is left out by kind and reason.
func (s *Search) ordered() []Found {
	out := slices.Clone(s.Found)
	slices.SortStableFunc(out, func(a, b Found) int {
		if (a.Left == "") != (b.Left == "") {
			return cmp.Compare(a.Left, b.Left) // "" is before all else
		}
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Left, b.Left), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (s *Search) summary() string {
	left := 0
	for i := range s.Found {
		if s.Found[i].Left != "" {
			left++
		}
	}
	text := "nothing to adopt"
	if kept := len(s.Found) - left; kept > 0 {
		text = count(kept, "object") + " to adopt"
	}
	if left > 0 {
		text += ", " + strconv.Itoa(left) + " left out"
	}
	if s.Aspects > 0 {
		text += fmt.Sprintf(", %d %s of others", s.Aspects, map[bool]string{true: "is an aspect", false: "are aspects"}[s.Aspects == 1])
	}
	return text
}

// Text renders a search as a table, an object a line.
func (s *Search) Text(pg Page) string {
	head := clean(s.Env) + "  found " + s.summary() + "\n"
	if len(s.Found) == 0 {
		return head
	}
	cells := [][]string{{"ADDRESS", "ID", "FOUND BY", "LEFT OUT"}}
	for _, f := range s.ordered() {
		cells = append(cells, []string{clean(cmp.Or(f.Address, f.Kind)), clean(cmp.Or(f.ID, "–")), clean(f.By), clean(f.Left)})
	}
	return head + "\n" + boldFirst(table(cells), pg)
}

// Markdown renders a search as Markdown.
func (s *Search) Markdown() string {
	out := "### isobar import · " + clean(s.Env) + " · " + s.summary() + "\n"
	if len(s.Found) == 0 {
		return out
	}
	out += "\n| address | id | found by | left out |\n|---|---|---|---|\n"
	for _, f := range s.ordered() {
		out += "| " + tableCode(cmp.Or(f.Address, f.Kind)) + " | " + tableCode(f.ID) + " | " + tableCode(f.By) + " | " + Escape(f.Left) + " |\n"
	}
	return out
}

// tableCode is a code span in a table's cell, where a pipe would end it.
func tableCode(s string) string { return strings.ReplaceAll(Code(s), "|", "\\|") }

// JSON renders a search as JSON.
func (s *Search) JSON() []byte {
	out := *s
	out.Found = s.ordered()
	return encode(struct {
		Schema int `json:"schema_version"`
		Search
	}{SchemaVersion, out})
}
