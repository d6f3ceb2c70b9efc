package forge

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
)

func TestThrottled(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind  labforge.FaultKind
		after time.Duration // what the forge says
		want  time.Duration
	}{
		{labforge.Primary, 25 * time.Minute, 25 * time.Minute},
		{labforge.Secondary, 90 * time.Second, 90 * time.Second},
		{labforge.Secondary, 0, time.Minute},
	} {
		t.Run(fmt.Sprintf("%s %s", tc.kind, tc.after), func(t *testing.T) {
			t.Parallel()
			over(t, 0, func(t *testing.T, w *world) {
				if w.Name() == Gitea && tc.kind == labforge.Primary {
					return // it has no limits of its own: what stands before it says Retry-After
				}
				n := w.open(t, labforge.Pull{HeadRef: "web", Head: one})
				w.lab.Break(labforge.Fault{Kind: tc.kind, After: tc.after})
				_, err := w.Comment(t.Context(), n, "plan")
				class(t, err, resource.Throttled)
				same(t, "after", after(err), tc.want)
				w.lab.Requests()
				w.clock.add(tc.want - time.Second)
				_, err = w.Pull(t.Context(), n)
				class(t, err, resource.Throttled)
				same(t, "after, later", after(err), time.Second)
				same(t, "requests while quiet", len(w.lab.Requests()), 0)
				w.clock.add(time.Second)
				_, err = w.Pull(t.Context(), n)
				must(t, err)
				same(t, "comments", len(w.look(t, n).Comments), 0)
			})
		})
	}
}

// An answer that says that it was the last one of the hour is taken at its word.
func TestLastCall(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	asked := 0
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Date", c.Now().UTC().Add(-time.Hour).Format(http.TimeFormat)) // the forge's clock is slow
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", fmt.Sprint(c.Now().Add(-time.Hour).Add(10*time.Minute).Unix()))
		_, _ = w.Write([]byte("[]"))
	})
	f := speak(t, Options{Kind: GitHub, URL: srv.URL, Repo: "a/b", Token: (&text{s: "t"}).get, Now: c.Now})
	_, err := f.Pulls(t.Context())
	must(t, err)
	_, err = f.Pulls(t.Context())
	class(t, err, resource.Throttled)
	same(t, "after", after(err), 10*time.Minute)
	same(t, "asked", asked, 1)
}

func after(err error) time.Duration {
	var f *resource.Failure
	if errors.As(err, &f) {
		return f.After
	}
	return 0
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind        labforge.FaultKind
		read, write resource.Class
		said        string
		done        int // comments that a write leaves
	}{
		{labforge.Ill, resource.Transient, resource.UnknownOutcome, "the forge is ill", 0},
		{labforge.Lost, resource.Transient, resource.UnknownOutcome, "no answer from the forge", 1},
		{labforge.Forbidden, resource.Denied, resource.Denied, "it needs pull_requests=write (Resource not accessible by integration)", 0},
		{labforge.Refused, resource.Invalid, resource.Invalid, "the forge refuses the request (Validation Failed)", 0},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			t.Parallel()
			over(t, 0, func(t *testing.T, w *world) {
				n := w.open(t, labforge.Pull{HeadRef: "web", Head: one})
				w.lab.Break(labforge.Fault{Kind: tc.kind, Times: 2})
				_, read := w.Pulls(t.Context())
				class(t, read, tc.read)
				_, write := w.Comment(t.Context(), n, "plan")
				class(t, write, tc.write)
				for _, err := range []error{read, write} {
					if !strings.HasPrefix(err.Error(), string(w.Name())+": ") || !strings.Contains(err.Error(), tc.said) {
						t.Errorf("the error says %q, want %q in it", err, tc.said)
					}
				}
				same(t, "comments", len(w.look(t, n).Comments), tc.done)
				same(t, "requests", len(w.lab.Requests()), 2) // nothing is tried again
			})
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		w.lab.Rotate("another-secret")
		_, err := w.Pulls(t.Context())
		class(t, err, resource.Denied)
		if strings.Contains(err.Error(), labforge.DefaultToken) || !strings.Contains(err.Error(), "give a new one") {
			t.Errorf("the error is %q", err)
		}
		w.token.set("another-secret")
		_, err = w.Pulls(t.Context())
		must(t, err)
		self, err := w.Self(t.Context())
		must(t, err)
		same(t, "self", self, labforge.Self)
		w.lab.Break(labforge.Fault{Kind: labforge.Echo})
		_, err = w.Pulls(t.Context())
		class(t, err, resource.Invalid)
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), "another-secret") || !strings.Contains(err.Error(), "(secret)") {
			t.Errorf("the error is %q", err)
		}
		w.token.set("")
		_, err = w.Pulls(t.Context())
		class(t, err, resource.Denied)
	})
}

