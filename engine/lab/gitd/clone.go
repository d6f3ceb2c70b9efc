package gitd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Clone is a work tree to make commits in, with a home and configuration of
// its own. Use from one goroutine.
type Clone struct {
	Dir           string
	Author, Email string // of the next commits

	home string
}

// NewClone clones url into dir, which must be missing or empty. The branch is
// main where the repository has none yet. Credentials may stand in url.
func NewClone(ctx context.Context, dir, url string) (*Clone, error) {
	c, err := newClone(dir)
	if err != nil {
		return nil, err
	}
	if _, err := run(ctx, c.home, filepath.Dir(dir), "clone", "-q", url, dir); err != nil {
		return nil, err
	}
	return c, nil
}

// NewLocal makes a repository in dir with no remote, on branch main.
func NewLocal(ctx context.Context, dir string) (*Clone, error) {
	c, err := newClone(dir)
	if err != nil {
		return nil, err
	}
	_, err = c.Git(ctx, "init", "-q", "-b", "main")
	return c, err
}

func newClone(dir string) (*Clone, error) {
	c := &Clone{Dir: dir, Author: "Mei Tanaka", Email: "mei@example.com", home: filepath.Clean(dir) + ".home"}
	for _, d := range []string{dir, c.home} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	config := "[init]\n\tdefaultBranch = main\n[http]\n\tpostBuffer = 268435456\n[gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n"
	return c, os.WriteFile(filepath.Join(c.home, ".gitconfig"), []byte(config), 0o600)
}

// Write writes a file at a slash path below Dir, making its directories.
func (c *Clone) Write(path, content string) error {
	full := filepath.Join(c.Dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
		return err
	}
	return os.WriteFile(full, []byte(content), 0o600)
}

// Remove deletes a file or a directory below Dir.
func (c *Clone) Remove(path string) error {
	return os.RemoveAll(filepath.Join(c.Dir, filepath.FromSlash(path)))
}

// Commit commits everything in Dir, even if nothing changed, and gives the
// hash.
func (c *Clone) Commit(ctx context.Context, msg string) (string, error) {
	if _, err := c.Git(ctx, "add", "-A"); err != nil {
		return "", err
	}
	if _, err := c.Git(ctx, "commit", "-q", "--allow-empty", "-m", msg); err != nil {
		return "", err
	}
	return c.Git(ctx, "rev-parse", "HEAD")
}

// Push pushes the current branch to origin.
func (c *Clone) Push(ctx context.Context, force bool) error {
	args := []string{"push", "-q", "-u", "origin", "HEAD"}
	if force {
		args = append(args, "--force")
	}
	_, err := c.Git(ctx, args...)
	return err
}

// Git runs git in Dir and gives its trimmed output.
func (c *Clone) Git(ctx context.Context, args ...string) (string, error) {
	who := []string{"-c", "user.name=" + c.Author, "-c", "user.email=" + c.Email}
	return run(ctx, c.home, c.Dir, append(who, args...)...)
}

// isolated is an environment that sees no configuration but that in home.
func isolated(home string) []string {
	return []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"PATH=/usr/local/bin:/usr/bin:/bin",
	}
}

func run(ctx context.Context, home, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the lab's own arguments
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, isolated(home), 5*time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
