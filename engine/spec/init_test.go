package spec

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"
)

func initRepo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := Init(dir, bytes.NewReader(bytes.Repeat([]byte{0x5a}, 10))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestInitIsWithoutFindings(t *testing.T) {
	t.Parallel()
	dir := initRepo(t)
	l := newLoader(t, Limits{})
	est, err := l.Estate(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if est.ID != strings.Repeat("5a", 10) || !slices.Equal(est.Environments, []string{"dev"}) || est.Mode != ModeApprove || len(est.Findings) > 0 {
		t.Errorf("estate: %+v", est)
	}
	env, err := l.Environment(t.Context(), os.DirFS(dir), "dev")
	if err != nil {
		t.Fatal(err)
	}
	if len(env.Desired) != 3 || len(env.Warnings) > 0 {
		t.Errorf("environment: %+v", env)
	}
}

// TestInitVetsOffline loads the repository as cue vet does: from the disk, by
// its own module files, with a registry that serves nothing.
func TestInitVetsOffline(t *testing.T) {
	t.Parallel()
	dir := initRepo(t)
	for _, pkg := range []string{".", "./environments/dev"} {
		inst := load.Instances([]string{pkg}, &load.Config{Dir: dir, Registry: refuseRegistry{}, Env: []string{}})[0]
		if inst.Err != nil {
			t.Fatalf("%s: %v", pkg, inst.Err)
		}
		if err := cuecontext.New().BuildInstance(inst).Validate(cue.Concrete(true), cue.Final()); err != nil {
			t.Errorf("%s: %v", pkg, err)
		}
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := filepath.Join(dir, "isobar.cue")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Init(dir, bytes.NewReader(make([]byte, 10)))
	if err == nil || !strings.Contains(err.Error(), "isobar.cue exists already") {
		t.Errorf("got %v", err)
	}
	n := 0
	if err := fs.WalkDir(os.DirFS(dir), ".", func(string, fs.DirEntry, error) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d entries, want the directory and the file that was there (%v)", n, err)
	}
	if _, err := Init(t.TempDir(), bytes.NewReader(nil)); err == nil {
		t.Error("no randomness, and no error")
	}
}

func TestOtherSchemasWarn(t *testing.T) {
	t.Parallel()
	dir := initRepo(t)
	old := filepath.Join(dir, ".schemas/aws/vpc.cue")
	if err := os.WriteFile(old, []byte("package aws\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLoader(t, Limits{})
	est, err := l.Estate(t.Context(), os.DirFS(dir))
	if err != nil || len(est.Findings) != 1 || est.Findings[0].Code != codeSchemas || est.Findings[0].Severity != "warning" {
		t.Errorf("got %v, %v", est.Findings, err)
	}
	if env, err := l.Environment(t.Context(), os.DirFS(dir), "dev"); err != nil || len(env.Desired) != 3 {
		t.Errorf("isobar's own schemas are not what it goes by: %v", err)
	}
}

// TestInitKeepsGitignore: a forge puts one into a new repository.
func TestInitKeepsGitignore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		was, want string
		told      bool
	}{
		"empty":            {"", initIgnore, true},
		"other lines":      {"*.log\n", "*.log\n" + initIgnore, true},
		"no newline":       {"*.log", "*.log\n" + initIgnore, true},
		"a part":           {"/.isobar/\n", "/.isobar/\n# isobar's local store\n*.sock\n", true},
		"all, CRLF":        {"*.sock\r\n/.isobar/\r\n", "*.sock\r\n/.isobar/\r\n", false},
		"all but the note": {"/.isobar/\n*.sock", "/.isobar/\n*.sock", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, ".gitignore")
			if err := os.WriteFile(file, []byte(c.was), 0o600); err != nil {
				t.Fatal(err)
			}
			wrote, err := Init(dir, bytes.NewReader(make([]byte, 10)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != c.want {
				t.Errorf("got %q, want %q (%v)", got, c.want, err)
			}
			if told := slices.Contains(wrote, Written{".gitignore", true}); told != c.told {
				t.Errorf("told %v, want %v", told, c.told)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(dir, ".gitignore")); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(dir, bytes.NewReader(make([]byte, 10))); err == nil || !strings.Contains(err.Error(), ".gitignore exists already") {
		t.Errorf("a link: %v", err)
	}
}
