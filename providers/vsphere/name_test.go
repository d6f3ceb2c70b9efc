package vsphere

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"db": "db", "a/b": "a%2fb", `a\b`: "a%5cb", "50%": "50%25", "a%2fb": "a%252fb", "%25": "%2525",
	} {
		if got := kept(name); got != want || shown(got) != name {
			t.Errorf("%s is kept as %s, want %s, and that is %s", name, got, want, shown(got))
		}
	}
	for was, want := range map[string]string{"a%2Fb%5C": `a/b\`, "a%252Fb": "a%2Fb", "%41": "%41"} {
		if got := shown(was); got != want {
			t.Errorf("%s is %s, want %s", was, got, want)
		}
	}
	if got := join([]string{"a%2Fb", "c%5Cd"}); got != "a%2fb/c%5cd" {
		t.Error(got)
	}
}

func TestNamesAreSent(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"db": "db", `a/b\c`: `a/b\c`, "50%": "50%", "a%2fb": "a%252fb", "1/%5C": "1%2f%255C"} {
		if got := sent(name); got != want {
			t.Errorf("%s is sent as %s, want %s", name, got, want)
		}
	}
}

func TestNamesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[%/\\25fFcCa]{0,12}`).Draw(t, "name")
		if got := shown(kept(name)); got != name {
			t.Fatalf("%s comes back as %s", name, got)
		}
	})
}
