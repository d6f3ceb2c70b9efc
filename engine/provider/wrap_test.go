package provider_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a session whose calls give the errors of a script, one a call, and
// then succeed. It counts what reaches it.
type script struct {
	provider.Session
	mu    sync.Mutex
	errs  []error
	calls []string
	made  resource.ID // what Create says it made, also beside an error
	block bool        // calls last until their ctx ends
}

func (s *script) Scope() string { return "test/one" }

func (s *script) next(ctx context.Context, op string) error {
	if s.block {
		<-ctx.Done()
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, op)
	if len(s.errs) == 0 {
		return nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func (s *script) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) }

func (s *script) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	for i, w := range wants {
		out[i].Err = s.next(ctx, "read "+w.Kind)
		out[i].Objects = []resource.Object{{ID: resource.ID(w.Kind)}}
	}
	return out
}

func (s *script) Rehearse(ctx context.Context, _ resource.Object) error {
	return s.next(ctx, "rehearse")
}

func (s *script) Create(ctx context.Context, _ resource.Object, _ resource.Mark) (provider.Progress, error) {
	return provider.Progress{Object: resource.Object{ID: s.made}}, s.next(ctx, "create")
}

func (s *script) Update(ctx context.Context, _, _ resource.Object, _ []resource.Change) (provider.Progress, error) {
	return provider.Progress{}, s.next(ctx, "update")
}

func (s *script) Delete(ctx context.Context, _, _ resource.Object) (provider.Progress, error) {
	return provider.Progress{}, s.next(ctx, "delete")
}

func (s *script) Find(ctx context.Context, _ provider.Intent) (provider.Progress, error) {
	return provider.Progress{}, s.next(ctx, "find")
}

func (s *script) Poll(ctx context.Context, hs []resource.Handle) []provider.Polled {
	out := make([]provider.Polled, len(hs))
	for i := range hs {
		out[i].Err = s.next(ctx, "poll")
	}
	return out
}

func (s *script) Mark(ctx context.Context, _ resource.Object, _ *resource.Mark) error {
	return s.next(ctx, "mark")
}

func fail(c resource.Class) error { return &resource.Failure{Class: c, Op: "test:Call"} }

func TestRetryOfCreate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		errs  []error
		made  resource.ID
		calls int
		class resource.Class
	}{
		{"success", nil, "x", 1, ""},
		{"throttled twice", []error{fail(resource.Throttled), fail(resource.Transient)}, "", 3, ""},
		{"throttled for ever", slices.Repeat([]error{fail(resource.Throttled)}, 9), "", 5, resource.Throttled},
		{"throttled at the cost of an interruption", []error{&resource.Failure{Class: resource.Throttled, Interrupted: "size"}}, "", 1, resource.Throttled},
		{"invalid", []error{fail(resource.Invalid)}, "", 1, resource.Invalid},
		{"unknown outcome", []error{fail(resource.UnknownOutcome)}, "", 1, resource.UnknownOutcome},
		{"unclassified", []error{errors.New("connection reset")}, "", 1, resource.UnknownOutcome},
		{"transient beside an object", []error{fail(resource.Transient)}, "x", 1, resource.Transient},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{errs: c.errs, made: c.made}
				_, err := provider.Wrap(s, provider.Options{}).Create(t.Context(), resource.Object{}, resource.Mark{})
				if s.count() != c.calls || resource.ClassOf(err) != c.class {
					t.Errorf("%d calls and %v; want %d and class %q", s.count(), err, c.calls, c.class)
				}
			})
		})
	}
}

func TestRetryHonoursAfterAndDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &resource.Failure{Class: resource.Throttled, After: 30 * time.Second}
		s := &script{errs: []error{slow}}
		start := time.Now()
		if err := provider.Retry(s, provider.RetryPolicy{}, provider.Clock{}).Mark(t.Context(), resource.Object{}, nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 30*time.Second {
			t.Errorf("tried again after %v; the provider asked for 30s", d)
		}
		s.errs = []error{slow}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start = time.Now()
		err := provider.Retry(s, provider.RetryPolicy{}, provider.Clock{}).Mark(ctx, resource.Object{}, nil)
		if !errors.Is(err, slow) || time.Since(start) != 0 {
			t.Errorf("got %v after %v; want the refusal at once, since the advice lies past the deadline", err, time.Since(start))
		}
	})
}

func TestRetryOfReadSendsOnlyWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: []error{nil, fail(resource.Throttled), fail(resource.Denied)}}
		got := provider.Wrap(s, provider.Options{}).Read(t.Context(), []resource.Want{{Kind: "a"}, {Kind: "b"}, {Kind: "c"}})
		if want := []string{"read a", "read b", "read c", "read b"}; !slices.Equal(s.calls, want) {
			t.Errorf("calls %v, want %v", s.calls, want)
		}
		if got[0].Err != nil || got[1].Err != nil || resource.ClassOf(got[2].Err) != resource.Denied {
			t.Errorf("answers %v", got)
		}
		if got[1].Objects[0].ID != "b" {
			t.Errorf("the second answer is of %q", got[1].Objects[0].ID)
		}
	})
}

func TestDeadlineOfAMutatingCallIsUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := provider.Wrap(&script{block: true}, provider.Options{Timeouts: provider.Timeouts{Mutate: 3 * time.Second, Read: time.Second}, Retry: provider.RetryPolicy{Attempts: 2}})
		start := time.Now()
		_, err := s.Delete(t.Context(), resource.Object{}, resource.Object{})
		if resource.ClassOf(err) != resource.UnknownOutcome || time.Since(start) != 3*time.Second {
			t.Errorf("delete gave %v after %v", err, time.Since(start))
		}
		if a := s.Read(t.Context(), []resource.Want{{Kind: "a"}}); resource.ClassOf(a[0].Err) != resource.Transient {
			t.Errorf("read gave %v, want a transient failure", a[0].Err)
		}
	})
}

func TestFencedMakesNoMutatingCall(t *testing.T) {
	t.Parallel()
	s := &script{}
	w := provider.Wrap(s, provider.Options{})
	lost := errors.New("the lease is held by another")
	ctx := provider.WithFence(t.Context(), func(context.Context) error { return lost })
	_, err1 := w.Create(ctx, resource.Object{}, resource.Mark{})
	_, err2 := w.Update(ctx, resource.Object{}, resource.Object{}, nil)
	_, err3 := w.Delete(ctx, resource.Object{}, resource.Object{})
	_, err4 := w.Find(ctx, provider.Intent{})
	err5 := w.Mark(ctx, resource.Object{}, nil)
	for i, err := range []error{err1, err2, err3, err4, err5} {
		var f *provider.FencedError
		if !errors.As(err, &f) || !errors.Is(err, lost) {
			t.Errorf("call %d gave %v, want a FencedError", i, err)
		}
	}
	if s.count() != 0 {
		t.Errorf("calls %v were made", s.calls)
	}
	if a := w.Read(ctx, []resource.Want{{Kind: "a"}}); a[0].Err != nil {
		t.Errorf("a read was refused: %v", a[0].Err)
	}
}

func TestBudgetAdaptsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := provider.NewBudgets(provider.Rate{Start: 8, Max: 8, Burst: 1}, provider.Clock{})
		bucket := b.For("test/one", "")
		s := &script{errs: []error{fail(resource.Throttled), fail(resource.Throttled)}}
		w := provider.Budget(s, b, nil)
		_, _ = w.Delete(t.Context(), resource.Object{}, resource.Object{})
		if got := bucket.Rate(); got != 4 {
			t.Errorf("rate after a refusal: %v, want 4", got)
		}
		start := time.Now()
		_, _ = w.Delete(t.Context(), resource.Object{}, resource.Object{})
		if d := time.Since(start); d < 200*time.Millisecond {
			t.Errorf("the next call went out after %v; at 4 a second it waits", d)
		}
		if got := bucket.Rate(); got != 4 {
			t.Errorf("rate after two refusals within a second: %v, want 4", got)
		}
		for range 60 {
			if _, err := w.Delete(t.Context(), resource.Object{}, resource.Object{}); err != nil {
				t.Fatal(err)
			}
		}
		if got := bucket.Rate(); got != 8 {
			t.Errorf("rate after 60 successes: %v, want 8 again", got)
		}
	})
}

func TestBudgetServesCallersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := provider.NewBudgets(provider.Rate{Start: 1, Max: 1, Burst: 1}, provider.Clock{}).For("test/one", "")
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		take := func(caller string) {
			wg.Go(func() {
				if err := bucket.Take(provider.WithCaller(t.Context(), caller)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, caller)
				mu.Unlock()
			})
			synctest.Wait()
		}
		for range 6 {
			take("big")
		}
		take("small")
		wg.Wait()
		if at := slices.Index(order, "small"); at > 3 {
			t.Errorf("the small caller was served at place %d of %v", at, order)
		}
	})
}

func TestBudgetTakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := provider.NewBudgets(provider.Rate{Start: 0.5, Min: 0.5, Burst: 1}, provider.Clock{}).For("test/one", "")
		if err := bucket.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 3)
		for i := range 3 {
			go func() { errs <- bucket.Take(provider.WithCaller(ctx, fmt.Sprint(i%2))) }()
		}
		synctest.Wait()
		cancel()
		for range 3 {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		if err := bucket.Take(t.Context()); err != nil {
			t.Errorf("the bucket is stuck: %v", err)
		}
	})
}

