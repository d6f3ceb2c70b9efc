package git

import (
	"bytes"
	"hash/maphash"

	"github.com/go-git/go-git/v5/plumbing"

	"isobar.dev/engine/linemerge"
)

// fingerprint tells how alike two files are: the bytes of a file by the hashes of
// its pieces, which are its lines, cut at pieceBytes.
type fingerprint struct {
	pieces map[uint64]int
}

const pieceBytes = 64 // as in git

// print gives a blob's fingerprint.
func (g *merging) print(h plumbing.Hash) (fingerprint, error) {
	if p, ok := g.prints[h]; ok {
		return p, nil
	}
	data, err := g.data(h)
	if err != nil {
		return fingerprint{}, err
	}
	p := fingerprintOf(data, g.seed)
	g.prints[h] = p
	return p, nil
}

func fingerprintOf(data []byte, seed maphash.Seed) fingerprint {
	p := fingerprint{map[uint64]int{}}
	if !linemerge.Binary(data) { // a text with other line ends is the same text
		data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	}
	for len(data) > 0 {
		n := min(len(data), pieceBytes)
		if i := bytes.IndexByte(data[:n], '\n'); i >= 0 {
			n = i + 1
		}
		p.pieces[maphash.Bytes(seed, data[:n])] += n
		data = data[n:]
	}
	return p
}

// shared gives how many bytes of a file another one holds.
func (p fingerprint) shared(q fingerprint) int {
	n := 0
	for piece, size := range p.pieces {
		n += min(size, q.pieces[piece])
	}
	return n
}
