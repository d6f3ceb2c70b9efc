package ledger_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// dump writes all that can be seen of a state.
func dump(t interface{ Fatal(...any) }, s *ledger.State) string {
	type entry struct {
		ledger.Entry
		Prev string
		Open *ledger.Open
	}
	var all []entry
	for _, e := range s.Sorted() {
		all = append(all, entry{*e, string(resource.Encode(e.Prev)), e.Open})
	}
	b, err := json.MarshalIndent(map[string]any{"seq": s.Seq, "entries": all, "ended": fmt.Sprint(s.Ended)}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// drawEvent gives an event that often fits the state: its addresses and tokens
// come from small pools.
func drawEvent(t *rapid.T, seq int64) ledger.Event {
	address := rapid.Map(rapid.SampledFrom([]string{"a", "b", "c"}), addr)
	token := rapid.SampledFrom([]string{"1", "2", "3", "4", "5"})
	ev := ledger.Event{
		Seq: seq, At: time.UnixMilli(seq * 1000).UTC(), Run: fmt.Sprint("run", seq/4),
		Address: address.Draw(t, "address"), Token: token.Draw(t, "token"),
		Type: rapid.SampledFrom([]ledger.Type{
			ledger.Intended, ledger.Intended, ledger.Intended, ledger.Accepted, ledger.Done, ledger.Done, ledger.Failed,
			ledger.Doubted, ledger.Settled, ledger.Adopted, ledger.Pinned, ledger.Moved, ledger.Forgotten, ledger.Restored, "nonsense",
		}).Draw(t, "type"),
	}
	rec := func() *ledger.Record {
		r := &ledger.Record{ID: resource.ID("id-" + ev.Token), Applied: resource.Map{}}
		for _, k := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"x", "y"}), rapid.ID[string]).Draw(t, "fields") {
			r.Applied[k] = resource.Int(rapid.IntRange(0, 2).Draw(t, "v"))
		}
		if rapid.Bool().Draw(t, "refers") {
			r.Deps = []ledger.Dep{{Address: address.Draw(t, "to"), Token: rapid.OneOf(token, rapid.Just("")).Draw(t, "to token")}}
		}
		return r
	}
	if rapid.IntRange(0, 9).Draw(t, "bare") == 0 {
		return ev
	}
	switch ev.Type {
	case ledger.Intended:
		op := rapid.SampledFrom([]ledger.Op{ledger.Create, ledger.Create, ledger.Update, ledger.Clear, ledger.Delete, ledger.Adopt, ledger.Release}).Draw(t, "op")
		ev.Intent = &ledger.Intent{Op: op, Record: *rec()}
	case ledger.Accepted:
		ev.Handle = "task-1"
	case ledger.Done, ledger.Settled, ledger.Failed:
		switch rapid.IntRange(0, 2).Draw(t, "outcome") {
		case 0:
			ev.Record = rec()
		case 1:
			ev.Gone = ev.Type != ledger.Failed
		}
	case ledger.Doubted:
		ev.Fault = &ledger.Fault{Class: resource.UnknownOutcome, Message: "lost"}
	case ledger.Adopted, ledger.Pinned:
		ev.Record = rec()
	case ledger.Moved:
		from := address.Draw(t, "from")
		ev.From = &from
	case ledger.Forgotten, ledger.Restored:
		ev.Why = rapid.SampledFrom([]string{"", "gone"}).Draw(t, "why")
	}
	return ev
}

func invariants(t *rapid.T, s *ledger.State) {
	current := map[resource.Address]int{}
	at := map[resource.Address]bool{}
	tokens := map[string]bool{}
	for key, e := range s.Entries {
		at[e.Address] = true
		switch {
		case key != e.Key:
			t.Fatalf("%v is filed under %v", e.Key, key)
		case tokens[e.Token]:
			t.Fatalf("token %s lives twice", e.Token)
		case s.Ended[e.Token] != "":
			t.Fatalf("token %s lives, though it was %s", e.Token, s.Ended[e.Token])
		case !e.Made && (e.Open == nil || e.Open.Op != ledger.Create && e.Open.Op != ledger.Adopt):
			t.Fatalf("nothing stands behind %v, nor is it being made", e.Key)
		case e.Role == ledger.Current:
			current[e.Address]++
		case e.Role != ledger.Deposed:
			t.Fatalf("role %q", e.Role)
		}
		tokens[e.Token] = true
	}
	for _, name := range []string{"a", "b", "c"} {
		a := addr(name)
		c := s.Current(a)
		if current[a] > 1 || (current[a] == 1) != at[a] || (c != nil) != at[a] || c != nil && s.Entries[c.Key] != c {
			t.Fatalf("%s: %d current entries, objects there %v, Current %v", a, current[a], at[a], c)
		}
	}
}

// TestAnySequenceKeepsTheInvariants feeds events that fit and events that do
// not.
func TestAnySequenceKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &ledger.State{}
		var accepted []ledger.Event
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			ev := drawEvent(t, int64(i+1))
			before, ended := dump(t, s), maps.Clone(s.Ended)
			given, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			open := 0
			if e := s.Entries[ledger.Key{Address: ev.Address, Token: ev.Token}]; e != nil && e.Open != nil {
				open = 1
			}
			if err := s.Apply(ev); err != nil {
				if after := dump(t, s); after != before {
					t.Fatalf("refused (%v), yet\n%s\nbecame\n%s", err, before, after)
				}
				continue
			}
			if ev.Type == ledger.Intended && open == 1 {
				t.Fatal("a second intent was opened")
			}
			accepted = append(accepted, ev)
			invariants(t, s)
			for token := range ended {
				if s.Ended[token] == "" && (ev.Type != ledger.Adopted || ev.Token != token) {
					t.Fatalf("token %s came back by %s", token, ev.Type)
				}
			}
			if again, err := json.Marshal(ev); err != nil || string(again) != string(given) {
				t.Fatalf("the event was written to: %s, was %s, %v", again, given, err)
			}
		}
		kept, err := json.Marshal(accepted)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := ledger.Fold(accepted)
		if err != nil {
			t.Fatalf("what was accepted one by one is refused as a whole: %v", err)
		}
		if got, want := dump(t, whole), dump(t, s); len(accepted) > 0 && got != want {
			t.Fatalf("whole\n%s\none by one\n%s", got, want)
		}
		if again, _ := json.Marshal(accepted); string(again) != string(kept) {
			t.Fatal("folding wrote into the events")
		}
	})
}

func TestSortedIsInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &ledger.State{}
		for i := range 20 {
			_ = s.Apply(drawEvent(t, int64(i+1))) // refused ones change nothing
		}
		all := s.Sorted()
		if len(all) != len(s.Entries) || !slices.IsSortedFunc(all, func(a, b *ledger.Entry) int { return a.Key.Compare(b.Key) }) {
			t.Fatalf("%d of %d, or not in order", len(all), len(s.Entries))
		}
	})
}
