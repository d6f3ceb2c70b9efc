package vsphere_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/vsphere"
)

// TestStrangersAnswerIsNotBelieved: a success that no vCenter gave is a list of
// nothing in no call. It looks at all there is, so that no other test runs beside it.
func TestStrangersAnswerIsNotBelieved(t *testing.T) {
	for what, answer := range map[string]string{
		"nothing":      "",
		"a page":       "<html><body>hello</body></html>",
		"an object":    "{}",
		"words":        "it works",
		"an envelope":  `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body></Body></Envelope>`,
		"a page in it": `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><html></html></Body></Envelope>`,
	} {
		t.Run(what, func(t *testing.T) {
			line := newLine(t)
			c := config(line, "estate")
			var let atomic.Int64 // how many calls reach the vCenter
			let.Store(1 << 30)
			var struck atomic.Bool
			c.HTTP.Transport = provider.FenceTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
				if let.Add(-1) >= 0 {
					return line.RoundTrip(r)
				}
				struck.Store(true)
				return &http.Response{
					StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
					Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)),
				}, nil
			}))
			s, err := vsphere.Type().Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			wants := []resource.Want{{Kind: "vm", By: resource.Selector{All: true}}, {Kind: "folder", By: resource.Selector{All: true}}, {Kind: "resource_pool", By: resource.Selector{All: true}}}
			before := s.Read(t.Context(), wants)
			for calls := int64(0); ; calls++ {
				struck.Store(false)
				let.Store(calls)
				after := s.Read(t.Context(), wants)
				if !struck.Load() {
					break
				}
				for i, a := range after {
					if a.Err == nil && len(a.Objects) != len(before[i].Objects) {
						t.Errorf("after %d calls: %d of %d objects of %s, and no error", calls, len(a.Objects), len(before[i].Objects), wants[i].Kind)
					}
					if a.Err != nil && resource.ClassOf(a.Err) != resource.Transient {
						t.Errorf("after %d calls: %s: %v", calls, resource.ClassOf(a.Err), a.Err)
					}
				}
				if calls == 0 && after[0].Err == nil {
					t.Error("no call was answered, and there is no error")
				}
			}
		})
	}
}
