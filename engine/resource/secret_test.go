package resource_test

import (
	"reflect"
	"testing"

	"isobar.dev/engine/resource"
)

// TestConceal: a text is hidden just where a like has a secret; nothing else
// changes, and nothing is written to.
func TestConceal(t *testing.T) {
	t.Parallel()
	type (
		m = resource.Map
		s = resource.String
	)
	mac := func(v string) string { return "mac of " + v }
	live := m{"data": m{"user": s("u"), "meta": s("m")}, "size": resource.Int(3), "text": s("t"), "list": resource.List{s("l")}}
	want := m{"data": m{"user": resource.Secret{Name: "a", Field: "f", MAC: "old"}, "meta": s("m")}, "size": resource.Secret{Name: "b"}, "gone": resource.Secret{Name: "c"}}
	applied := m{"text": resource.Secret{Name: "d"}, "data": m{"user": resource.Secret{Name: "e"}}}
	before := string(resource.Encode(live))
	got := string(resource.Encode(resource.Conceal(live, mac, nil, want, applied)))
	if expect := `{"data":{"meta":"m","user":{"$secret":"a","field":"f","hmac":"mac of u"}},"list":["l"],"size":3,"text":{"$secret":"d","hmac":"mac of t"}}`; got != expect {
		t.Errorf("got %s", got)
	}
	if string(resource.Encode(live)) != before {
		t.Error("the live fields were written to")
	}
	again := resource.Conceal(live, mac, m{"other": resource.Secret{Name: "x"}})
	if reflect.ValueOf(again).Pointer() != reflect.ValueOf(live).Pointer() {
		t.Error("what needs no change was copied")
	}
	if resource.Conceal(nil, mac, want) != nil {
		t.Error("fields out of nothing")
	}
}