// Whatever callers come and go, every one that stays gets its token, and no
// more go out than the rate allows.
func TestBudgetLaw(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type call struct{ caller, start, patience int }
		calls := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) call {
			return call{rapid.IntRange(0, 3).Draw(rt, "caller"), rapid.IntRange(0, 900).Draw(rt, "start"), rapid.SampledFrom([]int{0, 50, 400}).Draw(rt, "patience")}
		}), 1, 25).Draw(rt, "calls")
		synctest.Test(t, func(t *testing.T) {
			const rate, burst = 10, 2
			bucket := provider.NewBudgets(provider.Rate{Start: rate, Max: rate, Burst: burst}, provider.Clock{}).For("test/one", "")
			begin := time.Now()
			var mu sync.Mutex
			var served []time.Duration
			var wg sync.WaitGroup
			for _, c := range calls {
				wg.Go(func() {
					ctx := provider.WithCaller(t.Context(), fmt.Sprint(c.caller))
					if c.patience > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, time.Duration(c.start+c.patience)*time.Millisecond)
						defer cancel()
					}
					<-time.After(time.Duration(c.start) * time.Millisecond)
					err := bucket.Take(ctx)
					if err != nil && c.patience == 0 {
						t.Errorf("a call without a deadline got %v", err)
					}
					if err == nil {
						mu.Lock()
						served = append(served, time.Since(begin))
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			slices.Sort(served)
			for i := range served {
				if n := float64(len(served) - i); n > burst+1+(served[len(served)-1]-served[i]).Seconds()*rate {
					t.Errorf("%v calls between %v and %v", n, served[i], served[len(served)-1])
				}
			}
		})
	})
}

func TestTraceTellsClassAndNoWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var spans []provider.Span
		s := &script{errs: []error{fail(resource.Throttled), errors.New("reset")}}
		w := provider.Wrap(s, provider.Options{Trace: func(_ context.Context, sp provider.Span) { spans = append(spans, sp) }})
		want := resource.Object{Address: resource.Address{Env: "e", Provider: "p", Kind: "k", Name: "n"}}
		_, _ = w.Create(t.Context(), want, resource.Mark{})
		if len(spans) != 2 || spans[0].Class != resource.Throttled || spans[1].Class != resource.UnknownOutcome {
			t.Fatalf("spans %+v", spans)
		}
		if got := spans[0].Call; got != (provider.Call{Op: provider.OpCreate, Kind: "k", Count: 1}) || spans[0].Scope != "test/one" {
			t.Errorf("call %+v in scope %s", got, spans[0].Scope)
		}
	})
}

func TestFaultBeforeAfterAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("answer lost")
		s := &script{made: "x"}
		w := provider.Wrap(s, provider.Options{Fault: func(_ provider.Call, n int64) provider.Trouble {
			return []provider.Trouble{{Before: fail(resource.Invalid)}, {After: lost, Delay: time.Second}, {}}[n]
		}})
		_, err := w.Create(t.Context(), resource.Object{}, resource.Mark{})
		if s.count() != 0 || resource.ClassOf(err) != resource.Invalid {
			t.Errorf("before: %d calls, %v", s.count(), err)
		}
		start := time.Now()
		p, err := w.Create(t.Context(), resource.Object{}, resource.Mark{})
		if s.count() != 1 || !errors.Is(err, lost) || resource.ClassOf(err) != resource.UnknownOutcome || p.Object.ID != "" || time.Since(start) != time.Second {
			t.Errorf("after: %d calls, %+v, %v", s.count(), p, err)
		}
		if p, err := w.Create(t.Context(), resource.Object{}, resource.Mark{}); err != nil || p.Object.ID != "x" {
			t.Errorf("none: %+v, %v", p, err)
		}
	})
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	kind := provider.Kind{Name: "a", IDs: provider.ReachRegion, Settle: provider.SettleMark, Origin: provider.OriginCreated}
	open := func(context.Context, provider.Config) (provider.Session, error) { return &script{}, nil }
	good := provider.Catalogue{
		Types:       []provider.Type{{Name: "p", Kinds: []provider.Kind{kind}, Open: open}},
		Descriptors: resource.Descriptors{"p.a": {Kind: "p.a"}},
	}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	if k, d, ok := good.Kind("p.a"); !ok || k.Name != "a" || d.Kind != "p.a" {
		t.Errorf("Kind gave %v %v %v", k, d, ok)
	}
	for _, name := range []string{"p.b", "q.a", "p", ""} {
		if _, _, ok := good.Kind(name); ok {
			t.Errorf("there is a kind %q", name)
		}
	}
	bad := provider.Catalogue{Types: good.Types, Descriptors: resource.Descriptors{"p.b": {Kind: "p.b"}}}
	if err := bad.Check(); err == nil {
		t.Error("a kind without a descriptor and a descriptor without a kind pass")
	}
	kind.Unmarked = true
	bad = provider.Catalogue{Types: []provider.Type{{Name: "p", Kinds: []provider.Kind{kind}, Open: open}}, Descriptors: good.Descriptors}
	if err := bad.Check(); err == nil {
		t.Error("a kind without marks and with settle rule mark passes")
	}
}
