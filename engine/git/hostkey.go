package git

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknown "golang.org/x/crypto/ssh/knownhosts"
)

// trust holds the keys that a server may have. There is no way around it.
type trust struct {
	at    address
	file  string
	check ssh.HostKeyCallback
	algos []string
}

// trust reads a known_hosts file.
func (a address) trust(file string) (*trust, error) {
	if file == "" {
		return nil, &Error{
			Kind: Untrusted, URL: a.shown, What: "there is no file of known hosts, so no server can be trusted",
			Mend: "name a known_hosts file that holds the key of " + a.ssh.host,
		}
	}
	t := &trust{at: a, file: file}
	db, err := knownhosts.NewDB(file)
	if errors.Is(err, fs.ErrNotExist) { // nobody is known
		db, err = knownhosts.NewDB()
	}
	if err != nil {
		return nil, &Error{Kind: Untrusted, URL: a.shown, What: "the known hosts can't be read from " + file, Mend: "mend the file, or let the user isobar runs as read it", Err: err}
	}
	t.check = db.HostKeyCallback()
	// The server is asked for the key that we know first: it may have several.
	// The rest follows, so that a server that lost it shows its new one.
	t.algos = db.HostKeyAlgorithms(a.ssh.String())
	for _, name := range ssh.SupportedAlgorithms().HostKeys {
		if !slices.Contains(t.algos, name) {
			t.algos = append(t.algos, name)
		}
	}
	return t, nil
}

// into makes a method of authentication ask this trust.
func (t *trust) into(auth gitssh.AuthMethod) {
	helper := gitssh.HostKeyCallbackHelper{HostKeyCallback: t.verify, HostKeyAlgorithms: t.algos}
	switch auth := auth.(type) {
	case *gitssh.PublicKeys:
		auth.HostKeyCallbackHelper = helper
	case *gitssh.PublicKeysCallback:
		auth.HostKeyCallbackHelper = helper
	}
}

// verify judges the key that the server showed. The name is that of the relay.
func (t *trust) verify(_ string, remote net.Addr, key ssh.PublicKey) error {
	err := t.check(t.at.ssh.String(), remote, key)
	if err == nil {
		return nil
	}
	e := &Error{Kind: Untrusted, URL: t.at.shown}
	shown := fmt.Sprintf("%s key %s", key.Type(), ssh.FingerprintSHA256(key))
	var mismatch *xknown.KeyError
	var revoked *xknown.RevokedError
	switch {
	case errors.As(err, &revoked):
		e.What = fmt.Sprintf("the host %s showed the %s, which %s:%d revokes", t.at.ssh, shown, revoked.Revoked.Filename, revoked.Revoked.Line)
		e.Mend = "ask its owner for the new key: whoever holds the old one may pose as the server"
	case errors.As(err, &mismatch) && len(mismatch.Want) > 0:
		known := mismatch.Want[0]
		e.What = fmt.Sprintf("the host %s CHANGED its key: it showed the %s, but %s:%d says %s",
			t.at.ssh, shown, known.Filename, known.Line, ssh.FingerprintSHA256(known.Key))
		e.Mend = fmt.Sprintf("somebody may sit in between. If its owner confirms the new fingerprint, type: ssh-keygen -R %s -f %s && %s",
			quoted(xknown.Normalize(t.at.ssh.String())), quoted(t.file), t.scan(key))
	case errors.As(err, &mismatch):
		e.What = fmt.Sprintf("the host %s is not in %s; it showed the %s", t.at.ssh, t.file, shown)
		e.Mend = "compare the fingerprint with the one that its owner publishes, then type: " + t.scan(key)
	default:
		e.What, e.Err = fmt.Sprintf("the host %s showed the %s, which can't be trusted", t.at.ssh, shown), err
		e.Mend = "ask its owner, and mend " + t.file
	}
	return e
}

// scan is what to type to add a host's key to the file.
func (t *trust) scan(key ssh.PublicKey) string {
	kind := key.Type()
	if cert, ok := key.(*ssh.Certificate); ok {
		kind = cert.Key.Type()
	}
	kind = strings.TrimPrefix(kind, "ssh-")
	if strings.HasPrefix(kind, "ecdsa-") {
		kind = "ecdsa"
	}
	return "ssh-keyscan -t " + kind + " -p " + strconv.Itoa(t.at.ssh.port) + " " + quoted(t.at.ssh.host) + " >> " + quoted(t.file)
}

// quoted makes one word of a POSIX shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:,@", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
