package spec

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// explain files what CUE says of a value, one finding a path, and reports
// whether any of it lies under at, and whether any does not.
func (e *evaluation) explain(w world, err error, at ...string) (own, foreign bool) {
	var order []string
	groups := map[string][]errors.Error{}
	for _, ce := range errors.Errors(err) {
		key := strings.Join(userPath(ce), "\x00")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], ce)
	}
	for _, key := range order {
		group := groups[key]
		p := userPath(group[0])
		if len(p) >= len(at) && !slices.Equal(p[:len(at)], at) {
			foreign = true // another resource's fault, filed under that one
			continue
		}
		own = true
		if len(p) < len(at) {
			p = at
		}
		group = causes(w, p, group)
		switch f, ok := e.finding(w, p, group); {
		case ok && describeGroup(group).vague:
			e.vague = append(e.vague, f)
		case ok:
			e.add(f)
		}
	}
	return own, foreign
}

// userPath is an error's path within the user's package.
func userPath(err errors.Error) []string {
	p := err.Path()
	if len(p) > 0 && strings.HasPrefix(p[0], "#") {
		p = p[1:]
	}
	out := make([]string, len(p))
	for i, s := range p {
		if v, err := resource.ParsePath(s); err == nil && len(v) == 1 {
			s = v[0] // a quoted label
		}
		out[i] = s
	}
	return out
}

// finding makes one finding of the errors at one path.
func (e *evaluation) finding(w world, p []string, group []errors.Error) (diag.Finding, bool) {
	f := diag.Finding{Severity: diag.Error, Code: codeValue}
	inResource := len(p) >= 3 && e.isProvider(p[0])
	if inResource {
		f.Subject = localKey(p)
	}
	name, doc := strings.Join(p, "."), ""
	if inResource && len(p) > 3 {
		name = strings.NewReplacer(`"$meta"`, "$meta", `"$secret"`, secretKey).Replace(resource.Path(p[3:]).String())
		doc = e.docAt(p)
		if p[3] == "$meta" {
			doc = docOf(w.joined.LookupPath(pathOf(p)))
		}
	} else if !inResource {
		doc = schemaDoc(w, p)
	}
	f.Where = e.errorPlace(w, p, group)
	last := ""
	if len(p) > 0 {
		last = p[len(p)-1]
	}
	m := describeGroup(group)
	if m.kind == wrong && e.tellsSecret(w, p) {
		return f, false // the structure check says what
	}
	switch m.kind {
	case notAllowed:
		if inResource && (len(p) < 4 || p[3] != "$meta") {
			return f, false // the structure check says it, with a suggestion
		}
		f.Code, f.Message = codeUnknownField, "field not allowed: "+last
		of := w.joined.LookupPath(pathOf(p[:len(p)-1]))
		if !inResource {
			if of = definition(w, p[:len(p)-1]); !of.Exists() {
				return f, false // it is part of a field that is not allowed, which is told
			}
		}
		f.Mend = didYouMean(last, namesIn(of, last), "remove it")
		return f, true
	case notPresent:
		if inResource && (len(p) < 4 || p[3] != "$meta") {
			return f, false
		}
		f.Code, f.Message, f.Mend = codeMissingField, "field missing: "+name, "add it: "+oneLine(doc)
		return f, true
	case leadsNowhere:
		f.Code, f.Message = codeReference, m.text
		f.Mend = e.referenceMend(w, m.name, f.Where)
		return f, true
	case incomplete:
		f.Code, f.Message = codeIncomplete, name+" has no definite value: "+m.text
	case wrong:
		f.Message = name + ": " + m.text
		if at := e.fieldAt(p); at != nil && at.Secret {
			f.Message = strings.Replace(f.Message, "or a struct", "or a secret", 1)
		}
		f.Code = cmp.Or(m.code, f.Code)
		if f.Subject != "" && len(p) == 3 {
			f.Message = m.text
		}
	}
	switch {
	case m.mend != "":
		f.Mend = m.mend
	case doc != "":
		f.Mend = oneLine(doc)
	default:
		f.Mend = "correct the value"
	}
	return f, true
}

func (e *evaluation) docAt(p []string) string {
	d := e.kinds[p[0]+"."+p[1]]
	if d == nil {
		return ""
	}
	for n := len(p); n > 3; n-- {
		if f := d.At(p[3:n]); f != nil && f.Doc != "" {
			return f.Doc
		}
	}
	return ""
}

