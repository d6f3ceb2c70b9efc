package fault

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// tokenPrefix marks the page tokens that are ours.
const tokenPrefix = "fault-page-"

// page asks the peer for all and answers with the part that the request's
// NextToken names.
func (p *Proxy) page(ctx context.Context, r *request, size int) (*answer, error) {
	from := 0
	if t, ok := strings.CutPrefix(r.form.Get("NextToken"), tokenPrefix); ok {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no page token", t)
		}
		from = n
	}
	all := *r
	form := url.Values{}
	for k, vs := range r.form {
		if k != "NextToken" && k != "MaxResults" {
			form[k] = vs
		}
	}
	all.body = []byte(form.Encode())
	a, err := p.ask(ctx, &all)
	if err != nil || a.status >= 300 {
		return a, err
	}
	body, err := cutPage(a.body, from, size)
	if err != nil {
		return nil, err
	}
	return &answer{status: a.status, header: a.header, body: body}, nil
}

// span is a piece of a document, in bytes.
type span struct{ from, to int64 }

// cutPage keeps size items of an EC2 answer's set, beginning at from, and
// names the next page where there is more.
func cutPage(doc []byte, from, size int) ([]byte, error) {
	set, items, err := findItems(doc)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Write(doc[:set.from])
	for i, it := range items {
		if i >= from && i < from+size {
			out.Write(doc[it.from:it.to])
		}
	}
	rest := doc[set.to:]
	if from+size < len(items) {
		// The token stands behind the set, within the document element.
		end := bytes.Index(rest, []byte(">")) + 1
		out.Write(rest[:end])
		fmt.Fprintf(&out, "<nextToken>%s%d</nextToken>", tokenPrefix, from+size)
		rest = rest[end:]
	}
	out.Write(rest)
	return out.Bytes(), nil
}

// findItems finds the set of an EC2 answer: the first element of the second
// level whose name ends in Set or Info. Its items are the elements within.
func findItems(doc []byte) (set span, items []span, err error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	depth, inSet := 0, false
	var itemFrom int64
	for {
		before := d.InputOffset()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return set, nil, errors.New("the answer has no set of items to page")
		}
		if err != nil {
			return set, nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			if depth == 2 && (strings.HasSuffix(t.Name.Local, "Set") || strings.HasSuffix(t.Name.Local, "Info")) {
				inSet, set.from = true, d.InputOffset()
			}
			if inSet && depth == 3 {
				itemFrom = before
			}
		case xml.EndElement:
			if inSet && depth == 3 {
				items = append(items, span{itemFrom, d.InputOffset()})
			}
			if inSet && depth == 2 {
				set.to = before
				return set, items, nil
			}
			depth--
		}
	}
}
