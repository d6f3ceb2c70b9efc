package observe_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lag = 10 * time.Second

func t0() time.Time { return time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC) }

// stand is a session that answers from what the test puts there.
type stand struct {
	provider.Session
	scope string
	mu    sync.Mutex
	calls [][]resource.Want
	read  func(ctx context.Context, wants []resource.Want) []resource.Answer
}

func (s *stand) Scope() string { return s.scope }

func (s *stand) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	s.mu.Lock()
	s.calls = append(s.calls, wants)
	s.mu.Unlock()
	return s.read(ctx, wants)
}

func (s *stand) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// kinds are the fake's, with a lag.
func kinds() provider.Catalogue {
	return fake.Catalogue(fake.NewWorld(fake.Options{Now: t0, Lag: lag}))
}

func addr(kind, name string) resource.Address {
	return resource.Address{Env: "prod", Provider: "fake", Kind: kind, Name: name}
}

func mark(kind, name, token string) resource.Mark {
	return resource.Mark{Estate: "e", Env: "prod", Address: addr(kind, name), Token: token}
}

// folded gives a ledger that holds one network, made at t0 and, where upd is
// told, updated then.
func folded(t *testing.T, rec ledger.Record, upd resource.Map) *ledger.State {
	t.Helper()
	a := addr("network", "main")
	events := []ledger.Event{
		{Seq: 1, At: t0(), Address: a, Token: "t1", Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Create, Record: rec}},
		{Seq: 2, At: t0(), Address: a, Token: "t1", Type: ledger.Done, Record: &rec},
	}
	if upd != nil {
		next := rec
		next.Applied = upd
		events = append(events,
			ledger.Event{Seq: 3, At: t0(), Address: a, Token: "t1", Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Update, Record: next}},
			ledger.Event{Seq: 4, At: t0(), Address: a, Token: "t1", Type: ledger.Done, Record: &next})
	}
	s, err := ledger.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func network(fields resource.Map) resource.Object {
	return resource.Object{ID: "n-1", Mark: mark("network", "main", "t1"), Fields: fields}
}

