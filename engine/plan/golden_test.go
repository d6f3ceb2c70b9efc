package plan_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

var update = flag.Bool("update", false, "write want.json anew")

// A golden's files, all JSON and all but want.json optional:
//
//	desired  address → {fields, meta, defaults}; defaults names the fields that nobody wrote
//	ledger   token → {address, applied, outs, deps, meta, broken, bare, open, ended, from: the address that it was moved from, prev: the values before the last write, at: when it was written to last}; a later token at an address deposes an earlier one
//	live     token → what differs from applied and outs, null for a field that is not there; "absent"; {"unread": why}; {"mark": estate, "" for none}; {"marked": the address that its mark has}; {"estate": the estate that its mark has}; {"token": the token that its mark has}; {"env": the environment that its mark has}; {"elsewhere": the environment whose mark it bears}; {"late": true}: not to be seen yet
//	found    address → {id, fields} that a lookup found; null for nothing; {"unread": why}
//	strays   token → {address, id, fields, more: ids of others that bear this mark}
//	copies   token of the ledger → ids that bear its mark too
//	imports  address → {id, fields}, with {mark: {estate, address, token}}, or {absent: why}, {unread: why}
//	input    the rest of plan.Input
//
// Ids are the kind's name and the token: net-1.
type (
	goldenDesired struct {
		Fields   resource.Map
		Meta     resource.Lifecycle
		Defaults []string
	}
	goldenEntry struct {
		Address       string
		Applied, Outs resource.Map
		Prev          resource.Map
		Deps          []ledger.Dep
		Meta          resource.Lifecycle
		Broken, Ended string
		From          string
		Past          []string // names before From
		At            time.Time
		Bare, Adopted bool
		Open          ledger.Op
	}
	goldenStray struct {
		Address string
		ID      resource.ID
		Fields  resource.Map
		More    []resource.ID
	}
	goldenImport struct {
		ID             resource.ID
		Fields         resource.Map
		Mark           struct{ Estate, Address, Token string }
		Absent, Unread string
	}
	goldenFound struct {
		ID     resource.ID
		Fields resource.Map
		Unread string
	}
	goldenInput struct {
		Lost      bool
		Deletes   plan.Budget
		Blind     map[string]string
		Confirmed map[string]string // token → address, as ann said
		Released  map[string]string // the same
		Homes     map[string]string
		Anew      []string // addresses
		Restored  time.Time
		Destroy   bool
		Had       []string // addresses
		Outs      map[resource.Address]resource.Map
	}
)

func TestGoldens(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d goldens, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := readGolden(t, ar)
			p := plan.Build(in)
			if err := safe(&in, p); err != nil {
				t.Error(err)
			}
			got := []byte(text(p) + "\n")
			i := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want.json" })
			if *update {
				if i < 0 {
					i = len(ar.Files)
					ar.Files = append(ar.Files, txtar.File{Name: "want.json"})
				}
				ar.Files[i].Data = got
				if err := os.WriteFile(file, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if i < 0 || !bytes.Equal(ar.Files[i].Data, got) {
				t.Fatalf("%s (write it anew by -update):\n%s", strings.TrimSpace(string(ar.Comment)), differences(string(ar.Files[i].Data), string(got)))
			}
		})
	}
}

