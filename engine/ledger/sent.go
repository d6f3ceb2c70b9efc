package ledger

import (
	"slices"
	"time"

	"isobar.dev/engine/resource"
)

// SentFor is how long after it was settled as not done a call may still have its
// effect: a request that was lost on its way out, or held up in a queue of the
// provider's, lands late. Providers give up long before an hour (the signature of an
// AWS request holds for 5 minutes: IAM user guide, "Elements of an AWS API request
// signature").
const SentFor = time.Hour

// Sent is what an update was to set that was settled as not done.
type Sent struct {
	Fields resource.Map `json:"fields"` // the values at top-level fields; those it was to empty are not told
	At     time.Time    `json:"at"`     // when it was settled
}

// missed notes what an update was to set and ev, which settles it, did not find.
// What is too old to come is forgotten.
func (e *Entry) missed(op *Open, ev Event) {
	e.Sent = slices.DeleteFunc(slices.Clone(e.Sent), func(s Sent) bool { return ev.At.Sub(s.At) > SentFor })
	if ev.Type == Settled && ev.Record != nil {
		fields := resource.Map{}
		for _, p := range op.Paths {
			if v := op.Record.Applied[p[0]]; v != nil && !resource.Equal(v, ev.Record.Applied[p[0]]) {
				fields[p[0]] = v
			}
		}
		if len(fields) > 0 {
			e.Sent = append(e.Sent, Sent{Fields: fields, At: ev.At})
		}
	}
	if len(e.Sent) == 0 {
		e.Sent = nil
	}
}
