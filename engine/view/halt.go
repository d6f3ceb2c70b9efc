package view

import "time"

// Halt is what ended a run before it had done all: a person's cancel, or a newer
// commit that takes its place.
type Halt struct {
	By      string    `json:"by"`                // the person, or the commit's author
	At      time.Time `json:"at"`                // UTC
	Commit  string    `json:"commit,omitempty"`  // the newer commit; "" for a person's cancel
	Subject string    `json:"subject,omitempty"` // its first line
}

// String says who cancelled, or which commit did.
func (h Halt) String() string {
	if h.Commit == "" {
		return "cancelled by " + clean(h.By)
	}
	s := "cancelled by the newer commit " + clean(short(h.Commit))
	if h.Subject != "" {
		s += " \"" + clean(brief(h.Subject, 80)) + "\""
	}
	if h.By != "" {
		s += " by " + clean(h.By)
	}
	return s
}

// halted is how a run was ended before it had done all.
func (r *Run) halted() string {
	if r.Halt == nil {
		return string(Cancelled)
	}
	return r.Halt.String()
}
