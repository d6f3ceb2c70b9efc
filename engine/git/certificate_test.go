package git

import (
	"net/http"
	"net/http/httptest"
	"testing"

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
	e := fails(t, open(t, Options{URL: srv.URL + "/estate.git", Secret: secret}), Untrusted, "the server's certificate is not trusted", "SSL_CERT_FILE")
	if resource.ClassOf(e) != resource.Denied || len(asked) > 0 {
		t.Errorf("%d requests, error %v", len(asked), e)
	}
}
