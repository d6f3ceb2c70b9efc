package moto

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Node is an element of an answer: its name, its text and its children.
type Node struct {
	Name string
	Text string
	Kids []*Node
}

// All gives the nodes that a path of names leads to, below n: of a list, one
// for each item.
func (n *Node) All(path ...string) []*Node {
	at := []*Node{n}
	for _, name := range path {
		var next []*Node
		for _, a := range at {
			for _, k := range a.Kids {
				if k.Name == name {
					next = append(next, k)
				}
			}
		}
		at = next
	}
	return at
}

// Get gives the text of the first node that a path leads to, or "".
func (n *Node) Get(path ...string) string {
	if found := n.All(path...); len(found) > 0 {
		return found[0].Text
	}
	return ""
}

// UnmarshalXML reads any element.
func (n *Node) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	n.Name = start.Name.Local
	for {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			kid := &Node{}
			if err := kid.UnmarshalXML(d, t); err != nil {
				return err
			}
			n.Kids = append(n.Kids, kid)
		case xml.CharData:
			n.Text = strings.TrimSpace(n.Text + string(t))
		case xml.EndElement:
			return nil
		}
	}
}

// into says in which account a request is.
func (s *Server) into(req *http.Request) {
	if s.account != "" {
		req.Header.Set(AccountHeader, s.account)
	}
}

// EC2 makes one call of the EC2 query API as somebody other than isobar would,
// with plain parameters ("GroupId", "Filter.1.Name", …), and gives its answer.
func (s *Server) EC2(ctx context.Context, region, action string, params map[string]string) (*Node, error) {
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for k, v := range params {
		form.Set(k, v)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	// moto takes region and service from the credential's scope and checks no signature.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=somebody/20260101/"+region+"/ec2/aws4_request, SignedHeaders=host, Signature=0")
	s.into(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // a body that was read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	out := &Node{}
	if err := xml.Unmarshal(body, out); err != nil {
		return nil, fmt.Errorf("%s: the answer is no XML: %w", action, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", action, out.Get("Errors", "Error", "Code"), out.Get("Errors", "Error", "Message"))
	}
	return out, nil
}

// S3 makes one call of S3 as somebody other than isobar would, with the path
// and query of the request ("/logs?policy"), and gives its answer's body.
func (s *Server) S3(ctx context.Context, region, method, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=somebody/20260101/"+region+"/s3/aws4_request, SignedHeaders=host, Signature=0")
	s.into(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // a body that was read
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return string(text), err
}

// PutParameter sets a parameter of Systems Manager as somebody other than isobar
// would.
func (s *Server) PutParameter(ctx context.Context, region, name, value string) error {
	body, err := json.Marshal(map[string]any{"Name": name, "Value": value, "Type": "String", "Overwrite": true})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonSSM.PutParameter")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=somebody/20260101/"+region+"/ssm/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // a body that was read
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("PutParameter: %s: %s", resp.Status, answer)
	}
	return err
}
