package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

func addr(name string) resource.Address {
	return resource.Address{Env: "prod", Provider: "t", Kind: "k", Name: name}
}

func ref(name string) *resource.Address { a := addr(name); return &a }

func record(id string, x int, deps ...ledger.Dep) *ledger.Record {
	return &ledger.Record{ID: resource.ID(id), Applied: resource.Map{"x": resource.Int(x)}, Deps: deps}
}

func intent(name, token string, op ledger.Op) ledger.Event {
	return ledger.Event{Address: addr(name), Token: token, Type: ledger.Intended, Intent: &ledger.Intent{Op: op, Record: *record("", 1)}}
}

func done(name, token string, r *ledger.Record) ledger.Event {
	return ledger.Event{Address: addr(name), Token: token, Type: ledger.Done, Record: r}
}

func gone(name, token string) ledger.Event {
	return ledger.Event{Address: addr(name), Token: token, Type: ledger.Done, Gone: true}
}

func made(name, token string, deps ...ledger.Dep) []ledger.Event {
	return []ledger.Event{intent(name, token, ledger.Create), done(name, token, record("id-"+token, 1, deps...))}
}

func pin(name, token string, x int) ledger.Event {
	return ledger.Event{Address: addr(name), Token: token, Type: ledger.Pinned, Record: record("id-"+token, x)}
}

func event(name, token string, typ ledger.Type) ledger.Event {
	return ledger.Event{Address: addr(name), Token: token, Type: typ}
}

func list(parts ...any) []ledger.Event {
	var out []ledger.Event
	for _, p := range parts {
		switch x := p.(type) {
		case ledger.Event:
			out = append(out, x)
		case []ledger.Event:
			out = append(out, x...)
		}
	}
	for i := range out {
		out[i].Seq = int64(i + 1)
	}
	return out
}

// brief writes a state in one line: "a/1 current made id-1 [open create]".
func brief(s *ledger.State) string {
	var lines []string
	for _, e := range s.Sorted() {
		l := fmt.Sprintf("%s/%s %s", e.Address.Name, e.Token, e.Role)
		if e.Made {
			l += " made " + string(e.Record.ID)
		}
		if x := e.Record.Applied["x"]; x != nil {
			l += " x=" + string(resource.Encode(x))
		}
		if e.Record.Broken != "" {
			l += " broken"
		}
		for _, d := range e.Record.Deps {
			l += " → " + d.Address.Name + "/" + d.Token
		}
		if e.Open != nil {
			l += " open " + string(e.Open.Op)
			if e.Open.Handle != "" {
				l += " " + string(e.Open.Handle)
			}
			if e.Open.Doubt != nil {
				l += " doubt " + e.Open.Doubt.Message
			}
		}
		lines = append(lines, l)
	}
	for _, token := range ended(s).Keys() {
		lines = append(lines, token+" ended: "+s.Ended[token])
	}
	return strings.Join(lines, "; ")
}

func ended(s *ledger.State) resource.Map {
	out := resource.Map{}
	for k, v := range s.Ended {
		out[k] = resource.String(v)
	}
	return out
}