func part[T any](t *testing.T, ar *txtar.Archive, name string) T {
	t.Helper()
	var out T
	for _, f := range ar.Files {
		if f.Name != name {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(f.Data))
		d.DisallowUnknownFields()
		if err := d.Decode(&out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return out
}

func parseLocal(t *testing.T, local string) resource.Address {
	t.Helper()
	a, err := resource.ParseAddress("prod/" + local)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func readGolden(t *testing.T, ar *txtar.Archive) plan.Input {
	t.Helper()
	opts := part[goldenInput](t, ar, "input")
	in := plan.Input{
		Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Live: map[ledger.Key]plan.Reading{},
		Lost: opts.Lost, Deletes: opts.Deletes, Blind: opts.Blind, Outs: opts.Outs, Confirmed: map[ledger.Key]string{}, Released: map[ledger.Key]string{},
		Homes: opts.Homes, Restored: opts.Restored, Destroy: opts.Destroy, Had: map[resource.Address]bool{},
	}
	for _, local := range opts.Had {
		in.Had[parseLocal(t, local)] = true
	}
	for _, local := range opts.Anew {
		if in.Anew == nil {
			in.Anew = map[resource.Address]bool{}
		}
		in.Anew[parseLocal(t, local)] = true
	}
	for token, local := range opts.Confirmed {
		in.Confirmed[ledger.Key{Address: parseLocal(t, local), Token: token}] = "ann"
	}
	for token, local := range opts.Released {
		in.Released[ledger.Key{Address: parseLocal(t, local), Token: token}] = "ann"
	}
	for local, d := range part[map[string]goldenDesired](t, ar, "desired") {
		want := resource.Desired{Address: parseLocal(t, local), Fields: d.Fields, Meta: d.Meta, At: resource.Position{File: "prod.cue", Line: 1}}
		want.Where = map[string]resource.Position{}
		for i, name := range d.Fields.Keys() {
			if !slices.Contains(d.Defaults, name) {
				want.Where[name] = resource.Position{File: "prod.cue", Line: 2 + i, Col: 3}
			}
		}
		in.Desired = append(in.Desired, want)
	}
	entries := part[map[string]goldenEntry](t, ar, "ledger")
	live := part[map[string]json.RawMessage](t, ar, "live")
	for _, token := range sortedTokens(entries) {
		own(t, &in, token, entries[token], live[token])
	}
	in.Found = map[resource.Address]plan.Reading{}
	for local, f := range part[map[string]*goldenFound](t, ar, "found") {
		a := parseLocal(t, local)
		switch {
		case f == nil:
			in.Found[a] = plan.Reading{Seen: plan.Absent, Why: "no image fits"}
		case f.Unread != "":
			in.Found[a] = plan.Reading{Seen: plan.Unread, Why: f.Unread}
		default:
			in.Found[a] = plan.Reading{Seen: plan.Present, Object: resource.Object{Address: a, ID: f.ID, Fields: f.Fields}}
		}
	}
	for token, s := range part[map[string]goldenStray](t, ar, "strays") {
		a := parseLocal(t, s.Address)
		for _, id := range append(s.More, s.ID) {
			in.Strays = append(in.Strays, resource.Object{Address: a, ID: id, Fields: s.Fields, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: token}})
		}
	}
	for token, ids := range part[map[string][]resource.ID](t, ar, "copies") {
		for _, id := range ids {
			a := in.Ledger.Holding(token).Address
			in.Copies = append(in.Copies, resource.Object{Address: a, ID: id, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: token}})
		}
	}
	for local, im := range part[map[string]goldenImport](t, ar, "imports") {
		if in.Imports == nil {
			in.Imports = map[resource.Address]plan.Import{}
		}
		in.Imports[parseLocal(t, local)] = readImport(t, im)
	}
	return in
}

func readImport(t *testing.T, im goldenImport) plan.Import {
	t.Helper()
	out := plan.Import{Named: string(im.ID), Reading: plan.Reading{Seen: plan.Present, Object: resource.Object{ID: im.ID, Fields: im.Fields}}}
	switch {
	case im.Absent != "":
		out.Reading = plan.Reading{Seen: plan.Absent, Why: im.Absent}
	case im.Unread != "":
		out.Reading = plan.Reading{Seen: plan.Unread, Why: im.Unread}
	case im.Mark.Estate != "":
		a := parseLocal(t, im.Mark.Address)
		out.Object.Mark = resource.Mark{Estate: im.Mark.Estate, Env: "prod", Address: a, Token: cmp.Or(im.Mark.Token, "older")}
	}
	return out
}

func sortedTokens(m map[string]goldenEntry) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// own writes an entry into the ledger and says what is seen of it.
func own(t *testing.T, in *plan.Input, token string, e goldenEntry, seen json.RawMessage) {
	t.Helper()
	a := parseLocal(t, e.Address)
	key := ledger.Key{Address: a, Token: token}
	id := resource.ID(a.Kind + "-" + token)
	rec := &ledger.Record{ID: id, Applied: e.Applied, Outs: resource.Map{"id": resource.String(id)}, Deps: e.Deps, Meta: e.Meta, Schema: "1", Broken: e.Broken, Bare: e.Bare}
	for k, v := range e.Outs {
		rec.Outs[k] = v
	}
	write := func(ev ledger.Event) {
		ev.Address, ev.Token, ev.At = a, token, e.At
		if err := in.Ledger.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	if in.Kinds[a.Type()].Lookup {
		write(ledger.Event{Type: ledger.Pinned, Record: rec})
		return
	}
	if e.From != "" {
		from := parseLocal(t, e.From)
		names := append(slices.Clone(e.Past), e.From)
		at := parseLocal(t, names[0])
		if err := in.Ledger.Apply(ledger.Event{Address: at, Token: token, Type: ledger.Adopted, Record: rec}); err != nil {
			t.Fatal(err)
		}
		for _, name := range names[1:] {
			was := at
			at = parseLocal(t, name)
			if err := in.Ledger.Apply(ledger.Event{Address: at, Token: token, Type: ledger.Moved, From: &was}); err != nil {
				t.Fatal(err)
			}
		}
		write(ledger.Event{Type: ledger.Moved, From: &from})
	} else {
		write(ledger.Event{Type: ledger.Adopted, Record: rec})
	}
	in.Ledger.Entries[key].Prev, in.Ledger.Entries[key].Adopted = e.Prev, e.Adopted
	if e.Ended != "" {
		write(ledger.Event{Type: ledger.Forgotten, Why: e.Ended})
		return
	}
	if e.Open != "" {
		write(ledger.Event{Type: ledger.Intended, Intent: &ledger.Intent{Op: e.Open, Record: *rec}})
	}
	o := resource.Object{Address: a, ID: id, Fields: resource.Map{}}
	if in.Kinds[a.Type()].Marked {
		o.Mark = resource.Mark{Estate: estate, Env: "prod", Address: a, Token: token}
	}
	for k, v := range e.Applied {
		if f := in.Kinds[a.Type()].Field(k); f == nil || !f.WriteOnly {
			o.Fields[k] = v
		}
	}
	for k, v := range e.Outs {
		o.Fields[k] = v
	}
	in.Live[key] = look(t, o, seen)
}

func look(t *testing.T, o resource.Object, seen json.RawMessage) plan.Reading {
	t.Helper()
	if seen == nil {
		return plan.Reading{Seen: plan.Present, Object: o}
	}
	v, err := resource.Decode(seen)
	if err != nil {
		t.Fatal(err)
	}
	if v == resource.Value(resource.String("absent")) {
		return plan.Reading{Seen: plan.Absent}
	}
	r := plan.Reading{Seen: plan.Present, Object: o}
	patch, _ := v.(resource.Map)
	for k, e := range patch {
		_, null := e.(resource.Null)
		switch {
		case k == "unread":
			return plan.Reading{Seen: plan.Unread, Why: patch.Text(k)}
		case k == "by":
			r.By = patch.Text(k)
		case k == "mark" && patch.Text(k) == "":
			r.Object.Mark = resource.Mark{}
		case k == "mark":
			r.Object.Mark = resource.Mark{Estate: patch.Text(k), Env: "prod", Address: o.Address, Token: "theirs"}
		case k == "estate":
			r.Object.Mark.Estate = patch.Text(k)
		case k == "token":
			r.Object.Mark.Token = patch.Text(k)
		case k == "env":
			r.Object.Mark.Env = patch.Text(k)
		case k == "marked":
			r.Object.Mark.Address = parseLocal(t, patch.Text(k))
		case k == "elsewhere":
			a := o.Address
			a.Env = patch.Text(k)
			r.Object.Mark = resource.Mark{Estate: estate, Env: a.Env, Address: a, Token: "theirs"}
		case k == "late":
			r.Seen, r.Trail = plan.Unread, &plan.Trail{Wrote: time.Unix(0, 0), Seen: time.Unix(60, 0), Until: time.Unix(300, 0)}
		case null:
			delete(r.Object.Fields, k)
		default:
			r.Object.Fields[k] = e
		}
	}
	return r
}
