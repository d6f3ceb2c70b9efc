package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/lab/gitd"
	"isobar.dev/engine/resource"
)

// sshPeer is a repository behind a real sshd, and what gets at it.
type sshPeer struct {
	*peer
	sshd *gitd.SSH
	opts Options
}

func newSSHPeer(t *testing.T) *sshPeer {
	t.Helper()
	p := newPeer(t, false)
	d, err := p.srv.SSH(t.Context())
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &sshPeer{peer: p, sshd: d}
	s.opts = Options{URL: d.URL("estate"), SSH: SSH{Key: s.key(t, "ed25519", "", true), KnownHosts: s.known(t)}}
	return s
}

func (s *sshPeer) key(t *testing.T, kind, passphrase string, allowed bool) string {
	t.Helper()
	file, err := s.sshd.Key(t.Context(), kind, passphrase, allowed)
	must(t, err)
	return file
}

func (s *sshPeer) known(t *testing.T) string {
	t.Helper()
	file, err := s.sshd.KnownHosts()
	must(t, err)
	return file
}

// fails fetches, and checks the kind and the words of the error.
func fails(t *testing.T, m *Mirror, want Kind, words ...string) *Error {
	t.Helper()
	_, err := m.Fetch(t.Context())
	wantKind(t, err, want)
	var e *Error
	errors.As(err, &e)
	text := err.Error() + "; " + e.Mend
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in: %s", w, text)
		}
	}
	return e
}

func TestSSHFollowsTheRemote(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	m := open(t, p.opts)
	fails(t, m, Empty)
	first := p.push(t, "First", false, "a.txt", "one")
	if !fetch(t, m) || fetch(t, m) || head(t, m).Hash != first {
		t.Fatal("want changed, then unchanged")
	}
	second := p.push(t, "Second", false, "a.txt", "two", "big.txt", strings.Repeat("0123456789abcdef", 1<<16))
	if !fetch(t, m) || head(t, m).Hash != second {
		t.Fatal("the second push was not fetched")
	}
	wantFile(t, m, first, "a.txt", "one")
	wantFile(t, m, second, "a.txt", "two")
	_, err := p.clone.Git(t.Context(), "reset", "-q", "--hard", first)
	must(t, err)
	third := p.push(t, "Third", true, "a.txt", "three")
	if !fetch(t, m) || head(t, m).Hash != third {
		t.Fatal("the force-push was not followed")
	}
	must(t, p.srv.Remove("estate"))
	fails(t, m, NotFound)
	wantFile(t, m, third, "a.txt", "three")
}

// A second fetch brings what is new and no more.
func TestSSHFetchIsIncremental(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	p.push(t, "First", false, "a.txt", "one", "b.txt", "two")
	m := open(t, p.opts)
	fetch(t, m)
	p.push(t, "Second", false, "a.txt", "three")
	fetch(t, m)
	packs, err := filepath.Glob(filepath.Join(m.opts.Dir, "objects", "pack", "*.idx"))
	must(t, err)
	var counts []string
	for _, idx := range packs {
		out, err := exec.CommandContext(t.Context(), "git", "verify-pack", "-v", idx).Output()
		must(t, err)
		counts = append(counts, fmt.Sprint(strings.Count(string(out), " commit "), "+", strings.Count(string(out), " blob ")))
	}
	// The first has a commit and two blobs, the second a commit and a blob.
	if got := strings.Join(counts, " "); got != "1+2 1+1" && got != "1+1 1+2" {
		t.Errorf("packs hold %q", got)
	}
}