func TestReading(t *testing.T) {
	t.Parallel()
	broke := &resource.Failure{Class: resource.Transient, Message: "page 3 broke"}
	x, y := resource.Map{"label": resource.String("x")}, resource.Map{"label": resource.String("y")}
	for name, c := range map[string]struct {
		after        time.Duration // of the read, since the last write
		upd          resource.Map
		byMark, byID resource.Answer
		seen         plan.Seen
		label        string // of a present one: its label, "unread", or "" for none
		blind        bool
	}{
		"present by id":                       {after: lag, byID: resource.Answer{Objects: []resource.Object{network(x)}}, seen: plan.Present, label: "x"},
		"present by mark alone":               {after: lag, byMark: resource.Answer{Objects: []resource.Object{network(x)}}, seen: plan.Present, label: "x"},
		"absent":                              {after: lag, seen: plan.Absent},
		"young and not seen":                  {after: lag - 1, seen: plan.Unread},
		"the list broke off":                  {after: lag, byMark: resource.Answer{Err: broke}, seen: plan.Unread, blind: true},
		"the ids could not be read":           {after: lag, byID: resource.Answer{Err: broke}, seen: plan.Unread},
		"the list broke off, but it was seen": {after: lag, byMark: resource.Answer{Objects: []resource.Object{network(x)}, Err: broke}, seen: plan.Present, label: "x", blind: true},
		"young and as written":                {after: 0, upd: y, byID: resource.Answer{Objects: []resource.Object{network(y)}}, seen: plan.Present, label: "y"},
		"young and as before":                 {after: lag - 1, upd: y, byID: resource.Answer{Objects: []resource.Object{network(x)}}, seen: plan.Present, label: "unread"},
		"old and as before: drift":            {after: lag, upd: y, byID: resource.Answer{Objects: []resource.Object{network(x)}}, seen: plan.Present, label: "x"},
		"young and neither: drift": {
			after: 0, upd: y, byID: resource.Answer{Objects: []resource.Object{network(resource.Map{"label": resource.String("z")})}}, seen: plan.Present, label: "z",
		},
		"young, and the field was not there before": {
			after: 0, byID: resource.Answer{Objects: []resource.Object{network(resource.Map{})}}, seen: plan.Present, label: "unread",
		},
		"young and taken out, still shown": {after: 0, upd: resource.Map{}, byID: resource.Answer{Objects: []resource.Object{network(x)}}, seen: plan.Present, label: "unread"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := t0().Add(c.after)
			s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
				out := make([]resource.Answer, len(wants))
				for i, w := range wants {
					out[i] = c.byID
					if w.By.Estate != "" {
						out[i] = c.byMark
					}
					out[i].At = now
				}
				return out
			}}
			st := folded(t, ledger.Record{ID: "n-1", Scope: "fake/main", Applied: x}, c.upd)
			w := observe.New(kinds(), func() time.Time { return now }).Observe(t.Context(), observe.Request{
				Estate: "e", Env: "prod", Ledger: st, Sessions: map[string]provider.Session{"fake": s},
			})
			got := w.Live[ledger.Key{Address: addr("network", "main"), Token: "t1"}]
			if got.Seen != c.seen || (got.Seen == plan.Unread) != (got.Why != "") {
				t.Fatalf("got %+v", got)
			}
			label := got.Object.Fields.Text("label")
			if resource.HasUnread(got.Object.Fields["label"]) {
				label = "unread"
			}
			if trails := label == "unread" || c.after < lag && got.Seen == plan.Unread; trails != (got.Trail != nil) {
				t.Fatalf("trail %+v", got.Trail)
			} else if trails && (got.Trail.Wrote != t0() || got.Trail.Until != t0().Add(lag) || got.Trail.Seen != now || got.Trail.Mark ||
				strings.Join(got.Trail.Fields, " ") != map[bool]string{true: "label"}[label == "unread"]) {
				t.Errorf("trail %+v", got.Trail)
			}
			if label != c.label || got.Seen == plan.Present && got.Object.Address != addr("network", "main") {
				t.Errorf("got %s with label %q", got.Object.Address, label)
			}
			if _, blind := w.Blind["fake"]; blind != c.blind {
				t.Errorf("blind: %v", w.Blind)
			}
			if w.Wants != 2 || len(w.Strays) != 0 {
				t.Errorf("%d wants, strays %+v", w.Wants, w.Strays)
			}
		})
	}
}

// A mark that does not show so soon after our write was not taken off, nor was its
// token changed; another environment's was written since.
func TestAMarkMayTrailOurWrite(t *testing.T) {
	t.Parallel()
	other := mark("network", "main", "t1")
	other.Env = "shop"
	for _, c := range []struct {
		after time.Duration
		mark  resource.Mark
		late  bool
	}{
		{0, resource.Mark{}, true},
		{lag - 1, resource.Mark{}, true},
		{lag, resource.Mark{}, false},
		{0, mark("network", "main", "t0"), true},
		{lag, mark("network", "main", "t0"), false},
		{0, mark("network", "main", "t1"), false},
		{0, other, false},
	} {
		after, late := c.after, c.late
		now := t0().Add(after)
		s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
			out := make([]resource.Answer, len(wants))
			for i := range wants {
				out[i] = resource.Answer{At: now, Objects: []resource.Object{{ID: "n-1", Mark: c.mark, Fields: resource.Map{"label": resource.String("x")}}}}
			}
			return out
		}}
		w := observe.New(kinds(), func() time.Time { return now }).Observe(t.Context(), observe.Request{
			Estate: "e", Env: "prod", Sessions: map[string]provider.Session{"fake": s},
			Ledger: folded(t, ledger.Record{ID: "n-1", Scope: "fake/main", Applied: resource.Map{"label": resource.String("x")}}, nil),
		})
		got := w.Live[ledger.Key{Address: addr("network", "main"), Token: "t1"}]
		if got.Seen != plan.Present || got.MarkUnread || (got.Trail != nil) != late || late && (!got.Trail.Mark || len(got.Trail.Fields) != 0) {
			t.Errorf("%+v after %v: %+v, trail %+v", c.mark, after, got, got.Trail)
		}
	}
}

