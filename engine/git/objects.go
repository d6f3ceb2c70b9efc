package git

import (
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// objects are the trees and blobs of a mirror, and those that a merge made. These
// are in memory alone: a merge leaves nothing behind in the store, to be packed
// or found by anybody, and what it made stays whatever is repacked.
type objects struct {
	read *reader
	made map[plumbing.Hash]plumbing.EncodedObject // not changed any more once they are read by several
}

// entries lists a tree. The zero hash is no tree, and has none.
func (o objects) entries(h plumbing.Hash) (list []object.TreeEntry, err error) {
	if h.IsZero() {
		return nil, nil
	}
	if obj, ok := o.made[h]; ok {
		t, err := object.DecodeTree(nil, obj)
		if err != nil {
			return nil, err
		}
		return t.Entries, nil
	}
	err = o.read.object(func(sto *filesystem.Storage) error {
		t, err := object.GetTree(sto, h)
		if err == nil {
			list = t.Entries
		}
		return err
	})
	return list, err
}

// size gives the bytes of a blob.
func (o objects) size(h plumbing.Hash) (n int64, err error) {
	if obj, ok := o.made[h]; ok {
		return obj.Size(), nil
	}
	err = o.read.object(func(sto *filesystem.Storage) (err error) {
		n, err = sto.EncodedObjectSize(h)
		return err
	})
	return n, err
}

// data reads a blob.
func (o objects) data(h plumbing.Hash) (data []byte, err error) {
	if obj, ok := o.made[h]; ok {
		return readAll(obj)
	}
	err = o.read.object(func(sto *filesystem.Storage) error {
		blob, err := object.GetBlob(sto, h)
		if err == nil {
			data, err = readAll(blob)
		}
		return err
	})
	return data, err
}

func readAll(from interface{ Reader() (io.ReadCloser, error) }) ([]byte, error) {
	r, err := from.Reader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// makeBlob keeps a blob in memory and gives its hash.
func (o objects) makeBlob(data []byte) (plumbing.Hash, error) {
	obj := &plumbing.MemoryObject{}
	obj.SetType(plumbing.BlobObject)
	if _, err := obj.Write(data); err != nil {
		return plumbing.ZeroHash, err
	}
	o.made[obj.Hash()] = obj
	return obj.Hash(), nil
}

// makeTree is makeBlob for a tree, its entries in Git's order.
func (o objects) makeTree(entries []object.TreeEntry) (plumbing.Hash, error) {
	obj := &plumbing.MemoryObject{}
	if err := (&object.Tree{Entries: entries}).Encode(obj); err != nil {
		return plumbing.ZeroHash, err
	}
	o.made[obj.Hash()] = obj
	return obj.Hash(), nil
}
