package git

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

func TestFetchFollowsTheRemote(t *testing.T) {
	t.Parallel()
	for _, overHTTP := range []bool{true, false} {
		t.Run(fmt.Sprintf("http=%v", overHTTP), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, overHTTP)
			m := open(t, Options{URL: p.url})
			if _, err := m.Head(t.Context()); KindOf(err) != NoRevision {
				t.Fatalf("head before the first fetch: %v", err)
			}
			if _, err := m.Fetch(t.Context()); KindOf(err) != Empty {
				t.Fatalf("fetch of an empty repository: %v", err)
			}
			first := p.push(t, "First\n\nbody", false, "a.txt", "one")
			if !fetch(t, m) || fetch(t, m) {
				t.Fatal("want changed, then unchanged")
			}
			c := head(t, m)
			if c.Hash != first || c.Short != first[:7] || c.Subject != "First" || c.Author != "Mei Tanaka" || c.AuthorEmail != "mei@example.com" || c.When.IsZero() {
				t.Fatalf("head is %+v", c)
			}
			wantFile(t, m, first, "a.txt", "one")
			second := p.push(t, "Second", false, "a.txt", "two", "env/b.txt", "b")
			if !fetch(t, m) || head(t, m).Hash != second {
				t.Fatal("the second push was not fetched")
			}
			wantFile(t, m, second, "a.txt", "two")
			wantFile(t, m, first, "a.txt", "one")
			wantFile(t, m, second, "env/b.txt", "b")

			// A force-push drops the second commit from the branch.
			old, err := m.Tree(second)
			must(t, err)
			if _, err := p.clone.Git(t.Context(), "reset", "-q", "--hard", first); err != nil {
				t.Fatal(err)
			}
			third := p.push(t, "Third", true, "a.txt", "three")
			if c := head(t, m); c.Forced != "" {
				t.Errorf("%s is said to be forced", c.Hash)
			}
			if !fetch(t, m) || head(t, m).Hash != third {
				t.Fatal("the force-push was not followed")
			}
			if c := head(t, m); c.Forced != second {
				t.Errorf("it took the place of %q, want %s", c.Forced, second)
			}
			if data, err := fs.ReadFile(old, "env/b.txt"); err != nil || string(data) != "b" {
				t.Fatalf("the tree in use broke: %q, %v", data, err)
			}
			for _, rev := range []string{third, third[:10], "main", "main~1", "HEAD~1"} {
				if _, err := m.Resolve(t.Context(), rev); err != nil {
					t.Errorf("resolve %q: %v", rev, err)
				}
			}
			if c, err := m.Resolve(t.Context(), "HEAD"); err != nil || c.Hash != third {
				t.Errorf("HEAD is %v, %v", c, err)
			}
			if _, err := m.Resolve(t.Context(), "nothing"); KindOf(err) != NoRevision || resource.ClassOf(err) != resource.NotFound {
				t.Errorf("resolve of nothing: %v", err)
			}
		})
	}
}

func TestVanishedBranchAndRepository(t *testing.T) {
	t.Parallel()
	for _, overHTTP := range []bool{true, false} {
		t.Run(fmt.Sprintf("http=%v", overHTTP), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, overHTTP)
			p.push(t, "First", false, "a.txt", "one")
			if _, err := p.clone.Git(t.Context(), "checkout", "-q", "-b", "live"); err != nil {
				t.Fatal(err)
			}
			live := p.push(t, "Live", false, "a.txt", "live")
			m := open(t, Options{URL: p.url, Branch: "live"})
			fetch(t, m)
			if _, err := p.clone.Git(t.Context(), "push", "-q", "origin", ":live"); err != nil {
				t.Fatal(err)
			}
			_, err := m.Fetch(t.Context())
			wantKind(t, err, BranchGone)
			wantFile(t, m, head(t, m).Hash, "a.txt", "live")
			must(t, p.clone.Push(t.Context(), false))
			fetch(t, m)
			for _, all := range []string{"live", "main"} {
				if _, err := p.clone.Git(t.Context(), "--git-dir", p.srv.Dir("estate"), "update-ref", "-d", "refs/heads/"+all); err != nil {
					t.Fatal(err)
				}
			}
			_, err = m.Fetch(t.Context())
			wantKind(t, err, BranchGone)
			wantFile(t, m, live, "a.txt", "live")
			must(t, p.clone.Push(t.Context(), false))
			fetch(t, m)
			must(t, p.srv.Remove("estate"))
			_, err = m.Fetch(t.Context())
			wantKind(t, err, NotFound)
			if head(t, m).Hash != live {
				t.Error("the old head is lost")
			}
			wantFile(t, m, live, "a.txt", "live")
		})
	}
}