func TestSSHKeys(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	want := p.push(t, "First", false, "a.txt", "one")
	phrase := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
	locked := p.key(t, "ed25519", "corr3ct h0rse", true)
	for name, with := range map[string]SSH{
		"ed25519": {Key: p.key(t, "ed25519", "", true)}, "rsa": {Key: p.key(t, "rsa", "", true)}, "ecdsa": {Key: p.key(t, "ecdsa", "", true)},
		"passphrase": {Key: locked, Passphrase: phrase("corr3ct h0rse")},
	} {
		with.KnownHosts = p.opts.SSH.KnownHosts
		m := open(t, Options{URL: p.opts.URL, SSH: with})
		if !fetch(t, m) || head(t, m).Hash != want {
			t.Errorf("%s: wrong head", name)
		}
	}
	stranger := p.key(t, "ed25519", "", false)
	garbage := filepath.Join(t.TempDir(), "garbage")
	must(t, os.WriteFile(garbage, []byte("no key"), 0o600))
	for name, c := range map[string]struct {
		with  SSH
		words []string
	}{
		"stranger":  {SSH{Key: stranger}, []string{"refused the key " + stranger, "SHA256:", "read access", p.sshd.User}},
		"none":      {SSH{}, []string{"no key to log in with"}},
		"missing":   {SSH{Key: "/nonexistent/key"}, []string{"/nonexistent/key", "no such file"}},
		"public":    {SSH{Key: locked + ".pub"}, []string{"not its .pub"}},
		"garbage":   {SSH{Key: garbage}, []string{garbage}},
		"locked":    {SSH{Key: locked}, []string{"has a passphrase"}},
		"wrong":     {SSH{Key: locked, Passphrase: phrase("wr0ng h0rse")}, []string{"does not open", locked}},
		"no phrase": {SSH{Key: locked, Passphrase: func() (string, error) { return "", errors.New("vault shut") }}, []string{"vault shut"}},
		"no agent":  {SSH{Agent: "/nonexistent/agent"}, []string{"ssh-agent does not answer"}},
	} {
		c.with.KnownHosts = p.opts.SSH.KnownHosts
		e := fails(t, open(t, Options{URL: p.opts.URL, SSH: c.with}), Denied, c.words...)
		if text := e.Error() + e.Mend + e.Finding().Message; strings.Contains(text, "h0rse") {
			t.Errorf("%s: the error tells the passphrase: %s", name, text)
		}
	}
}

func TestSSHAgent(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	want := p.push(t, "First", false, "a.txt", "one")
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "ssh-agent", "-D", "-a", socket)
	must(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket); err == nil { // there before it listens
			must(t, conn.Close())
			tick.Stop()
			break
		}
	}
	m := open(t, Options{URL: p.opts.URL, SSH: SSH{Agent: socket, KnownHosts: p.opts.SSH.KnownHosts}})
	fails(t, m, Denied, "refused the keys of the ssh-agent")
	add := exec.CommandContext(t.Context(), "ssh-add", "-q", p.opts.SSH.Key)
	add.Env = []string{"SSH_AUTH_SOCK=" + socket, "PATH=/usr/bin:/bin"}
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %v: %s", err, out)
	}
	if !fetch(t, m) || head(t, m).Hash != want {
		t.Error("wrong head")
	}
}

func TestSSHTrustsNoStranger(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	want := p.push(t, "First", false, "a.txt", "one")
	m := open(t, p.opts)
	fetch(t, m)
	p.push(t, "Second", false, "a.txt", "two")
	host, port, err := net.SplitHostPort(p.sshd.Addr())
	must(t, err)
	stranger := func(file string) {
		t.Helper()
		o := Options{URL: p.opts.URL, SSH: SSH{Key: p.opts.SSH.Key, KnownHosts: file}}
		fails(t, open(t, o), Untrusted, p.sshd.Addr(), "ssh-ed25519 key SHA256:", file, "ssh-keyscan -t ed25519 -p "+port+" "+host+" >> "+file)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, []byte("# nobody\nother.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"), 0o600))
	stranger(empty)
	stranger(filepath.Join(t.TempDir(), "missing"))
	fails(t, open(t, Options{URL: p.opts.URL, SSH: SSH{Key: p.opts.SSH.Key}}), Untrusted, "no file of known hosts")
	fails(t, open(t, Options{URL: p.opts.URL, SSH: SSH{Key: p.opts.SSH.Key, KnownHosts: p.opts.SSH.Key}}), Untrusted, p.opts.SSH.Key)

	for _, kind := range []string{"ed25519", "ecdsa"} { // of the same type, and of one that the file does not hold
		must(t, p.sshd.Rekey(t.Context(), kind))
		e := fails(t, m, Untrusted, "CHANGED", p.sshd.Addr(), kind, p.opts.SSH.KnownHosts+":1", "ssh-keygen -R '["+host+"]:"+port+"' -f "+p.opts.SSH.KnownHosts)
		if resource.ClassOf(e) != resource.Denied || strings.Count(e.Error(), "SHA256:") != 2 {
			t.Errorf("error %v", e)
		}
	}
	if head(t, m).Hash != want {
		t.Error("something was fetched from a stranger")
	}
	renewed, err := os.ReadFile(p.known(t))
	must(t, err)
	must(t, os.WriteFile(p.opts.SSH.KnownHosts, append([]byte("@revoked * "), renewed[strings.IndexByte(string(renewed), ' ')+1:]...), 0o600))
	fails(t, m, Untrusted, "revokes")
	must(t, os.WriteFile(p.opts.SSH.KnownHosts, renewed, 0o600))
	if !fetch(t, m) {
		t.Error("the renewed file was not read")
	}
}

