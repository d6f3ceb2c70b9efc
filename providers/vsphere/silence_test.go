package vsphere_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/vsphere"
)

// TestACenterThatHangs takes connections and says nothing: a login is given up
// soon, and says so.
func TestACenterThatHangs(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	hosts := &provider.Hosts{Answer: 100 * time.Millisecond}
	c := provider.Config{Alias: "vsphere", Estate: "e", Settings: resource.Map{"url": resource.String("https://" + l.Addr().String()), "insecure": resource.Bool(true)}}
	for range 2 {
		_, err = vsphere.Type().Open(provider.WithPatience(t.Context(), hosts), c)
		want := fmt.Sprintf("vim:RetrieveServiceContent: %s accepted the connection and did not answer for ", l.Addr())
		if resource.ClassOf(err) != resource.Transient || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

// TestACenterThatFallsSilent with a session that is open: a look asks it once
// and gives it up, the next does not ask, and one that answers again is read.
func TestACenterThatFallsSilent(t *testing.T) {
	t.Parallel()
	line := newLine(t)
	var hangs atomic.Bool
	var asked atomic.Int64
	c := config(line, "estate")
	c.HTTP.Transport = provider.FenceTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		if hangs.Load() {
			asked.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return line.RoundTrip(r)
	}))
	raw, err := vsphere.Type().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s := provider.Wrap(raw, provider.Options{Hosts: &provider.Hosts{Answer: 20 * time.Second, Rest: 500 * time.Millisecond, Probe: 10 * time.Second}})
	hosted := provider.Wrap(raw, provider.Options{Hosts: &provider.Hosts{Answer: 100 * time.Millisecond, Rest: time.Hour}})
	wants := []resource.Want{{Kind: "vm", By: resource.Selector{All: true}}, {Kind: "folder", By: resource.Selector{All: true}}}
	hangs.Store(true)
	for range 2 {
		for _, a := range hosted.Read(t.Context(), wants) {
			if resource.ClassOf(a.Err) != resource.Transient || !strings.Contains(a.Err.Error(), " took no connection within ") {
				t.Errorf("got %v", a.Err)
			}
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times, want once", n)
	}
	hangs.Store(false)
	for _, a := range s.Read(t.Context(), wants) {
		if a.Err != nil {
			t.Errorf("once it answers: %v", a.Err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
