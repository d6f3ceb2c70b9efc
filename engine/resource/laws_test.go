package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/resource/resourcetest"
)

// alike compares through Unknown and Unread, which equal nothing.
func alike(a, b resource.Value) bool {
	return string(resource.Encode(a)) == string(resource.Encode(b)) && fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b)
}

func TestDecodeReadsWhatEncodeWrote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := resourcetest.Value(resourcetest.All(), 3).Draw(t, "v")
		enc := resource.Encode(v)
		if !json.Valid(enc) {
			t.Fatalf("not JSON: %s", enc)
		}
		got, err := resource.Decode(enc)
		if err != nil {
			t.Fatalf("%s: %v", enc, err)
		}
		holes := resource.HasUnknown(v) || resource.HasUnread(v)
		if !alike(got, v) || !holes && !resource.Equal(got, v) {
			t.Fatalf("%#v\n became %#v\n by %s", v, got, enc)
		}
	})
}

func TestEncodeIsInjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := resourcetest.Value(resourcetest.Leaves{Refs: true}, 2)
		a, b := g.Draw(t, "a"), g.Draw(t, "b")
		if (string(resource.Encode(a)) == string(resource.Encode(b))) != resource.Equal(a, b) {
			t.Fatalf("%#v and %#v: %s, %s", a, b, resource.Encode(a), resource.Encode(b))
		}
	})
}

// near gives three values of which some are often equal.
func near(t *rapid.T, l resourcetest.Leaves) [3]resource.Value {
	pool := rapid.SliceOfN(resourcetest.Value(l, 2), 1, 3).Draw(t, "pool")
	var out [3]resource.Value
	for i := range out {
		v := rapid.SampledFrom(pool).Draw(t, "pick")
		again, err := resource.Decode(resource.Encode(v)) // the same value, nothing shared
		if err != nil {
			t.Fatal(err)
		}
		out[i] = again
	}
	return out
}

func TestEqualIsAnEquivalence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := near(t, resourcetest.Leaves{Refs: true})
		a, b, c := v[0], v[1], v[2]
		switch {
		case !resource.Equal(a, a):
			t.Fatalf("%#v is not itself", a)
		case resource.Equal(a, b) != resource.Equal(b, a):
			t.Fatalf("one-sided: %#v, %#v", a, b)
		case resource.Equal(a, b) && resource.Equal(b, c) && !resource.Equal(a, c):
			t.Fatalf("%#v = %#v = %#v, but not the first and the last", a, b, c)
		}
	})
}

func TestEqualOfSecrets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := resourcetest.Secret().Draw(t, "a"), resourcetest.Secret().Draw(t, "b")
		want := a.Name == b.Name && a.Field == b.Field && a.Version == b.Version
		if a.MAC != "" && b.MAC != "" {
			want = a.MAC == b.MAC
		}
		if resource.Equal(a, b) != want || resource.Equal(b, a) != want {
			t.Fatalf("Equal(%q, %q) = %v", resource.Encode(a), resource.Encode(b), !want)
		}
	})
}

func TestHolesEqualNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := resourcetest.Value(resourcetest.All(), 3).Draw(t, "v")
		holes := resource.HasUnknown(v) || resource.HasUnread(v)
		if resource.Equal(v, v) == holes {
			t.Fatalf("%#v: holes %v, yet equal to itself %v", v, holes, !holes)
		}
	})
}

func TestCompareIsATotalOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := near(t, resourcetest.Leaves{Refs: true})
		a, b, c := v[0], v[1], v[2]
		ab, ba, bc, ac := resource.Compare(a, b), resource.Compare(b, a), resource.Compare(b, c), resource.Compare(a, c)
		switch {
		case ab != -ba:
			t.Fatalf("Compare(%#v, %#v) = %d, the other way %d", a, b, ab, ba)
		case ab <= 0 && bc <= 0 && ac > 0:
			t.Fatalf("%#v ≤ %#v ≤ %#v, yet the first is greater", a, b, c)
		case (ab == 0) != resource.Equal(a, b):
			t.Fatalf("Compare(%#v, %#v) = %d, Equal %v", a, b, ab, resource.Equal(a, b))
		}
	})
}

func TestSortedIgnoresTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := resource.List(rapid.SliceOfN(resourcetest.Value(resourcetest.All(), 2), 0, 6).Draw(t, "l"))
		before := string(resource.Encode(l))
		mixed := rapid.Permutation(l).Draw(t, "mixed")
		if a, b := resource.Encode(resource.Sorted(l)), resource.Encode(resource.Sorted(mixed)); string(a) != string(b) {
			t.Fatalf("%s\n%s", a, b)
		}
		if string(resource.Encode(l)) != before {
			t.Fatal("Sorted wrote into its input")
		}
	})
}

func TestRewriteSharesAndNeverWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := resourcetest.Value(resourcetest.All(), 3).Draw(t, "v")
		before := string(resource.Encode(v))
		same := resource.Rewrite(v, func(e resource.Value) resource.Value { return e })
		if !shared(same, v) {
			t.Fatalf("nothing was changed, yet %s was copied", before)
		}
		hit := rapid.SampledFrom([]string{"", "a", "$"}).Draw(t, "hit")
		out := resource.Rewrite(v, func(e resource.Value) resource.Value {
			switch x := e.(type) {
			case resource.Ref:
				return resource.String("resolved")
			case resource.String:
				if string(x) == hit {
					return resource.List{x}
				}
			case resource.Bool:
				return nil
			}
			return e
		})
		if string(resource.Encode(v)) != before {
			t.Fatalf("the input was written to: %s, now %s", before, resource.Encode(v))
		}
		if len(resource.Refs(out)) != 0 {
			t.Fatalf("references are left in %s", resource.Encode(out))
		}
		if resource.Contains(out, func(e resource.Value) bool {
			m, _ := e.(resource.Map)
			for _, x := range m {
				if x == nil {
					return true
				}
			}
			return slices.ContainsFunc(listOf(e), func(x resource.Value) bool { return x == nil })
		}) {
			t.Fatal("a node that was taken out left a hole")
		}
	})
}

func listOf(v resource.Value) resource.List { l, _ := v.(resource.List); return l }

// shared reports whether a is the very node b.
func shared(a, b resource.Value) bool {
	switch x := a.(type) {
	case resource.List:
		y, ok := b.(resource.List)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case resource.Template:
		y, ok := b.(resource.Template)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case resource.Map:
		y, ok := b.(resource.Map)
		return ok && fmt.Sprintf("%p", x) == fmt.Sprintf("%p", y)
	}
	return a == b
}

func TestSecretsNeverShow(t *testing.T) {
	t.Parallel()
	const name, mac = "zebra/pass", "deadbeef"
	s := resource.Secret{Name: name, Field: "quagga", Version: "okapi", MAC: mac}
	carriers := map[string]any{
		"bare": s, "pointer": &s, "list": resource.List{s}, "map": resource.Map{"a": s},
		"template": resource.Template{resource.String("a"), s},
		"object":   resource.Object{Fields: resource.Map{"a": resource.List{s}}},
		"change":   resource.Change{Before: s, After: s},
		"desired":  resource.Desired{Fields: resource.Map{"a": s}},
	}
	for what, c := range carriers {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if out := fmt.Sprintf(verb, c); leaks(out) {
				t.Errorf("%s by %s: %s", what, verb, out)
			}
		}
	}
	for what, c := range map[string]any{"bare": s, "list": resource.List{s}, "change": resource.Change{Before: s}} {
		if out, err := json.Marshal(c); err != nil || leaks(string(out)) {
			t.Errorf("%s by json.Marshal: %s, %v", what, out, err)
		}
	}
	if out := fmt.Sprint(errors.Join(fmt.Errorf("bad %v", s))); leaks(out) {
		t.Error(out)
	}
}

func leaks(out string) bool {
	for _, part := range []string{"zebra", "quagga", "okapi", "deadbeef", "7a65627261", "6f6b617069"} {
		if strings.Contains(out, part) {
			return true
		}
	}
	return false
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   float64
		want resource.Value
	}{
		{0, resource.Int(0)},
		{math.Copysign(0, -1), resource.Int(0)},
		{3, resource.Int(3)},
		{0.5, resource.Float(0.5)},
		{1 << 53, resource.Int(1 << 53)},
		{1 << 62, resource.Int(1 << 62)},
		{1 << 63, resource.Float(1 << 63)},
		{-(1 << 63), resource.Int(math.MinInt64)},
		{1e300, resource.Float(1e300)},
	} {
		if got := resource.Number(c.in); got != c.want {
			t.Errorf("Number(%g) = %#v, want %#v", c.in, got, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{``, "EOF"},
		{`1 2`, "more than one"},
		{`{"a":`, "EOF"},
		{`1e999`, "out of range"},
		{`{"$foo":"a"}`, "$foo is reserved"},
		{`{"$secret":1}`, "wants text"},
		{`{"$secret":null}`, "wants text"},
		{`{"$secret":"a","$string":"b"}`, "beside"},
		{`{"$secret":"a","feild":"b"}`, "feild"},
		{`{"$string":"a","b":1}`, "beside"},
		{`{"$template":["a"],"b":1}`, "beside"},
		{`{"$template":1}`, "$template"},
		{`"${isobar:nonsense}"`, "not a reference"},
		{`"${isobar:"`, "not a reference"},
		{strings.Repeat("[", 202) + strings.Repeat("]", 202), "deeper"},
	} {
		v, err := resource.Decode([]byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Decode(%.60s) = %#v, %v; want an error with %q", c.in, v, err, c.want)
		}
	}
}

func TestDecodeMeta(t *testing.T) {
	t.Parallel()
	v, err := resource.Decode([]byte(`{"$meta":{"preventDestroy":true},"a":1}`))
	want := resource.Map{"$meta": resource.Map{"preventDestroy": resource.Bool(true)}, "a": resource.Int(1)}
	if err != nil || !resource.Equal(v, want) {
		t.Fatalf("%#v, %v", v, err)
	}
}
