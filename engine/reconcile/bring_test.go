package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/discover"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/providers/fake"
)

// readingSpecs evaluates what a writer wrote, besides the commit's own resources:
// each line of an imported file is an address and its fields as JSON. It stands
// for CUE, which the fake's kinds have no schema in.
type readingSpecs struct{ *specs }

func (s readingSpecs) Environment(ctx context.Context, tree fs.FS, env string) (spec.Environment, error) {
	out, err := s.specs.Environment(ctx, tree, env)
	out.Dir = "environments/" + env
	entries, _ := fs.ReadDir(tree, out.Dir) // there is none at first
	for _, e := range entries {
		name := out.Dir + "/" + e.Name()
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return out, err
		}
		if info, err := fs.Lstat(tree, name); err != nil || info.Size() != int64(len(data)) || info.Name() != e.Name() {
			return out, fmt.Errorf("%s is %d bytes, and told to be %v: %w", name, len(data), info, err)
		}
		for line := range bytes.Lines(data) {
			at, text, ok := bytes.Cut(line, []byte(" = "))
			if !ok {
				continue
			}
			a, err := resource.ParseAddress(string(at))
			if err != nil {
				return out, err
			}
			v, err := resource.Decode(bytes.TrimSpace(text))
			if err != nil {
				return out, err
			}
			fields, _ := v.(resource.Map)
			if fields["size"] == resource.Value(resource.Int(13)) {
				return out, diag.List{{Severity: diag.Error, Subject: a.Local(), Message: "13 brings bad luck"}}
			}
			out.Desired = append(out.Desired, resource.Desired{Address: a, Fields: fields, At: resource.Position{File: name, Line: 1, Col: 1}})
		}
	}
	slices.SortFunc(out.Desired, func(a, b resource.Desired) int { return a.Address.Compare(b.Address) })
	return out, err
}

// plainly writes objects for readingSpecs, as spec.Sketch does for CUE.
func plainly(objects []resource.Desired, refer spec.Refer) ([]byte, error) {
	var b bytes.Buffer
	for _, o := range objects {
		out := resource.Map{}
		for _, f := range fake.Descriptors()[o.Address.Type()].Fields {
			v := o.Fields[f.Name]
			if v == nil || f.Computed || f.Sensitive || f.WriteOnly || f.Default == "server" || resource.HasUnread(v) {
				continue
			}
			out[f.Name] = referring(&f, v, refer)
		}
		fmt.Fprintf(&b, "%s = %s\n", o.Address, resource.Encode(out))
	}
	return b.Bytes(), nil
}

func referring(f *resource.Field, v resource.Value, refer spec.Refer) resource.Value {
	switch x := v.(type) {
	case resource.String:
		if to, ok := refer(f.Ref, "id", string(x)); ok && f.Ref != "" {
			return resource.Ref{Address: to.Address, Out: "id"}
		}
	case resource.List:
		out := make(resource.List, len(x))
		for i := range x {
			out[i] = referring(f.Elem, x[i], refer)
		}
		return out
	case resource.Map:
		if f.Type != "struct" {
			return v
		}
		out := resource.Map{}
		for i := range f.Fields {
			if e := x[f.Fields[i].Name]; e != nil {
				out[f.Fields[i].Name] = referring(&f.Fields[i], e, refer)
			}
		}
		return out
	}
	return v
}

// brown is a world full of what others made, and an isobar that has some of it.
type brown struct {
	*sim
	once  *reconcile.Once
	files fstest.MapFS
}

func newBrown() *brown {
	s := newSim(options{width: 4})
	s.Runner.Specs = readingSpecs{s.specs}
	b := &brown{sim: s, files: fstest.MapFS{"commit": {Data: []byte("c")}, "environments/prod/prod.cue": {Data: []byte("package prod\n")}}}
	b.once = &reconcile.Once{
		Runner: s.Runner, Store: s.under, NewID: s.token,
		Tenure: reconcile.Tenure{Leases: s.under, Owner: "local", TTL: time.Hour, Now: s.clock.now},
	}
	return b
}

func (b *brown) job() reconcile.Job {
	return reconcile.Job{Tree: b.files, Env: "prod", Trigger: "command"}
}

