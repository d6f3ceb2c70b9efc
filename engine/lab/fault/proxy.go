package fault

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	headerTimeout = 10 * time.Second
	maxBody       = 64 << 20 // bytes of one request or answer; more is refused
)

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	target *url.URL
	peer   *http.Transport
	server *http.Server
	url    string
	done   chan struct{}

	mu      sync.Mutex
	calls   []Call
	rules   []*armed
	pages   map[string]int
	answers map[string]*answer // the last good answer by request
	tokens  map[string]*replay // by action and client token
}

type armed struct {
	Rule
	seen, struck int
}

// New gives a proxy in front of target, such as "http://127.0.0.1:5000", as a
// handler that a server of the caller's own may serve. Of a target with https,
// a simulator on loopback, any certificate is taken.
func New(target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no peer: want http://HOST:PORT", target)
	}
	return &Proxy{
		target: u, done: make(chan struct{}),
		peer: &http.Transport{
			MaxIdleConnsPerHost: 16,
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a peer of the lab's own on loopback
		},
		pages: map[string]int{}, answers: map[string]*answer{}, tokens: map[string]*replay{},
	}, nil
}

// Start runs a proxy in front of target on a free loopback port. It ends with
// ctx or by Close.
func Start(ctx context.Context, target string) (*Proxy, error) {
	p, err := New(target)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.url = "http://" + l.Addr().String()
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: headerTimeout}
	go func() {
		defer close(p.done)
		stop := context.AfterFunc(ctx, func() { _ = p.server.Close() })
		defer stop()
		_ = p.server.Serve(l) // ends by Close alone
	}()
	return p, nil
}

// URL is the started proxy's own address.
func (p *Proxy) URL() string { return p.url }

// Close ends a started proxy and its connections; of one that the caller serves
// those to the peer.
func (p *Proxy) Close() {
	if p.server != nil {
		_ = p.server.Close() // its listener is gone either way
		<-p.done
	}
	p.peer.CloseIdleConnections()
}

// Client gives an HTTP client all of whose requests come here, whatever host
// they name. base wraps its transport; nil leaves it. Close its idle
// connections when done.
func (p *Proxy) Client(base func(http.RoundTripper) http.RoundTripper) *http.Client {
	addr := strings.TrimPrefix(p.url, "http://")
	var rt http.RoundTripper = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
	if base != nil {
		rt = base(rt)
	}
	return &http.Client{Transport: rt}
}

// Inject adds a rule and returns what takes it away again.
func (p *Proxy) Inject(r Rule) (remove func()) {
	a := &armed{Rule: r}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, a)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.rules = slices.DeleteFunc(p.rules, func(e *armed) bool { return e == a })
	}
}

// Page splits the answers of an EC2 Describe action into pages of n items, for
// a peer that always gives all.
func (p *Proxy) Page(action string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages[action] = n
}

// Calls gives what was asked so far, in order.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Count tells how many requests of an action came; "" counts all.
func (p *Proxy) Count(action string) int {
	n := 0
	for _, c := range p.Calls() {
		if action == "" || c.Action == action {
			n++
		}
	}
	return n
}

// Forget drops the record of calls. Rules, tokens and answers stay.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = nil
}

// request is one request, read whole.
type request struct {
	*http.Request
	body []byte
	form url.Values // nil where the body is none
	call Call
}

// key tells equal requests.
func (r *request) key() string {
	return r.call.Method + "\n" + r.URL.RequestURI() + "\n" + scopeOf(r.Request) + "\n" + r.call.Action + "\n" + r.call.Form
}

// answer is one answer of the peer, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r, err := p.read(hr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f := p.strike(r)
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-hr.Context().Done():
			return
		}
	}
	if f.Before != nil {
		f.Before(r.call)
	}
	if f.Cut {
		p.record(r.call, 0)
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's own way to close a connection without an answer
	}
	ctx := hr.Context()
	if r.call.Mutates() {
		// What a cloud was asked whole it does whole, though nobody waits for it
		// any more: a bucket is not left without its tags, nor a token forgotten.
		ctx = context.WithoutCancel(ctx)
	}
	a, err := p.reply(ctx, r, f)
	if err != nil {
		a = refusal(r, Refuse(http.StatusBadGateway, "Unavailable", "the peer did not answer: "+err.Error()))
	}
	if f.After != nil {
		f.After(r.call)
	}
	if f.Lose {
		p.record(r.call, 0)
		panic(http.ErrAbortHandler) //nolint:forbidigo // as above
	}
	p.record(r.call, a.status)
	for k, vs := range a.header {
		w.Header()[k] = vs
	}
	if f.Trim {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2]) // the client may be gone: nothing to tell it
		panic(http.ErrAbortHandler)            //nolint:forbidigo // as above
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // as above
}

