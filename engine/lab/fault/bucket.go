package fault

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// actionCreateBucket is the one S3 action that the proxy adds to.
const actionCreateBucket = "CreateBucket"

// s3Action names an S3 request as AWS does. The API has no action in its
// requests: method, path and the query's first word say what is asked. What
// isobar asks is named here; all else is "" as before.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
func s3Action(r *http.Request) string {
	parts := strings.SplitN(strings.Trim(r.URL.Path, "/"), "/", 2)
	verb := map[string]string{http.MethodGet: "Get", http.MethodPut: "Put", http.MethodDelete: "Delete"}[r.Method]
	q := r.URL.Query()
	switch {
	case parts[0] == "":
		return "ListBuckets"
	case len(parts) == 2: // an object
		return verb + "Object"
	case q.Has("delete") && r.Method == http.MethodPost:
		return "DeleteObjects"
	case q.Has("versions"):
		return "ListObjectVersions"
	}
	for word, name := range map[string]string{
		"tagging": "BucketTagging", "versioning": "BucketVersioning", "encryption": "BucketEncryption",
		"publicAccessBlock": "PublicAccessBlock", "policy": "BucketPolicy", "lifecycle": "BucketLifecycleConfiguration",
	} {
		if q.Has(word) {
			return verb + name
		}
	}
	switch r.Method {
	case http.MethodPut:
		return actionCreateBucket
	case http.MethodDelete:
		return "DeleteBucket"
	case http.MethodHead:
		return "HeadBucket"
	}
	return ""
}

// tagBucket gives a bucket that the peer has just made the tags of its
// creating call. AWS takes them there; moto_server 5.2.1 drops them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
func (p *Proxy) tagBucket(ctx context.Context, r *request) error {
	type tag struct{ Key, Value string }
	var made struct {
		Tags []tag `xml:"Tags>Tag"`
	}
	if len(r.body) == 0 {
		return nil
	}
	//nolint:gosec // into a fixed shape, from the test that asks
	if err := xml.Unmarshal(r.body, &made); err != nil || len(made.Tags) == 0 {
		return err
	}
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Tagging"`
		TagSet  []tag    `xml:"TagSet>Tag"`
	}{TagSet: made.Tags})
	if err != nil {
		return err
	}
	next := r.Clone(ctx)
	next.URL.RawQuery = url.Values{"tagging": {""}}.Encode()
	next.Header.Del("Content-Length")
	next.Body = io.NopCloser(bytes.NewReader(body))
	a, err := p.ask(ctx, &request{Request: next, body: body})
	if err == nil && a.status >= 300 {
		err = fmt.Errorf("the bucket's tags were refused: %d %s", a.status, a.body)
	}
	return err
}