// bring finds what is asked for and plans its adoption.
func (b *brown) bring(ctx context.Context, asks ...string) (*reconcile.Brought, error) {
	var search reconcile.Search
	for _, text := range asks {
		a, err := discover.ParseAsk(text)
		if err != nil {
			return nil, err
		}
		search.Asks = append(search.Asks, a)
	}
	d, err := b.once.Runner.Discover(ctx, b.job(), search)
	if err != nil {
		return nil, err
	}
	return b.once.Bring(ctx, b.job(), d, plainly)
}

// adopt carries an adoption out, and writes its file.
func (b *brown) adopt(ctx context.Context, got *reconcile.Brought) error {
	if got.File != "" {
		if b.files[got.File] != nil {
			return fmt.Errorf("%s is there already", got.File)
		}
		b.files[got.File] = &fstest.MapFile{Data: got.CUE}
	}
	if got.Try == nil {
		return nil
	}
	run, err := b.once.Apply(ctx, got.Try, nil)
	if err == nil && run.State != "applied" {
		err = fmt.Errorf("the adoption is %s: %s", run.State, run.Why)
	}
	return err
}

// populate draws a world: some of it isobar's own, some another estate's.
func (b *brown) populate(t *rapid.T) {
	b.want(obj("network", "own", resource.Map{"cidr": text("10.9.0.0/16")}), obj("group", "own", resource.Map{"networkId": ref("network", "own", "id")}))
	if _, _, err := b.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	ids := map[string][]string{}
	for _, o := range b.world.Objects() {
		ids[o.Address.Kind] = append(ids[o.Address.Kind], string(o.ID))
	}
	pick := func(kind string) resource.Value { return text(rapid.SampledFrom(ids[kind]).Draw(t, kind)) }
	add := func(kind string, fields resource.Map) {
		o := resource.Object{Address: at(kind, ""), Fields: fields}
		if kind != "record" && rapid.IntRange(0, 7).Draw(t, "whose") == 0 {
			o.Mark = resource.Mark{Estate: "estate-2", Env: "prod", Address: at(kind, "theirs"), Token: "0194ffff-theirs"}
		}
		id, err := b.world.Add("fake/main", o)
		if err != nil {
			t.Fatal(err)
		}
		ids[kind] = append(ids[kind], string(id))
	}
	for i, n := 0, rapid.IntRange(0, 12).Draw(t, "objects"); i < n; i++ {
		switch kind := rapid.SampledFrom([]string{"network", "disk", "machine", "group", "record"}).Draw(t, "kind"); kind {
		case "network":
			name := rapid.SampledFrom([]string{"web", "Web 1", "own", ""}).Draw(t, "name")
			add(kind, resource.Map{"cidr": text(fmt.Sprintf("10.%d.0.0/16", i)), "tags": resource.Map{"Name": text(name), "team": text("x")}})
		case "disk":
			fields := resource.Map{"size": resource.Int(rapid.SampledFrom([]int{1, 13}).Draw(t, "size")), "passphrase": text("planted-word")}
			if rapid.Bool().Draw(t, "placed") {
				fields["networkId"] = pick("network")
			}
			add(kind, fields)
		case "machine":
			fields := resource.Map{"hostname": text(fmt.Sprint("host", i)), "cpus": resource.Int(i + 1), "networkId": pick("network"), "password": text("planted-word")}
			if len(ids["disk"]) > 0 && rapid.Bool().Draw(t, "has a disk") {
				fields["diskIds"] = resource.List{pick("disk")}
			}
			add(kind, fields)
		case "group":
			add(kind, resource.Map{"networkId": pick("network"), "rules": resource.List{resource.Map{"port": resource.Int(i), "peer": pick("group")}}})
		case "record":
			add(kind, resource.Map{"name": text(fmt.Sprint("r", i)), "values": resource.List{text("a")}})
		}
	}
}

