package git

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"isobar.dev/engine/lab/gitd"
	"isobar.dev/engine/resource"
)

// TestCertificateOfNobody: a server whose certificate this machine does not trust
// is sent nothing, and the message says how to have it trusted.
func TestCertificateOfNobody(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 9)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(srv.Close)
	secret := func() (string, error) { return "hunter2", nil }
	e := fails(t, open(t, Options{URL: srv.URL + "/estate.git", Secret: secret}), Untrusted, "the server's certificate is not trusted", "name the authority's file")
	if resource.ClassOf(e) != resource.Denied || len(asked) > 0 {
		t.Errorf("%d requests, error %v", len(asked), e)
	}
}

// TestCertificateOfOurOwn: a server whose authority is named is trusted, and that file
// is read at each fetch.
func TestCertificateOfOurOwn(t *testing.T) {
	t.Parallel()
	d, err := gitd.Start(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	clone, err := gitd.NewClone(t.Context(), filepath.Join(t.TempDir(), "clone"), d.URL("estate"))
	must(t, err)
	must(t, clone.Write("a.cue", "a: 1\n"))
	_, err = clone.Commit(t.Context(), "one")
	must(t, err)
	must(t, clone.Push(t.Context(), false))
	plain, err := url.Parse(d.URL("estate"))
	must(t, err)
	srv := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: plain.Host}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that are refused
	srv.StartTLS()
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	m := open(t, Options{URL: srv.URL + plain.Path, CA: file, GiveCA: "set ISOBAR_GIT_CA to its file"})
	fails(t, m, Untrusted, "the certificates to trust can't be read", file)
	must(t, os.WriteFile(file, []byte("nothing"), 0o600))
	fails(t, m, Untrusted, file+" holds no certificate in PEM")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	if _, err := m.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	fails(t, open(t, Options{URL: srv.URL + plain.Path, GiveCA: "set ISOBAR_GIT_CA to its file"}), Untrusted, "or set ISOBAR_GIT_CA to its file")
}
