package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
		{"RequestLimitExceeded", 503, resource.Throttled, resource.Throttled},
		{"Throttling", 400, resource.Throttled, resource.Throttled},
		{"DependencyViolation", 400, resource.Conflict, resource.Conflict},
		{"IncorrectState", 400, resource.Conflict, resource.Conflict},
		{"VolumeInUse", 400, resource.Conflict, resource.Conflict},
		{"InvalidNetworkInterface.InUse", 400, resource.Conflict, resource.Conflict},
		{"InvalidPermission.Duplicate", 400, resource.Conflict, resource.Conflict},
		{"RouteAlreadyExists", 400, resource.Conflict, resource.Conflict},
		{"InsufficientInstanceCapacity", 500, resource.Conflict, resource.Conflict},
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

// TestCodesWithAMend: what AWS's words leave open is said, and what nothing but
// people changes is not tried again.
func TestCodesWithAMend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, words string
		class       resource.Class
		taken       bool
		said        string
	}{
		{
			"InvalidGroup.Duplicate", "The security group 'web' already exists for VPC 'vpc-1'", resource.Invalid, true,
			"The security group 'web' already exists for VPC 'vpc-1': choose another groupName, or bring that one under isobar with isobar import",
		},
		{
			"InvalidKeyPair.Duplicate", "The keypair already exists.", resource.Invalid, true,
			"The keypair already exists: choose another keyName, or bring that one under isobar with isobar import",
		},
		{
			"InvalidSubnet.Conflict", "The CIDR '10.0.0.0/24' conflicts with another subnet", resource.Invalid, true,
			"The CIDR '10.0.0.0/24' conflicts with another subnet: choose another cidrBlock, or bring that one under isobar with isobar import",
		},
		{"InvalidPlacementGroup.Duplicate", "", resource.Invalid, true, "choose another one, or bring that one under isobar with isobar import"},
		{"DependencyViolation", "It has dependencies.", resource.Conflict, false, "It has dependencies."},
		{
			"ExpiredToken", "The provided token has expired.", resource.Denied, false,
			"The provided token has expired: the credentials have expired, so renew them (new keys, or aws sso login), then go on",
		},
		{"ExpiredTokenException", "", resource.Denied, false, "the credentials have expired, so renew them (new keys, or aws sso login), then go on"},
		{
			"RequestExpired", "Request has expired.", resource.Denied, false,
			"Request has expired: the credentials have expired, so renew them (new keys, or aws sso login), then go on",
		},
		{"RequestTimeTooSkewed", "The difference is too large.", resource.Denied, false, "The difference is too large: set this machine's clock right"},
	} {
		err := classify(&smithy.OperationError{ServiceID: "EC2", OperationName: "Create", Err: &awshttp.ResponseError{
			ResponseError: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 400, Header: http.Header{}}},
				Err:      &smithy.GenericAPIError{Code: c.code, Message: c.words},
			},
		}}, &call{mutates: true})
		var f *resource.Failure
		if !errors.As(err, &f) || f.Class != c.class || f.Taken != c.taken || f.Message != c.said {
			t.Errorf("%s: %+v, want %s, taken %v: %q", c.code, f, c.class, c.taken, c.said)
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

// TestAnswerWithoutBody: the SDK makes up a code and words for an answer that has
// none, which say nothing to anybody.
func TestAnswerWithoutBody(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"EC2", "S3"} {
		cause := &awshttp.ResponseError{RequestID: "req-1", ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 503, Header: http.Header{}}},
			Err:      &smithy.GenericAPIError{Code: "UnknownError", Message: "UnknownError"},
		}}
		err := classify(&smithy.OperationError{ServiceID: service, OperationName: "Describe", Err: cause}, &call{})
		if got, want := err.Error(), strings.ToLower(service)+":Describe: AWS answered with status 503 and no reason (request req-1)"; got != want || resource.ClassOf(err) != resource.Transient {
			t.Errorf("got  %s, %s\nwant %s", got, resource.ClassOf(err), want)
		}
	}
}
