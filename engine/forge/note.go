package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"isobar.dev/engine/resource"
)

// maxNotes is how many notes one pull may get at a time: more read as noise, and
// GitHub's secondary limits count them.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
const maxNotes = 50

// notebook is how a forge takes notes on a diff.
type notebook interface {
	// changed gives the lines of the head that can take a note, of the wanted
	// files at least; none at all when the head is not p's any more.
	changed(ctx context.Context, p Pull, wanted map[string]bool) (lines, error)
	// noted gives the bodies of our own notes that the forge still shows.
	noted(ctx context.Context, p Pull) ([]string, error)
	// together is how many notes one call of note takes.
	together() int
	// note writes notes, all of them or none. Its error is classified.
	note(ctx context.Context, p Pull, notes []placed) error
}

// lines says for each file, by its path in the head, which lines the diff shows.
type lines map[string]map[int]spot

// spot is a line of a diff.
type spot struct {
	oldPath string
	old     int // the line in the base, 0 for one that was added
}

// placed is a note with its place and its whole body.
type placed struct {
	Note
	spot

	text string
}

// A mark at the end of a note's body tells it again. It does not hold the line,
// which moves with what is written above it, but says which one of the same notes
// on a file it is.
const markFormat = "\n\n<!-- isobar:note %s -->"

var markPattern = regexp.MustCompile(`<!-- isobar:note ([0-9a-f]{16}) -->`)

func markOf(n Note, nth int) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%s\x00%d", n.Path, n.Body, nth)))
	return hex.EncodeToString(sum[:8])
}

// annotate writes those notes that have a place and are not there yet, and gives
// back those without a place.
func annotate(ctx context.Context, b notebook, p Pull, notes []Note) ([]Note, error) {
	if len(notes) == 0 {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, n := range notes {
		wanted[n.Path] = true
	}
	at, err := b.changed(ctx, p, wanted)
	if err != nil {
		return notes, err
	}
	there := map[string]bool{}
	if len(at) > 0 {
		bodies, err := b.noted(ctx, p)
		if err != nil {
			return notes, err
		}
		for _, body := range bodies {
			for _, m := range markPattern.FindAllStringSubmatch(body, -1) {
				there[m[1]] = true
			}
		}
	}
	fresh, left := place(notes, at, there)
	more, err := write(ctx, b, p, fresh)
	return append(left, more...), err
}

// place sorts notes into new ones with a place and those without; what is there
// already is in neither.
func place(notes []Note, at lines, there map[string]bool) (fresh []placed, left []Note) {
	seen := map[Note]int{}
	for _, n := range notes {
		key := Note{Path: n.Path, Body: n.Body}
		mark := markOf(n, seen[key])
		seen[key]++
		s, ok := at[n.Path][n.Line]
		switch {
		case there[mark]:
		case !ok || len(fresh) == maxNotes:
			left = append(left, n)
		default:
			fresh = append(fresh, placed{Note: n, spot: s, text: strings.TrimRight(n.Body, "\n") + fmt.Sprintf(markFormat, mark)})
		}
	}
	return fresh, left
}

// write writes notes in as few calls as the forge takes, or one by one where it
// refuses one of them, and gives back those that it refuses or that an error kept
// from being written.
func write(ctx context.Context, b notebook, p Pull, notes []placed) (left []Note, err error) {
	step := b.together()
	for len(notes) > 0 {
		n := min(step, len(notes))
		err := b.note(ctx, p, notes[:n])
		switch {
		case err == nil:
		case resource.ClassOf(err) != resource.Invalid:
			return append(left, bare(notes)...), err
		case n > 1:
			step = 1
			continue
		default:
			left = append(left, notes[0].Note)
		}
		notes = notes[n:]
	}
	return left, nil
}

func bare(notes []placed) []Note {
	out := make([]Note, 0, len(notes))
	for _, n := range notes {
		out = append(out, n.Note)
	}
	return out
}
