package secret_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/secret"
)

var _ provider.Secrets = (*secret.Bound)(nil)

const value = "hunter2-and-more"

// rig is a keeper over variables and a directory of a test's own.
func rig(t testing.TB, allow secret.Allowance, vars map[string]string) *secret.Keeper {
	t.Helper()
	return secret.New(secret.Options{
		Allow: allow, KeyFile: filepath.Join(t.TempDir(), "store.key"),
		LookupEnv: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
	})
}

func read(k *secret.Keeper, src resource.SecretSource, field string) (string, error) {
	return k.Bind(map[string]resource.SecretSource{"s": src}).Read(context.Background(), resource.Secret{Name: "s", Field: field})
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	put(t, filepath.Join(in, "plain"), value+"\n")
	put(t, filepath.Join(in, "dos"), value+"\r\n")
	put(t, filepath.Join(in, "two"), value+"\n\n")
	put(t, filepath.Join(in, "empty"), "\n")
	put(t, filepath.Join(in, "deep/er"), value)
	put(t, filepath.Join(in, "large"), strings.Repeat("x", 64<<10)+"\n")
	put(t, filepath.Join(in, "full"), strings.Repeat("x", 64<<10))
	put(t, filepath.Join(in, "json"), `{"a":"`+value+`","n":5432,"yes":true,"no":null,"o":{},"l":[],"e":"","q":"a\"b"}`)
	put(t, filepath.Join(in, "list"), `["`+value+`"]`)
	put(t, filepath.Join(out, "other"), value)
	for name, to := range map[string]string{"inner": "plain", "outer": "../out/other", "abs": filepath.Join(out, "other")} {
		if err := os.Symlink(to, filepath.Join(in, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(in, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	bounded := secret.Allowance{EnvPrefixes: []string{"ISOBAR_SECRET_", "SHOP_"}, Dirs: []string{filepath.Join(dir, "none"), in}}
	open := secret.Allowance{Any: true}
	vars := map[string]string{
		"ISOBAR_SECRET_A": value, "SHOP_B": value + "\n", "ISOBAR_SLACK_TOKEN": value, "SHOP_EMPTY": "", "SHOP_JSON": `{"a":"` + value + `"}`,
		"SHOP_LARGE": strings.Repeat("x", 64<<10+1),
	}
	env := func(n string) resource.SecretSource { return resource.SecretSource{Env: n} }
	file := func(n string) resource.SecretSource { return resource.SecretSource{File: n} }
	for _, c := range []struct {
		name  string
		allow secret.Allowance
		src   resource.SecretSource
		field string
		want  string // the value, or a part of what is wrong
		wrong bool
	}{
		{"env", bounded, env("ISOBAR_SECRET_A"), "", value, false},
		{"env keeps its line break", bounded, env("SHOP_B"), "", value + "\n", false},
		{"env member", bounded, env("SHOP_JSON"), "a", value, false},
		{"env unset", bounded, env("SHOP_NONE"), "", "SHOP_NONE is not set", true},
		{"env empty", bounded, env("SHOP_EMPTY"), "", "SHOP_EMPTY is empty", true},
		{"env large", bounded, env("SHOP_LARGE"), "", "more than 64 KiB", true},
		{"env of the daemon", bounded, env("ISOBAR_SLACK_TOKEN"), "", "may not read the environment variable ISOBAR_SLACK_TOKEN", true},
		{"env where none may be read", secret.Allowance{}, env("ISOBAR_SECRET_A"), "", "may not read", true},
		{"env by an empty beginning", secret.Allowance{EnvPrefixes: []string{""}}, env("ISOBAR_SECRET_A"), "", "may not read", true},
		{"any env", open, env("ISOBAR_SLACK_TOKEN"), "", value, false},
		{"file", bounded, file(filepath.Join(in, "plain")), "", value, false},
		{"file by its name", bounded, file("plain"), "", value, false},
		{"file deeper", bounded, file("deep/er"), "", value, false},
		{"line break of DOS", bounded, file("dos"), "", value, false},
		{"only one line break goes", bounded, file("two"), "", value + "\n", false},
		{"file empty", bounded, file("empty"), "", "is empty", true},
		{"file full", bounded, file("full"), "", strings.Repeat("x", 64<<10), false},
		{"file large", bounded, file("large"), "", "more than 64 KiB", true},
		{"file member", bounded, file("json"), "a", value, false},
		{"number", bounded, file("json"), "n", "5432", false},
		{"truth value", bounded, file("json"), "yes", "true", false},
		{"quotes", bounded, file("json"), "q", `a"b`, false},
		{"null", bounded, file("json"), "no", "is no text", true},
		{"object", bounded, file("json"), "o", "is no text", true},
		{"list", bounded, file("json"), "l", "is no text", true},
		{"empty member", bounded, file("json"), "e", "is empty", true},
		{"no member", bounded, file("json"), "b", `has no member "b"`, true},
		{"no JSON", bounded, file("plain"), "a", "holds no JSON object", true},
		{"JSON, but no object", bounded, file("list"), "a", "holds no JSON object", true},
		{"file gone", bounded, file("gone"), "", "there is no file " + filepath.Join(dir, "none/gone") + " or " + filepath.Join(in, "gone"), true},
		{"directory", bounded, file("deep"), "", "no regular file", true},
		{"pipe", bounded, file("pipe"), "", "no regular file", true},
		{"link within", bounded, file("inner"), "", value, false},
		{"link out", bounded, file("outer"), "", "can't be read", true},
		{"link out by an absolute path", bounded, file("abs"), "", "can't be read", true},
		{"beside", bounded, file(filepath.Join(out, "other")), "", "may not read the file", true},
		{"up and out", bounded, file("../out/other"), "", "may not read the file", true},
		{"up and out, absolute", bounded, file(in + "/../out/other"), "", "may not read the file", true},
		{"the directory's name begins alike", bounded, file(in + "side/x"), "", "may not read the file", true},
		{"the directory itself", bounded, file(in), "", "may not read the file", true},
		{"any file", open, file(filepath.Join(in, "outer")), "", value, false},
		{"any file, not by a relative path", open, file("plain"), "", "may not read the file plain", true},
		{"no source", open, resource.SecretSource{}, "", "no source", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(rig(t, c.allow, vars), c.src, c.field)
			if !c.wrong {
				if err != nil || got != c.want {
					t.Fatalf("got %q, %v, want %q", got, err, c.want)
				}
				return
			}
			var se *provider.SecretError
			if !errors.As(err, &se) || se.Name != "s" || se.Mend == "" || !strings.Contains(err.Error(), c.want) || got != "" {
				t.Fatalf("got %q, %v, want %s", got, err, c.want)
			}
			if strings.Contains(err.Error()+se.Mend, value) {
				t.Errorf("the error tells the value: %v", err)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 { // root reads everything: a directory in a file's place refuses it too
		path := filepath.Join(t.TempDir(), "plain")
		put(t, path, value)
		_, err := read(rig(t, secret.Allowance{Any: true}, nil), resource.SecretSource{File: path + "/x"}, "")
		if err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("got %v", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "closed")
	put(t, path, value)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := read(rig(t, secret.Allowance{Any: true}, nil), resource.SecretSource{File: path}, "")
	if err == nil || !strings.Contains(err.Error(), "isobar may not read the file "+path) {
		t.Errorf("got %v", err)
	}
}

// TestRelativeToNothing: a person is told of the way that they have.
func TestRelativeToNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, all := range []bool{false, true} {
		_, err := read(rig(t, secret.Allowance{Any: all, Dirs: []string{dir}}, nil), resource.SecretSource{File: "f"}, "")
		var se *provider.SecretError
		if !errors.As(err, &se) || strings.Contains(se.Mend, "absolute path") != all {
			t.Errorf("all %v: got %v, %+v", all, err, se)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	k := rig(t, secret.Allowance{Any: true}, nil)
	for _, v := range []string{"one", "two"} {
		put(t, path, v)
		if got, err := read(k, resource.SecretSource{File: path}, ""); err != nil || got != v {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestUnbound(t *testing.T) {
	t.Parallel()
	_, err := rig(t, secret.Default(), nil).Bind(nil).Read(t.Context(), resource.Secret{Name: "gone"})
	if err == nil || err.Error() != "secret gone: the spec does not bind it any more" {
		t.Errorf("got %v", err)
	}
}

func keeperAt(path string) *secret.Bound {
	return secret.New(secret.Options{KeyFile: path}).Bind(nil)
}

func TestKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.key")
	first, err := keeperAt(path).MAC(value)
	if err != nil || len(first) != 64 {
		t.Fatalf("got %q, %v", first, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("the key's file is %v, %v", info, err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if again, err := keeperAt(path).MAC(value); err != nil || again != first {
		t.Errorf("with the same key got %q, %v, want %q", again, err, first)
	}
	if other, err := keeperAt(path).MAC(value + "x"); err != nil || other == first {
		t.Errorf("another value has the same MAC (%v)", err)
	}
	steps := []struct {
		want  string
		spoil func() error
	}{
		{"others may read", func() error { return os.Chmod(path, 0o640) }}, //nolint:gosec // what is refused
		{"has not 32 bytes", func() error { return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 31)) }},
		{"has not 32 bytes", func() error { return os.WriteFile(path, make([]byte, 33), 0o600) }},
		{"can't be had", func() error { return errors.Join(os.Remove(path), os.Remove(filepath.Dir(path))) }},
	}
	for _, s := range steps {
		if err := s.spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := keeperAt(path).MAC(value); err == nil || !strings.Contains(err.Error(), s.want) {
			t.Errorf("got %v, want %s", err, s.want)
		}
	}
}

// TestKeyLost: under another key every value has another MAC, and a keeper that
// runs keeps the one that it has.
func TestKeyLost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.key")
	running := keeperAt(path)
	before, err := running.MAC(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	after, err := keeperAt(path).MAC(value)
	if err != nil || after == before {
		t.Errorf("under a new key got %q, %v", after, err)
	}
	if still, _ := running.MAC(value); still != before {
		t.Error("a running keeper took another key")
	}
}

// TestKeyOnce: whoever needs the key first makes it, and all have the same.
func TestKeyOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.key")
	macs := make([]string, 16)
	var wg sync.WaitGroup
	for i := range macs {
		wg.Go(func() { macs[i], _ = keeperAt(path).MAC(value) })
	}
	wg.Wait()
	for _, m := range macs {
		if m == "" || m != macs[0] {
			t.Fatalf("several keys: %v", macs)
		}
	}
}

// TestPlacesLaw: whatever path a spec names, what is read lies in the allowed
// directory.
func TestPlacesLaw(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "in/a/b"), "inside")
	put(t, filepath.Join(dir, "in/b"), "inside")
	put(t, filepath.Join(dir, "b"), value)
	put(t, filepath.Join(dir, "inb/b"), value)
	if err := os.Symlink("../..", filepath.Join(dir, "in/a/up")); err != nil {
		t.Fatal(err)
	}
	k := rig(t, secret.Allowance{Dirs: []string{filepath.Join(dir, "in")}}, nil)
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"..", ".", "a", "b", "up", "in", "inb", ""}), 1, 7).Draw(rt, "parts")
		path := strings.Join(parts, "/")
		if rapid.Bool().Draw(rt, "absolute") {
			path = dir + "/in/" + path
		}
		got, err := read(k, resource.SecretSource{File: path}, "")
		if got != "inside" && got != "" || got == "" && err == nil {
			rt.Fatalf("%s gave %q, %v", path, got, err)
		}
	})
}

// FuzzMember: whatever a source holds, an error does not tell it.
func FuzzMember(f *testing.F) {
	f.Add(`{"a":"hunter2"}`, "a")
	f.Add(`{"a":{"b":"hunter2"}}`, "a")
	f.Add(`hunter2`, "a")
	f.Add(`{"a":"hunter2","a":1e400}`, "a")
	f.Fuzz(func(t *testing.T, text, field string) {
		if field == "" {
			return
		}
		k := rig(t, secret.Allowance{Any: true}, map[string]string{"V": "{" + text + "hunter2"})
		got, err := read(k, resource.SecretSource{Env: "V"}, field)
		if err == nil && got == "" {
			t.Fatal("an empty value, and no error")
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") && !strings.Contains(field, "hunter2") {
			t.Fatalf("told: %v", err)
		}
	})
}
