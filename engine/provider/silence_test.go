package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// peer is a transport that takes so long for an answer and between its parts; a
// negative time is for ever.
type peer struct {
	mu      sync.Mutex
	answers time.Duration
	parts   []time.Duration
	asked   int
}

func (p *peer) set(answers time.Duration, parts ...time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers, p.parts = answers, parts
}

func stay(ctx context.Context, d time.Duration) error {
	if d < 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.asked++
	wait, parts := p.answers, p.parts
	p.mu.Unlock()
	if err := stay(r.Context(), wait); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: &trickle{r.Context(), parts}}, nil
}

type trickle struct {
	ctx   context.Context
	parts []time.Duration
}

func (t *trickle) Read(b []byte) (int, error) {
	if len(t.parts) == 0 {
		return 0, io.EOF
	}
	if err := stay(t.ctx, t.parts[0]); err != nil {
		return 0, err
	}
	t.parts = t.parts[1:]
	return copy(b, "."), nil
}

func (t *trickle) Close() error { return nil }

// ask makes one call of one request and says how long it took.
func ask(t *testing.T, h *provider.Hosts, p *peer) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	ctx := provider.WithPatience(t.Context(), h)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://vc.example:443/sdk", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := provider.PatientTransport(p).RoundTrip(req)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	return time.Since(start), err
}

// TestASilentHostIsWaitedForOnce: the first who asks waits long, those who come
// after wait shortly or not at all, and one answer ends it.
func TestASilentHostIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, p := &provider.Hosts{}, &peer{answers: -1}
		began := time.Now()
		var first error
		for i, want := range []time.Duration{30 * time.Second, 0, 0} {
			took, err := ask(t, h, p)
			var silent *provider.SilentError
			if took != want || !errors.As(err, &silent) || !silent.Since.Equal(began) {
				t.Errorf("ask %d took %v and gave %v, want %v", i, took, err, want)
			}
			if first == nil {
				first = err
			}
		}
		time.Sleep(10 * time.Second)
		var wg sync.WaitGroup
		for range 3 { // together: one asks, the others wait for what it hears
			wg.Go(func() {
				if took, err := ask(t, h, p); took != 5*time.Second || err.Error() != first.Error() {
					t.Errorf("later it took %v and gave %v, want 5s and %v", took, err, first)
				}
			})
		}
		wg.Wait()
		if p.asked != 2 {
			t.Errorf("the host was asked %d times, want 2", p.asked)
		}
		p.set(4 * time.Second)
		time.Sleep(10 * time.Second)
		if took, err := ask(t, h, p); took != 4*time.Second || err != nil {
			t.Errorf("once it answers again: %v, %v", took, err)
		}
		p.set(20 * time.Second)
		if took, err := ask(t, h, p); took != 20*time.Second || err != nil {
			t.Errorf("after that it has as long as before: %v, %v", took, err)
		}
	})
}

// TestASlowAnswerIsHeardOut as long as it keeps coming.
func TestASlowAnswerIsHeardOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, p := &provider.Hosts{}, &peer{}
		p.set(25*time.Second, 20*time.Second, 29*time.Second, 29*time.Second)
		if took, err := ask(t, h, p); err != nil || took != 103*time.Second {
			t.Errorf("took %v and gave %v", took, err)
		}
		p.set(time.Second, time.Second, -1)
		took, err := ask(t, h, p)
		var silent *provider.SilentError
		if !errors.As(err, &silent) || took != 32*time.Second {
			t.Errorf("an answer that broke off: took %v and gave %v", took, err)
		}
	})
}

// TestWhoeverGivesUpSaysNothingOfTheHost: a look that is cancelled, or is at its
// own deadline, gives that reason, and the next one asks.
func TestWhoeverGivesUpSaysNothingOfTheHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, p := &provider.Hosts{}, &peer{answers: -1}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(provider.WithPatience(t.Context(), h))
		time.AfterFunc(time.Second, func() { cancel(why) })
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://vc.example/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := provider.PatientTransport(p).RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		p.set(20 * time.Second)
		if took, err := ask(t, h, p); err != nil || took != 20*time.Second {
			t.Errorf("then it took %v and gave %v", took, err)
		}
	})
}

// web is a session whose reads are requests, one a want.
type web struct {
	provider.Session
	transport http.RoundTripper
}

func (w *web) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	for i, want := range wants {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+want.Kind+".example/", http.NoBody)
		if err == nil {
			var res *http.Response
			if res, err = w.transport.RoundTrip(req); err == nil {
				err = res.Body.Close()
			}
		}
		if err != nil {
			out[i].Err = &resource.Failure{Class: resource.Transient, Message: err.Error(), Err: err}
		}
	}
	return out
}

// TestALookAtWhatHangs is not tried again, and what it asks of others beside
// gets a short moment.
func TestALookAtWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &peer{answers: -1}
		s := provider.Wrap(&web{transport: provider.PatientTransport(p)}, provider.Options{Hosts: &provider.Hosts{}})
		start := time.Now()
		got := s.Read(t.Context(), []resource.Want{{Kind: "ec2"}, {Kind: "ec2"}, {Kind: "s3"}})
		if took := time.Since(start); took != 35*time.Second || p.asked != 2 {
			t.Errorf("took %v and %d requests, want 35s and 2", took, p.asked)
		}
		if want := "ec2.example took no connection within 30s (since 2000-01-01 00:00:00 UTC, and it is asked again at each look): "; !strings.HasPrefix(got[1].Err.Error(), want) {
			t.Errorf("got %v", got[1].Err)
		}
		// One that is not HTTP has the deadline of a read, once.
		start = time.Now()
		a := provider.Wrap(&script{block: true}, provider.Options{Hosts: &provider.Hosts{}}).Read(t.Context(), []resource.Want{{Kind: "a"}})
		if took := time.Since(start); took != 2*time.Minute || resource.ClassOf(a[0].Err) != resource.Transient {
			t.Errorf("took %v: %v", took, a[0].Err)
		}
	})
}