// schemaDoc is the comment of a setting's definition, or of the nearest one around
// it that has any.
func schemaDoc(w world, p []string) string {
	doc := ""
	for n := range p {
		doc = cmp.Or(docOf(definition(w, p[:n+1])), doc)
	}
	return doc
}

// definition is what the schema says of a path to a setting, through lists too; a
// value that does not exist where it says nothing.
func definition(w world, p []string) cue.Value {
	v := w.def
	for _, s := range p {
		if v.IncompleteKind() == cue.ListKind {
			v = v.LookupPath(cue.MakePath(cue.AnyIndex))
		} else {
			v = memberOf(v, cue.Str(s))
		}
	}
	return v
}

// namesIn lists the fields that a joined value knows, but for one.
func namesIn(v cue.Value, but string) []string {
	it, err := v.Fields(cue.Optional(true))
	if err != nil {
		return nil
	}
	var out []string
	for it.Next() {
		if n := it.Selector().Unquoted(); n != but {
			out = append(out, n)
		}
	}
	return out
}

// referenceMend suggests what an undefined name may have meant: an output, a
// resource, or a field.
func (e *evaluation) referenceMend(w world, name string, at diag.Place) string {
	var names []string
	for kind, d := range e.kinds {
		for _, o := range d.Outs {
			if o.Name == name && !e.follows(at, "#out.") {
				return "write #out." + name + ": what a resource tells once it exists stands in its #out"
			}
			names = append(names, o.Name)
		}
		p, k, _ := strings.Cut(kind, ".")
		names = append(names, k)
		for _, r := range fieldsOf(w.raw.LookupPath(cue.MakePath(cue.Str(p), cue.Str(k)))) {
			names = append(names, r.name)
		}
	}
	return didYouMean(name, names, "define it, or correct the name")
}

// follows reports whether text stands right before a place.
func (e *evaluation) follows(at diag.Place, text string) bool {
	src, err := fs.ReadFile(e.files, at.File)
	lines := bytes.Split(src, []byte("\n"))
	if err != nil || at.Line < 1 || at.Line > len(lines) || at.Col < 1 || at.Col-1 > len(lines[at.Line-1]) {
		return false
	}
	return bytes.HasSuffix(lines[at.Line-1][:at.Col-1], []byte(text))
}

// errorPlace is where the user wrote what the errors are about.
func (e *evaluation) errorPlace(w world, p []string, group []errors.Error) diag.Place {
	for _, err := range group {
		for _, pos := range append([]token.Pos{err.Position()}, err.InputPositions()...) {
			if at := placeOf(pos); at.File != "" && !isSchema(at.File) {
				return at
			}
		}
	}
	for n := len(p); n > 0; n-- {
		if at := placeOf(w.raw.LookupPath(pathOf(p[:n])).Pos()); at.File != "" && !isSchema(at.File) {
			return at
		}
	}
	return e.packagePlace(w)
}

// meaning is what a group of CUE's errors comes to.
type meaning struct {
	kind meaningKind
	text string
	mend string
	code diag.Code // "" is codeValue
	name string    // of what leads nowhere

	vague bool // CUE says only that nothing fits
}

type meaningKind int

const (
	wrong meaningKind = iota
	notAllowed
	notPresent
	leadsNowhere
	incomplete
)

// describeGroup reads the errors at one path by their message formats; the
// branches of a disjunction become one sentence.
func describeGroup(group []errors.Error) meaning {
	var options []string
	var got string
	var formless bool // it fits no pattern
	var first meaning
	for i, err := range group {
		m, g, want := describeError(err)
		if i == 0 || first.kind == wrong && first.text == "" {
			first = m
		}
		if m.kind != wrong {
			return m
		}
		if g != "" {
			got = g
		}
		formless = formless || g != "" && want == ""
		if want != "" && !slices.Contains(options, want) {
			options = append(options, want)
		}
	}
	switch {
	case strings.HasPrefix(got, secretMark):
		return meaning{kind: wrong, code: codeSecretPlace, text: secretHere, mend: secretHereMend}
	case formless && strings.Contains(got, refMark):
		return meaning{kind: wrong, text: "a reference cannot stand here", mend: "write the value itself, or another output of that resource"}
	case formless && len(options) == 1: // the default, and a pattern for all else
		return meaning{kind: wrong, text: got + " has the wrong form"}
	case formless && len(options) > 1:
		options = append(options, "text of the right form")
	}
	if len(group) > 1 && got != "" && len(options) > 0 {
		return meaning{kind: wrong, text: "want " + strings.Join(withoutDefaults(options), " or ") + ", got " + got}
	}
	if first.kind == wrong && first.text == "" {
		first = meaning{text: "no value that is allowed here fits", vague: true}
	}
	return first
}

