package spec

import (
	"fmt"
	"strings"

	"cuelang.org/go/cue/errors"

	"isobar.dev/engine/diag"
)

// loadFinding explains an error of parsing, importing or resolving names.
func loadFinding(err errors.Error) diag.Finding {
	format, args := err.Msg()
	text := fmt.Sprintf(format, args...)
	f := diag.Finding{Code: codeSyntax, Severity: diag.Error, Message: text}
	for _, p := range append(err.InputPositions(), err.Position()) {
		if at := placeOf(p); at.File != "" && !isSchema(at.File) {
			f.Where = at
			break
		}
	}
	switch {
	case strings.Contains(text, "imported and not used"):
		f.Code, f.Mend = codeImport, "remove the import"
	case strings.HasPrefix(text, "reference ") && strings.HasSuffix(text, "not found"):
		name := ""
		if len(args) > 0 {
			name = fmt.Sprint(args[0])
		}
		f.Code, f.Message = codeReference, "nothing is called "+name+" here"
		f.Mend = "define it, or correct the name"
	case strings.Contains(text, "import"), strings.Contains(text, "cannot find package"), strings.Contains(text, "registry"):
		f.Code, f.Mend = codeImport, "import isobar.dev/schemas, CUE's own packages, or packages of this repository"
	default:
		f.Mend = "correct the CUE; cue fmt shows where it stumbles"
	}
	return f
}
