package reconcile_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
	"isobar.dev/providers/fake"
)

// box holds the secrets of a test by name and field.
type box struct {
	mu     sync.Mutex
	values map[string]string
	ever   []string // every value that was in it
	salt   string   // stands for the key
}

func newBox() *box {
	b := &box{salt: "key-1"}
	b.put("web", "swordfish-of-the-web")
	b.put("webnext", "mellon-of-the-web")
	b.put("disk", "correct-horse-battery")
	return b
}

func (b *box) put(name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.values == nil {
		b.values = map[string]string{}
	}
	b.values[name] = value
	if value == "" {
		delete(b.values, name)
		return
	}
	b.ever = append(b.ever, value)
}

func (b *box) bind(map[string]resource.SecretSource) provider.Secrets { return b }

func (b *box) Read(_ context.Context, s resource.Secret) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.values[s.Name+s.Field]
	if !ok {
		return "", &provider.SecretError{Name: s.Name, What: "the box is empty", Mend: "fill it"}
	}
	return v, nil
}

func (b *box) MAC(value string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%x", sha256.Sum256([]byte(b.salt+value))), nil
}

// tells gives the first value that a text holds, as it is or in base64.
func (b *box) tells(text string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.ever {
		for shift := range 3 {
			enc := base64.RawStdEncoding.EncodeToString([]byte("xxx"[:shift] + v))
			if strings.Contains(text, v) || strings.Contains(text, enc[shift+1:len(enc)-2]) {
				return v
			}
		}
	}
	return ""
}

func secretOf(name string) resource.Value { return resource.Secret{Name: name} }

// told reports whether the store holds a secret's value.
func (s *sim) told() error {
	st := s.state()
	all := fmt.Sprintf("%+v", st.Ended)
	for _, e := range st.Sorted() {
		b, err := json.Marshal(e.Record)
		if err != nil {
			return err
		}
		all += string(b) + string(resource.Encode(e.Record.Applied)) + string(resource.Encode(e.Prev)) + string(resource.Encode(e.Record.Outs))
		if e.Open != nil {
			all += string(resource.Encode(e.Open.Record.Applied))
		}
	}
	if v := s.box.tells(all); v != "" {
		return fmt.Errorf("the ledger holds %q", v)
	}
	return nil
}

func machine(password resource.Value) []resource.Desired {
	return []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}),
		obj("machine", "web", resource.Map{
			"hostname": text("web"), "cpus": resource.Int(2), "networkId": ref("network", "main", "id"), "state": text("running"), "password": password,
		}),
	}
}

func disk(passphrase resource.Value) []resource.Desired {
	return []resource.Desired{obj("disk", "a", resource.Map{"size": resource.Int(1), "passphrase": passphrase})}
}

// stood gives a world in which the objects stand.
func stood(t *testing.T, want ...resource.Desired) *sim {
	t.Helper()
	s := newSim(options{})
	s.want(want...)
	s.mustRun(t)
	s.settled(t, want...)
	return s
}

func (s *sim) fieldOf(t *testing.T, kind, name, field string) resource.Value {
	t.Helper()
	for _, o := range s.world.Objects() {
		if o.ID == s.id(kind, name) {
			return o.Fields[field]
		}
	}
	t.Fatalf("no %s %s lives", kind, name)
	return nil
}

func TestSecretRotates(t *testing.T) {
	t.Parallel()
	for _, want := range [][]resource.Desired{machine(secretOf("web")), disk(secretOf("disk"))} {
		s := stood(t, want...)
		name := want[len(want)-1].Address
		s.box.put("web", "another-password")
		s.box.put("disk", "another-passphrase")
		d := s.mustDraft(t)
		if got := brief(d.Plan); got != "update "+name.Local() {
			t.Fatalf("the plan is %s", got)
		}
		if text := faces(d); !strings.Contains(text, "value changed") || s.box.tells(text) != "" {
			t.Errorf("it is told as\n%s", text)
		}
		first := d.Plan.Digest
		s.box.put("web", "a-third-password")
		s.box.put("disk", "a-third-passphrase")
		if d = s.mustDraft(t); d.Plan.Digest == first {
			t.Error("another value, and the same plan")
		}
		s.mustRun(t)
		s.settled(t, want...)
	}
}

