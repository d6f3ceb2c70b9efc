package plan_test

import (
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestWhatLandedLateIsOurs: what a call set though it was settled as not done is
// taken back once the spec has it no more; what somebody else set is not.
func TestWhatLandedLateIsOurs(t *testing.T) {
	t.Parallel()
	s := func(v string) resource.Value { return resource.String(v) }
	tags := func(kv ...string) resource.Map {
		m := resource.Map{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = s(kv[i+1])
		}
		return m
	}
	names := func(vs ...string) resource.List {
		l := resource.List{}
		for _, v := range vs {
			l = append(l, s(v))
		}
		return l
	}
	for name, c := range map[string]struct {
		kind                      string
		applied, want, live, sent resource.Map
		after                     map[string]resource.Value // by path; nil: emptied
	}{
		"a map": {"t.net", nil, nil, resource.Map{"tags": tags("a", "1")}, resource.Map{"tags": tags("a", "1")}, map[string]resource.Value{"tags.a": nil}},
		"a key beside what is ours": {
			"t.net",
			resource.Map{"tags": tags("a", "1")},
			resource.Map{"tags": tags("a", "1")},
			resource.Map{"tags": tags("a", "1", "b", "2")},
			resource.Map{"tags": tags("a", "1", "b", "2")},
			map[string]resource.Value{"tags.b": nil},
		},
		"another's value": {"t.net", nil, nil, resource.Map{"tags": tags("a", "2")}, resource.Map{"tags": tags("a", "1")}, nil},
		"another's key":   {"t.net", nil, nil, resource.Map{"tags": tags("c", "3")}, resource.Map{"tags": tags("a", "1")}, nil},
		"nothing came":    {"t.net", nil, nil, resource.Map{}, resource.Map{"tags": tags("a", "1")}, nil},
		"it is wanted":    {"t.net", nil, resource.Map{"tags": tags("a", "1")}, resource.Map{"tags": tags("a", "1")}, resource.Map{"tags": tags("a", "1")}, nil},
		"elements": {
			"t.group",
			resource.Map{"allow": names("x")},
			resource.Map{"allow": names("x")},
			resource.Map{"allow": names("x", "y", "z")},
			resource.Map{"allow": names("x", "y")},
			map[string]resource.Value{"allow": names("z", "x")},
		},
		"a whole list": {"t.sub", nil, nil, resource.Map{"zones": names("a")}, resource.Map{"zones": names("a")}, map[string]resource.Value{"zones": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Build(landedInput(t, c.kind, c.applied, c.want, c.live, c.sent))
			got := map[string]resource.Value{}
			for _, st := range p.Steps {
				for _, ch := range st.Changes {
					got[ch.Path.String()] = ch.After
				}
			}
			if len(got) != len(c.after) {
				t.Fatalf("changes %v, want %v (held %+v)", got, c.after, p.Held)
			}
			for path, v := range c.after {
				if now, ok := got[path]; !ok || !resource.Equal(now, v) {
					t.Errorf("%s becomes %v, want %v", path, now, v)
				}
			}
		})
	}
}

// landedInput has one object of a kind, three ways and as a call was to set it; what
// the kind requires is added to the first three.
func landedInput(t *testing.T, kind string, fields ...resource.Map) plan.Input {
	t.Helper()
	a := parseLocal(t, kind+"/a")
	with := func(m resource.Map) resource.Map {
		out := resource.Map{}
		for k, v := range map[string]string{"cidr": "10.0", "net": "n", "name": "a"} {
			if kinds()[kind].Field(k) != nil {
				out[k] = resource.String(v)
			}
		}
		for k, v := range m {
			out[k] = v
		}
		return out
	}
	applied, want, live, sent := with(fields[0]), with(fields[1]), with(fields[2]), fields[3]
	in := plan.Input{
		Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Live: map[ledger.Key]plan.Reading{},
		Desired: []resource.Desired{{Address: a, Fields: want}},
	}
	own(t, &in, "1", goldenEntry{Address: kind + "/a", Applied: applied}, nil)
	key := ledger.Key{Address: a, Token: "1"}
	r := in.Live[key]
	r.Object.Fields, r.Sent = live, []resource.Map{sent}
	in.Live[key] = r
	return in
}
