package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"isobar.dev/engine/resource"
)

// maxSource bounds a secret that is read from a file, in bytes.
const maxSource = 64 << 10

// reader reads a source each time it is asked; nil where none is named. Errors
// name the source, never what it holds.
func (s *settings) reader(from resource.SecretSource) func() (string, error) {
	switch {
	case from.Env != "":
		return func() (string, error) {
			v := os.Getenv(from.Env)
			if v == "" {
				return "", fmt.Errorf("the variable %s is not set", from.Env)
			}
			return v, nil
		}
	case from.File != "":
		return func() (string, error) { return readSource(s.path(from.File)) }
	}
	return nil
}

// readSource gives a file's text without its last newline.
func readSource(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // a path of the trusted file
	if err != nil {
		return "", plainly(path, err)
	}
	defer f.Close() //nolint:errcheck // it was read
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return "", errors.New(path + " is no regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	switch {
	case err != nil:
		return "", plainly(path, err)
	case len(b) > maxSource:
		return "", fmt.Errorf("%s is longer than %d KiB", path, maxSource>>10)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return "", errors.New(path + " is empty")
	}
	return text, nil
}

// plainly says what is wrong with a file without the name of the call.
func plainly(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
