package spec

import (
	"testing"

	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"isobar.dev/engine/diag"
)

func TestNoMeaningIsEmpty(t *testing.T) {
	t.Parallel()
	echo := errors.Newf(token.NoPos, "%d errors in empty disjunction:", 3)
	m := describeGroup([]errors.Error{echo})
	if m.text == "" || !m.vague {
		t.Errorf("%+v", m)
	}
	plain := diag.Finding{Severity: diag.Error, Code: codeValue, Message: "plain"}
	for name, c := range map[string]struct {
		found diag.List
		want  string
	}{"alone": {nil, m.text}, "beside a plain one": {diag.List{plain}, "plain"}} {
		e := &evaluation{found: c.found, seen: map[string]bool{}}
		e.settle(diag.List{{Severity: diag.Error, Code: codeValue, Message: m.text}})
		if len(e.found) != 1 || e.found[0].Message != c.want {
			t.Errorf("%s: %v", name, e.found)
		}
	}
}