func TestSecretRotatesBeforeApply(t *testing.T) {
	t.Parallel()
	s := stood(t, disk(text("plain"))...)
	s.want(append(disk(secretOf("disk")), machine(secretOf("web"))...)...)
	d := s.mustDraft(t)
	s.box.put("disk", "rotated-meanwhile")
	before := s.clock.now()
	out := s.Apply(t.Context(), d, nil)
	var moved []string
	for _, r := range out.Results {
		if r.Outcome == apply.Moved {
			moved = append(moved, r.Step.ID+": "+r.Err.Error())
		}
	}
	if !slices.Equal(moved, []string{"update fake.disk/a: secret disk: its value has changed since the plan was made: plan again"}) {
		t.Fatalf("moved %q\n%s", moved, results(out))
	}
	if s.clock.now().Sub(before) > 10*time.Second {
		t.Error("it was tried again and again")
	}
	if got := s.fieldOf(t, "disk", "a", "passphrase"); got != text("plain") {
		t.Errorf("the disk has %v", got)
	}
	s.mustRun(t)
	s.settled(t, append(disk(secretOf("disk")), machine(secretOf("web"))...)...)
}

func TestSecretThatCantBeHad(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	all := append(machine(secretOf("web")), disk(secretOf("disk"))...)
	s.want(all...)
	s.box.put("web", "")
	d, out, err := s.run(t.Context())
	must(t, err)
	held := plan.Held{Address: at("machine", "web"), Action: plan.Create, Why: plan.HeldSecret, Text: "web can't be had: the box is empty", Mend: "fill it"}
	if len(d.Plan.Held) != 1 || d.Plan.Held[0] != held || !out.Report.OK() {
		t.Fatalf("held %+v\n%s", d.Plan.Held, results(out))
	}
	s.box.put("web", "swordfish-again")
	s.mustRun(t)
	s.settled(t, all...)

	// once it stands: nothing is said to be as wanted that can't be told
	s.box.put("web", "")
	s.box.put("disk", "")
	d = s.mustDraft(t)
	if got := brief(d.Plan); got != "held  fake.disk/a (secret: disk can't be had: the box is empty), held  fake.machine/web (secret: web can't be had: the box is empty)" {
		t.Fatalf("the plan is %s", got)
	}
	// what goes needs none
	s.want(all[0])
	s.mustRun(t)
	s.settled(t, all[0])
}

// TestWhatCantBeHadIsNotForgotten: a secret that can't be had meanwhile, under
// another name even, leaves in the ledger what was applied.
func TestWhatCantBeHadIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := stood(t, disk(secretOf("disk"))...)
	s.want(disk(secretOf("moved"))...)
	_, out, err := s.run(t.Context())
	must(t, err)
	if len(out.Results) > 0 {
		t.Fatalf("something was done:\n%s", results(out))
	}
	if x, _ := s.state().Current(at("disk", "a")).Record.Applied["passphrase"].(resource.Secret); x.MAC == "" {
		t.Fatalf("the ledger holds %+v", s.state().Current(at("disk", "a")).Record.Applied)
	}
	s.box.put("moved", "another-horse-battery")
	if got := brief(s.mustDraft(t).Plan); got != "update fake.disk/a" {
		t.Fatalf("the plan is %s", got)
	}
	s.mustRun(t)
	s.settled(t, disk(secretOf("moved"))...)
}

// TestWhatNeedsItWaits: what needs an object that can't be made waits too, and
// one that is gone is not made again without its secret.
func TestWhatNeedsItWaits(t *testing.T) {
	t.Parallel()
	all := append(machine(text("p")), disk(secretOf("disk"))...)
	all[1].Fields["diskIds"] = resource.List{ref("disk", "a", "id")}
	s := newSim(options{})
	s.want(all...)
	s.box.put("disk", "")
	const fresh = "create fake.network/main, held create fake.disk/a (secret: disk can't be had: the box is empty), " +
		"held create fake.machine/web (follows: it needs fake.disk/a, which is held: secret)"
	if got := brief(s.mustDraft(t).Plan); got != fresh {
		t.Fatalf("the plan is %s", got)
	}
	s.box.put("disk", "correct-again-horse")
	s.mustRun(t)
	must(t, s.world.Mutate("machine", s.id("machine", "web"), func(f resource.Map) { delete(f, "diskIds") }))
	must(t, s.world.Remove("disk", s.id("disk", "a")))
	s.box.put("disk", "")
	const gone = "held create fake.disk/a (secret: disk can't be had: the box is empty), " +
		"held update fake.machine/web (follows: it needs fake.disk/a, which is held: secret), ledger forgotten fake.disk/a"
	if got := brief(s.mustDraft(t).Plan); got != gone {
		t.Fatalf("the plan is %s", got)
	}
	s.box.put("disk", "correct-at-last-horse")
	s.mustRun(t)
	s.settled(t, all...)
}

