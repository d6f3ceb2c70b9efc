package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// The codes below are those of "Error codes for the Amazon EC2 API"
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html),
// of S3's "Error responses"
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)
// and of the common errors of STS
// (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html).

// classify makes err, which the SDK gave for a call, a *resource.Failure. It
// is nil for nil, and a Failure stays itself.
func classify(err error, c *call) error {
	if err == nil {
		return nil
	}
	var done *resource.Failure
	if errors.As(err, &done) {
		return err
	}
	f := &resource.Failure{Err: err}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		f.Op = strings.ToLower(op.Service()) + ":" + op.Operation()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code, f.Message = api.ErrorCode(), api.ErrorMessage()
	}
	var status int
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		f.RequestID = resp.ServiceRequestID()
		status = resp.HTTPStatusCode()
		f.After = retryAfter(resp)
	}
	reached := c.mutates && c.sent.Load() // else it was the call that gets credentials
	if f.Code == unnamed {
		f.Code, f.Message = "", strings.TrimPrefix(f.Message, unnamed)
	}
	switch {
	case f.Code != "":
		f.Class, f.Taken = classOfCode(f.Code, status, reached), taken(f.Code)
		f.Message = mended(f.Message, mendOf(f.Code))
	case status != 0:
		f.Class = classOfStatus(status, reached)
		if f.Message == "" {
			f.Message = unusable(f.Err, status)
		}
	default:
		unanswered(f, c)
	}
	return f
}

// unnamed is what the SDK puts for a code, and for words, where the answer has none.
const unnamed = "UnknownError"

// unusable says what is wrong with an answer that has no error code of AWS's. The
// SDK's own text is a chain of its middlewares' names.
func unusable(err error, status int) string {
	var empty smithy.APIError
	var other *stranger
	switch {
	case errors.As(err, &other):
		return other.Error()
	case errors.As(err, &empty):
		return fmt.Sprintf("AWS answered with status %d and no reason", status)
	case status >= http.StatusMultipleChoices:
		return fmt.Sprintf("AWS answered with status %d and no reason: %s", status, rootCause(err))
	}
	return "the answer broke off or can't be read: " + rootCause(err)
}

// unanswered classifies a call that got no answer at all.
func unanswered(f *resource.Failure, c *call) {
	var fenced *provider.FencedError
	switch {
	case errors.As(f.Err, &fenced):
		// Another process holds the lease now: nothing was sent.
		f.Class, f.Message = resource.Conflict, fenced.Error()
	case !c.sent.Load():
		f.Class, f.Message = unsent(f.Err)
	case unreached(f.Err) || !c.mutates:
		f.Class, f.Message = resource.Transient, rootCause(f.Err)
	default:
		f.Class, f.Message = resource.UnknownOutcome, "no answer came: "+rootCause(f.Err)
	}
}

// unsent classifies what stopped the SDK before it sent anything.
func unsent(err error) (resource.Class, string) {
	var params smithy.InvalidParamsError
	var encode *smithy.SerializationError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return resource.Transient, "not sent: " + rootCause(err)
	case errors.As(err, &params), errors.As(err, &encode):
		return resource.Invalid, rootCause(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return resource.Transient, "no credentials yet: " + rootCause(err)
	}
	return resource.Denied, "no usable AWS credentials (set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
		"or give the machine a role): " + rootCause(err)
}

