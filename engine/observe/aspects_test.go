package observe_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// made gives a ledger that holds one object made at t0.
func made(t *testing.T, kind string, applied resource.Map) *ledger.State {
	t.Helper()
	a := addr(kind, "main")
	rec := ledger.Record{ID: "n-1", Scope: "fake/main", Applied: applied}
	s, err := ledger.Fold([]ledger.Event{
		{Seq: 1, At: t0(), Address: a, Token: "t1", Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Create, Record: rec}},
		{Seq: 2, At: t0(), Address: a, Token: "t1", Type: ledger.Done, Record: &rec},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seen reads one object of a kind and gives it with the aspects that were
// asked for by its id.
func seen(t *testing.T, kind string, applied, wanted, live resource.Map) (resource.Object, []string) {
	t.Helper()
	s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i := range out {
			out[i] = resource.Answer{At: t0(), Objects: []resource.Object{{ID: "n-1", Mark: mark(kind, "main", "t1"), Fields: live}}}
		}
		return out
	}}
	w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
		Estate: "e", Env: "prod", Ledger: made(t, kind, applied), Sessions: map[string]provider.Session{"fake": s},
		Desired: []resource.Desired{{Address: addr(kind, "main"), Fields: wanted}},
	})
	if len(s.calls) != 1 || len(s.calls[0]) != 2 || !slices.Equal(s.calls[0][0].Aspects, []string{""}) {
		t.Fatalf("asked %+v", s.calls)
	}
	return w.Live[ledger.Key{Address: addr(kind, "main"), Token: "t1"}].Object, s.calls[0][1].Aspects
}

// Aspects that the environment has nothing to do with are not asked for, and
// that they are unread holds nothing up.
func TestAspectsAreAskedAsUsed(t *testing.T) {
	t.Parallel()
	policy := resource.Map{"policy": resource.Map{"a": resource.String("b")}}
	for name, c := range map[string]struct {
		applied, wanted resource.Map
		asked           []string
		kept            bool
	}{
		"used by nobody":    {asked: []string{""}},
		"wanted":            {wanted: policy, asked: []string{"", "policy"}, kept: true},
		"applied, now gone": {applied: policy, asked: []string{"", "policy"}, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := resource.Map{"policy": resource.Unread{Why: "not asked for"}}
			got, asked := seen(t, "disk", c.applied, c.wanted, live)
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked for %q, want %q", asked, c.asked)
			}
			if _, kept := got.Fields["policy"]; kept != c.kept {
				t.Errorf("the unread field is kept: %v, want %v", kept, c.kept)
			}
			if len(live) != 1 {
				t.Error("the answer, which others share, was written into")
			}
		})
	}
}

// A write-only field never reads back, which is no sign of a late read.
func TestWriteOnlyIsNeverLate(t *testing.T) {
	t.Parallel()
	got, _ := seen(t, "machine", resource.Map{"password": resource.String("x"), "diskIds": resource.List{resource.String("d")}}, nil, resource.Map{})
	if v := got.Fields["password"]; v != nil {
		t.Errorf("password is %#v", v)
	}
	if !resource.HasUnread(got.Fields["diskIds"]) {
		t.Errorf("diskIds, which is older than the write, is %#v", got.Fields["diskIds"])
	}
}

// shelf is a session that holds disks, and shows of each the aspects that are
// asked for by its id, or with all that bear the mark.
type shelf struct {
	stand
	disks []resource.Object
	fail  bool // of reads by id
}

func newShelf(disks ...resource.Object) *shelf {
	s := &shelf{disks: disks}
	s.scope = "fake/main"
	s.read = func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i, w := range wants {
			if out[i].At = t0(); s.fail && w.By.IDs != nil {
				out[i].Err = &resource.Failure{Class: resource.Transient, Message: "busy"}
				continue
			}
			for _, o := range s.disks {
				if w.By.Estate == "" && !slices.Contains(w.By.IDs, o.ID) {
					continue
				}
				if !slices.Contains(w.Aspects, "policy") {
					o.Fields = resource.Map{"policy": resource.Unread{Why: "not asked for"}}
				}
				out[i].Objects = append(out[i].Objects, o)
			}
		}
		return out
	}
	return s
}

