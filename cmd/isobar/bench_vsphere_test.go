package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"isobar.dev/engine/lab/vcsim"
)

// The estate of the vSphere benchmark.
const benchMachines = 500

// BenchmarkDriftCheckVSphere is one look for drift at 500 machines on a
// simulated vCenter that finds none.
func BenchmarkDriftCheckVSphere(b *testing.B) {
	center, err := vcsim.Start(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(center.Close)
	peer, asked := proxied(b, center.URL())
	bin := shipped(b)
	var text strings.Builder
	text.WriteString("package bench\n\nimport \"isobar.dev/schemas\"\n\nschemas.#Environment\n\nname: \"bench\"\n")
	text.WriteString("providers: vsphere: {url: \"" + peer + "\", insecure: true}\n")
	text.WriteString("vsphere: folder: bench: {}\nvsphere: vm: {\n")
	lines(&text, benchMachines, `	"m%03d": {folder: vsphere.folder.bench.#out.path, datastore: "`+vcsim.Datastore+`", memoryMB: 32, disks: "scsi0:0": capacityMB: 16, networks: ethernet0: network: "`+vcsim.Network+`"}`,
		func(i int) []any { return []any{i} })
	text.WriteString("}\n")
	env := append(center.Env(), "HOME="+b.TempDir(), "CI=1")
	dir := newBenchRepo(b, bin, env, text.String())
	must(b, env, dir, bin, "apply", "bench", "--auto-approve")
	median(b, func() cost { return measured(b, env, dir, bin, "plan", "bench", "--detailed-exitcode") }, asked)
}

// proxied puts a proxy before a vCenter and gives its address, and what tells
// how many requests came since it was last asked.
func proxied(b *testing.B, target string) (string, func() int) {
	b.Helper()
	u, err := url.Parse(target)
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	to := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: u.Scheme, Host: u.Host}) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // a simulator on loopback
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		to.ServeHTTP(w, r)
	}))
	b.Cleanup(s.Close)
	return s.URL, func() int { return int(n.Swap(0)) }
}
