package fault_test

import (
	"io"
	"net/http"
	"net/http/httptest"
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