// withoutDefaults drops the default values beside the type that they belong to.
func withoutDefaults(options []string) []string {
	bounded := slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, ">") || strings.HasPrefix(o, "<") })
	boolean := slices.Contains(options, "bool")
	text := len(options) == 2 && slices.Contains(options, "text")
	var out []string
	for _, o := range options {
		_, err := strconv.ParseFloat(o, 64)
		if bounded && err == nil || boolean && (o == "true" || o == "false") || text && strings.HasPrefix(o, `"`) {
			continue
		}
		out = append(out, o)
	}
	return out
}

// describeError reads one error: its meaning, what the user gave and what was
// wanted, as far as they can be told.
func describeError(err errors.Error) (m meaning, got, want string) {
	format, args := err.Msg()
	text := fmt.Sprintf(format, args...)
	arg := func(i int) string {
		if i < len(args) {
			return shortened(fmt.Sprint(args[i]))
		}
		return ""
	}
	switch {
	case strings.Contains(text, "field not allowed"):
		return meaning{kind: notAllowed}, "", ""
	case strings.Contains(text, "field is required but not present"):
		return meaning{kind: notPresent}, "", ""
	case strings.HasPrefix(text, "undefined field"):
		return meaning{kind: leadsNowhere, text: "nothing is called " + arg(0) + " here", name: arg(0)}, "", ""
	case strings.HasPrefix(format, "incomplete value"):
		return meaning{kind: incomplete, text: plainType(arg(0))}, "", ""
	case strings.HasPrefix(format, "invalid value"):
		if b := arg(1); strings.HasPrefix(b, "=~") || strings.HasPrefix(b, "!~") {
			return meaning{text: arg(0) + " has the wrong form"}, arg(0), ""
		}
		if strings.HasPrefix(arg(1), "time.Format(") {
			return meaning{text: arg(0) + " is no day of the calendar"}, arg(0), ""
		}
		return meaning{text: arg(0) + " is out of range: want " + arg(1)}, arg(0), arg(1)
	case strings.HasPrefix(format, "conflicting values"):
		return describeConflict(err, arg)
	case strings.HasPrefix(text, "cannot use "+secretMark):
		return meaning{code: codeSecretPlace, text: secretPart, mend: secretPartMend}, "", ""
	case strings.Contains(text, "errors in empty disjunction"):
		return meaning{}, "", ""
	}
	if cause := errors.Unwrap(err); cause != nil && cause.Error() != "" && !strings.Contains(text, cause.Error()) {
		text += ": " + cause.Error()
	}
	return meaning{text: shortened(text), vague: interpolation(err)}, "", ""
}

// shortened cuts a value that a message quotes to some 80 bytes.
func shortened(s string) string {
	const most = 80
	if len(s) <= most || strings.HasPrefix(s, "=~") || strings.HasPrefix(s, "!~") {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func describeConflict(err errors.Error, arg func(int) string) (m meaning, got, want string) {
	pos := err.InputPositions()
	mine := func(i int) bool {
		return i < len(pos) && pos[i].IsValid() && !isSchema(pos[i].Filename())
	}
	switch {
	case mine(0) && mine(1):
		return meaning{
			text: "two different values: " + arg(0) + " and " + arg(1),
			mend: "keep one: the other stands at " + placeOf(pos[1]).String(),
		}, "", ""
	case mine(0):
		got, want = arg(0), plainType(arg(1))
	default:
		got, want = arg(1), plainType(arg(0))
	}
	return meaning{text: "want " + want + ", got " + got}, got, want
}

// plainType says what a constraint wants: a pattern only reads as text.
func plainType(s string) string {
	switch {
	case strings.HasPrefix(s, "=~"), strings.HasPrefix(s, "!~"), s == "string":
		return "text"
	case strings.HasPrefix(s, "{"):
		return "a struct"
	case strings.HasPrefix(s, "["):
		return "a list"
	}
	return s
}
