package git

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Signers tell whose signature a commit bears.
type Signers interface {
	// Whose names who signed a text, somebody who counts at that instant. Its error
	// says why it is nobody, as what follows "the commit".
	Whose(text, signature []byte, at time.Time) (string, error)
}

// signedRef is headRef where heads have to be signed: what was taken without looking
// for a signature is not mistaken for what was found good. What was once found good
// stays so, whatever becomes of the key.
const signedRef = plumbing.ReferenceName("refs/isobar/signed")

func (m *Mirror) headRef() plumbing.ReferenceName {
	if m.opts.Signers != nil {
		return signedRef
	}
	return headRef
}

// vouched finds out whether a commit may become the head of a mirror whose heads have
// to be signed.
func (m *Mirror) vouched(sto *filesystem.Storage, branch plumbing.ReferenceName, h plumbing.Hash) error {
	if m.opts.Signers == nil {
		return nil
	}
	signers, err := m.opts.Signers()
	if err != nil {
		return &Error{
			Kind: Unsigned, URL: m.at.shown, What: "whose signature counts can't be told", Err: err,
			Mend: "mend the files that requireSigned names; until then no new commit is taken",
		}
	}
	c, err := object.GetCommit(sto, h)
	if err != nil {
		return corrupt(m.at.shown, err)
	}
	raw, err := rawCommit(sto, h)
	if err != nil {
		return corrupt(m.at.shown, err)
	}
	text, signature, err := cutSignature(raw)
	if err == nil {
		_, err = signers.Whose(text, signature, m.opts.Now())
	}
	if err == nil {
		return nil
	}
	is := commitOf(c)
	return &Error{
		Kind: Unsigned, URL: m.at.shown,
		What: fmt.Sprintf("the head of %s, %s %q by %s <%s>, %s", branch.Short(), is.Short, is.Subject, is.Author, is.AuthorEmail, err),
		Mend: "sign it with a key that counts (git commit --amend --no-edit -S) or put such a commit on top; if its key is to count, add that to the files that requireSigned names",
	}
}

// rawCommit gives the bytes of a commit's object.
func rawCommit(sto *filesystem.Storage, h plumbing.Hash) ([]byte, error) {
	obj, err := sto.EncodedObject(plumbing.CommitObject, h)
	if err != nil {
		return nil, err
	}
	return readAll(obj)
}

// cutSignature parts a commit's object into what is signed and the signature: its
// header gpgsig, with what continues it (gitformat-signature(5)). The bytes besides it
// stay as they are, headers that nobody knows among them.
func cutSignature(raw []byte) (text, signature []byte, err error) {
	const ours, other = "gpgsig", "gpgsig-sha256"
	n, keep := 0, true // signatures so far, and whether the header at hand is part of the text
	rest := raw
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if len(line) == 0 {
			break // the message follows
		}
		whole := rest[:len(rest)-len(after)]
		name, value, _ := bytes.Cut(line, []byte(" "))
		switch {
		case line[0] == ' ' && !keep:
			signature = append(append(signature, line[1:]...), '\n')
		case line[0] == ' ':
			text = append(text, whole...)
		case string(name) == ours:
			n, keep = n+1, false
			signature = append(append([]byte{}, value...), '\n')
		case string(name) == other:
			return nil, nil, errors.New("has a signature of another hash, which isobar can't check")
		default:
			keep, text = true, append(text, whole...)
		}
		rest = after
	}
	if n > 1 {
		return nil, nil, errors.New("has more than one signature")
	}
	return append(text, rest...), signature, nil
}
