package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Holder names the store whose ledger holds objects. It is woven into the tokens
// that the store gives out, so that each object's mark says whose it is, and
// nothing besides has to be kept or asked. The zero Holder is none.
type Holder uint32

// HolderOf names a store by where it is. Two places share a name once in some
// four thousand million; then each takes the other's objects for its own.
func HolderOf(place string) Holder {
	sum := sha256.Sum256([]byte("isobar store " + place))
	return max(Holder(binary.BigEndian.Uint32(sum[:4])), 1)
}

// String gives "3f9a-44b0", the form that ParseHolder reads.
func (h Holder) String() string {
	if h == 0 {
		return ""
	}
	text := fmt.Sprintf("%08x", uint32(h))
	return text[:4] + "-" + text[4:]
}

// ParseHolder reads what String wrote.
func ParseHolder(s string) (Holder, error) {
	n, err := strconv.ParseUint(strings.ReplaceAll(s, "-", ""), 16, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q names no store", s)
	}
	return Holder(n), nil
}

// nodeAt is where a UUID's last part begins: 12 hex digits that say nothing by
// themselves in a UUIDv7.
const nodeAt = len("0194a000-0000-7000-8000-")

// Token weaves the holder into a UUIDv7. Within one store the tokens stay apart:
// the time, its counter and 14 bits of chance are left as they are.
func (h Holder) Token(id string) string {
	if h == 0 || len(id) != nodeAt+12 {
		return id
	}
	return id[:nodeAt] + fmt.Sprintf("%08x", uint32(h)) + h.check()
}

// check tells a holder's digits from chance: one token in 65,536 that names no
// holder reads as if it did.
func (h Holder) check() string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(h))
	sum := sha256.Sum256(b[:])
	return hex.EncodeToString(sum[:2])
}

// HolderIn gives the holder that is woven into a token, 0 where there is none.
func HolderIn(token string) Holder {
	if len(token) != nodeAt+12 {
		return 0
	}
	n, err := strconv.ParseUint(token[nodeAt:nodeAt+8], 16, 32)
	if h := Holder(n); err == nil && h != 0 && h.check() == token[nodeAt+8:] {
		return h
	}
	return 0
}

// TokenTime is when a UUIDv7 was made, zero for another text.
func TokenTime(token string) time.Time {
	if len(token) != nodeAt+12 {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(token[:8]+token[9:13], 16, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
