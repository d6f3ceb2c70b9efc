package vsphere_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/vsphere"
)

func says(v string) func() (string, error) { return func() (string, error) { return v, nil } }

// TestCredentials: those of a server's file go before the process's own, and to
// their own vCenter alone.
func TestCredentials(t *testing.T) {
	for _, k := range []string{"GOVC_USERNAME", "GOVC_PASSWORD"} {
		t.Setenv(k, "")
	}
	good := map[string]string{"url": center.URL() + "/", "insecure": "true"}
	unset := func() (string, error) { return "", errors.New("PW is not set") }
	login := map[string]func() (string, error){"user": says(vcsim.User), "password": says(vcsim.Password)}
	for name, c := range map[string]struct {
		settings map[string]string
		secrets  map[string]func() (string, error)
		want     string // in the error, "" for none
		sent     bool   // something went out
	}{
		"good":            {good, login, "", true},
		"another vCenter": {map[string]string{"url": "https://other.example", "insecure": "true"}, login, "are for https://other.example, and providers name", false},
		"any certificate": {map[string]string{"url": center.URL()}, login, "any certificate", false},
		"a wrong password": {
			good, map[string]func() (string, error){"user": says(vcsim.User), "password": says("hunter2")}, "", true,
		},
		"no password": {
			good,
			map[string]func() (string, error){"user": says("u"), "password": unset},
			"credentials vc: password: PW is not set", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			conf := config(l, "estate-"+uuid.NewString())
			conf.Credentials = &provider.Credentials{Name: "vc", Provider: "vsphere", Settings: c.settings, Secrets: c.secrets}
			_, err := vsphere.Type().Open(t.Context(), conf)
			wrong := name == "a wrong password"
			if (err != nil) != (c.want != "" || wrong) {
				t.Fatalf("got %v", err)
			}
			if err != nil && (resource.ClassOf(err) != resource.Denied || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("got %v", err)
			}
			if (l.calls.Load() > 0) != c.sent {
				t.Errorf("%d calls went out", l.calls.Load())
			}
		})
	}
}