func TestPruneAndTags(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	first := p.push(t, "First", false, "a.txt", "one")
	_, err := p.clone.Git(t.Context(), "push", "-q", "origin", "HEAD:refs/heads/side", "HEAD:refs/tags/v1")
	must(t, err)
	m := open(t, Options{URL: p.url})
	fetch(t, m)
	for _, rev := range []string{"side", "v1"} {
		if c, err := m.Resolve(t.Context(), rev); err != nil || c.Hash != first {
			t.Errorf("%s is %v, %v", rev, c, err)
		}
	}
	_, err = p.clone.Git(t.Context(), "push", "-q", "origin", ":side", ":v1")
	must(t, err)
	if !fetch(t, m) || fetch(t, m) {
		t.Error("a pruned branch is a change, once")
	}
	for _, rev := range []string{"side", "v1"} {
		if _, err := m.Resolve(t.Context(), rev); KindOf(err) != NoRevision {
			t.Errorf("%s was not pruned: %v", rev, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	want := p.push(t, "First", false, "a.txt", "one")
	p.srv.Protect("git", "hunter2")
	secret := func() (string, error) { return "hunter2", nil }
	withUser := strings.Replace(p.url, "http://", "http://git:hunter2@", 1)
	for name, o := range map[string]Options{"secret": {URL: p.url, Secret: secret}, "in the URL": {URL: withUser}} {
		m := open(t, o)
		fetch(t, m)
		if head(t, m).Hash != want {
			t.Errorf("%s: wrong head", name)
		}
		wantNoSecret(t, o.Dir, m.opts.Dir)
	}
	bad := strings.Replace(p.url, "http://", "http://s3cr3t:t0k3n@", 1)
	for name, o := range map[string]Options{
		"none":     {URL: p.url},
		"wrong":    {URL: p.url, Secret: func() (string, error) { return "t0k3n", nil }},
		"bearer":   {URL: p.url, Bearer: true, Secret: func() (string, error) { return "t0k3n", nil }},
		"userinfo": {URL: bad},
		"no value": {URL: p.url, Secret: func() (string, error) { return "", errors.New("no such file") }},
	} {
		_, err := open(t, o).Fetch(t.Context())
		wantKind(t, err, Denied)
		if want := denials()[name]; !strings.HasSuffix(err.Error(), want.what) || err.(*Error).Mend != want.mend { //nolint:errorlint // of Fetch
			t.Errorf("%s: %v\n%s", name, err, err.(*Error).Mend) //nolint:errorlint // as above
		}
		if s := err.Error(); strings.Contains(s, "t0k3n") || strings.Contains(s, "s3cr3t") {
			t.Errorf("%s: the error tells the secret: %s", name, s)
		}
	}
}

type denial struct{ what, mend string }

// denials are the words for what TestCredentials is refused.
func denials() map[string]denial {
	const renew = "renew it: it is wrong, has expired, or is another server's"
	return map[string]denial{
		"none":     {": the server wants a login, and there is none to give: 401 Unauthorized, who are you?", "give a token"},
		"wrong":    {`: the server refused the token for user "git": 401 Unauthorized, who are you?`, renew},
		"bearer":   {": the server refused the token: 401 Unauthorized, who are you?", renew},
		"userinfo": {": the server refused the user and the password that stand in the address: 401 Unauthorized, who are you?", renew},
		"no value": {": the credentials can't be read: no such file", "check where the secret comes from"},
	}
}

// A server that knows the token and does not let it in is told apart from one
// that does not know it; a page is not repeated, nor is what was sent.
func TestForbidden(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	p.push(t, "First", false, "a.txt", "one")
	for said, want := range map[string]string{
		"the scope read_repository is missing\nmore": "403 Forbidden, the scope read_repository is missing",
		"<html>no</html>": "403 Forbidden",
		"t0k3n may not":   "403 Forbidden",
		"":                "403 Forbidden",
	} {
		p.srv.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, said, http.StatusForbidden)
			return true
		})
		o := Options{URL: p.url, User: "bot", Named: "the token in the variable GIT", Secret: func() (string, error) { return "t0k3n", nil }}
		_, err := open(t, o).Fetch(t.Context())
		wantKind(t, err, Denied)
		if want := `: the server refused the token in the variable GIT for user "bot": ` + want; !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v\nwant …%s", err, want)
		}
	}
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	p.push(t, "First", false, "a.txt", "one")
	p.srv.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer abc" {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	fetch(t, open(t, Options{URL: p.url, Bearer: true, Secret: func() (string, error) { return "abc", nil }}))
}