// read takes the request apart.
func (p *Proxy) read(hr *http.Request) (*request, error) {
	body, err := readAll(hr.Body)
	if err != nil {
		return nil, err
	}
	r := &request{Request: hr, body: body}
	r.call = Call{Method: hr.Method, Path: hr.URL.Path, At: time.Now()} //nolint:forbidigo // the record's own time
	r.call.From, _ = hr.Context().Value(callerKey{}).(string)
	if strings.HasPrefix(hr.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if r.form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
		r.call.Action, r.call.Token, r.call.Form = r.form.Get("Action"), r.form.Get("ClientToken"), r.form.Encode()
	} else if _, action, ok := strings.Cut(hr.Header.Get("X-Amz-Target"), "."); ok {
		r.call.Action = action
	} else if serviceOf(hr) == "s3" {
		r.call.Action = s3Action(hr)
	} else if hr.Header.Get("SOAPAction") != "" {
		r.call.Action = soapAction(body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.call.N = len(p.calls) + 1
	p.calls = append(p.calls, r.call)
	return r, nil
}

// strike finds what befalls the request.
func (p *Proxy) strike(r *request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.rules {
		if !a.matches(r.call) || a.Times > 0 && a.struck >= a.Times {
			continue
		}
		if a.seen++; a.seen <= a.After {
			continue
		}
		a.struck++
		return a.Do
	}
	return Fault{}
}

func (p *Proxy) record(c Call, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := c.N - 1; i < len(p.calls) && p.calls[i].At.Equal(c.At) {
		p.calls[i].Status = status
	}
}

// reply gives the fault's own answer, a stale one, one that a client token
// brings back, or the peer's.
func (p *Proxy) reply(ctx context.Context, r *request, f Fault) (*answer, error) {
	if f.Status != 0 {
		return refusal(r, f), nil
	}
	p.mu.Lock()
	stale, size := p.answers[r.key()], p.pages[r.call.Action]
	p.mu.Unlock()
	if f.Stale && stale != nil {
		return stale, nil
	}
	if r.call.Token != "" {
		return p.once(ctx, r)
	}
	if size > 0 {
		return p.page(ctx, r, size)
	}
	a, err := p.ask(ctx, r)
	if err == nil && a.status < 300 && r.call.Action == actionCreateBucket {
		if err := p.tagBucket(ctx, r); err != nil {
			return nil, err
		}
	}
	if err == nil && a.status < 300 && r.Header.Get("SOAPAction") == "" {
		p.mu.Lock()
		p.answers[r.key()] = a
		p.mu.Unlock()
	}
	return a, err
}

// ask passes the request on.
func (p *Proxy) ask(ctx context.Context, r *request) (*answer, error) {
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.target.Scheme, p.target.Host, ""
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	// The answer is read whole and passed on plain.
	out.Header.Del("Accept-Encoding")
	resp, err := p.peer.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or not wanted
	body, err := readAll(resp.Body)
	if err != nil {
		return nil, err
	}
	h := resp.Header.Clone()
	for _, drop := range []string{"Content-Length", "Connection", "Transfer-Encoding"} {
		h.Del(drop)
	}
	return &answer{status: resp.StatusCode, header: h, body: body}, nil
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(b) > maxBody {
		err = errors.New("a body of more than 64 MiB")
	}
	return b, err
}

// ec2Version is the API version by which EC2 requests are told from those of
// the other query services, whose errors have another form.
const ec2Version = "2016-11-15"

// refusal is an AWS error in the form of the service that was asked.
func refusal(r *request, f Fault) *answer {
	const id = "fa017000-0000-4000-8000-000000000000"
	type detail struct {
		Code, Message string
	}
	var body []byte
	var err error
	kind := "text/xml;charset=UTF-8"
	switch {
	case f.Body != "" || f.Status < http.StatusMultipleChoices:
		body = []byte(f.Body)
	case r.form.Get("Version") == ec2Version:
		body, err = xml.Marshal(struct {
			XMLName   xml.Name `xml:"Response"`
			Errors    []detail `xml:"Errors>Error"`
			RequestID string
		}{Errors: []detail{{f.Code, f.Message}}, RequestID: id})
	case serviceOf(r.Request) == "s3":
		body, err = xml.Marshal(struct {
			XMLName xml.Name `xml:"Error"`
			detail
			RequestID string `xml:"RequestId"`
		}{detail: detail{f.Code, f.Message}, RequestID: id})
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json"):
		kind = r.Header.Get("Content-Type")
		body, err = json.Marshal(map[string]string{"__type": f.Code, "message": f.Message})
	default:
		body, err = xml.Marshal(struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Error     detail
			RequestID string `xml:"RequestId"`
		}{Error: detail{f.Code, f.Message}, RequestID: id})
	}
	if err != nil { // text always encodes
		body = []byte(err.Error())
	}
	h := http.Header{"Content-Type": {kind}, "X-Amzn-Requestid": {id}, "X-Amz-Request-Id": {id}}
	if f.Status < http.StatusMultipleChoices {
		h = http.Header{} // of whoever answers in the peer's place
	}
	for k, vs := range f.Header {
		h[http.CanonicalHeaderKey(k)] = vs
	}
	return &answer{status: f.Status, header: h, body: body}
}
