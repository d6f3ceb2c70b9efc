package git

import (
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// Commit is what people want to know of a commit. Its texts hold no control
// characters; a subject is cut at 200 characters.
type Commit struct {
	Hash        string // 40 hex digits
	Short       string // the first 7
	Subject     string // the first line of the message
	Author      string
	AuthorEmail string
	When        time.Time // of committing
	Forced      string    // of a Head that this process fetched: the one before it, where that is not in its history; else ""
}

const maxSubject = 200

func commitOf(c *object.Commit) Commit {
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	h := c.Hash.String()
	return Commit{
		Hash: h, Short: h[:7], Subject: clean(subject),
		Author: clean(c.Author.Name), AuthorEmail: clean(c.Author.Email), When: c.Committer.When,
	}
}

func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if r := []rune(s); len(r) > maxSubject {
		return string(r[:maxSubject-1]) + "…"
	}
	return s
}