// TestBring is the law of adopting what is there: whatever a world holds, isobar
// finds it, writes it, adopts it by a plan that is empty but for marks, and
// wants just what is there from then on. What it left out it has not touched,
// and for each it says why.
func TestBring(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ctx, b := context.Background(), newBrown()
		b.populate(t)
		before, marks, logged := b.fields(), b.marks(), len(b.world.Calls())
		ask := rapid.SampledFrom([]string{"fake:all", "fake:tag:team=x", "fake:name=*", "fake:network=network-0001"}).Draw(t, "ask")
		got, err := b.bring(ctx, ask)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.bring(ctx, ask)
		if err != nil || !bytes.Equal(got.CUE, again.CUE) || !slices.Equal(got.Found, again.Found) {
			t.Fatalf("the same twice gives\n%s%+v\nand\n%s%+v, %v", got.CUE, got.Found, again.CUE, again.Found, err)
		}
		if bytes.Contains(got.CUE, []byte("planted-word")) {
			t.Fatalf("a secret is written:\n%s", got.CUE)
		}
		if err := b.adopt(ctx, got); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.world.Calls()[logged:] {
			if c.Op.Mutates() && c.Op != provider.OpMark {
				t.Fatalf("the adoption made the call %+v", c)
			}
		}
		if now := b.fields(); !maps.EqualFunc(now, before, func(x, y resource.Map) bool { return resource.Equal(x, y) }) {
			t.Fatalf("the world was\n%v\nand is\n%v", before, now)
		}
		b.checkFound(t, got, marks)
		d, err := b.once.Draft(ctx, b.job())
		if err != nil || !d.Plan.Empty() {
			t.Fatalf("a plan is left: %s, %v\n%s", brief(d.Plan), err, got.CUE)
		}
		if rest, err := b.bring(ctx, ask); err != nil || rest.Try != nil {
			t.Fatalf("there is still something to adopt: %+v, %v", rest.Found, err)
		}
	})
}

// marks gives the mark of every object.
func (b *brown) marks() map[string]resource.Mark {
	out := map[string]resource.Mark{}
	for _, o := range b.world.Objects() {
		out[string(o.ID)] = o.Mark
	}
	return out
}

// checkFound holds what was told of each object against the world.
func (b *brown) checkFound(t *rapid.T, got *reconcile.Brought, before map[string]resource.Mark) {
	after, found := b.marks(), map[string]discover.Found{}
	for _, f := range got.Found {
		found[f.ID] = f
		owned := b.state().Current(f.Address)
		switch unmarked := strings.HasSuffix(f.Type, ".record"); {
		case f.Left == "" && (owned == nil || string(owned.Record.ID) != f.ID):
			t.Fatalf("%+v is not in the ledger", f)
		case f.Left == "" && !unmarked && (after[f.ID].Estate != estate || after[f.ID].Address != f.Address):
			t.Fatalf("%+v bears the mark %+v", f, after[f.ID])
		case f.Left == "" && !before[f.ID].IsZero():
			t.Fatalf("%+v was %+v", f, before[f.ID])
		case f.Left != "" && before[f.ID].IsZero() && !strings.Contains(f.Left, "bad luck"):
			t.Fatalf("%+v is left out", f)
		}
	}
	for id, m := range after {
		if f, ok := found[id]; (!ok || f.Left != "") && m != before[id] {
			t.Fatalf("%s bore %+v and bears %+v", id, before[id], m)
		}
	}
}

// TestBringGoesOn cuts an adoption short after its file was written: the same
// again gives the resources of the file their objects.
func TestBringGoesOn(t *testing.T) {
	t.Parallel()
	ctx, b := t.Context(), newBrown()
	b.want()
	for i := range 4 {
		_, err := b.world.Add("fake/main", resource.Object{Address: at("network", ""), Fields: resource.Map{
			"cidr": text(fmt.Sprintf("10.%d.0.0/16", i)), "tags": resource.Map{"Name": text("web")},
		}})
		must(t, err)
	}
	got, err := b.bring(ctx, "fake:all")
	must(t, err)
	marked := 0
	b.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == provider.OpMark {
			if marked++; marked > 2 {
				return fake.Decision{Before: &resource.Failure{Class: resource.Denied, Message: "not today"}}
			}
		}
		return fake.Decision{}
	})
	if err := b.adopt(ctx, got); err == nil {
		t.Fatal("a refused mark went well")
	}
	b.world.OnCall(nil)
	got, err = b.bring(ctx, "fake:all")
	must(t, err)
	if got.File != "" || got.Try == nil || len(got.Try.Plan.Steps) != 2 {
		t.Fatalf("it goes on with %q\n%s%+v", got.File, got.CUE, got.Found)
	}
	must(t, b.adopt(ctx, got))
	d, err := b.once.Draft(ctx, b.job())
	must(t, err)
	if !d.Plan.Empty() || len(b.state().Entries) != 4 {
		t.Fatalf("a plan is left: %s", brief(d.Plan))
	}
}