// TestNoSecretAnywhere: whatever secrets there are, wherever they stand, and
// whatever befalls them (rotation, drift, APIs that repeat them), no face, no
// result, no question to policy and no event holds one.
func TestNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		s := newSim(options{})
		value := func() string { return rapid.StringN(12, 40, -1).Draw(rt, "value") }
		names := []string{"web", "webnext", "disk"}
		for _, n := range names {
			s.box.put(n, value())
		}
		var used []string
		loud := false
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if !loud || !c.Op.Mutates() {
				return fake.Decision{}
			}
			var all []string
			for _, n := range used { // what is sent can be repeated
				all = append(all, s.box.values[n], base64.StdEncoding.EncodeToString([]byte(s.box.values[n])))
			}
			return fake.Decision{Before: &resource.Failure{Class: resource.Invalid, Code: "Loud", Message: strings.Join(all, " ")}}
		})
		pick := func() resource.Value {
			n := rapid.SampledFrom(names).Draw(rt, "secret")
			used = append(used, n)
			if n == "webnext" {
				return resource.Secret{Name: "web", Field: "next"}
			}
			return secretOf(n)
		}
		for range rapid.IntRange(1, 4).Draw(rt, "runs") {
			used = nil
			s.want(append(machine(pick()), disk(pick())...)...)
			loud = rapid.Bool().Draw(rt, "loud")
			if id := s.id("disk", "a"); id != "" && rapid.Bool().Draw(rt, "drift") {
				v := value()
				s.box.ever = append(s.box.ever, v)
				if err := s.world.Mutate("disk", id, func(f resource.Map) { f["passphrase"] = text(v) }); err != nil {
					rt.Fatal(err)
				}
			}
			if rapid.Bool().Draw(rt, "rotate") {
				s.box.put(rapid.SampledFrom(names).Draw(rt, "which"), value())
			}
			d, out, err := s.run(ctx)
			if err != nil {
				rt.Fatal(err)
			}
			events, err := s.under.Events(ctx, "prod", 0)
			if err != nil {
				rt.Fatal(err)
			}
			all := faces(d) + results(out) + fmt.Sprintf("%+v", out)
			for _, ev := range events {
				b, err := json.Marshal(ev)
				if err != nil {
					rt.Fatal(err)
				}
				all += string(b)
			}
			if v := s.box.tells(all); v != "" {
				rt.Fatalf("it tells %q:\n%s", v, all)
			}
		}
	})
}

func TestSecretDrift(t *testing.T) {
	t.Parallel()
	s := stood(t, disk(secretOf("disk"))...)
	must(t, s.world.Mutate("disk", s.id("disk", "a"), func(f resource.Map) { f["passphrase"] = text("chosen-by-a-stranger") }))
	s.box.ever = append(s.box.ever, "chosen-by-a-stranger")
	d := s.mustDraft(t)
	if got := brief(d.Plan); got != "update fake.disk/a" || d.Plan.Changes[0].Fields[0].Cause != plan.CauseDrift {
		t.Fatalf("the plan is %s", got)
	}
	if v := s.box.tells(faces(d)); v != "" {
		t.Errorf("it tells %s", v)
	}
	s.mustRun(t)
	s.settled(t, disk(secretOf("disk"))...)
}

// TestSecretForText: the same value under a secret's name is no change of what
// can be read, and leaves the ledger.
func TestSecretForText(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(disk(text("correct-horse-battery"))...)
	s.mustRun(t)
	s.want(disk(secretOf("disk"))...)
	if got := brief(s.mustRun(t)); got != "ledger settled fake.disk/a" {
		t.Fatalf("the plan is %s", got)
	}
	s.settled(t, disk(secretOf("disk"))...)
	s.want(disk(text("plain-again"))...)
	s.box.ever = nil // it is no secret any more
	s.mustRun(t)
	s.settled(t, disk(text("plain-again"))...)
}

// TestSecretForTextUnread: the same of what can't be read back, which would be
// sent again, or its object replaced.
func TestSecretForTextUnread(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(machine(text("swordfish-of-the-web"))...)
	s.mustRun(t)
	s.want(machine(secretOf("web"))...)
	if got := brief(s.mustRun(t)); got != "ledger settled fake.machine/web" {
		t.Fatalf("the plan is %s", got)
	}
	s.settled(t, machine(secretOf("web"))...)
	s.want(machine(text("another-word"))...)
	s.mustRun(t)
	s.want(machine(secretOf("web"))...)
	if got := brief(s.mustRun(t)); got != "update fake.machine/web, ledger settled fake.machine/web" {
		t.Fatalf("the plan is %s", got)
	}
}

