package view

import "time"

// Unread is a repository that can't be read, or could not be.
type Unread struct {
	Repo   string
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
			was = joined(" ", said("from"), moment(u.Since), said("to"), moment(u.Until), said("it could not be"))
		}
		return joined(" ", said("✓"), joined(" · ", strong("repository "+u.Repo), said("can be read again"), was))
	}
	force := said("nothing was read of it yet")
	if u.Commit != "" {
		force = joined(" ", coded(short(u.Commit)), said("stays in force, pushes are without effect"))
	}
	head := joined(" ", said("✗"), joined(" · ", strong("repository "+u.Repo),
		joined(" ", said("can't be read since"), moment(u.Since)), said(u.Why), force))
	return joined("\n", head, said(u.Mend))
}