// TestBringBesideASpec gives no object to a resource of its name that the spec
// wants to be otherwise.
func TestBringBesideASpec(t *testing.T) {
	t.Parallel()
	ctx, b := t.Context(), newBrown()
	b.want(obj("network", "web", resource.Map{"cidr": text("10.9.0.0/16")}))
	_, err := b.world.Add("fake/main", resource.Object{Address: at("network", ""), Fields: resource.Map{"cidr": text("10.1.0.0/16"), "tags": resource.Map{"Name": text("web")}}})
	must(t, err)
	b.files["environments/prod/imported.cue"] = &fstest.MapFile{Data: []byte("package prod\n")}
	got, err := b.bring(ctx, "fake:name=web")
	must(t, err)
	if len(got.Found) != 1 || got.Found[0].Address != at("network", "web-2") || got.File != "environments/prod/imported_2.cue" {
		t.Fatalf("%s %+v", got.File, got.Found)
	}
}

// TestBringWhatCantBeAsked tells an ask of no provider, and of no kind, all at
// once, and names a kind whose list broke off.
func TestBringWhatCantBeAsked(t *testing.T) {
	t.Parallel()
	ctx, b := t.Context(), newBrown()
	b.want()
	var wrong diag.List
	_, err := b.bring(ctx, "fake:ship=x", "moon:all", "fake:network=none")
	if wrong, _ = err.(diag.List); len(wrong) != 3 { //nolint:errorlint // it is one, and nothing else
		t.Fatalf("%v", err)
	}
	for i := range 3 {
		_, err := b.world.Add("fake/main", resource.Object{Address: at("disk", ""), Fields: resource.Map{"size": resource.Int(i + 1)}})
		must(t, err)
	}
	b.world.FailLists("disk", 1)
	got, err := b.bring(ctx, "fake:all")
	must(t, err)
	if len(got.Found) != 2 || got.Found[0].ID != "" || !strings.Contains(got.Found[0].Left, "broke off") || got.Try != nil {
		t.Fatalf("%+v", got.Found)
	}
}

// TestBringNamesAnotherStore: what another store marked is left out in its name; no
// apply of this one takes that back.
func TestBringNamesAnotherStore(t *testing.T) {
	t.Parallel()
	ctx, b := t.Context(), newBrown()
	b.want()
	ours, theirs := ledger.HolderOf("first"), ledger.HolderOf("second")
	b.once.Runner.Holder = ours
	for i, by := range []ledger.Holder{ours, theirs} {
		token := by.Token(fmt.Sprintf("0194a000-0000-7000-8000-%012x", i))
		to := at("network", fmt.Sprint("net", i))
		to.Env = "shop"
		_, err := b.world.Add("fake/main", resource.Object{
			Address: at("network", ""), Fields: resource.Map{"cidr": text(fmt.Sprintf("10.%d.0.0/16", i))},
			Mark: resource.Mark{Estate: estate, Env: "shop", Address: to, Token: token},
		})
		must(t, err)
	}
	got, err := b.bring(ctx, "fake:all")
	must(t, err)
	want := []string{
		"it bears the mark of shop/fake.network/net0: the next apply of shop takes it back",
		"store " + theirs.String() + " manages it (isobar store info names a store): it bears the mark of shop/fake.network/net1, estate " + estate,
	}
	if len(got.Found) != 2 || got.Try != nil || got.Found[0].Left != want[0] || got.Found[1].Left != want[1] {
		t.Errorf("%+v", got.Found)
	}
}