func TestFold(t *testing.T) {
	t.Parallel()
	fault := &ledger.Fault{Class: resource.UnknownOutcome, Message: "timeout"}
	broken := record("id-1", 1)
	broken.Broken = "half made"
	for name, c := range map[string]struct {
		events []ledger.Event
		want   string
	}{
		"nothing":            {nil, ""},
		"a create intended":  {list(intent("a", "1", ledger.Create)), "a/1 current open create"},
		"a create accepted":  {list(intent("a", "1", ledger.Create), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Accepted, Handle: "task"}), "a/1 current open create task"},
		"a create done":      {list(made("a", "1")), "a/1 current made id-1 x=1"},
		"a create failed":    {list(intent("a", "1", ledger.Create), event("a", "1", ledger.Failed)), "1 ended: not done"},
		"a create half done": {list(intent("a", "1", ledger.Create), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Failed, Record: broken}), "a/1 current made id-1 x=1 broken"},
		"a create in doubt":  {list(intent("a", "1", ledger.Create), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Doubted, Fault: fault}), "a/1 current open create doubt timeout"},
		"a create settled as done": {
			list(intent("a", "1", ledger.Create), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Settled, Record: record("id-1", 1)}),
			"a/1 current made id-1 x=1",
		},
		"a create settled as not done": {list(intent("a", "1", ledger.Create), event("a", "1", ledger.Settled)), "1 ended: not done"},
		"an update intended":           {list(made("a", "1"), intent("a", "1", ledger.Update)), "a/1 current made id-1 x=1 open update"},
		"an update done":               {list(made("a", "1"), intent("a", "1", ledger.Update), done("a", "1", record("id-1", 2))), "a/1 current made id-1 x=2"},
		"an update failed":             {list(made("a", "1"), intent("a", "1", ledger.Update), event("a", "1", ledger.Failed)), "a/1 current made id-1 x=1"},
		"an update settled as not done": {
			list(made("a", "1"), intent("a", "1", ledger.Update), event("a", "1", ledger.Settled)), "a/1 current made id-1 x=1",
		},
		"a delete done":   {list(made("a", "1"), intent("a", "1", ledger.Delete), gone("a", "1")), "1 ended: deleted"},
		"a delete failed": {list(made("a", "1"), intent("a", "1", ledger.Delete), event("a", "1", ledger.Failed)), "a/1 current made id-1 x=1"},
		"a release done":  {list(made("a", "1"), intent("a", "1", ledger.Release), gone("a", "1")), "1 ended: released"},
		"a correction":    {list(made("a", "1"), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Settled, Record: record("id-1", 7)}), "a/1 current made id-1 x=7"},
		"deleted outside": {list(made("a", "1"), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Forgotten, Why: "gone"}), "1 ended: gone"},
		"forgotten":       {list(made("a", "1"), event("a", "1", ledger.Forgotten)), "1 ended: released"},
		"adopted to go": {
			list(made("a", "1"), ledger.Event{Address: addr("a"), Token: "2", Type: ledger.Adopted, Record: record("id-2", 1), Beside: true}),
			"a/1 current made id-1 x=1; a/2 deposed made id-2 x=1",
		},
		"adopted to go from where nothing is": {
			list(ledger.Event{Address: addr("a"), Token: "2", Type: ledger.Adopted, Record: record("id-2", 1), Beside: true}),
			"a/2 current made id-2 x=1",
		},
		"adopted":                      {list(ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Adopted, Record: record("id-1", 1)}), "a/1 current made id-1 x=1"},
		"create before destroy, begun": {list(made("a", "1"), intent("a", "2", ledger.Create)), "a/1 deposed made id-1 x=1; a/2 current open create"},
		"create before destroy, done": {
			list(made("a", "1"), made("a", "2"), intent("a", "1", ledger.Delete), gone("a", "1")), "a/2 current made id-2 x=1; 1 ended: deleted",
		},
		"create before destroy, the create failed": {
			list(made("a", "1"), intent("a", "2", ledger.Create), event("a", "2", ledger.Failed)), "a/1 current made id-1 x=1; 2 ended: not done",
		},
		"destroy before create": {
			list(made("a", "1"), intent("a", "1", ledger.Delete), gone("a", "1"), made("a", "2")), "a/2 current made id-2 x=1; 1 ended: deleted",
		},
		"the newest deposed one is the heir": {
			list(made("a", "1"), made("a", "2"), made("a", "3"), event("a", "3", ledger.Forgotten)),
			"a/1 deposed made id-1 x=1; a/2 current made id-2 x=1; 3 ended: released",
		},
		"adoption of an ended token": {
			list(made("a", "1"), event("a", "1", ledger.Forgotten), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Adopted, Record: record("id-1", 1)}),
			"a/1 current made id-1 x=1",
		},
		"pinned":          {list(pin("a", "1", 1)), "a/1 current made id-1 x=1"},
		"pinned anew":     {list(pin("a", "1", 1), pin("a", "1", 2)), "a/1 current made id-1 x=2"},
		"a pin let go of": {list(pin("a", "1", 1), event("a", "1", ledger.Forgotten), pin("a", "2", 2)), "a/2 current made id-2 x=2; 1 ended: released"},
		"moved, and what refers to it": {
			list(made("a", "1"), made("b", "2", ledger.Dep{Address: addr("a"), Token: "1"}, ledger.Dep{Address: addr("c"), Token: "3"}),
				ledger.Event{Address: addr("z"), Token: "1", Type: ledger.Moved, From: ref("a")}),
			"b/2 current made id-2 x=1 → z/1 → c/3; z/1 current made id-1 x=1",
		},
		"moved away from a deposed one": {
			list(made("a", "1"), made("a", "2"), ledger.Event{Address: addr("z"), Token: "2", Type: ledger.Moved, From: ref("a")}),
			"a/1 current made id-1 x=1; z/2 current made id-2 x=1",
		},
		"several at once": {list(made("b", "2"), made("a", "1")), "a/1 current made id-1 x=1; b/2 current made id-2 x=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ledger.Fold(c.events)
			if err != nil {
				t.Fatal(err)
			}
			if got := brief(s); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if s.Seq != int64(len(c.events)) {
				t.Errorf("Seq %d after %d events", s.Seq, len(c.events))
			}
		})
	}
}

func TestFoldRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []ledger.Event
		want   string
	}{
		"an intent without an intent":      {list(event("a", "1", ledger.Intended)), "carries no intent"},
		"a second intent":                  {list(made("a", "1"), intent("a", "1", ledger.Update), intent("a", "1", ledger.Delete)), "open already"},
		"an update of nothing":             {list(intent("a", "1", ledger.Update)), "no such entry"},
		"a create of a living token":       {list(made("a", "1"), intent("a", "1", ledger.Create)), "in use by prod/t.k/a"},
		"a create of one living elsewhere": {list(made("a", "1"), intent("b", "1", ledger.Create)), "in use by prod/t.k/a"},
		"a create of an ended token":       {list(made("a", "1"), event("a", "1", ledger.Forgotten), intent("a", "1", ledger.Create)), "has ended: released"},
		"an adoption of one elsewhere":     {list(made("a", "1"), ledger.Event{Address: addr("b"), Token: "1", Type: ledger.Adopted, Record: record("i", 1)}), "in use by prod/t.k/a"},
		"an adoption without a record":     {list(event("a", "1", ledger.Adopted)), "no record"},
		"an outcome without an intent":     {list(made("a", "1"), gone("a", "1")), "no intent is open"},
		"a failure without an intent":      {list(made("a", "1"), event("a", "1", ledger.Failed)), "no intent is open"},
		"an outcome that says nothing":     {list(intent("a", "1", ledger.Create), event("a", "1", ledger.Done)), "no record"},
		"an acceptance of nothing":         {list(event("a", "1", ledger.Accepted)), "no intent is open"},
		"a doubt of nothing":               {list(made("a", "1"), event("a", "1", ledger.Doubted)), "no intent is open"},
		"a settling of nothing":            {list(event("a", "1", ledger.Settled)), "no such entry"},
		"a settling that says nothing":     {list(made("a", "1"), event("a", "1", ledger.Settled)), "no intent is open"},
		"a move from nowhere":              {list(made("a", "1"), event("b", "1", ledger.Moved)), "from where"},
		"a move of nothing":                {list(ledger.Event{Address: addr("b"), Token: "1", Type: ledger.Moved, From: ref("a")}), "no such entry"},
		"a move onto another":              {list(made("a", "1"), made("b", "2"), ledger.Event{Address: addr("b"), Token: "1", Type: ledger.Moved, From: ref("a")}), "taken"},
		"forgetting nothing":               {list(event("a", "1", ledger.Forgotten)), "no such entry"},
		"a pin without a record":           {list(event("a", "1", ledger.Pinned)), "no record"},
		"a pin beside another":             {list(pin("a", "1", 1), pin("a", "2", 1)), "holds another already"},
		"a pin under a token elsewhere":    {list(pin("a", "1", 1), pin("b", "1", 1)), "in use by prod/t.k/a"},
		"a pin under an ended token":       {list(pin("a", "1", 1), event("a", "1", ledger.Forgotten), pin("a", "1", 1)), "has ended: released"},
		"a pin of what is being changed":   {list(made("a", "1"), intent("a", "1", ledger.Update), pin("a", "1", 1)), "open already"},
		"an unknown type":                  {list(event("a", "1", "nonsense")), "unknown type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ledger.Fold(c.events)
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, %v; want an error with %q", s, err, c.want)
			}
			if last := c.events[len(c.events)-1]; !strings.Contains(err.Error(), fmt.Sprintf("event %d (%s of %s", last.Seq, last.Type, last.Address)) {
				t.Errorf("%v does not say which event", err)
			}
		})
	}
}

