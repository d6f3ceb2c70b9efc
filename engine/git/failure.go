package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// Kind says what is wrong with a repository.
type Kind string

// The kinds. Whatever the kind, commits that were fetched earlier stay readable
// (save those that a Corrupt mirror lost, until the next Fetch).
const (
	Unreachable Kind = "unreachable" // the server did not answer, or broke off
	Denied      Kind = "denied"      // wrong or missing credentials, or another user's directory
	NotFound    Kind = "not_found"   // no repository at this address
	BranchGone  Kind = "branch_gone" // the repository is there, the branch is not
	Empty       Kind = "empty"       // no commit yet
	Corrupt     Kind = "corrupt"     // our own mirror is damaged; the next Fetch rebuilds it
	NoRevision  Kind = "no_revision" // no such commit, branch or tag in the mirror
	TooLarge    Kind = "too_large"   // a file exceeds Options.MaxFile, or what is to be merged another limit
	Unrelated   Kind = "unrelated"   // two histories with no commit in common, which can't be merged
	BadAddress  Kind = "bad_address" // not a URL that we take
	Untrusted   Kind = "untrusted"   // the server's host key is unknown, changed or revoked
	Full        Kind = "full"        // our own mirror can't be written to
	Unsigned    Kind = "unsigned"    // the branch's head bears no signature that counts; Head stays where it was
)

// Error is a classified failure. Its text names the repository without any
// credentials, and errors.As finds a *resource.Failure in it.
type Error struct {
	Kind Kind
	URL  string // without userinfo
	What string // lower case, no full stop
	Mend string
	Err  error // the cause, or nil
}

// Error gives "URL: what: cause".
func (e *Error) Error() string {
	s := e.What
	if e.URL != "" {
		s = e.URL + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the failure with its class, which unwraps to the cause.
func (e *Error) Unwrap() error {
	return &resource.Failure{Class: e.class(), Op: "git", Code: string(e.Kind), Message: e.What, Err: e.Err}
}

// Finding gives the error as a finding with its stable code.
func (e *Error) Finding() diag.Finding {
	return diag.Finding{Code: e.code(), Severity: diag.Error, Subject: e.URL, Message: (&Error{What: e.What, Err: e.Err}).Error(), Mend: e.Mend}
}

// KindOf gives the kind of the Error within err, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func (e *Error) class() resource.Class {
	switch e.Kind {
	case Unreachable, Corrupt, Full:
		return resource.Transient
	case Denied, Untrusted, Unsigned:
		return resource.Denied
	case NotFound, BranchGone, Empty, NoRevision:
		return resource.NotFound
	case TooLarge, BadAddress, Unrelated:
		return resource.Invalid
	}
	return resource.Bug
}

func (e *Error) code() diag.Code {
	switch e.Kind {
	case Unreachable:
		return "GIT-501"
	case Denied:
		return "GIT-502"
	case NotFound:
		return "GIT-503"
	case BranchGone:
		return "GIT-504"
	case Empty:
		return "GIT-505"
	case Corrupt:
		return "GIT-506"
	case NoRevision:
		return "GIT-507"
	case TooLarge:
		return "GIT-508"
	case Untrusted:
		return "GIT-510"
	case Full:
		return "GIT-511"
	case Unrelated:
		return "GIT-512"
	case Unsigned:
		return "GIT-513"
	case BadAddress:
	}
	return "GIT-509"
}

// classify turns an error of talking to a remote into an Error. Errors of our
// own store come out as Corrupt.
func classify(at address, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{URL: at.shown, Err: err}
	switch {
	case full(err):
		e.Kind, e.What, e.Mend, e.Err = Full, "the local mirror can't be written to", "free space on its disk and make it writable", rootCause(err)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		e.Kind, e.What, e.Mend, e.Err = Empty, "the repository has no commit yet", "push a first commit", nil
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), errors.Is(err, fs.ErrPermission),
		strings.Contains(err.Error(), "dubious ownership"):
		e.Kind, e.What, e.Mend = Denied, "access denied", at.mendDenied()
	case errors.Is(err, transport.ErrRepositoryNotFound), errors.Is(err, errNoRepository):
		e.Kind, e.What, e.Mend, e.Err = NotFound, "no repository found", "check the address, and that the credentials may see it", nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.What, e.Mend = Unreachable, "gave up waiting", "check the address and the network"
	default:
		e.Kind, e.What, e.Mend = Unreachable, "fetch failed", "check the address and the network"
	}
	return e
}

// full reports whether the disk under the mirror takes nothing more.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// rootCause gives the file's error within err, which names it.
func rootCause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe
	}
	return err
}

func (a address) mendDenied() string {
	if a.local != "" {
		return "run as the owner of " + a.local + ", or let that user read it"
	}
	return "give the key read access to this repository, or name another key"
}

func corrupt(at string, err error) *Error {
	if full(err) {
		return &Error{
			Kind: Full, URL: at, What: "the local mirror can't be written to", Err: rootCause(err),
			Mend: "free space on its disk and make it writable",
		}
	}
	return &Error{Kind: Corrupt, URL: at, What: "the local mirror is damaged", Mend: "nothing to do: the next fetch rebuilds it", Err: err}
}

// unmade says that no mirror can be made in dir.
func unmade(shown, dir string, err error) *Error {
	return &Error{
		Kind: Full, URL: shown, What: "the local mirror can't be made", Err: rootCause(err),
		Mend: "free space on the disk of " + dir + ", as much as a bare clone of the repository takes, and make it writable",
	}
}

var errNoRepository = fmt.Errorf("no repository there: %w", fs.ErrNotExist)
