package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"isobar.dev/engine/provider"
)

// keySize is that of SHA-256's output, as RFC 2104 advises.
const keySize = 32

// key is the key under which values are told apart. It is read once.
type key struct {
	path  string
	agree func(fingerprint string) error

	mu    sync.Mutex
	bytes []byte
}

// get gives the key, making its file where there is none. What fails is tried
// again the next time.
func (k *key) get() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes != nil {
		return k.bytes, nil
	}
	b, err := readKey(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKey(k.path); err == nil {
			b, err = readKey(k.path)
		}
	}
	if err != nil {
		var se *provider.SecretError
		if errors.As(err, &se) {
			return nil, se
		}
		return nil, trouble("let isobar write beside its store", "the key that tells secrets apart can't be had: %v", err)
	}
	if k.agree != nil {
		if err := k.agree(fingerprint(b)); err != nil {
			return nil, trouble("copy the key of one that has been there before to "+k.path, "%v", err)
		}
	}
	k.bytes = b
	return b, nil
}

// fingerprint tells a key from another, and nothing of it.
func fingerprint(key []byte) string {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte("isobar: which key this is")) // a hash's Write never fails
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// readKey reads a key that nobody else may read.
func readKey(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the daemon's own file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, trouble("chmod 600 "+path, "others may read %s, the key that tells secrets apart", path)
	}
	b := make([]byte, keySize+1)
	n, _ := f.Read(b)
	if n != keySize {
		return nil, trouble("restore it from a backup, or remove it: then every secret counts as changed once",
			"%s is not the key that isobar wrote: it has not %d bytes", path, keySize)
	}
	return b[:keySize], nil
}

// makeKey writes a new key in one go: a crash leaves a whole key or none, and
// one that is there already stays.
func makeKey(path string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	b := make([]byte, keySize)
	_, _ = rand.Read(b) // it never fails
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir) //nolint:gosec // the store's directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