// TestPrev keeps what a write replaced, so that a stale read can be told.
func TestPrev(t *testing.T) {
	t.Parallel()
	upd := func(fields resource.Map) []ledger.Event {
		return []ledger.Event{intent("a", "1", ledger.Update), done("a", "1", &ledger.Record{ID: "id-1", Applied: fields})}
	}
	one, two := resource.Int(1), resource.Int(2)
	for name, c := range map[string]struct {
		events []ledger.Event
		want   resource.Map
	}{
		"a create wrote what was not there": {list(made("a", "1")), resource.Map{"x": resource.Null{}}},
		"an update replaced":                {list(made("a", "1"), upd(resource.Map{"x": two})), resource.Map{"x": one}},
		"an update added":                   {list(made("a", "1"), upd(resource.Map{"x": one, "y": two})), resource.Map{"x": resource.Null{}, "y": resource.Null{}}},
		"an update took out":                {list(made("a", "1"), upd(resource.Map{})), resource.Map{"x": one}},
		"an adoption writes nothing": {
			list(intent("a", "1", ledger.Adopt), done("a", "1", record("id-1", 2))), nil,
		},
		"a correction writes nothing": {
			list(made("a", "1"), ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Settled, Record: record("id-1", 2)}), resource.Map{"x": resource.Null{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ledger.Fold(c.events)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Current(addr("a")).Prev; !resource.Equal(got, c.want) {
				t.Errorf("got %s, want %s", resource.Encode(got), resource.Encode(c.want))
			}
		})
	}
}

// TestSent keeps what an update was to set that was settled as not done, for as
// long as it may land.
func TestSent(t *testing.T) {
	t.Parallel()
	at := func(ev ledger.Event, d time.Duration) ledger.Event {
		ev.At = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).Add(d)
		return ev
	}
	upd := func(x int, d time.Duration) ledger.Event {
		ev := at(intent("a", "1", ledger.Update), d)
		ev.Intent.Record, ev.Intent.Paths = *record("id-1", x), []resource.Path{{"x"}}
		return ev
	}
	settled := func(x int, d time.Duration) ledger.Event {
		return at(ledger.Event{Address: addr("a"), Token: "1", Type: ledger.Settled, Record: record("id-1", x)}, d)
	}
	finished := func(x int, d time.Duration) ledger.Event { return at(done("a", "1", record("id-1", x)), d) }
	for name, c := range map[string]struct {
		events []ledger.Event
		want   []int
	}{
		"done":                     {list(made("a", "1"), upd(2, 0), finished(2, 0)), nil},
		"settled as done":          {list(made("a", "1"), upd(2, 0), settled(2, 0)), nil},
		"settled as not done":      {list(made("a", "1"), upd(2, 0), settled(1, 0)), []int{2}},
		"two of them":              {list(made("a", "1"), upd(2, 0), settled(1, 0), upd(3, 0), settled(1, time.Minute)), []int{2, 3}},
		"one after it that worked": {list(made("a", "1"), upd(2, 0), settled(1, 0), upd(3, 0), finished(3, time.Minute)), []int{2}},
		"too old to come":          {list(made("a", "1"), upd(2, 0), settled(1, 0), upd(3, 0), finished(3, 2*time.Hour)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ledger.Fold(c.events)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, x := range s.Clone().Current(addr("a")).Sent {
				got = append(got, int(x.Fields["x"].(resource.Int)))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("sent %v, want %v", got, c.want)
			}
		})
	}
}

// TestAnEntryKnowsItsNames: all that it was called, each once, whatever row it was read from.
func TestAnEntryKnowsItsNames(t *testing.T) {
	t.Parallel()
	s := &ledger.State{}
	apply := func(ev ledger.Event) {
		t.Helper()
		ev.Token = "1"
		if err := s.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to string) {
		t.Helper()
		apply(ledger.Event{Address: addr(to), Type: ledger.Moved, From: ref(from)})
	}
	apply(ledger.Event{Address: addr("a"), Type: ledger.Adopted, Record: &ledger.Record{ID: "net-1"}})
	for _, names := range [][]string{{"a", "b"}, {"b", "c"}, {"c", "b"}, {"b", "d"}} {
		move(names[0], names[1])
		apply(ledger.Event{Address: addr(names[1]), Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Adopt}}) // its mark is written
		apply(ledger.Event{Address: addr(names[1]), Type: ledger.Done, Record: &ledger.Record{ID: "net-1"}})
	}
	e := s.Clone().Current(addr("d"))
	if got, want := e.Names(), []resource.Address{addr("a"), addr("c"), addr("b")}; !slices.Equal(got, want) {
		t.Fatalf("it was %v, not %v", got, want)
	}
	e.Past = nil // as in a row that was written before there was one
	if got, want := e.Names(), []resource.Address{addr("b")}; !slices.Equal(got, want) {
		t.Fatalf("it was %v, not %v", got, want)
	}
}
