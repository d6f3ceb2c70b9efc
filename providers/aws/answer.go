package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK takes a success without a body for an answer in which nothing is named,
// and passes over elements that it does not know. A proxy's page would then be a
// list of nothing, and what it does not list would be gone.

// promised gives the root element, or the member of a JSON object, that AWS gives
// in every answer of an operation, or "". EC2 and STS name theirs after the
// operation; an operation of S3 that is not here answers without a body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
func promised(op string) string {
	switch op {
	case "ListBuckets":
		return "ListAllMyBucketsResult"
	case "ListObjectVersions":
		return "ListVersionsResult"
	case "DeleteObjects":
		return "DeleteResult"
	case "GetBucketTagging":
		return "Tagging"
	case "GetBucketVersioning":
		return "VersioningConfiguration"
	case "GetBucketEncryption":
		return "ServerSideEncryptionConfiguration"
	case "GetPublicAccessBlock":
		return "PublicAccessBlockConfiguration"
	case "GetBucketLifecycleConfiguration":
		return "LifecycleConfiguration"
	case "GetBucketPolicy":
		return "Statement"
	case "GetParameters":
		return "Parameters"
	case "GetResources":
		return "ResourceTagMappingList"
	}
	return ""
}

// answered makes a client refuse a success that AWS did not give.
func answered(stack *middleware.Stack) error {
	// Behind all of the SDK's own, which read the body.
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("isobar:Answered", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, md, err := next.HandleDeserialize(ctx, in)
		resp, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || resp.StatusCode >= http.StatusMultipleChoices {
			return out, md, err // an error's code is read by classify
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return out, md, err
		}
		if err := resp.Body.Close(); err != nil {
			return out, md, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		if !ofAWS(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), resp.Header, body) {
			return out, md, &stranger{status: resp.StatusCode, form: formOf(resp.Header, body)}
		}
		return out, md, nil
	}), middleware.After)
}

// ofAWS reports whether a success is what AWS answers an operation.
func ofAWS(service, op string, header http.Header, body []byte) bool {
	body = bytes.TrimSpace(body)
	switch service {
	case ec2.ServiceID:
		return isElement(body, "http://ec2.amazonaws.com/doc/", op+"Response") && bytes.Contains(body, []byte("<requestId>"))
	case sts.ServiceID:
		return isElement(body, "https://sts.amazonaws.com/doc/", op+"Response") && bytes.Contains(body, []byte("<RequestId>"))
	}
	// S3 has the first, the services that speak JSON the second.
	if header.Get("X-Amz-Request-Id") == "" && header.Get("X-Amzn-Requestid") == "" {
		return false
	}
	root := promised(op)
	switch {
	case service != s3.ServiceID, op == "GetBucketPolicy":
		return isObject(body, root)
	case root != "":
		// Emulators name some after the operation.
		return isElement(body, "", root) || isElement(body, "http://s3.amazonaws.com/doc/", op+"Response")
	}
	return true
}

// isElement reports whether a body is one whole element of a name, in a namespace
// that begins so.
func isElement(body []byte, space, name string) bool {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		root, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		whole := bytes.HasSuffix(body, []byte("</"+name+">")) || bytes.HasSuffix(body, []byte("/>")) && d.InputOffset() == int64(len(body))
		return whole && root.Name.Local == name && strings.HasPrefix(root.Name.Space, space)
	}
}

// isObject reports whether a body is one JSON object with a member.
func isObject(body []byte, member string) bool {
	var o map[string]json.RawMessage
	return json.Unmarshal(body, &o) == nil && o[member] != nil
}

// stranger is a success that AWS did not give: nothing in it can be believed.
type stranger struct {
	status int
	form   string
}

func (e *stranger) Error() string {
	return fmt.Sprintf("what answered is not AWS (status %d, %s): look for a proxy or a login page on the way", e.status, e.form)
}

// formOf says in few words what came. Its text stays out: it may be anybody's.
func formOf(header http.Header, body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "nothing in it"
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return "of no known type"
	}
	return kind
}
