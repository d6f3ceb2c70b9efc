package forge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// maxKept is how many bytes of answers are kept for one repository.
const maxKept = 64 << 20

// kept holds the answers of conditional requests with their entity tags (RFC 9110
// §13.1.2), by URL. Safe for concurrent use.
type kept struct {
	mu   sync.Mutex
	size int
	by   map[string]*answer
}

type answer struct {
	tag    string
	header http.Header
	body   []byte
}

func newKept() *kept { return &kept{by: map[string]*answer{}} }

type conditionalKey struct{}

// conditional marks the requests of ctx as worth keeping the answers of.
func conditional(ctx context.Context) context.Context {
	return context.WithValue(ctx, conditionalKey{}, true)
}

func (k *kept) takes(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Context().Value(conditionalKey{}) != nil
}

// ask makes a request conditional if there is an answer to fall back on, which it
// gives.
func (k *kept) ask(r *http.Request) *answer {
	if !k.takes(r) {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.by[r.URL.String()]
	if a != nil {
		r.Header.Set("If-None-Match", a.tag)
	}
	return a
}

// keep takes an answer in, or forgets the former one.
func (k *kept) keep(r *http.Request, in *http.Response, body []byte) {
	if !k.takes(r) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	url := r.URL.String()
	if old := k.by[url]; old != nil {
		k.size -= len(old.body)
		delete(k.by, url)
	}
	tag := in.Header.Get("ETag")
	if in.StatusCode != http.StatusOK || tag == "" || len(body) > maxKept {
		return
	}
	if k.size+len(body) > maxKept { // pages of a list that was longer once among them
		clear(k.by)
		k.size = 0
	}
	k.size += len(body)
	k.by[url] = &answer{tag: tag, header: in.Header.Clone(), body: body}
}

// answer gives what was kept as if the forge had sent it again.
func (a *answer) answer(r *http.Request) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
