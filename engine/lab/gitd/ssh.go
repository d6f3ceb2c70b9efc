package gitd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// sshUser logs in at the SSH server: whoever runs the lab, since sshd without
// root serves nobody else.
func sshUser() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("who am I: %w", err)
	}
	return u.Username, nil
}

// SSH is OpenSSH's sshd on loopback, one process a connection (sshd -i), which
// serves a Server's repositories by git-shell and nothing else. It has host
// keys, a configuration and authorized keys of its own. Safe for concurrent use.
type SSH struct {
	User string // who logs in

	root string // keys and configurations
	sshd string
	ln   *net.TCPListener
	wg   sync.WaitGroup
	stop func() bool
	once sync.Once
	ctx  context.Context //nolint:containedctx // ends the connections at Close
	end  context.CancelFunc

	mu       sync.Mutex
	serial   int
	host     string // the host key's file
	silent   bool
	breakOff int64 // bytes after which a connection ends; 0 is never
	logins   int
	repos    *Server
}

// SSH starts an SSH server for the repositories. It ends with ctx or Close,
// which must come before the Server's own.
func (s *Server) SSH(ctx context.Context) (*SSH, error) {
	path, err := findSSHD()
	if err != nil {
		return nil, err
	}
	who, err := sshUser()
	if err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // root's sshd locks its first half up in there
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { //nolint:gosec // sshd demands that others can't write there, and no more
			return nil, fmt.Errorf("sshd run by root wants the directory /run/sshd: %w", err)
		}
	}
	root, err := os.MkdirTemp("", "isobar-sshd-")
	if err != nil {
		return nil, err
	}
	d := &SSH{User: who, root: root, sshd: path, repos: s}
	if err := os.WriteFile(filepath.Join(root, "authorized"), nil, 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	if err := d.Rekey(ctx, "ed25519"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	d.ln = ln
	d.ctx, d.end = context.WithCancel(ctx)
	d.wg.Go(d.accept)
	d.stop = context.AfterFunc(ctx, func() { _ = d.Close() })
	return d, nil
}

// findSSHD finds the server, which is seldom on an ordinary user's PATH.
func findSSHD() (string, error) {
	for _, name := range []string{"sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path) // it insists on an absolute path
		}
	}
	return "", errors.New("the lab needs sshd; type: sudo apt-get install openssh-server")
}

// Close ends the server and its connections, and removes the keys.
func (d *SSH) Close() error {
	var err error
	d.once.Do(func() {
		d.stop()
		d.end()
		err = d.ln.Close()
		d.wg.Wait()
		err = errors.Join(err, os.RemoveAll(d.root))
	})
	return err
}

// Addr gives HOST:PORT.
func (d *SSH) Addr() string { return d.ln.Addr().String() }

// URL gives the address of a repository, there or not.
func (d *SSH) URL(repo string) string { return "ssh://" + d.User + "@" + d.Addr() + d.repos.Dir(repo) }

// HomeURL gives the address of a repository relative to where logins start.
func (d *SSH) HomeURL(repo string) string {
	return "ssh://" + d.User + "@" + d.Addr() + "/~/" + repo + ".git"
}

// Logins counts the connections so far.
func (d *SSH) Logins() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logins
}

// Silence makes connections be taken and never answered, or ends that.
func (d *SSH) Silence(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silent = on
}

// BreakOff makes connections end after the server sent this many bytes; 0 ends
// that.
func (d *SSH) BreakOff(after int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.breakOff = after
}

// Rekey gives the server a new host key of a type that ssh-keygen knows.
func (d *SSH) Rekey(ctx context.Context, kind string) error {
	file, err := d.generate(ctx, kind, "")
	if err != nil {
		return err
	}
	conf := strings.Join([]string{
		"HostKey " + file, "AuthorizedKeysFile " + filepath.Join(d.root, "authorized"),
		"StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
		"PidFile none", "PrintMotd no", "DisableForwarding yes", "MaxStartups 200", "LoginGraceTime 30",
		// $SSH_ORIGINAL_COMMAND is what the client asked for; git-shell runs Git's own commands alone.
		"ForceCommand cd " + filepath.Join(d.repos.root, "repos") + " && exec env HOME=" + filepath.Join(d.repos.root, "home") +
			" GIT_CONFIG_NOSYSTEM=1 git-shell -c \"$SSH_ORIGINAL_COMMAND\"",
	}, "\n") + "\n"
	if err := os.WriteFile(file+".conf", []byte(conf), 0o600); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.host = file
	return nil
}

// Key makes a key pair, with a passphrase unless that is "", and gives the file
// of the private half. The public half may log in if allowed is set.
func (d *SSH) Key(ctx context.Context, kind, passphrase string, allowed bool) (string, error) {
	file, err := d.generate(ctx, kind, passphrase)
	if err != nil || !allowed {
		return file, err
	}
	public, err := os.ReadFile(file + ".pub") //nolint:gosec // the lab's own file
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(d.root, "authorized"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(public)
	return file, errors.Join(err, f.Close())
}

// KnownHosts writes a known_hosts file with the server's present host key and
// gives its path.
func (d *SSH) KnownHosts() (string, error) {
	d.mu.Lock()
	host := d.host
	d.serial++
	file := filepath.Join(d.root, fmt.Sprintf("known_hosts-%d", d.serial))
	d.mu.Unlock()
	public, err := os.ReadFile(host + ".pub") //nolint:gosec // the lab's own file
	if err != nil {
		return "", err
	}
	addr := d.ln.Addr().(*net.TCPAddr) //nolint:forcetypeassert // it listens on TCP
	line := fmt.Sprintf("[%s]:%d %s", addr.IP, addr.Port, public)
	return file, os.WriteFile(file, []byte(line), 0o600) //nolint:gosec // the lab's own file
}

func (d *SSH) generate(ctx context.Context, kind, passphrase string) (string, error) {
	d.mu.Lock()
	d.serial++
	file := filepath.Join(d.root, fmt.Sprintf("key-%d", d.serial))
	d.mu.Unlock()
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "lab", "-f", file) //nolint:gosec // the lab's own arguments
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("ssh-keygen: %w: %s", err, bytes.TrimSpace(out))
	}
	return file, nil
}

func (d *SSH) accept() {
	for {
		c, err := d.ln.AcceptTCP()
		if err != nil {
			return // closed
		}
		d.mu.Lock()
		d.logins++
		conf, silent, limit := d.host+".conf", d.silent, d.breakOff
		d.mu.Unlock()
		d.wg.Go(func() { d.serve(c, conf, silent, limit) })
	}
}

func (d *SSH) serve(c *net.TCPConn, conf string, silent bool, limit int64) {
	defer func() { _ = c.Close() }()
	if silent {
		<-d.ctx.Done()
		return
	}
	cmd := exec.CommandContext(d.ctx, d.sshd, "-i", "-e", "-f", conf) //nolint:gosec // the lab's own arguments
	cmd.Env, cmd.WaitDelay = isolated(d.root), 5*time.Second
	if limit > 0 {
		_ = d.cut(cmd, c, limit) // it is meant to fail
		return
	}
	f, err := c.File() // sshd asks the socket who is at its other end
	if err != nil {
		return
	}
	cmd.Stdin, cmd.Stdout = f, f
	_ = cmd.Run() // a refused login ends it with an error
	_ = f.Close()
}
