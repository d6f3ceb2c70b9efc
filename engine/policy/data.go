package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"

	"isobar.dev/engine/diag"
)

// maxData is how many bytes all files of data together may have: each is parsed
// anew with the rules, and held in memory for as long as they are.
const maxData = 4 << 20

// IsData reports whether a file of that name holds data for rules, as OPA's
// bundles have it: data.json, data.yaml or data.yml.
func IsData(name string) bool {
	return slices.Contains([]string{"data.json", "data.yaml", "data.yml"}, path.Base(name))
}

// facts reads the modules that are data and joins them into one document, which
// rules see below data. What cannot be read, or contradicts another file, is in
// the findings.
func facts(mods []Module) (map[string]any, diag.List) {
	out, from := map[string]any{}, map[string]string{}
	var found diag.List
	size := 0
	for _, m := range slices.SortedFunc(slices.Values(mods), func(a, b Module) int { return strings.Compare(a.Path, b.Path) }) {
		if !IsData(m.Path) {
			continue
		}
		if size += len(m.Source); size > maxData {
			return nil, append(found, unreadable(diag.Place{File: m.Path}, fmt.Sprintf("the files of data have more than %d MiB together", maxData>>20), "leave out what no rule needs"))
		}
		doc, f := fact(m)
		if f == nil {
			f = join(out, doc, nil, source{m.Path, from})
		}
		if f != nil {
			found = append(found, *f)
		}
	}
	return out, found
}

// fact reads one file of data, below the place that its directory gives it.
func fact(m Module) (map[string]any, *diag.Finding) {
	at := diag.Place{File: m.Path}
	var top any
	unmarshal := util.Unmarshal
	if path.Ext(m.Path) == ".json" {
		unmarshal = util.UnmarshalJSON
	}
	if err := unmarshal([]byte(m.Source), &top); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at.Line = 1 + bytes.Count([]byte(m.Source)[:min(int(syntax.Offset), len(m.Source))], []byte("\n"))
		}
		f := unreadable(at, "the data cannot be read: "+firstLine(err.Error()), "write one object of JSON or YAML")
		return nil, &f
	}
	doc, ok := top.(map[string]any)
	if !ok {
		f := unreadable(at, "the data is no object, so nothing of it has a name", `name it: {"NAME": …}, which rules read as data.NAME`)
		return nil, &f
	}
	below := strings.FieldsFunc(m.Below, func(r rune) bool { return r == '/' })
	for _, name := range slices.Backward(below) {
		doc = map[string]any{name: doc}
	}
	for _, own := range []string{"main", "isobar"} {
		if _, taken := doc[own]; taken {
			f := unreadable(at, "data."+own+" is the rules' own: a file of data cannot stand there", "choose another name; a figure of isobar's is set in Rego, after the line package isobar.limits")
			return nil, &f
		}
	}
	return doc, nil
}

// source is the file that data comes from, and which file each path came from.
type source struct {
	file string
	from map[string]string
}

// join adds a document to another; what both hold, and is no object in both, is
// a contradiction.
func join(into, doc map[string]any, at []string, src source) *diag.Finding {
	for _, k := range slices.Sorted(keys(doc)) {
		here := append(at[:len(at):len(at)], k)
		name := strings.Join(here, ".")
		old, both := into[k]
		if !both {
			into[k], src.from[name] = doc[k], src.file
			continue
		}
		was, isObject := old.(map[string]any)
		is, areObjects := doc[k].(map[string]any)
		if !isObject || !areObjects {
			other := src.from[name]
			for i := len(here) - 1; other == "" && i > 0; i-- {
				other = src.from[strings.Join(here[:i], ".")]
			}
			f := unreadable(diag.Place{File: src.file}, fmt.Sprintf("data.%s is in %s as well", name, other), "leave it in one of them")
			return &f
		}
		if f := join(was, is, here, src); f != nil {
			return f
		}
	}
	return nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func unreadable(at diag.Place, what, mend string) diag.Finding {
	return diag.Finding{Code: diag.PolicyUnreadable, Severity: diag.Error, Where: at, Message: what, Mend: mend}
}

// shelf is the data as rules read it, in OPA's own terms so that no evaluation
// has to convert it.
func shelf(data map[string]any) storage.Store {
	return inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
}

// taken tells whether data stands at a path, by which the compiler finds rules
// that data would hide.
func taken(data map[string]any) func([]string) (bool, error) {
	return func(at []string) (bool, error) {
		var v any = data
		for _, k := range at {
			m, ok := v.(map[string]any)
			if !ok {
				return true, nil
			}
			if v, ok = m[k]; !ok {
				return false, nil
			}
		}
		return true, nil
	}
}