func TestTokenUnreadable(t *testing.T) {
	t.Parallel()
	srv := start(t, labforge.Options{Face: labforge.GitLab})
	gone := errors.New("open /run/secrets/forge: no such file")
	f := speak(t, Options{Kind: GitLab, URL: srv.URL(), Repo: "a/b", Now: time.Now, Token: func() (string, error) { return "", gone }})
	_, err := f.Pulls(t.Context())
	class(t, err, resource.Denied)
	if !errors.Is(err, gone) {
		t.Errorf("the cause is missing: %v", err)
	}
	same(t, "requests", len(srv.Requests()), 0)
}

func TestOutOfReach(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		must(t, w.lab.Close())
		_, err := w.Comment(t.Context(), 1, "plan")
		class(t, err, resource.Transient)
		if !strings.Contains(err.Error(), "the forge can't be reached") {
			t.Errorf("the error is %q", err)
		}
	})
}

// hanging is a server that answers nothing until the test ends.
func hanging(t *testing.T) *httptest.Server {
	t.Helper()
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(done) })
	return srv
}

func TestNoEndlessWait(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{GitHub, GitLab, Gitea} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := Options{Kind: kind, URL: hanging(t).URL, Repo: "a/b", Token: (&text{s: "t"}).get, Now: time.Now, Timeout: 20 * time.Millisecond}
			_, err := speak(t, o).Pulls(t.Context())
			class(t, err, resource.Transient)
			_, err = speak(t, o).Comment(t.Context(), 1, "x")
			class(t, err, resource.UnknownOutcome)
			o.Timeout = 0
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = speak(t, o).Pulls(ctx)
			class(t, err, resource.Transient)
		})
	}
}

// serve answers all requests by f.
func serve(t *testing.T, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv
}

// A redirect to another host gets neither the token nor an answer.
func TestRedirectElsewhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{GitHub, GitLab, Gitea} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var asked int
			other := serve(t, func(http.ResponseWriter, *http.Request) { asked++ })
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			})
			f := speak(t, Options{Kind: kind, URL: srv.URL, Repo: "a/b", Token: (&text{s: "t"}).get, Now: time.Now})
			_, err := f.Pulls(t.Context())
			class(t, err, resource.Denied)
			_, err = f.Comment(t.Context(), 1, "x")
			class(t, err, resource.Invalid)
			same(t, "requests to the other host", asked, 0)
		})
	}
}

// A repository that was renamed is read where it is now.
func TestRedirectOnTheSameHost(t *testing.T) {
	t.Parallel()
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/a/b/") {
			http.Redirect(w, r, "/api/v3/repositories/7/pulls", http.StatusMovedPermanently)
			return
		}
		same(t, "authorization", r.Header.Get("Authorization"), "Bearer t")
		_, _ = w.Write([]byte(`[{"number":3,"state":"open"}]`))
	})
	f := speak(t, Options{Kind: GitHub, URL: srv.URL, Repo: "a/b", Token: (&text{s: "t"}).get, Now: time.Now})
	got, err := f.Pulls(t.Context())
	must(t, err)
	same(t, "number", got[0].Number, 3)
}

