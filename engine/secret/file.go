package secret

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"isobar.dev/engine/provider"
)

// openFlags do not wait for the other end of a pipe.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

var (
	errNotPlain = errors.New("it is no regular file")
	errLarge    = errors.New("it is too large")
)

// file reads a file whole, but for the line break at its end that editors and
// echo leave.
func (k *Keeper) file(file string) (string, *provider.SecretError) {
	allow := k.opts.Allow
	places := allow.places(file)
	if len(places) == 0 && allow.Any && filepath.IsAbs(file) {
		places = []place{{"", file}}
	}
	if len(places) == 0 {
		mend := "no directory is allowed here: allow one with --secret-dir DIR"
		if len(allow.Dirs) > 0 {
			mend = "put it into " + strings.Join(allow.Dirs, " or ") + ", or allow its directory with --secret-dir DIR"
		}
		return "", trouble(mend, "environments may not read the file %s", file)
	}
	var text string
	var err error
	at := 0
	for i, p := range places {
		if text, err = p.read(); !errors.Is(err, fs.ErrNotExist) {
			at = i
			break
		}
	}
	wrong := unread(places, at, err)
	if wrong != nil && allow.Any && !filepath.IsAbs(file) && errors.Is(err, fs.ErrNotExist) {
		wrong.Mend += ", or write the file's absolute path"
	}
	return text, wrong
}

// read gives a place's content.
func (p place) read() (string, error) {
	f, err := p.open()
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errNotPlain
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSize {
		return "", errLarge
	}
	text := strings.TrimSuffix(string(b), "\n")
	if len(text) < len(b) {
		text = strings.TrimSuffix(text, "\r")
	}
	return text, nil
}

// open opens the place; beneath a directory, no link may lead out of it.
func (p place) open() (*os.File, error) {
	if p.dir == "" {
		return os.OpenFile(p.name, openFlags, 0)
	}
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	return root.OpenFile(p.name, openFlags, 0)
}

// path is the place's path.
func (p place) path() string { return filepath.Join(p.dir, p.name) }

// unread says why none of the places could be read; at is the one that was
// there.
func unread(places []place, at int, err error) *provider.SecretError {
	var cause *fs.PathError
	switch path := places[at].path(); {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		all := make([]string, len(places))
		for i, p := range places {
			all[i] = p.path()
		}
		return trouble("put it there", "there is no file %s", strings.Join(all, " or "))
	case errors.Is(err, fs.ErrPermission):
		return trouble("let the user that isobar runs as read it", "isobar may not read the file %s", path)
	case errors.Is(err, errNotPlain):
		return trouble("name a file", "%s is no regular file", path)
	case errors.Is(err, errLarge):
		return tooLarge("the file " + path)
	case errors.As(err, &cause):
		return trouble("a plain file must be there; a link may not lead out of its directory", "the file %s can't be read: %v", path, cause.Err)
	default:
		return trouble("", "the file %s can't be read", path)
	}
}