// unreached reports whether the connection was never made, so that no byte of
// the request can have arrived.
func unreached(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// classOfCode is the meaning of a definite error code.
func classOfCode(code string, status int, mutates bool) resource.Class {
	switch code {
	case "UnauthorizedOperation", "AuthFailure", "AccessDenied", "AccessDeniedException", "OperationNotPermitted",
		"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken", "OptInRequired", "Blocked",
		"PendingVerification", "NotAuthorized", "RequestTimeTooSkewed":
		return resource.Denied
	case "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
		"TooManyRequestsException", "EC2ThrottledException", "BandwidthLimitExceeded", "SlowDown",
		"ConcurrentTagAccess":
		return resource.Throttled
	case "DependencyViolation", "IncorrectState", "IncorrectInstanceState",
		"InvalidRoute.InvalidState", "InvalidPermission.Duplicate", "RouteAlreadyExists",
		"InsufficientAddressCapacity", "InsufficientCapacity", "InsufficientInstanceCapacity", "InsufficientVolumeCapacity",
		"IncorrectModificationState", "IdempotentParameterMismatch", "InvalidVpcState",
		"BucketNotEmpty", "BucketAlreadyOwnedByYou", "OperationAborted":
		return resource.Conflict
	case "InternalError", "InternalFailure", "ServerInternal", "Unavailable", "ServiceUnavailable":
		return classOfStatus(http.StatusInternalServerError, mutates)
	}
	switch {
	case expired(code):
		return resource.Denied
	case code == "InvalidInstanceType.NotFound": // no type is born later: there is nothing to wait for
		return resource.Invalid
	case strings.HasSuffix(code, ".NotFound"), strings.HasSuffix(code, "NotFoundException"), code == "Gateway.NotAttached", code == "NoSuchBucket":
		return resource.NotFound
	case taken(code):
		return resource.Invalid
	case strings.HasSuffix(code, "InUse"), strings.HasSuffix(code, ".AlreadyAssociated"), strings.HasSuffix(code, "AlreadyExists"):
		return resource.Conflict
	case strings.HasSuffix(code, "LimitExceeded"), code == "TooManyBuckets":
		// A quota: it stays until people raise it or remove something.
		return resource.Denied
	}
	if status == 0 {
		status = http.StatusBadRequest // a code without a status is the service's own word on the request
	}
	return classOfStatus(status, mutates)
}

// taken reports whether a code says that another object has the name or the
// range that the call asks for. That does not pass by itself.
func taken(code string) bool {
	return code != "InvalidPermission.Duplicate" && (strings.HasSuffix(code, ".Duplicate") || strings.HasSuffix(code, ".Conflict"))
}

// expired reports whether a code says that credentials are too old. EC2 says
// RequestExpired of them.
func expired(code string) bool {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		return true
	}
	return false
}

// mendOf says what people do about a code whose own words don't, or "".
func mendOf(code string) string {
	const orImport = ", or bring that one under isobar with isobar import"
	switch {
	case code == "InvalidGroup.Duplicate":
		return "choose another groupName" + orImport
	case code == "InvalidKeyPair.Duplicate":
		return "choose another keyName" + orImport
	case code == "InvalidSubnet.Conflict":
		return "choose another cidrBlock" + orImport
	case taken(code):
		return "choose another one" + orImport
	case expired(code):
		return "the credentials have expired, so renew them (new keys, or aws sso login), then go on"
	case code == "RequestTimeTooSkewed":
		return "set this machine's clock right"
	}
	return ""
}

// mended joins AWS's words and ours.
func mended(words, mend string) string {
	if words == "" || mend == "" {
		return words + mend
	}
	return strings.TrimRight(words, ". ") + ": " + mend
}

// adding gives a failure whose message says more: what follows from it.
func adding(err error, more string) error {
	var f *resource.Failure
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Message, told.Err = mended(f.Message, more), err
	return &told
}

// classOfStatus is the meaning of an HTTP status without a code that we know.
// A server error to a mutating call is no refusal: the call may have been done
// before the server failed.
func classOfStatus(status int, mutates bool) resource.Class {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return resource.Denied
	case status == http.StatusTooManyRequests:
		return resource.Throttled
	case status >= 400 && status < 500:
		return resource.Invalid
	case mutates:
		return resource.UnknownOutcome // also a success whose body could not be read
	}
	return resource.Transient
}

// codeOf gives AWS's code within err, or "".
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	var f *resource.Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// ignore gives nil where err carries one of the codes.
func ignore(err error, codes ...string) error {
	if c := codeOf(err); c != "" {
		for _, ok := range codes {
			if c == ok {
				return nil
			}
		}
	}
	return err
}

// retryAfter reads the Retry-After header's form in seconds (RFC 9110 §10.2.3).
func retryAfter(resp *awshttp.ResponseError) time.Duration {
	if resp.Response == nil {
		return 0
	}
	n, err := strconv.Atoi(resp.Response.Header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// rootCause gives the innermost error's text: what the SDK wraps around it
// repeats the operation.
func rootCause(err error) string {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil { // the cause alone does not say whom
		return "connect to " + dial.Addr.String() + ": " + innermost(dial.Err)
	}
	return innermost(err)
}

func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// invalid is a failure that isobar sees itself, before any call.
func invalid(op, message string) error {
	return &resource.Failure{Class: resource.Invalid, Op: op, Message: message}
}