// An answer without end is not read to its end.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	body := strings.NewReader(strings.Repeat("x", 1000))
	_, err := readAll(&http.Response{Body: io.NopCloser(body)}, 99)
	class(t, err, resource.Invalid)
	same(t, "unread", body.Len(), 900)
	got, err := readAll(&http.Response{Body: io.NopCloser(strings.NewReader("12345"))}, 5)
	must(t, err)
	same(t, "read", string(got), "12345")
}

// Something else at the address is told, not taken.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   resource.Class
	}{
		"a page":               {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Log in</html>")) }, resource.Transient},
		"nothing":              {func(http.ResponseWriter, *http.Request) {}, resource.Transient},
		"no content":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, resource.Transient},
		"an object":            {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, resource.Transient},
		"words":                {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("it works")) }, resource.Transient},
		"no change of nothing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, resource.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, tc.answer)
			for _, kind := range []Kind{GitHub, GitLab, Gitea} {
				f := speak(t, Options{Kind: kind, URL: srv.URL, Repo: "a/b", Token: (&text{s: "t"}).get, Now: time.Now})
				_, err := f.Pulls(t.Context())
				class(t, err, tc.want)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) }))
	t.Cleanup(srv.Close)
	srv.Config.SetKeepAlivesEnabled(false)
	o := Options{Kind: Gitea, URL: srv.URL, Repo: "a/b", Token: (&text{s: "t"}).get, Now: time.Now}
	_, err := speak(t, o).Pulls(t.Context())
	class(t, err, resource.Transient)
	if !strings.Contains(fmt.Sprint(err), "certificate") {
		t.Errorf("the error is %v", err)
	}
	o.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	_, err = speak(t, o).Pulls(t.Context())
	must(t, err)
	o.CA = []byte("nothing in PEM")
	_, err = New(o)
	class(t, err, resource.Invalid)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                "https://api.github.com",
		"https://github.com/":             "https://api.github.com",
		"https://octo.ghe.com":            "https://api.octo.ghe.com",
		"https://ghe.example.com":         "https://ghe.example.com/api/v3",
		"https://ghe.example.com/api/v3/": "https://ghe.example.com/api/v3",
		"http://127.0.0.1:8080":           "http://127.0.0.1:8080/api/v3",
	} {
		u, err := address(Options{Kind: GitHub, URL: url})
		must(t, err)
		same(t, url, gitHubAPI(u).String(), want)
	}
	u, err := address(Options{Kind: GitLab})
	must(t, err)
	same(t, "GitLab", u.String(), "https://gitlab.com")
}

func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	good := Options{Kind: Gitea, URL: "https://git.example.com", Repo: "a/b", Token: (&text{}).get, Now: time.Now}
	_, err := New(good)
	must(t, err)
	for name, change := range map[string]func(*Options){
		"kind":              func(o *Options) { o.Kind = "svn" },
		"no address":        func(o *Options) { o.URL = "" },
		"in the clear":      func(o *Options) { o.URL = "http://git.example.com" },
		"password":          func(o *Options) { o.URL = "https://me:hunter2@git.example.com" },
		"unparsable":        func(o *Options) { o.URL = "https://me:hunter2@git.example.com:x" },
		"no host":           func(o *Options) { o.URL = "https:///x" },
		"no owner":          func(o *Options) { o.Repo = "b" },
		"groups":            func(o *Options) { o.Repo = "a/b/c" },
		"upwards":           func(o *Options) { o.Repo = "a/.." },
		"no token":          func(o *Options) { o.Token = nil },
		"App":               func(o *Options) { o.Token, o.App = nil, &App{} },
		"App and token":     func(o *Options) { o.Kind, o.App = GitHub, &App{} },
		"App without a key": func(o *Options) { o.Kind, o.App, o.Token = GitHub, &App{ID: "1"}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			change(&o)
			_, err := New(o)
			class(t, err, resource.Invalid)
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("the error repeats the password: %v", err)
			}
		})
	}
}
