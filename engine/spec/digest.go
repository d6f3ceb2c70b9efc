package spec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"isobar.dev/schemas"
)

// The places that isobar itself fills in what an evaluation is served.
const (
	schemaDir   = ".schemas/"
	moduleFile  = "cue.mod/module.cue"
	localFile   = "cue.mod/local-module.cue"
	estateFile  = "isobar.cue"
	localModule = "deps: \"isobar.dev/schemas@v0\": replaceWith: \"./.schemas\"\n"
)

// digestOf is the SHA-256, in hex, of everything that an evaluation depends
// on: labels, then files by name.
func digestOf(labels []string, sets ...map[string][]byte) string {
	h := sha256.New()
	put := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, l := range labels {
		put([]byte(l))
	}
	for _, files := range sets {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			put([]byte(name))
			put(files[name])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// schemaFiles gives the embedded schemas under .schemas/, the way that a
// user's repository has them.
func schemaFiles() (map[string][]byte, error) {
	out := map[string][]byte{}
	err := fs.WalkDir(schemas.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(schemas.FS(), p)
		out[schemaDir+p] = b
		return err
	})
	return out, err
}

// serve completes a closure with the schemas and the module's files, in the
// place of the user's own.
func (l *Loader) serve(c *closure) map[string][]byte {
	out := maps.Clone(c.files)
	maps.DeleteFunc(out, func(name string, _ []byte) bool {
		return strings.HasPrefix(name, schemaDir) || strings.HasPrefix(name, "cue.mod/")
	})
	maps.Copy(out, l.schemas)
	out[moduleFile] = []byte("module: " + quoteCUE(c.major) + "\nlanguage: version: \"v0.17.0\"\n" +
		"deps: \"isobar.dev/schemas@v0\": v: \"v0.1.0\"\n")
	out[localFile] = []byte(localModule)
	return out
}