// wantNoSecret checks that no file of a mirror holds the password.
func wantNoSecret(t *testing.T, _ string, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p) //nolint:gosec // a test's own directory
		if strings.Contains(string(data), "hunter2") {
			t.Errorf("%s holds the password", d.Name())
		}
		return err
	})
	must(t, err)
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	want := p.push(t, "First", false, "a.txt", "one")
	m := open(t, Options{URL: strings.Replace(p.url, "http://", "http://me:pw1234@", 1)})
	fetch(t, m)
	p.srv.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	_, err := m.Fetch(t.Context())
	wantKind(t, err, Unreachable)
	must(t, p.srv.Close())
	_, err = m.Fetch(t.Context())
	wantKind(t, err, Unreachable)
	if strings.Contains(err.Error(), "pw1234") || resource.ClassOf(err) != resource.Transient {
		t.Errorf("error %v", err)
	}
	if head(t, m).Hash != want {
		t.Error("the old head is lost")
	}
}

// A transfer that breaks off leaves what was there, and the next one succeeds.
func TestTransferBreaksOff(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"at once":     "",
		"in the pack": "0008NAK\nPACK\x00\x00\x00\x02\x00\x00\x00\x09\x91\x0c",
		"no Git":      "<html>log in to the proxy</html>",
		"empty pack":  "0008NAK\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, true)
			first := p.push(t, "First", false, "a.txt", "one")
			m := open(t, Options{URL: p.url})
			fetch(t, m)
			second := p.push(t, "Second", false, "a.txt", "two")
			p.srv.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
					return false
				}
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				_, err := io.WriteString(w, body)
				return err == nil
			})
			if _, err := m.Fetch(t.Context()); err == nil {
				t.Fatal("no error")
			} else if k := KindOf(err); k != Unreachable {
				t.Fatalf("error %v of kind %q", err, k)
			}
			if head(t, m).Hash != first {
				t.Fatal("the old head is lost")
			}
			wantFile(t, m, first, "a.txt", "one")
			p.srv.Intercept(nil)
			if !fetch(t, m) || head(t, m).Hash != second {
				t.Fatal("the next fetch did not bring the commit")
			}
			wantFile(t, m, second, "a.txt", "two")
		})
	}
}

func TestDamagedMirrorIsRebuilt(t *testing.T) {
	t.Parallel()
	damages := map[string]func(t *testing.T, dir string){
		"packs gone":    func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "objects", "pack"))) },
		"packs garbled": garble,
		"HEAD gone":     func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "HEAD"))) },
		"ref garbled": func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "refs", "isobar", "head"), []byte("rubbish\n"), 0o600))
		},
		"everything gone": func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) },
	}
	wantAfter := map[string]Kind{"packs gone": Corrupt, "packs garbled": Corrupt, "ref garbled": Corrupt, "everything gone": NoRevision}
	for name, damage := range damages {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reopened=%v", name, reopened), func(t *testing.T) {
				t.Parallel()
				p := newPeer(t, false)
				want := p.push(t, "First", false, "a.txt", "one")
				m := open(t, Options{URL: p.url})
				fetch(t, m)
				damage(t, m.opts.Dir)
				if reopened {
					m = open(t, Options{URL: p.url, Dir: m.opts.Dir})
				} else if err := readHead(t, m, "a.txt"); name != "HEAD gone" { // which reading does without
					wantKind(t, err, wantAfter[name])
				}
				if _, err := m.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if head(t, m).Hash != want {
					t.Fatal("wrong head after the rebuild")
				}
				wantFile(t, m, want, "a.txt", "one")
			})
		}
	}
}

// readHead reads a file of the head commit.
func readHead(t *testing.T, m *Mirror, path string) error {
	t.Helper()
	c, err := m.Head(t.Context())
	if err != nil {
		return err
	}
	tree, err := m.Tree(c.Hash)
	if err != nil {
		return err
	}
	_, err = fs.ReadFile(tree, path)
	return err
}

func garble(t *testing.T, dir string) {
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*"))
	must(t, err)
	if len(packs) == 0 {
		t.Fatal("no packs to garble")
	}
	for _, p := range packs {
		must(t, os.Chmod(p, 0o600)) //nolint:gosec // a test's own file
		must(t, os.WriteFile(p, []byte(strings.Repeat("x", 500)), 0o600))
	}
}