// Where something of an object could not be read, its mark may be there; of an
// aspect, too, that the environment has nothing to do with.
func TestAMarkMayBeUnread(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]resource.Mark{"none": {}, "ours": mark("network", "main", "t1")} {
		now := t0().Add(lag)
		s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
			out := make([]resource.Answer, len(wants))
			for i := range wants {
				fields := resource.Map{"label": resource.String("x"), "tags": resource.Unread{Why: "denied"}}
				out[i] = resource.Answer{At: now, Objects: []resource.Object{{ID: "n-1", Mark: m, Fields: fields}}}
			}
			return out
		}}
		w := observe.New(kinds(), func() time.Time { return now }).Observe(t.Context(), observe.Request{
			Estate: "e", Env: "prod", Sessions: map[string]provider.Session{"fake": s},
			Ledger: folded(t, ledger.Record{ID: "n-1", Scope: "fake/main", Applied: resource.Map{"label": resource.String("x")}}, nil),
		})
		if got := w.Live[ledger.Key{Address: addr("network", "main"), Token: "t1"}]; got.Seen != plan.Present || got.MarkUnread != m.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestStrays(t *testing.T) {
	t.Parallel()
	other := mark("network", "main", "t9")
	other.Env, other.Address.Env = "test", "test"
	copied := mark("disk", "d", "t8")
	foreign := mark("network", "main", "t7") // an object of ours that another estate took over
	foreign.Estate = "f"
	s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i := range out {
			if wants[i].By.IDs != nil {
				out[i].Objects = []resource.Object{{ID: "n-7", Mark: foreign}}
			}
			if wants[i].By.Estate != "" {
				out[i].Objects = []resource.Object{
					{ID: "n-3", Mark: mark("network", "two", "t3")},
					{ID: "n-1", Mark: mark("network", "main", "t1")},
					{ID: "n-2", Mark: mark("network", "main", "t2")},
					{ID: "n-9", Mark: other},
					{ID: "n-8", Mark: copied},
				}
			}
		}
		return out
	}}
	w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
		Estate: "e", Env: "prod", Ledger: folded(t, ledger.Record{ID: "n-1", Scope: "fake/main"}, nil), Sessions: map[string]provider.Session{"fake": s},
	})
	var got []resource.ID
	for _, o := range w.Strays {
		got = append(got, o.ID)
	}
	if fmt.Sprint(got) != "[n-2 n-3]" {
		t.Errorf("strays are %v", got)
	}
}

// TestBeside: what neither spec nor ledger has is looked for by its mark, too, and
// where that is refused nothing else is the worse for it.
func TestBeside(t *testing.T) {
	t.Parallel()
	s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i, w := range wants {
			switch {
			case w.Kind == "machine":
				out[i].Err = &resource.Failure{Class: resource.Denied, Op: "read", Message: "not allowed"}
			case w.Kind == "disk" && w.By.Estate != "":
				out[i].Objects = []resource.Object{{ID: "d-1", Mark: mark("disk", "d", "t8")}}
			case w.By.Estate != "":
				out[i].Objects = []resource.Object{{ID: "n-1", Mark: mark("network", "main", "t1")}}
			}
		}
		return out
	}}
	w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
		Estate: "e", Env: "prod", Ledger: folded(t, ledger.Record{ID: "n-1", Scope: "fake/main"}, nil), Sessions: map[string]provider.Session{"fake": s},
		Beside: []observe.Place{{Alias: "fake", Type: "fake.disk"}, {Alias: "fake", Type: "fake.machine"}, {Alias: "gone", Type: "fake.disk"}},
	})
	if len(w.Strays) != 1 || w.Strays[0].ID != "d-1" || len(w.Blind) != 0 {
		t.Errorf("strays are %v, blind %v", w.Strays, w.Blind)
	}
	for key, live := range w.Live {
		if live.Seen == plan.Unread {
			t.Errorf("%s is unread: %s", key.Address, live.Why)
		}
	}
}

