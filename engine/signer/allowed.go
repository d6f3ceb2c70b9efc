package signer

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"isobar.dev/engine/diag"
)

// allowed is a line of a file of allowed signers: who may sign with which key
// (ssh-keygen(1), ALLOWED SIGNERS).
type allowed struct {
	names      string // principals as written, "ann@example.com,*@ops.example.com"
	key        ssh.PublicKey
	authority  bool     // key signs certificates, and no commits
	namespaces []string // patterns of what it counts for; nil: all
	after      time.Time
	before     time.Time // it does not count from then on; zero: no such limits
}

// parseAllowed reads a file of allowed signers. Findings have its lines.
func parseAllowed(name string, data []byte) ([]allowed, diag.List) {
	var out []allowed
	var wrong diag.List
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		a, err := parseLine(text)
		if err != nil {
			wrong = append(wrong, finding(diag.Place{File: name, Line: n, Col: 1}, err.Error(), "write a line such as: ann@example.com ssh-ed25519 AAAA…"))
			continue
		}
		out = append(out, a)
	}
	return out, wrong
}

// parseLine reads principals, options and key.
func parseLine(text string) (allowed, error) {
	names, rest := field(text)
	a := allowed{names: strings.Trim(names, `"`)}
	if a.names == "" || strings.ContainsFunc(a.names, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return a, fmt.Errorf("it names nobody")
	}
	for p := range strings.SplitSeq(a.names, ",") {
		if _, err := path.Match(pattern(p), ""); err != nil || p == "" {
			return a, fmt.Errorf("%q is no principal", p)
		}
	}
	key, _, options, more, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return a, fmt.Errorf("no key follows %s", a.names)
	}
	if len(strings.TrimSpace(string(more))) > 0 {
		return a, fmt.Errorf("more follows the key of %s", a.names)
	}
	a.key = key
	if _, ok := key.(*ssh.Certificate); ok {
		return a, fmt.Errorf("%s has a certificate where a key belongs", a.names)
	}
	for _, o := range options {
		if err := a.option(o); err != nil {
			return a, err
		}
	}
	return a, nil
}

// field cuts the first field off, which may be quoted.
func field(text string) (first, rest string) {
	quoted := false
	for i, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t'):
			return text[:i], strings.TrimSpace(text[i:])
		}
	}
	return text, ""
}

// option reads one option of a line. One that isobar does not know may narrow what the
// key counts for, so that it is an error.
func (a *allowed) option(text string) (err error) {
	name, value, _ := strings.Cut(text, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "cert-authority":
		a.authority = true
	case "namespaces":
		a.namespaces = strings.Split(value, ",")
		if slices.Contains(a.namespaces, "") {
			return fmt.Errorf("%s's key has an empty namespace", a.names)
		}
	case "valid-after":
		a.after, err = instant(value)
	case "valid-before":
		a.before, err = instant(value)
	default:
		return fmt.Errorf("%s's key has an option %q that isobar does not know", a.names, name)
	}
	return err
}

// instant reads a time: YYYYMMDD or YYYYMMDDHHMM[SS], local unless a Z follows.
func instant(text string) (time.Time, error) {
	digits, utc := strings.CutSuffix(text, "Z")
	layout := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(digits)]
	at := time.Local
	if utc {
		at = time.UTC
	}
	t, err := time.ParseInLocation(layout, digits, at)
	if layout == "" || err != nil {
		return t, fmt.Errorf("%q is no time: write YYYYMMDD or YYYYMMDDHHMMSS, with a Z behind it for UTC", text)
	}
	return t, nil
}

// matches reports whether a principal is one of the line's: * and ? are wild, and one
// with a ! before it is none of it whatever else matches (ssh_config(5), PATTERNS).
func (a *allowed) matches(principal string) bool {
	return listed(strings.Split(a.names, ","), principal)
}

func (a *allowed) forGit() bool { return a.namespaces == nil || listed(a.namespaces, namespace) }

func listed(patterns []string, text string) bool {
	found := false
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if ok, err := path.Match(pattern(p), strings.ReplaceAll(text, "/", "\x00")); err != nil || !ok {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// pattern makes of SSH's pattern, where * and ? alone are wild, one of package path,
// for texts without a slash.
func pattern(p string) string {
	return strings.NewReplacer("/", "\x00", `\`, `\\`, "[", `\[`, "]", `\]`).Replace(p)
}
