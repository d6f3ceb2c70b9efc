package view

import (
	"time"

	"isobar.dev/engine/plan"
)

// LateJSON is something that reads as it was before isobar's own write: whether
// it was changed outside can be told from then on.
type LateJSON struct {
	Address string    `json:"address"`
	Fields  []string  `json:"fields"`         // top-level
	Mark    bool      `json:"mark,omitempty"` // isobar's mark, too
	Wrote   time.Time `json:"written_at"`     // UTC
	Until   time.Time `json:"trusted_from"`   // UTC
}

func lateJSON(late []plan.Late) []LateJSON {
	var out []LateJSON
	for _, l := range late {
		j := LateJSON{Address: l.Address.Local(), Fields: []string{}, Mark: l.Mark, Wrote: l.Wrote.UTC(), Until: l.Until.UTC()}
		for _, f := range l.Fields {
			j.Fields = append(j.Fields, clean(f))
		}
		out = append(out, j)
	}
	return out
}

// notKnown counts what is late: "1 resource not known yet"; "" for nothing.
func notKnown(late []plan.Late) string {
	if len(late) == 0 {
		return ""
	}
	return count(len(late), "resource") + " not known yet"
}

// LateText says in one line what can't be told yet, and from when on it can;
// "" where all can. Times are of the page's zone, UTC named.
func LateText(late []plan.Late, pg Page) string {
	if len(late) == 0 {
		return ""
	}
	fields, marks, whole := 0, 0, 0
	from, until := late[0].Wrote, late[0].Until
	for _, l := range late {
		fields += len(l.Fields)
		switch {
		case l.Mark:
			marks++
		case len(l.Fields) == 0:
			whole++
		}
		if l.Wrote.Before(from) {
			from = l.Wrote
		}
		if l.Until.After(until) {
			until = l.Until
		}
	}
	what, of, wrote := "", late[0].Address.Local(), "written at "
	if fields > 0 {
		what = count(fields, "field")
	}
	switch {
	case marks > 1:
		what = join(" and ", what, "the marks")
	case marks == 1:
		what = join(" and ", what, "the mark")
	}
	if len(late) > 1 {
		of, wrote = count(len(late), "resource"), "written since "
	}
	still, they := "still read", "they"
	if len(late) == 1 && fields+marks+whole == 1 {
		still, they = "still reads", "it"
	}
	if whole == 0 {
		of = what + " of " + of
	}
	return of + ", " + wrote + pg.clock(from) + ", " + still + " as before: " + they +
		" cannot be trusted before " + pg.clock(until.Add(time.Minute-time.Nanosecond))
}

// clock is a time of day in the page's zone.
func (pg Page) clock(t time.Time) string {
	if pg.zone() == time.UTC {
		return t.UTC().Format("15:04 UTC")
	}
	return t.In(pg.zone()).Format("15:04")
}