// TestScopes finds an entry's session by the scope where it lives.
func TestScopes(t *testing.T) {
	t.Parallel()
	key := ledger.Key{Address: addr("network", "main"), Token: "t1"}
	answer := func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i := range out {
			out[i] = resource.Answer{Objects: []resource.Object{network(nil)}, At: t0()}
		}
		return out
	}
	none := func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i := range out {
			out[i].At = t0().Add(time.Hour)
		}
		return out
	}
	north, south := &stand{scope: "fake/north", read: answer}, &stand{scope: "fake/south", read: none}
	for name, c := range map[string]struct {
		sessions map[string]provider.Session
		blind    map[string]string
		want     plan.Seen
	}{
		"its own":                       {map[string]provider.Session{"fake": north}, nil, plan.Present},
		"another alias of its scope":    {map[string]provider.Session{"fake": south, "old": north}, nil, plan.Present},
		"the alias looks elsewhere now": {map[string]provider.Session{"fake": south}, nil, plan.Unread},
		"no session":                    {nil, nil, plan.Unread},
		"refused":                       {nil, map[string]string{"fake": "the user is not known"}, plan.Unread},
	} {
		w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
			Estate: "e", Env: "prod", Ledger: folded(t, ledger.Record{ID: "n-1", Scope: "fake/north"}, nil), Sessions: c.sessions, Blind: c.blind,
		})
		got := w.Live[key]
		if got.Seen != c.want || c.want == plan.Unread && got.Why == "" {
			t.Errorf("%s: got %+v", name, got)
		}
		if c.blind != nil && (got.Why != c.blind["fake"] || w.Blind["fake"] == "") {
			t.Errorf("%s: got %+v, blind %v", name, got, w.Blind)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	a := resource.Address{Env: "prod", Provider: "fake", Kind: "balloon", Name: "b"}
	st, err := ledger.Fold([]ledger.Event{{Seq: 1, At: t0(), Address: a, Token: "t1", Type: ledger.Adopted, Record: &ledger.Record{ID: "b-1"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
		return make([]resource.Answer, len(wants))
	}}
	w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{Estate: "e", Env: "prod", Ledger: st, Sessions: map[string]provider.Session{"fake": s}})
	if got := w.Live[ledger.Key{Address: a, Token: "t1"}]; got.Seen != plan.Unread || s.count() != 0 {
		t.Errorf("got %+v after %d reads", got, s.count())
	}
}

// TestFlights has many looks arrive while one is in the air: they share the
// next, and none gets an answer that is older than its own start.
func TestFlights(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
			at := time.Now()
			time.Sleep(time.Second) // the peer's own time
			out := make([]resource.Answer, len(wants))
			for i := range out {
				out[i].Objects = []resource.Object{{
					ID: "n-1", Mark: mark("network", "main", "t1"), Fields: resource.Map{"label": resource.String(at.Format(time.RFC3339Nano))},
				}}
			}
			return out
		}}
		o := observe.New(kinds(), time.Now)
		var wg sync.WaitGroup
		look := func() {
			wg.Go(func() {
				started := time.Now()
				w := o.Observe(t.Context(), observe.Request{
					Estate: "e", Env: "prod", Ledger: &ledger.State{}, Sessions: map[string]provider.Session{"fake": s},
					Desired: []resource.Desired{{Address: addr("network", "main")}, {Address: addr("disk", "d")}},
				})
				if len(w.Strays) != 1 {
					t.Errorf("strays: %+v", w.Strays)
					return
				}
				read, err := time.Parse(time.RFC3339Nano, w.Strays[0].Fields.Text("label"))
				if err != nil || read.Before(started) {
					t.Errorf("a look from %s took an answer from %s (%v)", started, read, err)
				}
			})
		}
		look()
		synctest.Wait()
		time.Sleep(500 * time.Millisecond)
		for range 20 {
			look()
		}
		wg.Wait()
		if s.count() != 2 || len(s.calls[1]) != 40 {
			t.Errorf("%d reads, the second with %d wants", s.count(), len(s.calls[1]))
		}
		for range 3 {
			look()
			wg.Wait()
		}
		if s.count() != 5 {
			t.Errorf("%d reads after three more looks", s.count())
		}
	})
}

