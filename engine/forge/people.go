package forge

import (
	"strings"
	"unicode"

	"isobar.dev/engine/resource"
)

// maxCommits is how many commits of a pull are looked at: what GitHub gives.
// https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request
const maxCommits = 250

// impossible reports whether nobody can have a login, as it would be another path
// or query in a request.
func impossible(login string) bool {
	return login == "" || login == "." || login == ".." || strings.ContainsAny(login, `/\?#%`) ||
		strings.ContainsFunc(login, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// absent reports whether the forge answered that something is not there.
func absent(err error) bool { return resource.ClassOf(err) == resource.NotFound }

// hands gathers who made the commits of a pull.
type hands struct {
	commits int // that were looked at
	logins  []string
}

// add takes in the logins of one commit, "" for those that the forge does not know,
// and reports whether there is room for another commit.
func (h *hands) add(logins ...string) bool {
	if h.full() {
		return false
	}
	h.commits++
	for _, l := range logins {
		if l != "" {
			h.logins = append(h.logins, l)
		}
	}
	return !h.full()
}

func (h *hands) full() bool { return h.commits >= maxCommits }
