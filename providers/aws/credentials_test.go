package aws_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/aws"
)

// witness notes who signed each call, and what it asked for.
type witness struct {
	mu    sync.Mutex
	calls []string // "ACTION KEY"
	asked url.Values
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, err
	}
	_, by, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	by, _, _ = strings.Cut(by, "/")
	w.mu.Lock()
	w.calls = append(w.calls, form.Get("Action")+" "+by)
	if form.Get("Action") == "AssumeRole" {
		w.asked = form
	}
	w.mu.Unlock()
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(strings.NewReader(string(b)))
	return http.DefaultTransport.RoundTrip(sent)
}

func says(v string) func() (string, error) { return func() (string, error) { return v, nil } }

// with opens a session in Ireland with credentials of a server's file.
func with(t *testing.T, c provider.Credentials) (*witness, provider.Session, error) {
	t.Helper()
	c.Name, c.Provider = "prod", "aws"
	w := &witness{}
	conf := ireland
	conf.Estate, conf.HTTP, conf.Credentials = "3f0c9a52e1", &http.Client{Transport: w}, &c
	s, err := aws.Type().Open(t.Context(), conf)
	return w, s, err
}

// TestCredentials: what a server's file says goes before the process's own.
func TestCredentials(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(shared, []byte("[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", shared)
	own := map[string]func() (string, error){"accessKeyId": says("AKIAOWN"), "secretAccessKey": says("s")}
	role := map[string]string{"roleArn": "arn:aws:iam::123456789012:role/isobar", "externalId": "e-1"}
	for name, c := range map[string]struct {
		with provider.Credentials
		want []string
	}{
		"a key":        {provider.Credentials{Secrets: own}, []string{"GetCallerIdentity AKIAOWN"}},
		"a profile":    {provider.Credentials{Settings: map[string]string{"profile": "base"}}, []string{"GetCallerIdentity AKIABASE"}},
		"nothing":      {provider.Credentials{}, []string{"GetCallerIdentity isobar-lab"}},
		"a key's role": {provider.Credentials{Secrets: own, Settings: role}, []string{"AssumeRole AKIAOWN", "GetCallerIdentity AS"}},
		"the own role": {provider.Credentials{Settings: role}, []string{"AssumeRole isobar-lab", "GetCallerIdentity AS"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, err := with(t, c.with)
			if err != nil {
				t.Fatal(err)
			}
			if len(w.calls) != len(c.want) {
				t.Fatalf("calls %v, want %v", w.calls, c.want)
			}
			for i := range c.want {
				if !strings.HasPrefix(w.calls[i], c.want[i]) {
					t.Errorf("calls %v, want %v", w.calls, c.want)
				}
			}
			if w.asked != nil && (w.asked.Get("RoleArn") != role["roleArn"] || w.asked.Get("ExternalId") != "e-1" || w.asked.Get("RoleSessionName") != "isobar-3f0c9a52e1") {
				t.Errorf("the role was asked for with %v", w.asked)
			}
		})
	}
}

func TestCredentialsThatCannotBeUsed(t *testing.T) {
	gone := func() (string, error) { return "", errors.New("/run/secrets/key is missing") }
	_, _, err := with(t, provider.Credentials{Secrets: map[string]func() (string, error){"accessKeyId": gone, "secretAccessKey": says("hunter2")}})
	class(t, err, resource.Denied, "")
	if got := err.Error(); !strings.Contains(got, "credentials prod: accessKeyId: /run/secrets/key is missing") || strings.Contains(got, "hunter2") {
		t.Error(got)
	}
	_, _, err = with(t, provider.Credentials{Settings: map[string]string{"profile": "nobody"}})
	class(t, err, resource.Denied, "")
	both := ireland
	both.Settings = resource.Map{"region": resource.String("eu-west-1"), "profile": resource.String("p"), "credentials": resource.String("prod")}
	_, err = aws.Type().Open(t.Context(), both)
	class(t, err, resource.Invalid, "")
}
