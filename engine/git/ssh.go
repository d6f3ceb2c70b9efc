package git

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// SSH says how to prove who we are at ssh:// and HOST:PATH addresses, and which
// servers are trusted. Files are read at each fetch, so they may be renewed. No
// ssh_config is read.
type SSH struct {
	Key        string                 // file of the private key, PEM or OpenSSH; "" is none: the agent is asked
	Passphrase func() (string, error) // of Key, asked when it is encrypted; nil is none
	Agent      string                 // socket of an ssh-agent, used when Key is ""; "" is none
	KnownHosts string                 // file of the host keys to trust; without it no server is
	Give       string                 // how to name a Key, for messages where there is none: "set ISOBAR_GIT_SSH_KEY"
}

// link is what one fetch needs to talk to the remote.
type link struct {
	auth    transport.AuthMethod
	ca      []byte // certificates in PEM
	proxy   transport.ProxyOptions
	close   func()
	explain func(error) error // makes a plainer error of one of the transport
}

// link gives the means to talk to the remote until ctx ends. Close it.
func (a address) link(ctx context.Context, o Options) (link, error) {
	if a.ssh == nil {
		ca, err := a.authorities(o.CA)
		if err != nil {
			return link{}, err
		}
		auth, err := a.auth(o)
		return link{auth: auth, ca: ca, close: func() {}, explain: func(err error) error { return a.explainHTTP(err, o) }}, err
	}
	trust, err := a.trust(o.SSH.KnownHosts)
	if err != nil {
		return link{}, err
	}
	user := cmp.Or(a.user.Username(), o.User, defaultUser)
	auth, who, closeAgent, err := a.identify(ctx, user, o.SSH)
	if err != nil {
		return link{}, err
	}
	trust.into(auth)
	r, err := openRelay(ctx, a.ssh.String())
	if err != nil {
		closeAgent()
		return link{}, classify(a, err)
	}
	return link{
		auth: auth, proxy: transport.ProxyOptions{URL: r.url()},
		close: func() { r.close(); closeAgent() },
		explain: func(err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return a.explainSSH(err, r.failure(), who)
		},
	}, nil
}

// explainSSH gives the cause that the relay knows, or a refused key, its name.
func (a address) explainSSH(err, dialled error, who string) error {
	var own *Error
	switch {
	case errors.As(err, &own): // of the host key, within one of the handshake
		return own
	case dialled != nil:
		return dialled
	case strings.Contains(err.Error(), "ssh: unable to authenticate"): // it has no type of its own
		return &Error{
			Kind: Denied, URL: a.shown, What: "the server refused " + who,
			Mend: "give its public half read access to this repository (ssh-keygen -y -f FILE prints it), or name another key",
		}
	}
	return err
}

// identify gives the method of authentication and what to call it in messages.
func (a address) identify(ctx context.Context, user string, o SSH) (auth gitssh.AuthMethod, who string, done func(), err error) {
	if o.Key != "" {
		signer, err := a.signer(o)
		if err != nil {
			return nil, "", nil, err
		}
		who = fmt.Sprintf("the key %s (%s) for user %q", o.Key, ssh.FingerprintSHA256(signer.PublicKey()), user)
		return &gitssh.PublicKeys{User: user, Signer: signer}, who, func() {}, nil
	}
	if o.Agent == "" {
		return nil, "", nil, a.denied("there is no key to log in with", cmp.Or(o.Give, "name the file of a private key")+", or run an ssh-agent", nil)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", o.Agent)
	if err != nil {
		return nil, "", nil, a.denied("the ssh-agent does not answer", "start it, or name the file of a private key", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	who = fmt.Sprintf("the keys of the ssh-agent at %s for user %q", o.Agent, user)
	done = func() { stop(); _ = conn.Close() }
	return &gitssh.PublicKeysCallback{User: user, Callback: agent.NewClient(conn).Signers}, who, done, nil
}

// signer reads the private key.
func (a address) signer(o SSH) (ssh.Signer, error) {
	pem, err := os.ReadFile(o.Key)
	if err != nil {
		return nil, a.denied("the key can't be read", "name a private key that the user isobar runs as may read", err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		if err != nil {
			return nil, a.denied("no private key in "+o.Key, "name the private key, not its .pub; ssh-keygen -y -f FILE checks it", err)
		}
		return signer, nil
	}
	if o.Passphrase == nil {
		return nil, a.denied("the key "+o.Key+" has a passphrase, and none was given", "give the passphrase, or use a key without one", nil)
	}
	phrase, err := o.Passphrase()
	if err != nil {
		return nil, a.denied("the passphrase of "+o.Key+" can't be read", "check where it comes from", err)
	}
	signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(phrase))
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, a.denied("the passphrase does not open the key "+o.Key, "check it with: ssh-keygen -y -f "+quoted(o.Key), nil)
	}
	if err != nil {
		return nil, a.denied("the key "+o.Key+" can't be opened", "check it with: ssh-keygen -y -f "+quoted(o.Key), err)
	}
	return signer, nil
}

func (a address) denied(what, mend string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		what, err = what+" from "+path.Path, path.Err
	}
	return &Error{Kind: Denied, URL: a.shown, What: what, Mend: mend, Err: err}
}
