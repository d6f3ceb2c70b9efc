//go:build unix

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// holder is what the lock's file says of who holds it.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// lock takes the file for this process, for as long as it stays open. The
// kernel gives it up when the process dies; the file itself stays.
func lock(path string, now time.Time) (*os.File, error) {
	//nolint:gosec // the store is where a person put it
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unopened(strings.TrimSuffix(path, ".lock"), err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errorf(ErrLocked, "%s", heldBy(f))
		}
		return nil, classify(fmt.Errorf("%s: %w", path, err))
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	text := append(mustJSON(holder{PID: os.Getpid(), Host: host, Since: whole(now)}), '\n')
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(text, 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, classify(err)
	}
	return f, nil
}

// unlock gives the file up at once: merely closed, it would stay locked for as
// long as a process that is being started still has it.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// heldBy tells who wrote the lock's file.
func heldBy(f *os.File) string {
	var h holder
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil || json.Unmarshal(b, &h) != nil {
		return f.Name() + " is locked"
	}
	return fmt.Sprintf("process %d on %s, since %s", h.PID, h.Host, h.Since.Format(time.RFC3339))
}

// owner gives the nearest of a path and the directories above it that can be
// looked at, and the name of whom it belongs to; "" where nobody can say.
func owner(path string) (at, name string) {
	for at = path; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil {
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return at, ""
			}
			id := strconv.FormatUint(uint64(st.Uid), 10)
			if u, err := user.LookupId(id); err == nil {
				return at, u.Username
			}
			return at, "user " + id
		}
		if at == filepath.Dir(at) {
			return at, ""
		}
	}
}