func TestForeignDirectoryIsMovedAside(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	want := p.push(t, "First", false, "a.txt", "one")
	dir := filepath.Join(t.TempDir(), "mirror")
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("years of work"), 0o600))
	m := open(t, Options{URL: p.url, Dir: dir})
	fetch(t, m)
	if data, err := os.ReadFile(filepath.Join(dir+".old-1", "thesis.txt")); err != nil || string(data) != "years of work" { //nolint:gosec // a test's own file
		t.Errorf("the foreign file: %q, %v", data, err)
	}
	// A mirror of another repository gives way without a trace.
	other := newPeer(t, false)
	second := other.push(t, "Other", false, "b.txt", "two")
	m = open(t, Options{URL: other.url, Dir: dir})
	if _, err := m.Resolve(t.Context(), want); KindOf(err) != NoRevision {
		t.Errorf("the other repository's commit is still there: %v", err)
	}
	fetch(t, m)
	if head(t, m).Hash != second {
		t.Error("wrong head")
	}
}

func TestRepackKeepsEverything(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	m := open(t, Options{URL: p.url})
	var hashes []string
	for i := range 3 {
		hashes = append(hashes, p.push(t, fmt.Sprint("Commit ", i), false, "a.txt", fmt.Sprint(i)))
		m.packed = repackEvery // so that this fetch repacks
		fetch(t, m)
		if m.packed != 0 {
			t.Fatal("no repack")
		}
	}
	m = open(t, Options{URL: p.url, Dir: m.opts.Dir})
	if fetch(t, m) {
		t.Error("changed after a reopen")
	}
	for i, h := range hashes {
		wantFile(t, m, h, "a.txt", fmt.Sprint(i))
	}
}

func TestLargeTreeReadConcurrentlyWhileFetching(t *testing.T) {
	t.Parallel()
	const files, readers = 2000, 8
	p := newPeer(t, true)
	var pairs []string
	for i := range files {
		pairs = append(pairs, fmt.Sprintf("env/%02d/f%04d.cue", i%40, i), fmt.Sprintf("package e%d\n", i))
	}
	hash := p.push(t, "Many", false, pairs...)
	m := open(t, Options{URL: p.url})
	fetch(t, m)
	tree, err := m.Tree(hash)
	must(t, err)
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			for i := r; i < files*2; i += readers {
				data, err := fs.ReadFile(tree, pairs[(i%files)*2])
				if err != nil || string(data) != pairs[(i%files)*2+1] {
					t.Errorf("%s: %q, %v", pairs[(i%files)*2], data, err)
					return
				}
			}
		})
	}
	for i := range 3 {
		p.push(t, "More", false, "more.txt", fmt.Sprint(i))
		m.packed = repackEvery
		fetch(t, m)
	}
	wg.Wait()
	n := 0
	must(t, fs.WalkDir(tree, ".", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	if n != files {
		t.Errorf("%d files", n)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{ //nolint:gosec // made up, to be redacted
		"https://u:p@h.example/r.git": "https://h.example/r.git",
		"https://h.example/r.git?t=1": "(unreadable address)",
		"https://token@h.example/r":   "https://h.example/r",
		"/srv/a:b/r.git":              "/srv/a:b/r.git",
		"file:///srv/a%20b":           "/srv/a b",
		"https://u:p@h.example:x%zz/": "(unreadable address)",
		"ftp://h.example/r":           "(unreadable address)",
		"":                            "(unreadable address)",
		"file://host/x":               "(unreadable address)",
		"https:///x":                  "(unreadable address)",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("Redact(%q) = %q, want %q", raw, got, want)
		}
	}
	_, err := Open(t.Context(), Options{URL: "ftp://h.example/r.git", Dir: t.TempDir()})
	wantKind(t, err, BadAddress)
}

func wantKind(t *testing.T, err error, want Kind) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Fatalf("error %v, want kind %s", err, want)
	}
	if e.Mend == "" {
		t.Errorf("%s: no way to mend it", want)
	}
	f := e.Finding()
	if _, ok := diag.Explain(f.Code); !ok || f.Message == "" {
		t.Errorf("finding %+v has no page or message", f)
	}
}

func wantFile(t *testing.T, m *Mirror, hash, path, want string) {
	t.Helper()
	tree, err := m.Tree(hash)
	must(t, err)
	data, err := fs.ReadFile(tree, path)
	if err != nil || string(data) != want {
		t.Fatalf("%s at %s is %q, %v; want %q", path, hash[:7], data, err, want)
	}
}
