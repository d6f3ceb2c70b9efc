package signer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/diag"
)

// tool runs ssh-keygen or gpg, the real ones.
func tool(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, said.String())
	}
	return out.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const text = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Ann <ann@example.com> 1 +0000\n\nx\n"

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// sshKeys makes keys with ssh-keygen and signs with them.
type sshKeys struct{ dir string }

func (k sshKeys) make(t *testing.T, name string, args ...string) (public string) {
	t.Helper()
	file := filepath.Join(k.dir, name)
	tool(t, "", "ssh-keygen", append([]string{"-q", "-N", "", "-C", name, "-f", file}, args...)...)
	return strings.TrimSpace(read(t, file+".pub"))
}

func (k sshKeys) sign(t *testing.T, key, namespace string, args ...string) []byte {
	t.Helper()
	file := write(t, filepath.Join(t.TempDir(), "text"), text)
	tool(t, "", "ssh-keygen", append([]string{"-q", "-Y", "sign", "-n", namespace, "-f", filepath.Join(k.dir, key)}, append(args, file)...)...)
	return []byte(read(t, file+".sig"))
}

// verifies asks ssh-keygen itself.
func verifies(t *testing.T, lines, who string, signature []byte, at time.Time) bool {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "ssh-keygen", "-Y", "verify", "-n", "git", "-I", who,
		"-f", write(t, filepath.Join(dir, "allowed"), lines), "-s", write(t, filepath.Join(dir, "sig"), string(signature)),
		"-Overify-time="+at.UTC().Format("20060102150405Z"))
	cmd.Stdin = strings.NewReader(text)
	return cmd.Run() == nil
}

