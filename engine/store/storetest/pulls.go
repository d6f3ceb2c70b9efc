package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

func pulls(t *testing.T, s store.Store) {
	ctx := t.Context()
	none, err := s.Pulls(ctx, "shop")
	must(t, err)
	same(t, len(none), 0)
	for _, number := range []int{12, 3} {
		must(t, s.PutPull(ctx, store.Pull{Repo: "shop", Number: number, Open: true, Updated: t0(), Body: json.RawMessage(`{"a":  "<"}`)}))
	}
	must(t, s.PutPull(ctx, store.Pull{Repo: "base", Number: 3}))
	must(t, s.PutPull(ctx, store.Pull{Repo: "shop", Number: 3, Updated: t0().Add(time.Second), Body: json.RawMessage(`2`)}))
	got, err := s.Pulls(ctx, "shop")
	must(t, err)
	same(t, got, []store.Pull{
		{Repo: "shop", Number: 3, Updated: kept(t0()).Add(time.Second), Body: json.RawMessage(`2`)},
		{Repo: "shop", Number: 12, Open: true, Updated: kept(t0()), Body: json.RawMessage(`{"a":  "<"}`)},
	})
	same(t, string(got[1].Body), `{"a":  "<"}`)
	got[1].Body[1] = 'x' // a copy
	got, err = s.Pulls(ctx, "shop")
	must(t, err)
	same(t, string(got[1].Body), `{"a":  "<"}`)
	other, err := s.Pulls(ctx, "base")
	must(t, err)
	same(t, other, []store.Pull{{Repo: "base", Number: 3}})
	for _, p := range []store.Pull{{Number: 1}, {Repo: "shop"}, {Repo: "shop", Number: -1}, {Repo: "shop", Number: 1, Body: json.RawMessage(`{`)}} {
		wantErr(t, s.PutPull(ctx, p), store.ErrRefused)
	}
}

func deliveries(t *testing.T, s store.Store) {
	ctx := t.Context()
	tell := func(d store.Delivery, want bool) {
		t.Helper()
		d.At = t0()
		added, err := s.Deliver(ctx, d)
		must(t, err)
		same(t, added, want)
	}
	told := func(repo string, after int64, limit int) []store.Delivery {
		t.Helper()
		out, err := s.Deliveries(ctx, repo, after, limit)
		must(t, err)
		return out
	}
	same(t, len(told("shop", 0, 9)), 0)
	tell(store.Delivery{Repo: "shop", ID: "z", Event: "pull", Pull: 7, N: 99}, true)
	tell(store.Delivery{Repo: "base", ID: "z", Event: "ping"}, true)
	tell(store.Delivery{Repo: "shop", ID: "a", Event: "push", Ref: "refs/heads/main\x00\xff"}, true)
	tell(store.Delivery{Repo: "shop", ID: "z", Event: "comment", Pull: 8}, false)
	all := told("shop", 0, 9)
	same(t, all, []store.Delivery{
		{N: all[0].N, Repo: "shop", ID: "z", Event: "pull", Pull: 7, At: kept(t0())},
		{N: all[1].N, Repo: "shop", ID: "a", Event: "push", Ref: "refs/heads/main\uFFFD", At: kept(t0())},
	})
	if all[0].N < 1 || all[0].N >= all[1].N {
		t.Errorf("the numbers are %d, %d", all[0].N, all[1].N)
	}
	same(t, told("shop", all[0].N, 9), all[1:])
	same(t, told("shop", 0, 1), all[:1])
	for _, limit := range []int{0, -1} {
		same(t, len(told("shop", 0, limit)), 0)
	}
	same(t, len(told("shop", all[1].N, 9)), 0)
	for _, d := range []store.Delivery{{ID: "b"}, {Repo: "shop"}, {Repo: "shop", ID: "\x00"}, {Repo: "shop", ID: strings.Repeat("x", 256)}} {
		_, err := s.Deliver(ctx, d)
		wantErr(t, err, store.ErrRefused)
	}
	tell(store.Delivery{Repo: "shop", ID: strings.Repeat("x", 255)}, true)
}

// prunePulls takes out closed pulls and old deliveries, and gives no number again.
func prunePulls(t *testing.T, s store.Store) {
	ctx := t.Context()
	day := func(n int) time.Time { return kept(t0()).AddDate(0, 0, n) }
	for i, p := range []store.Pull{
		{Open: true, Updated: day(1)}, {Updated: day(2)}, {Updated: day(1)}, {Updated: day(10)}, {Updated: day(3)},
	} {
		p.Repo, p.Number = "shop", i+1
		must(t, s.PutPull(ctx, p))
	}
	last := int64(0)
	tell := func(id string, at int) {
		t.Helper()
		_, err := s.Deliver(ctx, store.Delivery{Repo: "shop", ID: id, At: day(at)})
		must(t, err)
		all, err := s.Deliveries(ctx, "shop", 0, 99)
		must(t, err)
		if n := all[len(all)-1].N; n <= last {
			t.Fatalf("the number %d after %d", n, last)
		}
		last = all[len(all)-1].N
	}
	left := func() (out []string) {
		t.Helper()
		open, err := s.Pulls(ctx, "shop")
		must(t, err)
		for _, p := range open {
			out = append(out, fmt.Sprint(p.Number))
		}
		all, err := s.Deliveries(ctx, "shop", 0, 99)
		must(t, err)
		for _, d := range all {
			out = append(out, d.ID)
		}
		return out
	}
	tell("a", 1)
	tell("b", 9)
	tell("c", 2)
	tell("d", 3)
	tell("e", 4)
	keep := store.Retention{Since: day(10), Told: day(5)}
	gone, err := s.Prune(ctx, keep, 2)
	must(t, err)
	same(t, gone, store.Pruned{Pulls: 2, Deliveries: 2})
	same(t, left(), []string{"1", "4", "5", "b", "d", "e"})
	gone, err = s.Prune(ctx, keep, 2)
	must(t, err)
	same(t, gone, store.Pruned{Pulls: 1, Deliveries: 1})
	same(t, left(), []string{"1", "4", "b", "e"}) // the last one stays, however old
	gone, err = s.Prune(ctx, store.Retention{}, 9)
	must(t, err)
	same(t, gone, store.Pruned{})
	_, err = s.Prune(ctx, store.Retention{Told: day(99)}, 9)
	must(t, err)
	same(t, left(), []string{"1", "4", "e"})
	tell("f", 5)
	_, err = s.Prune(ctx, store.Retention{Told: day(99)}, 9)
	must(t, err)
	tell("e", 6) // what was taken out is told anew
	same(t, left(), []string{"1", "4", "f", "e"})
}
