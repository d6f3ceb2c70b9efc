package aws_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/aws"
)

// These tests set the environment, so they do not run beside others.

var ireland = provider.Config{Alias: "aws", Estate: "e", Settings: resource.Map{"region": resource.String("eu-west-1")}}

func TestNoCredentialsSayWhatToSet(t *testing.T) {
	for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(k, "")
	}
	_, err := aws.Type().Open(t.Context(), ireland)
	class(t, err, resource.Denied, "")
	if !strings.Contains(err.Error(), "AWS_PROFILE") {
		t.Fatalf("%q does not say what to set", err)
	}
}

func TestNobodyAtTheEndpoint(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	_, err := aws.Type().Open(t.Context(), ireland)
	class(t, err, resource.Transient, "")
	if !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
}

// The session's own client trusts AWS_CA_BUNDLE and checks the fence.
func TestOwnClient(t *testing.T) {
	u, err := url.Parse(cloud.URL())
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host }})
	defer srv.Close()
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is wanted
	srv.StartTLS()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	if _, err := aws.Type().Open(t.Context(), ireland); err == nil {
		t.Fatal("an unknown certificate is trusted")
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	s, err := aws.Type().Open(t.Context(), ireland)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("held by another")
	down := provider.WithFence(t.Context(), func(context.Context) error { return lost })
	a := address("vpc")
	_, err = s.Create(down, resource.Object{Address: a, Fields: resource.Map{"cidrBlock": resource.String("10.0.0.0/16")}},
		resource.Mark{Estate: "e", Env: "prod", Address: a, Token: "t"})
	if !errors.Is(err, lost) {
		t.Fatalf("got %v, want the fence's word", err)
	}
	// A client of the caller's does not keep the bundle from loading.
	mine := ireland
	mine.HTTP = srv.Client()
	if _, err := aws.Type().Open(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
}

// cut answers each call with a body that breaks off, and that does not close
// well either.
type cut struct{}

func (cut) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", Header: http.Header{}, Body: torn{}, ContentLength: 500, Request: r}, nil
}

type torn struct{}

func (torn) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}
}
func (torn) Close() error { return &net.OpError{Op: "close", Net: "tcp", Err: net.ErrClosed} }

// TestAnswerThatBreaksOff is transient, told without the SDK's chain of names,
// and the SDK writes nothing past us.
func TestAnswerThatBreaksOff(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	real := os.Stderr
	os.Stderr = out
	c := ireland
	c.HTTP = &http.Client{Transport: cut{}}
	_, err = aws.Type().Open(t.Context(), c)
	os.Stderr = real
	if cerr := out.Close(); cerr != nil {
		t.Fatal(cerr)
	}
	class(t, err, resource.Transient, "")
	if got, want := err.Error(), "sts:GetCallerIdentity: the answer broke off or can't be read: use of closed network connection"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text, rerr := os.ReadFile(out.Name()); rerr != nil || len(text) > 0 {
		t.Errorf("the SDK wrote %q (%v)", text, rerr)
	}
}
