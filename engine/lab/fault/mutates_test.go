package fault_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/lab/fault"
)

func TestMutates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call fault.Call
		want bool
	}{
		{fault.Call{Method: "POST", Action: "CreateVpc"}, true},
		{fault.Call{Method: "POST", Action: "RevokeSecurityGroupEgress"}, true},
		{fault.Call{Method: "POST", Action: "DescribeVpcs"}, false},
		{fault.Call{Method: "POST", Action: "GetCallerIdentity"}, false},
		{fault.Call{Method: "GET", Action: "ListBuckets"}, false},
		{fault.Call{Method: "PUT", Action: "PutBucketTagging"}, true},
		{fault.Call{Method: "PUT"}, true},
		{fault.Call{Method: "HEAD"}, false},
		{fault.Call{Method: "POST", Action: "CreateVM_Task"}, true},
		{fault.Call{Method: "POST", Action: "CreateFolder"}, true},
		{fault.Call{Method: "POST", Action: "CreateFilter"}, false},
		{fault.Call{Method: "POST", Action: "RetrievePropertiesEx"}, false},
		{fault.Call{Method: "POST", Action: "WaitForUpdatesEx"}, false},
		{fault.Call{Method: "POST", Action: "Login"}, false},
	} {
		if got := c.call.Mutates(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.call, got, c.want)
		}
	}
}

// TestSOAP is a proxy in front of a vCenter: behind TLS, with a certificate
// that nobody vouches for, and methods named in the body.
func TestSOAP(t *testing.T) {
	t.Parallel()
	reached := 0
	peer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached++ }))
	defer peer.Close()
	p, err := fault.New(peer.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	front := httptest.NewTLSServer(p)
	defer front.Close()
	p.Inject(fault.Rule{Match: func(c fault.Call) bool { return c.Mutates() }, Do: fault.LoseRequest()})
	ask := func(method string) error {
		body := `<?xml version="1.0"?><Envelope><Header><id>1</id></Header><Body><` + method + ` xmlns="urn:vim25"><_this>x</_this></` + method + `></Body></Envelope>`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/sdk", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("SOAPAction", "urn:vim25/8.0")
		req.Header.Set("Content-Type", "text/xml")
		resp, err := front.Client().Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close()
	}
	if err := ask("RetrievePropertiesEx"); err != nil {
		t.Error(err)
	}
	if err := ask("PowerOnVM_Task"); err == nil {
		t.Error("the lost call was answered")
	}
	if reached != 1 || p.Count("PowerOnVM_Task") != 1 {
		t.Errorf("%d calls reached the peer: %+v", reached, p.Calls())
	}
}

// TestGone is a client that is gone before its request is passed on: what
// changes something is done whole, what reads is not.
func TestGone(t *testing.T) {
	t.Parallel()
	var reached []string
	peer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.Method+" "+r.URL.RequestURI())
	}))
	defer peer.Close()
	p, err := fault.New(peer.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	body := `<CreateBucketConfiguration><Tags><Tag><Key>isobar:token</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>`
	for _, method := range []string{http.MethodPut, http.MethodGet} {
		req := httptest.NewRequestWithContext(gone, method, "/shop-logs", strings.NewReader(body))
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=me/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0")
		p.ServeHTTP(httptest.NewRecorder(), req)
	}
	if want := []string{"PUT /shop-logs", "PUT /shop-logs?tagging="}; !slices.Equal(reached, want) {
		t.Errorf("the peer was asked %q, want %q", reached, want)
	}
}
