package git

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keygen is Signers by ssh-keygen itself: whoever's key its file holds.
type keygen struct {
	t     *testing.T
	lines string
}

func (k *keygen) Whose(text, signature []byte, _ time.Time) (string, error) {
	if len(signature) == 0 {
		return "", errors.New("is not signed")
	}
	dir := k.t.TempDir()
	allowed, sig := filepath.Join(dir, "allowed"), filepath.Join(dir, "sig")
	must(k.t, os.WriteFile(allowed, []byte(k.lines), 0o600))
	must(k.t, os.WriteFile(sig, signature, 0o600))
	cmd := exec.CommandContext(k.t.Context(), "ssh-keygen", "-Y", "verify", "-n", "git", "-I", "mei@example.com", "-f", allowed, "-s", sig)
	cmd.Stdin = strings.NewReader(string(text))
	if cmd.Run() != nil {
		return "", errors.New("is signed by a stranger")
	}
	return "mei@example.com", nil
}

// signingKey makes a key and has the next commits of a clone signed with it.
func signingKey(t *testing.T, p *peer, name string) (public string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, kv := range [][2]string{{"gpg.format", "ssh"}, {"user.signingkey", file}, {"commit.gpgsign", "true"}} {
		if _, err := p.clone.Git(t.Context(), "config", kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file + ".pub")
	must(t, err)
	return string(data)
}

// TestOnlySignedHeads follows a branch whose head has to be signed: what git signed and
// ssh-keygen finds good is followed, nothing else is, and all of it is fetched.
func TestOnlySignedHeads(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	mei := &keygen{t: t}
	var broken error
	o := Options{URL: p.url, Dir: filepath.Join(t.TempDir(), "mirror"), Signers: func() (Signers, error) { return mei, broken }, Now: time.Now}
	m := open(t, o)
	unsigned := p.push(t, "Unsigned", false, "a.txt", "zero")
	refused := func(words string) {
		t.Helper()
		changed, err := m.Fetch(t.Context())
		wantKind(t, err, Unsigned)
		if changed || !strings.Contains(err.Error(), words) {
			t.Errorf("%t, %v; want %q", changed, err, words)
		}
	}
	refused(`the head of main, ` + unsigned[:7] + ` "Unsigned" by Mei Tanaka <mei@example.com>, is not signed`)
	if _, err := m.Head(t.Context()); KindOf(err) != NoRevision {
		t.Errorf("head: %v", err)
	}
	mei.lines = "mei@example.com " + signingKey(t, p, "mei")
	first := p.push(t, "First", false, "a.txt", "one")
	if !fetch(t, m) || fetch(t, m) || head(t, m).Hash != first {
		t.Fatal("the signed commit was not followed")
	}
	signingKey(t, p, "stranger")
	strange := p.push(t, "Strange", false, "a.txt", "two")
	refused("is signed by a stranger")
	refused("is signed by a stranger")
	if head(t, m).Hash != first {
		t.Error("it was followed")
	}
	wantFile(t, m, strange, "a.txt", "two") // a pull request may be planned on it

	// What was good once stays so: for a process that starts anew, one whose keys can't be
	// read, and where the mirror has to be made afresh.
	mei.lines = "" // and she is gone
	m = open(t, o)
	refused("is signed by a stranger")
	broken = errors.New("allowed:1: no key")
	refused("whose signature counts can't be told: allowed:1: no key")
	if head(t, m).Hash != first {
		t.Error("the head was lost")
	}
	broken = nil
	m.read.damaged = true // as a reader finds it
	refused("is signed by a stranger")
	if head(t, m).Hash != first {
		t.Error("the head was lost with the mirror")
	}

	// Without the wish all is followed, and with it again nothing that was not signed.
	o.Signers = nil
	free := open(t, o)
	if !fetch(t, free) || head(t, free).Hash != strange {
		t.Error("the branch was not followed")
	}
	o.Signers = func() (Signers, error) { return mei, nil }
	m = open(t, o)
	if head(t, m).Hash != first {
		t.Error("what nobody signed counts for signed")
	}
}

// TestCutSignature parts commits as git does: what is signed is all but the one
// signature, byte by byte.
func TestCutSignature(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, text, signature, wrong string }{
		"unsigned":      {"tree 1\n\nx\n", "tree 1\n\nx\n", "", ""},
		"signed":        {"tree 1\ngpgsig A\n B\n \n C\nencoding x\n\ngpgsig D\n", "tree 1\nencoding x\n\ngpgsig D\n", "A\nB\n\nC\n", ""},
		"other headers": {"tree 1\nmergetag object 2\n gpgsig Z\ngpgsig A\n\nx", "tree 1\nmergetag object 2\n gpgsig Z\n\nx", "A\n", ""},
		"twice":         {"tree 1\ngpgsig A\ngpgsig B\n\nx", "", "", "more than one"},
		"twice apart":   {"gpgsig A\ntree 1\ngpgsig B\n\nx", "", "", "more than one"},
		"other hash":    {"tree 1\ngpgsig-sha256 A\n\nx", "", "", "another hash"},
		"no message":    {"tree 1\ngpgsig A", "tree 1\n", "A\n", ""},
		"empty":         {"", "", "", ""},
	} {
		text, signature, err := cutSignature([]byte(c.raw))
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || string(text) != c.text || string(signature) != c.signature {
			t.Errorf("%s: %q, %q, %v", name, text, signature, err)
		}
	}
}
