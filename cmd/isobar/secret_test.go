package main

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// nowhere VALUE PATH… checks that no file at or below the paths holds a value,
// as it is or in base64, wherever in the encoded text it stands.
func nowhere(ts *testscript.TestScript, _ bool, args []string) {
	forms := [][]byte{[]byte(args[0])}
	for shift := range 3 {
		enc := base64.RawStdEncoding.EncodeToString([]byte("xxx"[:shift] + args[0]))
		forms = append(forms, []byte(enc[[]int{0, 2, 3}[shift]:len(enc)-2]))
	}
	files := 0
	root, err := os.OpenRoot(ts.MkAbs("."))
	ts.Check(err)
	defer root.Close()
	for _, path := range args[1:] {
		ts.Check(fs.WalkDir(root.FS(), filepath.Clean(path), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			files++
			data, err := root.ReadFile(name)
			for _, f := range forms {
				if bytes.Contains(data, f) {
					ts.Fatalf("%s holds %s", name, f)
				}
			}
			return err
		}))
	}
	if files == 0 {
		ts.Fatalf("there is no file to look into")
	}
}

// mode PERM FILE checks who may do what with a file.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
