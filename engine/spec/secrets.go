package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// secretKey is the reserved key of a secret's reference.
const secretKey = "$secret"

// secretMark starts a secret's reference as CUE prints it.
const secretMark = "{" + secretKey + ":"

// Where secrets can't stand, in words.
const (
	secretHere     = "a secret can't stand here"
	secretHereMend = "write the value itself; the reference of kinds says which fields take a secret"
	secretPart     = "a secret can't be part of a text"
	secretPartMend = "put the whole text into the secret's source, and refer to it alone"
)

// sources checks that each secret is bound to one source.
func (c *checker) sources() {
	for _, name := range slices.Sorted(maps.Keys(c.env.Secrets)) {
		src := c.env.Secrets[name]
		f := diag.Finding{Code: codeOneOf, Severity: diag.Error, Subject: "secrets", Where: diag.Place(c.at[resource.Path{"secrets", name}.String()])}
		switch {
		case src.Env == "" && src.File == "":
			f.Message, f.Mend = name+": none of env, file is set", "set one of them"
		case src.Env != "" && src.File != "":
			f.Message, f.Mend = name+": env and file exclude each other", "keep one of them"
		default:
			continue
		}
		c.found = append(c.found, f)
	}
}

// secret checks a reference to a secret.
func (c *checker) secret(d *resource.Desired, f *resource.Field, at resource.Path, s resource.Secret) {
	at = append(at[:len(at):len(at)], secretKey)
	if f == nil || !f.Secret {
		c.add(d, at, diag.Finding{Code: codeSecretPlace, Message: at[:len(at)-1].String() + ": " + secretHere, Mend: secretHereMend})
		return
	}
	if _, ok := c.env.Secrets[s.Name]; ok {
		return
	}
	names := slices.Sorted(maps.Keys(c.env.Secrets))
	mend := fmt.Sprintf("bind it: secrets: %q: env: …", s.Name)
	if len(names) > 0 {
		mend += ", or name one that is bound: " + strings.Join(names, ", ")
	}
	c.add(d, at, diag.Finding{Code: codeSecret, Message: "no secret is called " + s.Name, Mend: didYouMean(s.Name, names, mend)})
}

// secretKeys compares what a user wrote in the place of a secret with what one
// consists of: CUE says only that neither text nor secret fits.
func (c *structCheck) secretKeys(h field) {
	names := []string{secretKey, "field"}
	have := fieldsOf(h.value)
	for _, k := range have {
		if !slices.Contains(names, k.name) {
			c.e.add(diag.Finding{
				Code: codeUnknownField, Severity: diag.Error, Where: k.place(), Subject: c.subject,
				Message: "field not allowed: " + k.name, Mend: didYouMean(k.name, names, `a secret is {$secret: "name", field?: "member"}`),
			})
		}
	}
	if !hasField(h.value, secretKey) {
		c.e.add(diag.Finding{
			Code: codeMissingField, Severity: diag.Error, Where: h.place(), Subject: c.subject,
			Message: "field missing: " + h.name + "." + secretKey, Mend: `write the text itself, or {$secret: "name"}`,
		})
	}
}

// tellsSecret reports whether the structure check says what is wrong at a path:
// a struct stands where text or a secret may.
func (e *evaluation) tellsSecret(w world, p []string) bool {
	f := e.fieldAt(p)
	return f != nil && f.Secret && w.raw.LookupPath(pathOf(p)).IncompleteKind() == cue.StructKind
}

// fieldAt is the descriptor of a path within the user's package, or nil.
func (e *evaluation) fieldAt(p []string) *resource.Field {
	if len(p) < 4 {
		return nil
	}
	d := e.kinds[p[0]+"."+p[1]]
	if d == nil {
		return nil
	}
	return d.At(p[3:])
}
