package fault_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"isobar.dev/engine/lab/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer counts the calls that reach it; a Describe lists what was created.
type peer struct {
	mu    sync.Mutex
	made  int
	calls []string
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // the proxy sends what it parsed itself
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, r.Form.Get("Action"))
	if strings.HasPrefix(r.Form.Get("Action"), "Create") {
		p.made++
		_, _ = fmt.Fprintf(w, "<R><id>%d</id></R>", p.made) // the proxy may be gone
		return
	}
	var items strings.Builder
	for i := range p.made {
		_, _ = fmt.Fprintf(&items, "<item><n>%d</n><tagSet><item/></tagSet></item>", i+1) // a Builder takes all
	}
	_, _ = fmt.Fprintf(w, "<R><requestId>1</requestId><thingSet>%s</thingSet></R>", items.String()) // as above
}

func (p *peer) reached() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

type rig struct {
	*fault.Proxy
	peer   *peer
	client *http.Client
}

func newRig(t *testing.T) *rig {
	t.Helper()
	pe := &peer{}
	srv := httptest.NewServer(pe)
	p, err := fault.Start(t.Context(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Proxy: p, peer: pe, client: p.Client(nil)}
	t.Cleanup(func() { r.client.CloseIdleConnections(); p.Close(); srv.Close() })
	return r
}

// do sends a query request, as AWS SDKs do, and gives status and body.
func (r *rig) do(t *testing.T, kv ...string) (int, string, error) {
	t.Helper()
	form := url.Values{"Version": {"2016-11-15"}}
	for pair := range slices.Chunk(kv, 2) {
		form.Set(pair[0], pair[1])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://aws.invalid/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestPassesOnAndRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	status, body, err := r.do(t, "Action", "CreateThing")
	if err != nil || status != 200 || body != "<R><id>1</id></R>" {
		t.Fatalf("got %d %q %v", status, body, err)
	}
	calls := r.Calls()
	if len(calls) != 1 || calls[0].Action != "CreateThing" || calls[0].Status != 200 || calls[0].At.IsZero() {
		t.Fatalf("recorded %+v", calls)
	}
	if r.Count("CreateThing") != 1 || r.Count("Other") != 0 || r.Count("") != 1 {
		t.Fatal("counts are wrong")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		do      fault.Fault
		status  int // 0: the connection is cut
		body    string
		reached int
	}{
		{"throttle", fault.Throttle(), 503, "<Errors><Error><Code>RequestLimitExceeded</Code>", 0},
		{"refuse", fault.Refuse(403, "UnauthorizedOperation", "no & never"), 403, "no &amp; never", 0},
		{"lost request", fault.LoseRequest(), 0, "", 0},
		{"lost answer", fault.LoseAnswer(), 0, "", 1},
		{"trimmed answer", fault.Fault{Trim: true}, 0, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.Inject(fault.Rule{Action: "Create*", Times: 1, Do: c.do})
			status, body, err := r.do(t, "Action", "CreateThing")
			if (err != nil) != (c.status == 0) || c.status != 0 && status != c.status {
				t.Fatalf("got %d %q %v", status, body, err)
			}
			if !strings.Contains(body, c.body) {
				t.Fatalf("body %q lacks %q", body, c.body)
			}
			if r.peer.reached() != c.reached {
				t.Fatalf("%d calls reached the peer, want %d", r.peer.reached(), c.reached)
			}
			if status, _, err := r.do(t, "Action", "CreateThing"); err != nil || status != 200 {
				t.Fatalf("the second call got %d %v", status, err)
			}
		})
	}
}

func TestRuleAfterTimesAndRemoval(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	remove := r.Inject(fault.Rule{Action: "Describe*", After: 2, Times: 3, Do: fault.Throttle()})
	var got []int
	for i := range 6 {
		if i == 4 {
			remove()
		}
		status, _, err := r.do(t, "Action", "DescribeThings")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[200 200 503 503 200 200]" {
		t.Fatal(got)
	}
}

func TestClientTokenReplays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Inject(fault.Rule{Times: 1, Do: fault.LoseAnswer()})
	if _, _, err := r.do(t, "Action", "CreateThing", "ClientToken", "a", "X", "1"); err == nil {
		t.Fatal("the answer came")
	}
	_, body, err := r.do(t, "Action", "CreateThing", "ClientToken", "a", "X", "1")
	if err != nil || body != "<R><id>1</id></R>" || r.peer.reached() != 1 {
		t.Fatalf("got %q %v after %d calls of the peer", body, err, r.peer.reached())
	}
	status, body, err := r.do(t, "Action", "CreateThing", "ClientToken", "a", "X", "2")
	if err != nil || status != 400 || !strings.Contains(body, "IdempotentParameterMismatch") {
		t.Fatalf("other parameters got %d %q %v", status, body, err)
	}
	if _, body, err := r.do(t, "Action", "CreateThing", "ClientToken", "b", "X", "1"); err != nil || body != "<R><id>2</id></R>" {
		t.Fatalf("another token got %q %v", body, err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 5 {
		if _, _, err := r.do(t, "Action", "CreateThing"); err != nil {
			t.Fatal(err)
		}
	}
	r.Page("DescribeThings", 2)
	token, items, asked := "", 0, 0
	for {
		kv := []string{"Action", "DescribeThings", "MaxResults", "1000"}
		if token != "" {
			kv = append(kv, "NextToken", token)
		}
		_, body, err := r.do(t, kv...)
		if err != nil {
			t.Fatal(err)
		}
		items += strings.Count(body, "<n>")
		if asked++; asked > 5 {
			t.Fatal("no end of pages")
		}
		_, rest, more := strings.Cut(body, "<nextToken>")
		if !more {
			break
		}
		token, _, _ = strings.Cut(rest, "<")
	}
	if items != 5 || asked != 3 {
		t.Fatalf("%d items in %d pages, want 5 in 3", items, asked)
	}
}

func TestStaleGivesTheLastAnswerAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, before, err := r.do(t, "Action", "DescribeThings")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.do(t, "Action", "CreateThing"); err != nil {
		t.Fatal(err)
	}
	r.Inject(fault.Rule{Action: "DescribeThings", Times: 1, Do: fault.Fault{Stale: true}})
	_, stale, err := r.do(t, "Action", "DescribeThings")
	if err != nil || stale != before {
		t.Fatalf("got %q %v, want the old %q", stale, err, before)
	}
	if _, now, err := r.do(t, "Action", "DescribeThings"); err != nil || now == before {
		t.Fatalf("got %q %v, want a new answer", now, err)
	}
}

func TestHooksStandAroundThePeer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var before, after int
	r.Inject(fault.Rule{Do: fault.Fault{
		Before: func(fault.Call) { before = r.peer.reached() },
		After:  func(fault.Call) { after = r.peer.reached() },
	}})
	if _, _, err := r.do(t, "Action", "CreateThing"); err != nil {
		t.Fatal(err)
	}
	if before != 0 || after != 1 {
		t.Fatalf("before %d, after %d calls of the peer", before, after)
	}
}

func TestCallerIsRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"one", "two"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		fault.Caller(r.Proxy, name).ServeHTTP(httptest.NewRecorder(), req)
	}
	if _, _, err := r.do(t, "Action", "CreateThing"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range r.Calls() {
		got = append(got, c.From)
	}
	if !slices.Equal(got, []string{"one", "two", ""}) {
		t.Fatalf("calls of %q", got)
	}
}

func TestDelayIsOnTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// The handler alone: sockets are no part of a bubble.
		p, err := fault.New("http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		p.Inject(fault.Rule{Do: fault.Fault{Delay: time.Hour, Status: 418}})
		start := time.Now()
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if d := time.Since(start); w.Code != 418 || d != time.Hour {
			t.Fatalf("answered %d after %v", w.Code, d)
		}
	})
}

func TestStartRefusesWhatIsNoPeer(t *testing.T) {
	t.Parallel()
	if _, err := fault.Start(t.Context(), "not a url"); err == nil {
		t.Fatal("want an error")
	}
}
