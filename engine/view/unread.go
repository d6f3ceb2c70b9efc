package view

import "time"

// Unread is a repository that can't be read, or whose head is not taken, or that was so.
type Unread struct {
	Repo   string
	Barred bool      // it can be read, and its head is not taken
	Commit string    // the one in force; "" where there is none yet
	Since  time.Time // zero: not known
	Until  time.Time // zero: it still can't be read
	Why    string
	Mend   string // "" where nobody knows
}

// Chat renders it as one message.
func (u Unread) Chat() Rich {
	if !u.Until.IsZero() {
		was := joined(" ", said("at"), moment(u.Until))
		if !u.Since.IsZero() {
			was = joined(" ", said("from"), moment(u.Since), said("to"), moment(u.Until), said("it was not"))
		}
		return joined(" ", said("✓"), joined(" · ", strong("repository "+u.Repo), said("is followed again"), was))
	}
	wrong := "can't be read since"
	if u.Barred {
		wrong = "is not followed since"
	}
	force := said("nothing of it is in force yet")
	if u.Commit != "" {
		force = joined(" ", coded(short(u.Commit)), said("stays in force, pushes are without effect"))
	}
	head := joined(" ", said("✗"), joined(" · ", strong("repository "+u.Repo),
		joined(" ", said(wrong), moment(u.Since)), said(u.Why), force))
	return joined("\n", head, said(u.Mend))
}
