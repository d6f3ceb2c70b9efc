package reconcile

import (
	"fmt"
	"slices"
	"strings"
)

// unmet says what a look after all steps were done still finds to do, or "".
func (o *Outcome) unmet() string {
	if o.After == nil || len(o.After.Steps) == 0 || !o.Report.OK() {
		return ""
	}
	s := &o.After.Steps[0]
	what := "is not as wanted yet"
	if len(s.Changes) > 0 {
		var fields []string
		for _, c := range s.Changes {
			if f := c.Path[0]; !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
		what = "still differs in " + strings.Join(fields, ", ")
	}
	text := fmt.Sprintf("each call was done, and %s %s", s.Address.Local(), what)
	if n := len(o.After.Steps); n > 1 {
		text += fmt.Sprintf(", and %d more to do", n-1)
	}
	return text + ": isobar plan " + s.Address.Env
}