// Each object is asked for the aspects of its own, in one read; what came by its
// mark alone is asked again, and only that.
func TestAspectsAreAskedOfEachObject(t *testing.T) {
	t.Parallel()
	policy := resource.Map{"policy": resource.Map{"a": resource.String("b")}}
	disk := func(name string) resource.Object {
		return resource.Object{ID: resource.ID("id-" + name), Mark: mark("disk", name, "t-"+name), Fields: policy}
	}
	spec := func(name string, fields resource.Map) resource.Desired {
		return resource.Desired{Address: addr("disk", name), Fields: fields}
	}
	var events []ledger.Event
	for i, name := range []string{"bare", "told"} {
		rec := ledger.Record{ID: resource.ID("id-" + name), Scope: "fake/main"}
		at := ledger.Event{At: t0(), Address: addr("disk", name), Token: "t-" + name}
		intended, done := at, at
		intended.Seq, intended.Type, intended.Intent = int64(2*i+1), ledger.Intended, &ledger.Intent{Op: ledger.Create, Record: rec}
		done.Seq, done.Type, done.Record = int64(2*i+2), ledger.Done, &rec
		events = append(events, intended, done)
	}
	state, err := ledger.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	moved := spec("new", policy)
	old := addr("disk", "stray")
	moved.Meta.MovedFrom = &old
	for name, c := range map[string]struct {
		objects []resource.Object
		desired []resource.Desired
		fail    bool
		reads   [][]string // what was asked by ids: of which, for what
		wants   int
		stray   resource.Value // its policy, as it reads
	}{
		"all known": {
			objects: []resource.Object{disk("bare"), disk("told")},
			desired: []resource.Desired{spec("bare", nil), spec("told", policy)},
			reads:   [][]string{{"id-bare:", "id-told:,policy"}}, wants: 2,
		},
		"a stray that the spec wants": {
			objects: []resource.Object{disk("bare"), disk("told"), disk("stray")},
			desired: []resource.Desired{spec("bare", nil), spec("told", nil), spec("stray", policy)},
			reads:   [][]string{{"id-bare,id-told:"}, {"id-stray:,policy"}}, wants: 2, stray: policy["policy"],
		},
		"a stray that moved": {
			objects: []resource.Object{disk("stray")}, desired: []resource.Desired{moved},
			reads: [][]string{{"id-bare,id-told:"}, {"id-stray:,policy"}}, wants: 2, stray: policy["policy"],
		},
		"a stray that nobody wants": {
			objects: []resource.Object{disk("stray")},
			reads:   [][]string{{"id-bare,id-told:"}}, wants: 2,
		},
		"a stray that cannot be read": {
			objects: []resource.Object{disk("stray")}, desired: []resource.Desired{spec("stray", policy)}, fail: true,
			reads: [][]string{{"id-bare,id-told:"}, {"id-stray:,policy"}}, wants: 2, stray: resource.Unread{Why: "not asked for"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(c.objects...)
			s.fail = c.fail
			w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
				Estate: "e", Env: "prod", Ledger: state, Sessions: map[string]provider.Session{"fake": s}, Desired: c.desired,
			})
			var reads [][]string
			for _, call := range s.calls {
				var asked []string
				for _, want := range call {
					ids := make([]string, len(want.By.IDs))
					for i, id := range want.By.IDs {
						ids[i] = string(id)
					}
					if len(ids) > 0 {
						asked = append(asked, strings.Join(ids, ",")+":"+strings.Join(want.Aspects, ","))
					}
				}
				reads = append(reads, asked)
			}
			if !slices.EqualFunc(reads, c.reads, slices.Equal) || w.Wants != c.wants {
				t.Errorf("asked %q, %d in all, want %q, %d", reads, w.Wants, c.reads, c.wants)
			}
			for _, o := range w.Strays {
				if got := o.Fields["policy"]; !reflect.DeepEqual(got, c.stray) {
					t.Errorf("the stray's policy is %#v, want %#v", got, c.stray)
				}
			}
		})
	}
}
