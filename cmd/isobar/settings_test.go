package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// TestWhatARepositoryMayUse: a grant counts; without one, nothing that the file
// declares, and the server's own only where it declares nothing.
func TestWhatARepositoryMayUse(t *testing.T) {
	t.Parallel()
	some := map[string]spec.ServerCredentials{"prod": {Provider: "aws"}}
	for name, c := range map[string]struct {
		declared map[string]spec.ServerCredentials
		granted  []string
		profile  string
		ok       bool
	}{
		"nothing declared, own":           {nil, nil, "", true},
		"nothing declared, but granted":   {nil, []string{}, "", false},
		"declared, own":                   {some, nil, "", false},
		"declared, named":                 {some, nil, "prod", false},
		"granted, named":                  {some, []string{"prod"}, "prod", true},
		"granted, another":                {some, []string{"prod"}, "test", false},
		"granted, own":                    {some, []string{"prod"}, "", false},
		"granted the server's own":        {some, []string{"server"}, "", true},
		"granted the server's own, named": {some, []string{"server"}, "prod", false},
		"none granted":                    {some, []string{}, "", false},
	} {
		s := &settings{Server: spec.Server{Credentials: c.declared}}
		err := s.may(spec.ServerRepo{Name: "shop", Credentials: c.granted})(c.profile)
		if (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "repos: shop: credentials") {
			t.Errorf("%s: %v does not say how to mend it", name, err)
		}
	}
}

func TestSourcesOfTheServer(t *testing.T) {
	t.Setenv("SERVER_TEST_TOKEN", "hunter2")
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("line", "hunter2\n")
	write("windows", "hunter2\r\n")
	write("two", "hunter2\n\n")
	write("empty", "\n")
	write("long", strings.Repeat("x", maxSource+1))
	s := &settings{name: "server.cue", dir: dir}
	for from, want := range map[resource.SecretSource]string{
		{Env: "SERVER_TEST_TOKEN"}:            "hunter2",
		{Env: "SERVER_TEST_NONE"}:             "the variable SERVER_TEST_NONE is not set",
		{File: "line"}:                        "hunter2",
		{File: filepath.Join(dir, "windows")}: "hunter2",
		{File: "two"}:                         "hunter2\n",
		{File: "empty"}:                       "is empty",
		{File: "long"}:                        "is longer than 64 KiB",
		{File: "none"}:                        "no such file or directory",
		{File: "."}:                           "is no regular file",
	} {
		got, err := s.reader(from)()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != want || err != nil && !strings.Contains(got, want) {
			t.Errorf("%+v: got %q, want %q", from, got, want)
		}
	}
	if s.reader(resource.SecretSource{}) != nil {
		t.Error("no source has a reader")
	}
	write("line", "renewed")
	if got, err := s.reader(resource.SecretSource{File: "line"})(); got != "renewed" || err != nil {
		t.Errorf("a renewed file reads %q, %v", got, err)
	}
}

// TestExposed: what environments may read is no place for the server's own.
func TestExposed(t *testing.T) {
	t.Parallel()
	s := &settings{name: "server.cue", dir: "/etc/isobar", Server: spec.Server{Secrets: spec.ServerSecrets{Env: []string{"APP_"}, Dirs: []string{"envs", "/srv/keys"}}}}
	for from, want := range map[resource.SecretSource]bool{
		{Env: "APP_TOKEN"}:                true,
		{Env: "TOKEN"}:                    false,
		{File: "envs/token"}:              true,
		{File: "token"}:                   false,
		{File: "/srv/keys/a/b"}:           true,
		{File: "/srv/keys/../token"}:      false,
		{File: "/etc/isobar/envs2/token"}: false,
	} {
		if got := s.exposed(from); got != want {
			t.Errorf("%+v: got %v", from, got)
		}
	}
	none := &settings{name: "server.cue", dir: "/etc/isobar", Server: spec.Server{Secrets: spec.ServerSecrets{Env: []string{}, Dirs: []string{}}}}
	if a := none.allowance(); len(a.EnvPrefixes) != 0 || len(a.Dirs) != 0 {
		t.Errorf("nothing is %+v", a)
	}
	if a := (&settings{}).allowance(); len(a.EnvPrefixes) != 1 || len(a.Dirs) != 1 {
		t.Errorf("unsaid is %+v", a)
	}
}