// TestSSH judges signatures that ssh-keygen made as it judges them itself.
func TestSSH(t *testing.T) {
	t.Parallel()
	k := sshKeys{t.TempDir()}
	ann, eve := k.make(t, "ann", "-t", "ed25519"), k.make(t, "eve", "-t", "ecdsa")
	rsa, ca := k.make(t, "rsa", "-t", "rsa", "-b", "2048"), k.make(t, "ca", "-t", "ed25519")
	k.make(t, "bob", "-t", "ed25519")
	tool(t, "", "ssh-keygen", "-q", "-s", filepath.Join(k.dir, "ca"), "-I", "id", "-n", "bob@example.com", "-V", "20260601Z:20260801Z", filepath.Join(k.dir, "bob.pub"))
	byAnn, byBob := k.sign(t, "ann", "git"), k.sign(t, "bob-cert.pub", "git")
	for name, c := range map[string]struct {
		lines     string
		signature []byte
		at        time.Time
		who, want string // who, beginning; or what the error holds
	}{
		"hers":                {"ann@example.com " + ann, byAnn, now, "ann@example.com", ""},
		"quoted":              {"\"ann@example.com\" NAMESPACES=\"file,git\" " + ann, byAnn, now, "ann@example.com", ""},
		"after others":        {"# people\n\neve@example.com " + eve + "\nann@example.com " + ann + "\n", byAnn, now, "ann@example.com", ""},
		"rsa":                 {"rsa@example.com " + rsa, k.sign(t, "rsa", "git"), now, "rsa@example.com", ""},
		"ecdsa":               {"eve@example.com " + eve, k.sign(t, "eve", "git"), now, "eve@example.com", ""},
		"a stranger's":        {"ann@example.com " + ann, k.sign(t, "eve", "git"), now, "ann@example.com", "is signed with the SSH key SHA256:"},
		"for files":           {"ann@example.com " + ann, k.sign(t, "ann", "file"), now, "ann@example.com", `not for Git but for "file"`},
		"files alone":         {"ann@example.com namespaces=\"file\" " + ann, byAnn, now, "ann@example.com", "ann@example.com's, which does not count for Git"},
		"still valid":         {"ann@example.com valid-after=\"20260630Z\",valid-before=\"20260702Z\" " + ann, byAnn, now, "ann@example.com", ""},
		"not yet":             {"ann@example.com valid-after=\"20260702Z\" " + ann, byAnn, now, "ann@example.com", "counts from 2026-07-02 00:00:00 on"},
		"no more":             {"ann@example.com valid-before=\"202606300000Z\" " + ann, byAnn, now, "ann@example.com", "counted until 2026-06-30 00:00:00"},
		"renewed":             {"ann@example.com valid-before=\"20260101Z\" " + ann + "\nann@example.com " + ann, byAnn, now, "ann@example.com", ""},
		"certified":           {"*@example.com cert-authority " + ca, byBob, now, "bob@example.com", ""},
		"for others":          {"*@ops.example.com cert-authority " + ca, byBob, now, "bob@example.com", "for none of *@ops.example.com"},
		"but for him":         {"!bob@example.com,*@example.com cert-authority " + ca, byBob, now, "bob@example.com", "for none of"},
		"certificate ran out": {"*@example.com cert-authority " + ca, byBob, now.AddDate(0, 2, 0), "bob@example.com", "does not count"},
		"of no authority":     {"*@example.com " + ca, byBob, now, "bob@example.com", "nobody has who counts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Read(Files{SSH: write(t, filepath.Join(t.TempDir(), "allowed"), c.lines)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Whose([]byte(text), c.signature, c.at)
			if real := verifies(t, c.lines, c.who, c.signature, c.at); real != (err == nil) {
				t.Errorf("ssh-keygen says %t", real)
			}
			switch {
			case c.want == "" && (err != nil || !strings.HasPrefix(got, c.who+" (SSH key SHA256:")):
				t.Errorf("%q, %v", got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if _, err := r.Whose([]byte(text+"!"), c.signature, c.at); err == nil {
				t.Error("it counts for another text")
			}
		})
	}
}

// gpg has a home of its own, short enough for the sockets of its agent.
type gpg struct{ home string }

func newGPG(t *testing.T) gpg {
	t.Helper()
	home, err := os.MkdirTemp("", "g") //nolint:usetesting // short enough for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	g := gpg{home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() //nolint:noctx // the test's has ended
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g gpg) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	return tool(t, stdin, "gpg", append([]string{"--homedir", g.home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
}

func (g gpg) make(t *testing.T, who, algo, expire string) {
	t.Helper()
	g.run(t, "", "--faked-system-time", "20260101T000000!", "--quick-generate-key", who, algo, "sign", expire)
}

func (g gpg) sign(t *testing.T, who string, more ...string) []byte {
	t.Helper()
	return []byte(g.run(t, text, append(more, "--faked-system-time", "20260601T000000!", "--armor", "--local-user", who, "--detach-sign")...))
}

// TestOpenPGP judges signatures that gpg made.
func TestOpenPGP(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	g.make(t, "Ann <ann@example.com>", "ed25519", "never")
	g.make(t, "Bob <bob@example.com>", "rsa2048", "20260615T000000")
	g.make(t, "Eve <eve@example.com>", "ed25519", "never")
	g.make(t, "Tom <tom@example.com>", "ed25519", "never")
	bySig := map[string][]byte{}
	for _, who := range []string{"ann", "bob", "eve", "tom"} {
		bySig[who] = g.sign(t, who+"@example.com")
	}
	mail := "tom@example.com"
	tom := strings.Split(strings.Split(g.run(t, "", "--with-colons", "--list-keys", mail), "\nfpr:::::::::")[1], ":")[0]
	revocation := strings.Replace(read(t, filepath.Join(g.home, "openpgp-revocs.d", tom+".rev")), ":-----BEGIN", "-----BEGIN", 1)
	g.run(t, revocation, "--import")
	dir := t.TempDir()
	files := Files{OpenPGP: []string{filepath.Join(dir, "one.asc"), filepath.Join(dir, "two.gpg")}}
	write(t, files.OpenPGP[0], g.run(t, "", "--armor", "--export", "ann@example.com", "tom@example.com"))
	write(t, files.OpenPGP[1], g.run(t, "", "--export", "bob@example.com"))
	r, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	june := time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
	inline := g.run(t, text, "--faked-system-time", "20260601T000000!", "--armor", "--local-user", "ann@example.com", "--sign")
	for name, c := range map[string]struct {
		signature []byte
		at        time.Time
		who, want string
	}{
		"hers":         {bySig["ann"], june, "Ann <ann@example.com> (OpenPGP key ", ""},
		"his":          {bySig["bob"], june, "Bob <bob@example.com> (OpenPGP key ", ""},
		"expired":      {bySig["bob"], now, "", "of Bob <bob@example.com>, which has expired"},
		"revoked":      {bySig["tom"], june, "", "of Tom <tom@example.com>, which was revoked"},
		"a stranger's": {bySig["eve"], june, "", "which nobody has who counts"},
		"two":          {[]byte(g.run(t, text, "--faked-system-time", "20260601T000000!", "--armor", "-u", "eve@example.com", "-u", "ann@example.com", "--detach-sign")), june, "", "more than one signature"},
		"no signature": {[]byte(inline), june, "", "can't be read"},
		"as text":      {g.sign(t, "ann@example.com", "--textmode"), june, "", "not over a document"},
		"cut":          {bySig["ann"][:len(bySig["ann"])/2], june, "", "can't be read"},
		"none":         {nil, june, "", "is not signed"},
		"X.509":        {[]byte("-----BEGIN SIGNED MESSAGE-----\n"), june, "", "neither by OpenPGP nor by an SSH key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Whose([]byte(text), c.signature, c.at)
			switch {
			case c.want == "" && (err != nil || !strings.HasPrefix(got, c.who)):
				t.Errorf("%q, %v", got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if _, err := r.Whose([]byte(text+"!"), c.signature, c.at); err == nil {
				t.Error("it counts for another text")
			}
		})
	}
	write(t, files.OpenPGP[1], g.run(t, "", "--armor", "--export-secret-keys", "eve@example.com"))
	if _, err := Read(files); err == nil || !strings.Contains(err.Error(), "two.gpg") || !strings.Contains(err.Error(), "private key") {
		t.Errorf("private keys: %v", err)
	}
}

// TestBadFiles reads files that are not what they should be: all is told at once, with
// file and line.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := sshKeys{dir}.make(t, "ann", "-t", "ed25519")
	lines := []string{
		"ann@example.com " + key,
		"ann@example.com",
		"ann@example.com ssh-ed25519 AAAAnothing",
		"ann@example.com sometimes " + key,
		`ann@example.com valid-before="soon" ` + key,
		`ann@example.com namespaces="" ` + key,
		`"" ` + key,
	}
	f := Files{
		OpenPGP: []string{filepath.Join(dir, "none.asc"), write(t, filepath.Join(dir, "bad.asc"), "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n")},
		SSH:     write(t, filepath.Join(dir, "allowed"), strings.Join(lines, "\n")),
	}
	_, err := Read(f)
	var found diag.List
	if !errors.As(err, &found) {
		t.Fatalf("%v", err)
	}
	var at []string
	for _, one := range found {
		at = append(at, fmt.Sprintf("%s:%d", filepath.Base(one.Where.File), one.Where.Line))
		if one.Code != diag.ServerSigners || one.Mend == "" {
			t.Errorf("%+v", one)
		}
	}
	want := []string{"allowed:2", "allowed:3", "allowed:4", "allowed:5", "allowed:6", "allowed:7", "bad.asc:0", "none.asc:0"}
	if !slices.Equal(at, want) {
		t.Errorf("told at %q, want %q: %v", at, want, err)
	}
	if _, err := Read(Files{SSH: write(t, filepath.Join(dir, "empty"), "# nobody\n")}); err == nil || !strings.Contains(err.Error(), "names nobody") {
		t.Errorf("an empty file: %v", err)
	}
}

// FuzzWhose feeds signatures and lines of allowed signers: nothing panics, and what is
// not signed with the key is nobody's.
func FuzzWhose(f *testing.F) {
	f.Add("ann@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n")
	f.Add(`*@example.com cert-authority,namespaces="git" ssh-rsa AAAA`, "-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0=\n=AAAA\n-----END PGP SIGNATURE-----\n")
	f.Fuzz(func(t *testing.T, lines, signature string) {
		r := &Ring{}
		r.ssh, _ = parseAllowed("allowed", []byte(lines))
		if who, err := r.Whose([]byte(text), []byte(signature), now); err == nil {
			t.Errorf("%q counts", who)
		}
	})
}
