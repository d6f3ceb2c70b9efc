package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

func descriptors(t *testing.T) resource.Descriptors {
	t.Helper()
	ds, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestCodesHaveTheirClass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code          string
		status        int
		read, mutates resource.Class
	}{
		{"UnauthorizedOperation", 403, resource.Denied, resource.Denied},
		{"AuthFailure", 401, resource.Denied, resource.Denied},
		{"ExpiredToken", 400, resource.Denied, resource.Denied},
		{"RequestLimitExceeded", 503, resource.Throttled, resource.Throttled},
		{"Throttling", 400, resource.Throttled, resource.Throttled},
		{"DependencyViolation", 400, resource.Conflict, resource.Conflict},
		{"InvalidSubnet.Conflict", 400, resource.Conflict, resource.Conflict},
		{"InvalidGroup.Duplicate", 400, resource.Conflict, resource.Conflict},
		{"Resource.AlreadyAssociated", 400, resource.Conflict, resource.Conflict},
		{"InvalidVpcID.NotFound", 400, resource.NotFound, resource.NotFound},
		{"InvalidGroup.NotFound", 400, resource.NotFound, resource.NotFound},
		{"InvalidInstanceType.NotFound", 400, resource.Invalid, resource.Invalid},
		{"Gateway.NotAttached", 400, resource.NotFound, resource.NotFound},
		{"InvalidParameterValue", 400, resource.Invalid, resource.Invalid},
		{"InvalidVpc.Range", 400, resource.Invalid, resource.Invalid},
		{"VpcLimitExceeded", 400, resource.Denied, resource.Denied},
		{"SomethingNew", 400, resource.Invalid, resource.Invalid},
		{"SomethingNew", 403, resource.Denied, resource.Denied},
		{"InternalError", 500, resource.Transient, resource.UnknownOutcome},
		{"Unavailable", 503, resource.Transient, resource.UnknownOutcome},
		{"SomethingNew", 502, resource.Transient, resource.UnknownOutcome},
	} {
		for _, mutates := range []bool{false, true} {
			cause := &awshttp.ResponseError{RequestID: "req-1", ResponseError: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: &http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {"7"}}}},
				Err:      &smithy.GenericAPIError{Code: c.code, Message: "its words"},
			}}
			made := &call{mutates: mutates}
			made.sent.Store(true)
			err := classify(&smithy.OperationError{ServiceID: "EC2", OperationName: "CreateVpc", Err: cause}, made)
			var f *resource.Failure
			if !errors.As(err, &f) {
				t.Fatalf("%s: %v is no failure", c.code, err)
			}
			want := c.read
			if mutates {
				want = c.mutates
			}
			if f.Class != want || f.Op != "ec2:CreateVpc" || f.Code != c.code || f.Message != "its words" || f.RequestID != "req-1" || f.After != 7*time.Second {
				t.Errorf("%s %d, mutates %v: %+v, want class %s", c.code, c.status, mutates, f, want)
			}
		}
	}
}

// TestCredentialsThatFail: what the call for credentials is answered says
// nothing of the one that was not sent yet.
func TestCredentialsThatFail(t *testing.T) {
	cause := &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 503, Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: "ServiceUnavailable", Message: "its words"},
	}}
	err := classify(&smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: cause}, &call{mutates: true})
	if got := resource.ClassOf(err); got != resource.Transient {
		t.Errorf("got %s: %v", got, err)
	}
}

func TestWhatGotNoAnswer(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	for _, c := range []struct {
		name    string
		err     error
		sent    bool
		read    resource.Class
		mutates resource.Class
	}{
		{"connection refused", dial, true, resource.Transient, resource.Transient},
		{"no such host", &net.DNSError{Err: "no such host"}, true, resource.Transient, resource.Transient},
		{"connection reset", reset, true, resource.Transient, resource.UnknownOutcome},
		{"cut off", io.ErrUnexpectedEOF, true, resource.Transient, resource.UnknownOutcome},
		{"deadline after the send", context.DeadlineExceeded, true, resource.Transient, resource.UnknownOutcome},
		{"deadline before the send", context.DeadlineExceeded, false, resource.Transient, resource.Transient},
		{"no credentials", errors.New("no EC2 IMDS role found"), false, resource.Denied, resource.Denied},
		{"bad parameters", smithy.InvalidParamsError{Context: "X"}, false, resource.Invalid, resource.Invalid},
		{"fenced", &provider.FencedError{Cause: errors.New("held by b")}, true, resource.Conflict, resource.Conflict},
	} {
		for _, mutates := range []bool{false, true} {
			k := &call{mutates: mutates}
			k.sent.Store(c.sent)
			err := classify(&smithy.OperationError{ServiceID: "EC2", OperationName: "DeleteVpc", Err: fmt.Errorf("wrapped: %w", c.err)}, k)
			want := c.read
			if mutates {
				want = c.mutates
			}
			if got := resource.ClassOf(err); got != want {
				t.Errorf("%s, mutates %v: %s (%v), want %s", c.name, mutates, got, err, want)
			}
			if c.name != "bad parameters" && !errors.Is(err, c.err) {
				t.Errorf("%s: the cause is lost in %v", c.name, err)
			}
		}
	}
}
