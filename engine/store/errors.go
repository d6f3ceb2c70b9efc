package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"isobar.dev/engine/diag"
)

// What can go wrong. Test with errors.Is; Finding tells people.
var (
	ErrLocked    = errors.New("another process holds the store")
	ErrConflict  = errors.New("the ledger has moved on")
	ErrFenced    = errors.New("the lease has passed to another process")
	ErrHeld      = errors.New("another process holds the lease")
	ErrRefused   = errors.New("the store refuses it")
	ErrNewer     = errors.New("the store was written by a newer isobar")
	ErrFull      = errors.New("the store cannot be written to")
	ErrAway      = errors.New("the store's server cannot be used")
	ErrCorrupt   = errors.New("the store is damaged")
	ErrTampered  = errors.New("the audit log was altered")
	ErrNotFound  = errors.New("no such entry in the store")
	ErrAmbiguous = errors.New("more than one run begins like this")
	ErrConsumed  = errors.New("the approval was used already")
	ErrRejected  = errors.New("the plan was rejected")
	ErrClosed    = errors.New("the store is closed")
	ErrBackup    = errors.New("no backup was made")
	ErrRestore   = errors.New("the store was not restored")
	ErrPlace     = errors.New("the store can't be there")
	ErrForeign   = errors.New("the store may not be used")
)

// failure is an error of a class above with the particulars.
type failure struct {
	class error
	text  string
	cause error
}

func (f *failure) Error() string { return f.class.Error() + ": " + f.text }

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.class}
	}
	return []error{f.class, f.cause}
}

func errorf(class error, format string, args ...any) error {
	return &failure{class: class, text: fmt.Sprintf(format, args...)}
}

func wrap(class, cause error) error {
	return &failure{class: class, text: cause.Error(), cause: cause}
}

// classify sorts an error of the operating system or the database, once.
func classify(err error) error {
	var known *failure
	switch {
	case err == nil || errors.As(err, &known) || errors.Is(err, ErrClosed):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EROFS):
		return wrap(ErrFull, err)
	}
	if class := driverClass(err); class != nil {
		return wrap(class, err)
	}
	return err
}

// unopened sorts what kept a file of the store at path from being opened.
func unopened(path string, err error) error {
	switch dir := filepath.Dir(path); {
	case errors.Is(err, fs.ErrPermission):
		return Foreign(path, err)
	case errors.Is(err, fs.ErrNotExist):
		return &failure{class: ErrPlace, text: "there is no directory " + dir, cause: err}
	case errors.Is(err, syscall.ENOTDIR):
		return &failure{class: ErrPlace, text: dir + " is no directory", cause: err}
	case errors.Is(err, syscall.EISDIR):
		return &failure{class: ErrPlace, text: path + " is a directory, not a file", cause: err}
	}
	return classify(err)
}

// Foreign is ErrForeign for a store, or a file beside it, that this process may
// not use: it says whose it is.
func Foreign(path string, cause error) error {
	at, name := owner(path)
	me, err := user.Current()
	text := path + ": permission denied"
	if name != "" && err == nil && me.Username != name {
		text = at + " is " + name + "'s, and you are " + me.Username
		if at != path {
			text = path + " is out of reach, for " + text
		}
	}
	return &failure{class: ErrForeign, text: text, cause: cause}
}

// Finding tells a person what is wrong with the store and how to mend it. ok is
// false for an error that is not of this package's making.
func Finding(err error) (f diag.Finding, ok bool) {
	for _, c := range []struct {
		class error
		code  diag.Code
		mend  string
	}{
		{ErrBackup, diag.StoreBackup, "name another file, or mend the cause"},
		{ErrRestore, diag.StoreRestore, "nothing was changed: name another copy, or mend the cause"},
		{ErrLocked, diag.StoreLocked, "use the running daemon, or stop it first"},
		{ErrNewer, diag.StoreNewer, "run the newer isobar, or restore the copy of the store from before the upgrade"},
		{ErrFull, diag.StoreFull, "free space on its disk and make it writable: what was written is kept. A daemon that runs goes on by itself then"},
		{ErrPlace, diag.StorePlace, "make the directory, or name another file with --store sqlite:PATH"},
		{ErrForeign, diag.StoreDenied, "type it as the user whose it is, with sudo -u USER; a store of your own is named with --store sqlite:PATH"},
		{ErrAway, diag.StoreAway, "look that PostgreSQL runs at that address and lets this account in; what was written is kept"},
		{ErrCorrupt, diag.StoreCorrupt, "restore the store from a copy; what the cloud holds since then is found by its marks"},
		{ErrTampered, diag.StoreTampered, "find out who can write to the store, and keep it as it is for that; isobar store restore puts an earlier backup in its place"},
		{ErrFenced, diag.StoreFenced, "nothing: the process that holds the lease goes on"},
		{ErrHeld, diag.StoreFenced, "wait for it to end, or stop it"},
		{ErrConflict, diag.StoreConflict, "plan again"},
	} {
		if errors.Is(err, c.class) {
			return diag.Finding{Code: c.code, Severity: diag.Error, Message: told(err), Mend: c.mend}, true
		}
	}
	return diag.Finding{}, false
}

// told is an error's text, with what several writes failed of said once.
func told(err error) string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