// What the message says to type mends it.
func TestSSHMendMends(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	p.push(t, "First", false, "a.txt", "one")
	file := filepath.Join(t.TempDir(), "known 'hosts'")
	m := open(t, Options{URL: p.opts.URL, SSH: SSH{Key: p.opts.SSH.Key, KnownHosts: file}})
	obey := func(e *Error) {
		t.Helper()
		_, command, ok := strings.Cut(e.Mend, "type: ")
		if !ok {
			t.Fatalf("nothing to type in: %s", e.Mend)
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	obey(fails(t, m, Untrusted))
	if !fetch(t, m) {
		t.Error("not fetched")
	}
	must(t, p.sshd.Rekey(t.Context(), "rsa"))
	obey(fails(t, m, Untrusted, "CHANGED"))
	p.push(t, "Second", false, "a.txt", "two")
	if !fetch(t, m) {
		t.Error("not fetched after the change")
	}
}

func TestSSHServerTroubles(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	first := p.push(t, "First", false, "a.txt", "one")
	m := open(t, p.opts)
	fetch(t, m)
	noise := make([]byte, 1<<16) // does not compress, so that the pack is larger than all that comes before it
	_, err := rand.NewChaCha8([32]byte{1}).Read(noise)
	must(t, err)
	second := p.push(t, "Second", false, "a.txt", "two", "big.bin", string(noise))
	for after := int64(64); after < int64(len(noise)); after *= 4 { // in the handshake, the login, the list, the pack
		p.sshd.BreakOff(after)
		fails(t, m, Unreachable)
		wantFile(t, m, head(t, m).Hash, "a.txt", "one")
	}
	p.sshd.BreakOff(0)

	p.sshd.Silence(true)
	ctx, cancel := context.WithCancel(t.Context())
	before := p.sshd.Logins()
	go func() {
		defer cancel()
		for tick := time.NewTicker(5 * time.Millisecond); p.sshd.Logins() == before; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	if _, err := m.Fetch(ctx); KindOf(err) != Unreachable || !errors.Is(err, context.Canceled) {
		t.Errorf("a silent server: %v", err)
	}
	p.sshd.Silence(false)
	if head(t, m).Hash != first || !fetch(t, m) || head(t, m).Hash != second {
		t.Error("the next fetch did not bring the commit")
	}
}

func TestSSHConnectionRefused(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	url := "ssh://" + ln.Addr().String() + "/estate.git"
	must(t, ln.Close())
	e := fails(t, open(t, Options{URL: url, SSH: p.opts.SSH}), Unreachable, "connection refused", ln.Addr().String())
	if resource.ClassOf(e) != resource.Transient || strings.Contains(e.Error(), "socks") {
		t.Errorf("error %v", e)
	}
}

func TestSSHPathBelowHome(t *testing.T) {
	t.Parallel()
	p := newSSHPeer(t)
	want := p.push(t, "First", false, "a.txt", "one")
	// HOST:PATH has no room for the lab's port.
	host, port, err := net.SplitHostPort(p.sshd.Addr())
	must(t, err)
	m := open(t, Options{URL: p.sshd.User + "@" + host + ":estate.git", SSH: p.opts.SSH})
	_, err = fmt.Sscan(port, &m.at.ssh.port)
	must(t, err)
	if !fetch(t, m) || head(t, m).Hash != want {
		t.Error("wrong head")
	}
	must(t, os.Symlink(p.srv.Dir("estate"), filepath.Join(filepath.Dir(p.srv.Dir("estate")), "..", "home", "estate.git")))
	m = open(t, Options{URL: p.sshd.HomeURL("estate"), SSH: p.opts.SSH})
	if !fetch(t, m) || head(t, m).Hash != want {
		t.Error("wrong head by way of ~")
	}
	marker, err := fs.ReadFile(os.DirFS(m.opts.Dir), "isobar-mirror")
	if err != nil || strings.Contains(string(marker), p.sshd.User+"@") {
		t.Errorf("marker %q, %v", marker, err)
	}
}

func TestSSHAddresses(t *testing.T) {
	t.Parallel()
	const bad = "(unreadable address)"
	for raw, want := range map[string]struct{ shown, dial, path, user string }{ //nolint:gosec // made up, to be redacted
		"ssh://git@h.example/o/r.git":           {"ssh://h.example/o/r.git", "h.example:22", "/o/r.git", "git"},
		"git+ssh://h.example:2222/r":            {"ssh://h.example:2222/r", "h.example:2222", "/r", ""},
		"SSH://me@[2001:db8::1]:2222/srv/a%20b": {"ssh://[2001:db8::1]:2222/srv/a%20b", "[2001:db8::1]:2222", "/srv/a b", "me"},
		"ssh://[2001:db8::1]/~/r":               {"ssh://[2001:db8::1]/~/r", "[2001:db8::1]:22", "~/r", ""},
		"ssh://h.example/~mei/r":                {"h.example:~mei/r", "h.example:22", "~mei/r", ""},
		"git@h.example:o/r.git":                 {"h.example:o/r.git", "h.example:22", "o/r.git", "git"},
		"h.example:o/r.git":                     {"h.example:o/r.git", "h.example:22", "o/r.git", ""},
		"git@h.example:/srv/r.git":              {"ssh://h.example/srv/r.git", "h.example:22", "/srv/r.git", "git"},
		"git@h.example:2222:r":                  {"h.example:2222:r", "h.example:22", "2222:r", "git"},
		"ssh://git:pw@h.example/r":              {shown: bad},
		"ssh://h.example":                       {shown: bad},
		"ssh://h.example/":                      {shown: bad},
		"ssh:///r":                              {shown: bad},
		"ssh://h.example/r?x=1":                 {shown: bad},
		"ssh://h.example:0/r":                   {shown: bad},
		"ssh://h.example:99999/r":               {shown: bad},
		"git@h.example:":                        {shown: bad},
		"git@:r":                                {shown: bad},
		"git@[::1]:r":                           {shown: bad},
		"git@h.example:a\nb":                    {shown: bad},
		"git@h example:a":                       {shown: bad},
		`git@h.example:\r`:                      {shown: bad},
	} {
		if got := Redact(raw); got != want.shown {
			t.Errorf("Redact(%q) = %q, want %q", raw, got, want.shown)
		}
		at, err := parseAddress(raw)
		if err != nil {
			wantKind(t, err, BadAddress)
			if strings.Contains(err.Error(), "pw") {
				t.Errorf("%q: the error tells the password: %v", raw, err)
			}
			continue
		}
		if at.ssh == nil || at.ssh.String() != want.dial || at.ssh.path != want.path || at.user.Username() != want.user || at.local != "" {
			t.Errorf("%q is %+v at %+v", raw, at, at.ssh)
		}
	}
}

func FuzzSSHAddress(f *testing.F) {
	for _, s := range []string{"git@h:p", "ssh://u@h:22/p", "ssh://[::1]/~/p", "h:22:p", "a@b@c:d", "ssh://u:p@h/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		at, err := parseAddress(raw)
		if err != nil || at.ssh == nil {
			return
		}
		again, err := parseAddress(at.shown) // what people are shown leads to the same place
		if err != nil || again.ssh == nil || *again.ssh != *at.ssh || again.shown != at.shown {
			t.Errorf("%q is shown as %q, which is %+v, %v", raw, at.shown, again.ssh, err)
		}
	})
}