// TestLostKey: under another key every secret counts as changed, once.
func TestLostKey(t *testing.T) {
	t.Parallel()
	want := append(machine(secretOf("web")), disk(secretOf("disk"))...)
	s := stood(t, want...)
	s.box.salt = "key-2"
	if got := brief(s.mustDraft(t).Plan); got != "update fake.machine/web, ledger settled fake.disk/a" {
		t.Fatalf("the plan is %s", got)
	}
	s.mustRun(t)
	s.settled(t, want...)
}

// TestSecretRename: another name for the same value is no change.
func TestSecretRename(t *testing.T) {
	t.Parallel()
	s := stood(t, machine(secretOf("web"))...)
	s.box.put("moved", s.box.values["web"])
	s.want(machine(secretOf("moved"))...)
	if d := s.mustDraft(t); !d.Plan.Empty() {
		t.Fatalf("the plan is %s", brief(d.Plan))
	}
}

// TestSecretIsNotReplayed: a create of unknown outcome is sent again with the
// value that it was sent with, or not at all.
func TestSecretIsNotReplayed(t *testing.T) {
	t.Parallel()
	for _, rotated := range []bool{false, true} {
		s := newSim(options{})
		s.want(disk(secretOf("disk"))...)
		lost := true
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpFind && lost {
				return fake.Decision{Before: &resource.Failure{Class: resource.Transient, Message: "no way through"}}
			}
			if c.Op == provider.OpCreate && lost {
				return fake.Decision{Before: &resource.Failure{Class: resource.UnknownOutcome, Message: "no answer"}}
			}
			return fake.Decision{}
		})
		_, out, err := s.run(t.Context())
		must(t, err)
		if out.Count(apply.InDoubt) != 1 {
			t.Fatalf("%s", results(out))
		}
		lost = false
		if rotated {
			s.box.put("disk", "rotated-meanwhile")
		}
		before := len(s.world.Calls())
		s.mustDraft(t)
		replays := slices.ContainsFunc(s.world.Calls()[before:], func(c fake.Call) bool { return c.Replay })
		if replays == rotated {
			t.Errorf("rotated %v, replayed %v", rotated, replays)
		}
		s.mustRun(t)
		s.settled(t, disk(secretOf("disk"))...)
	}
}

// TestEchoedSecret: an API's error that repeats what it was sent reaches no
// result, no run and no ledger.
func TestEchoedSecret(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(machine(secretOf("web"))...)
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == provider.OpCreate && c.Kind == "machine" {
			v := s.box.values["web"]
			return fake.Decision{Before: &resource.Failure{
				Class: resource.Invalid, Code: "BadPassword", Message: v + " is no password, nor is " + base64.StdEncoding.EncodeToString([]byte(v)),
			}}
		}
		return fake.Decision{}
	})
	d, out, err := s.run(t.Context())
	must(t, err)
	all := results(out) + faces(d)
	events, err := s.under.Events(t.Context(), "prod", 0)
	must(t, err)
	for _, ev := range events {
		b, err := json.Marshal(ev)
		must(t, err)
		all += string(b)
	}
	if v := s.box.tells(all); v != "" || !strings.Contains(all, "BadPassword: (secret) is no password, nor is (secret)") {
		t.Errorf("it tells %q:\n%s", v, all)
	}
}

// faces are all renderings of a draft, what policy is asked and what the digest
// is made of.
func faces(d *reconcile.Draft) string {
	p := d.ViewPlan(fake.Descriptors(), "")
	drift, _ := p.DriftChat()
	doc, err := policy.NewDocument(policy.Input{Plan: d.Plan, Desired: d.Spec.Desired, Kinds: fake.Descriptors()}).JSON()
	steps := ""
	for _, s := range d.Plan.Steps {
		steps += string(resource.Encode(s.Want)) + string(resource.Encode(s.Before))
		for _, c := range s.Changes {
			steps += string(resource.Encode(c.Before)) + string(resource.Encode(c.After))
		}
	}
	return p.Text(view.Page{Detail: true}) + string(p.JSON()) + view.Markdown([]*view.Plan{p}, false) + fmt.Sprintf("%+v%+v", p.Chat(), drift) +
		fmt.Sprint(doc, err) + steps + fmt.Sprintf("%+v", d.Plan)
}
