package plan_test

import (
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// A destroy deletes what the ledger knows. What else bears the environment's mark
// is held: nothing to do would be untrue, and it may be another store's.
func TestADestroyHoldsWhatTheLedgerDoesNotKnow(t *testing.T) {
	t.Parallel()
	a := parseLocal(t, "t.net/a")
	ours, theirs := ledger.Holder(1), ledger.Holder(2)
	for name, c := range map[string]struct {
		destroy bool
		token   string
		why     plan.HeldWhy
	}{
		"of this store":     {true, ours.Token("0194a000-0000-7000-8000-000000000001"), plan.HeldOrphan},
		"of another store":  {true, theirs.Token("0194a000-0000-7000-8000-000000000001"), plan.HeldElsewhere},
		"of no store":       {true, "x", plan.HeldOrphan},
		"without a destroy": {false, theirs.Token("0194a000-0000-7000-8000-000000000001"), plan.HeldElsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Build(plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Holder: ours, Destroy: c.destroy,
				Strays: []resource.Object{{Address: a, ID: "net-1", Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: c.token}}},
			})
			if len(p.Steps) != 0 || len(p.Held) != 1 || p.Held[0].Why != c.why || p.Held[0].Mend == "" {
				t.Errorf("steps %v, held %+v", p.Steps, p.Held)
			}
		})
	}
}

// Two stores that made an environment at the same moment have two objects at each
// address. Each names the other store, and waits for a person.
func TestAnObjectBesideOursNamesTheStoreThatMadeIt(t *testing.T) {
	t.Parallel()
	a, b := parseLocal(t, "t.net/a"), parseLocal(t, "t.net/b")
	ours, theirs := ledger.Holder(1), ledger.Holder(2)
	key := ledger.Key{Address: a, Token: ours.Token("0194a000-0000-7000-8000-000000000001")}
	mine := ledger.Event{Address: a, Token: key.Token, Type: ledger.Adopted, Record: &ledger.Record{ID: "net-1", Schema: "1"}}
	elsewhere := ledger.Event{Address: b, Token: "x", Type: ledger.Adopted, Record: &ledger.Record{ID: "net-1", Schema: "1"}}
	other := resource.Object{Address: a, ID: "net-2", Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: theirs.Token("0194a000-0000-7000-8000-000000000002")}}
	for name, c := range map[string]struct {
		events []ledger.Event
		text   string
	}{
		"beside ours": {[]ledger.Event{mine}, "net-2 was made by store 0000-0002, and this store, 0000-0001, has an object of its own at that address"},
		"by itself":   {[]ledger.Event{elsewhere}, "net-2 was made by store 0000-0002, and neither the spec nor this store's ledger knows it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, err := ledger.Fold(c.events)
			if err != nil {
				t.Fatal(err)
			}
			in := plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: state, Holder: ours,
				Strays: []resource.Object{other},
			}
			in.Live = map[ledger.Key]plan.Reading{key: {Seen: plan.Present, Object: resource.Object{
				Address: a, ID: "net-1", Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: key.Token},
			}}}
			for _, h := range plan.Build(in).Held {
				if h.Token == other.Mark.Token {
					if h.Why != plan.HeldOrphan || h.Text != c.text {
						t.Errorf("held %q: %s", h.Why, h.Text)
					}
					return
				}
			}
			t.Error("the other store's object is not held")
		})
	}
}

// An environment in which another store's marks are seen is that store's, whatever
// this one's spec has, until this one has objects there itself or a person has it
// take over.
func TestAnOccupiedEnvironmentIsLeftAlone(t *testing.T) {
	t.Parallel()
	a, b := parseLocal(t, "t.net/a"), parseLocal(t, "t.net/b")
	ours, theirs := ledger.Holder(1), ledger.Holder(2)
	key := ledger.Key{Address: a, Token: ours.Token("0194a000-0000-7000-8000-000000000001")}
	mine := ledger.Event{Address: a, Token: key.Token, Type: ledger.Adopted, Record: &ledger.Record{ID: "net-1", Schema: "1"}}
	stray := func(by ledger.Holder) resource.Object {
		return resource.Object{Address: b, ID: "net-2", Mark: resource.Mark{Estate: estate, Env: "prod", Address: b, Token: by.Token("0194a000-0000-7000-8000-000000000002")}}
	}
	for name, c := range map[string]struct {
		by     ledger.Holder
		events []ledger.Event
		taken  bool
		barred bool
	}{
		"another store's":         {by: theirs, barred: true},
		"our own":                 {by: ours},
		"to be taken over":        {by: theirs, taken: true},
		"beside what is ours too": {by: theirs, events: []ledger.Event{mine}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, err := ledger.Fold(c.events)
			if err != nil {
				t.Fatal(err)
			}
			in := plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: state, Holder: ours, TakeOver: c.taken,
				Desired: []resource.Desired{{Address: a, Fields: resource.Map{"cidr": resource.String("10.0")}}},
				Strays:  []resource.Object{stray(c.by)},
				Live: map[ledger.Key]plan.Reading{key: {Seen: plan.Present, Object: resource.Object{
					Address: a, ID: "net-1", Fields: resource.Map{"cidr": resource.String("10.1")}, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: key.Token},
				}}},
			}
			p := plan.Build(in)
			held := slices.ContainsFunc(p.Held, func(h plan.Held) bool { return h.Address == b && h.Why == plan.HeldElsewhere })
			if barred := len(p.Steps) == 0; barred != c.barred || held != c.barred {
				t.Errorf("steps %v, held %+v", p.Steps, p.Held)
			}
		})
	}
}

// What an import meets that another store marked is refused in the name of that store,
// with where to let go of it.
func TestAnImportNamesTheStoreThatMarkedTheObject(t *testing.T) {
	t.Parallel()
	a, other := parseLocal(t, "t.net/a"), parseLocal(t, "t.net/b")
	other.Env = "shop"
	ours, theirs := ledger.Holder(1), ledger.Holder(2)
	const id = "0194a000-0000-7000-8000-000000000001"
	for name, c := range map[string]struct {
		mark resource.Mark
		text string
		mend string
	}{
		"another environment's": {
			resource.Mark{Estate: estate, Env: "shop", Address: other, Token: theirs.Token(id)},
			"net-1 bears the mark of shop/t.net/b, estate estate-1, written by store 0000-0002", "isobar forget shop t.net/b",
		},
		"another estate's": {
			resource.Mark{Estate: "estate-2", Env: "prod", Address: a, Token: theirs.Token(id)},
			"net-1 bears the mark of prod/t.net/a, estate estate-2, written by store 0000-0002", "with store 0000-0002",
		},
		"of this store": {
			resource.Mark{Estate: estate, Env: "shop", Address: other, Token: ours.Token(id)},
			"net-1 bears the mark of shop/t.net/b, estate estate-1", "release it there first",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Build(plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Holder: ours,
				Desired: []resource.Desired{{Address: a, Fields: resource.Map{"cidr": resource.String("10.0")}}},
				Imports: map[resource.Address]plan.Import{a: {Named: "net-1", Reading: plan.Reading{
					Seen: plan.Present, Object: resource.Object{Address: a, ID: "net-1", Fields: resource.Map{"cidr": resource.String("10.0")}, Mark: c.mark},
				}}},
			})
			if len(p.Steps) > 0 || len(p.Held) != 1 || p.Held[0].Text != c.text || !strings.Contains(p.Held[0].Mend, c.mend) {
				t.Errorf("steps %v, held %+v", p.Steps, p.Held)
			}
		})
	}
}
