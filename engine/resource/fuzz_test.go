package resource_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/resource/resourcetest"
)

func FuzzParseText(f *testing.F) {
	for _, s := range []string{"", "a", "${isobar:prod/aws.vpc/main#id}", "arn:${isobar:prod/aws.vpc/main#arn}/*", "${isobar:", "${isobar:}", "$${isobar:a/b.c/d#e}", "${isobar:a/b.c/d#e}${isobar:a/b.c/d#f}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := resource.ParseText(s)
		if err != nil {
			if !strings.Contains(s, "${isobar:") {
				t.Fatalf("%q has no reference, yet: %v", s, err)
			}
			return
		}
		back := ""
		switch x := v.(type) {
		case resource.String:
			back = string(x)
		case resource.Ref:
			back = x.String()
		case resource.Template:
			back = x.String()
		}
		if back != s {
			t.Fatalf("%q became %#v, which prints %q", s, v, back)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"prod/aws.vpc/main", "", "a/b.c/d", "a/b/c", "a/b.c.d/e", "A/b.c/d", "a/b.c/d/e", "a/b.c/.d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := resource.ParseAddress(s)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("refused, yet %v", a)
			}
			return
		}
		if a.String() != s || !a.Valid() {
			t.Fatalf("%q became %q", s, a)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a", "a.b", `tags."a.b"`, `"`, `"a"`, `a.`, `.a`, `""`, `"\xff"`, "a..b", `"a"b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := resource.ParsePath(s)
		if err != nil {
			return
		}
		q, err := resource.ParsePath(p.String())
		if err != nil || !slices.Equal(p, q) {
			t.Fatalf("%q became %q, then %q, %v", s, p, q, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`null`, `1.5`, `1e16`, `"a"`, `[1,{"a":[]}]`, `{"$secret":"a","field":"b"}`, `{"$string":"${isobar:"}`, `{"$template":["a"]}`,
		`{"$template":[{"$unknown":""}]}`, `{"$$template":["a"]}`, `{"$unknown":"${isobar:prod/aws.vpc/main#id}"}`, `{"$unread":"x"}`,
		`"a${isobar:prod/aws.vpc/main#id}"`, `{"$meta":{}}`, `-0`, `-0.0`, `123456789012345678901234567890`, `"\ud800"`, `{"$$$a":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := resource.Decode(data)
		if err != nil {
			return
		}
		enc := resource.Encode(v)
		if !json.Valid(enc) {
			t.Fatalf("%q was written as %q, which is no JSON", data, enc)
		}
		again, err := resource.Decode(enc)
		if err != nil || !alike(again, v) {
			t.Fatalf("%q was read as %#v, written as %s, read again as %#v, %v", data, v, enc, again, err)
		}
	})
}

func TestAddressText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := resourcetest.Address().Draw(t, "a"), resourcetest.Address().Draw(t, "b")
		if got, err := resource.ParseAddress(a.String()); err != nil || got != a {
			t.Fatalf("%v became %v, %v", a, got, err)
		}
		j, err := json.Marshal(map[resource.Address]resource.Address{a: b})
		var back map[resource.Address]resource.Address
		if err != nil || json.Unmarshal(j, &back) != nil || back[a] != b {
			t.Fatalf("%s, %v", j, err)
		}
		if c := a.Compare(b); (c == 0) != (a == b) || c != -b.Compare(a) {
			t.Fatalf("Compare(%v, %v) = %d", a, b, c)
		}
	})
}

func TestPathText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := resource.Path(rapid.SliceOfN(rapid.OneOf(resourcetest.Text(), rapid.String()), 1, 4).Draw(t, "p"))
		if q, err := resource.ParsePath(p.String()); err != nil || !slices.Equal(p, q) {
			t.Fatalf("%q became %q, %v", p, q, err)
		}
	})
}

func TestObjectJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := resourcetest.Object(resourcetest.All()).Draw(t, "o")
		j, err := json.Marshal(o)
		var back resource.Object
		if err == nil {
			err = json.Unmarshal(j, &back)
		}
		if err != nil || back.Address != o.Address || back.ID != o.ID || back.Mark != o.Mark || !alike(back.Fields, o.Fields) {
			t.Fatalf("%s became %+v, %v", j, back, err)
		}
	})
}

func TestMarkTags(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := resourcetest.Object(resourcetest.Leaves{}).Draw(t, "o").Mark
		tags := rapid.MapOfN(rapid.StringMatching(`[A-Z][a-z]{0,4}`), rapid.String(), 0, 3).Draw(t, "tags")
		all := m.Tags()
		if all == nil {
			all = map[string]string{}
		}
		for k, v := range tags {
			all[k] = v
		}
		got, rest := resource.MarkFromTags(all)
		if got != m || len(rest) != len(tags) {
			t.Fatalf("%+v became %+v beside %v", m, got, rest)
		}
		delete(all, resource.MarkToken)
		if got, _ := resource.MarkFromTags(all); !got.IsZero() {
			t.Fatalf("a mark without its token counts: %+v", got)
		}
	})
}
