package spec

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// job is what the parent asks of a child: one frame of JSON, then one frame
// that is a zip of every file that the evaluation may read. Its answer is a frame
// with an outcome; after that the next job may come.
type job struct {
	Env    string `json:"env,omitempty"`    // the environment's name, "" to evaluate isobar.cue alone
	Dir    string `json:"dir,omitempty"`    // its directory, relative to the root
	Server bool   `json:"server,omitempty"` // evaluate a server's own file instead
	Limits Limits `json:"limits"`
}

// outcome is the child's answer: findings, or the evaluated values.
type outcome struct {
	Findings diag.List                               `json:"findings,omitempty"`
	Estate   json.RawMessage                         `json:"estate,omitempty"`
	Env      json.RawMessage                         `json:"env,omitempty"`
	Server   json.RawMessage                         `json:"server,omitempty"`
	At       map[string]resource.Position            `json:"at,omitempty"`    // settings and resources, by path
	Where    map[string]map[string]resource.Position `json:"where,omitempty"` // a resource's fields, by path
}

// maxFrame bounds what a child reads in one frame.
const maxFrame int64 = 256 << 20

func writeFrame(w io.Writer, b []byte) error {
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(len(b)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// readFrame gives a frame of at most so many bytes.
func readFrame(r io.Reader, most int64) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint64(head[:])
	if n > uint64(most) {
		return nil, fmt.Errorf("a frame of %d bytes is too long", n)
	}
	var b bytes.Buffer // grows with what arrives, whatever the header claims
	if m, err := io.Copy(&b, io.LimitReader(r, int64(n))); err != nil || uint64(m) < n {
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	return b.Bytes(), nil
}

// pack writes files into an uncompressed zip, which is an fs.FS to its reader.
func pack(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