// TestFlightOutlivesALook lets one look give up: the others still get theirs.
func TestFlightOutlivesALook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{scope: "fake/main", read: func(ctx context.Context, wants []resource.Want) []resource.Answer {
			time.Sleep(time.Second)
			out := make([]resource.Answer, len(wants))
			for i := range out {
				out[i].Err = ctx.Err()
			}
			return out
		}}
		o := observe.New(kinds(), time.Now)
		r := observe.Request{
			Estate: "e", Env: "prod", Ledger: folded(t, ledger.Record{ID: "n-1", Scope: "fake/main"}, nil), Sessions: map[string]provider.Session{"fake": s},
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		key := ledger.Key{Address: addr("network", "main"), Token: "t1"}
		wg.Go(func() {
			if got := o.Observe(ctx, r).Live[key]; got.Seen != plan.Unread || got.Why != "read: context canceled" {
				t.Errorf("the one that gave up saw %+v", got)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if w := o.Observe(t.Context(), r); len(w.Blind) > 0 {
				t.Errorf("the other one was blind: %v", w.Blind)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

// TestCopies tells copies of a mark from the object that the ledger knows, which is
// looked for by its id alone; of what the ledger does not know all are strays.
func TestCopies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		byID           []resource.Object
		seen           plan.Seen
		copies, strays string
		noRecord       bool
	}{
		"there":               {byID: []resource.Object{{ID: "n-1", Mark: mark("network", "main", "t1")}}, seen: plan.Present, copies: "[n-2 n-3]", strays: "[n-4 n-5]"},
		"gone":                {seen: plan.Absent, copies: "[n-2 n-3]", strays: "[n-4 n-5]"},
		"its id is not known": {noRecord: true, seen: plan.Absent, copies: "[]", strays: "[n-4 n-5]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := t0().Add(lag)
			s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
				out := make([]resource.Answer, len(wants))
				for i := range out {
					out[i].At = now
					if out[i].Objects = c.byID; wants[i].By.Estate != "" {
						out[i].Objects = []resource.Object{
							{ID: "n-3", Mark: mark("network", "main", "t1")},
							{ID: "n-2", Mark: mark("network", "main", "t1")},
							{ID: "n-5", Mark: mark("network", "two", "t2")},
							{ID: "n-4", Mark: mark("network", "two", "t2")},
						}
					}
				}
				return out
			}}
			st := folded(t, ledger.Record{ID: "n-1", Scope: "fake/main"}, nil)
			if c.noRecord {
				var err error
				st, err = ledger.Fold([]ledger.Event{{Seq: 1, At: t0(), Address: addr("network", "main"), Token: "t1", Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Create}}})
				if err != nil {
					t.Fatal(err)
				}
			}
			w := observe.New(kinds(), func() time.Time { return now }).Observe(t.Context(), observe.Request{
				Estate: "e", Env: "prod", Ledger: st, Sessions: map[string]provider.Session{"fake": s},
			})
			if got := w.Live[ledger.Key{Address: addr("network", "main"), Token: "t1"}]; got.Seen != c.seen {
				t.Errorf("it is %+v", got)
			}
			ids := func(objects []resource.Object) string {
				out := []resource.ID{}
				for _, o := range objects {
					out = append(out, o.ID)
				}
				return fmt.Sprint(out)
			}
			if ids(w.Copies) != c.copies || ids(w.Strays) != c.strays {
				t.Errorf("copies %s, strays %s", ids(w.Copies), ids(w.Strays))
			}
		})
	}
}
