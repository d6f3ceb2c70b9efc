package signer

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// namespace is what Git signs in (git-config(1), gpg.format).
const namespace = "git"

// whoseSSH checks a signature by an SSH key (OpenSSH's PROTOCOL.sshsig), as
// ssh-keygen -Y verify does: a line of the allowed signers has its key, or the one
// that signed its certificate, for Git and at that instant.
func (r *Ring) whoseSSH(text, armored []byte, at time.Time) (string, error) {
	sig, err := sshsig.Unarmor(armored)
	if err != nil {
		return "", fmt.Errorf("has a signature that can't be read: %w", err)
	}
	named := "the SSH key " + ssh.FingerprintSHA256(bare(sig.PublicKey))
	// SHA-1 signatures are none (RFC 8332 §3.3; PROTOCOL.sshsig wants rsa-sha2).
	if sig.Signature.Format == ssh.KeyAlgoRSA || sig.Signature.Format == "ssh-dss" {
		return "", fmt.Errorf("is signed with %s in a way that is not safe any more (%s)", named, sig.Signature.Format)
	}
	if err := sshsig.Verify(bytes.NewReader(text), sig, sig.PublicKey, sig.HashAlgorithm, namespace); err != nil {
		if errors.Is(err, sshsig.ErrNamespaceMismatch) {
			return "", fmt.Errorf("has a signature with %s that is not for Git but for %q", named, sig.Namespace)
		}
		return "", fmt.Errorf("has a signature with %s that does not fit it", named)
	}
	var why error
	for _, line := range r.ssh {
		who, err := line.vouches(sig.PublicKey, at)
		if err == nil {
			return fmt.Sprintf("%s (SSH key %s)", who, ssh.FingerprintSHA256(bare(sig.PublicKey))), nil
		}
		if !errors.Is(err, errOther) {
			why = err
		}
	}
	if why != nil {
		return "", fmt.Errorf("is signed with %s, %w", named, why)
	}
	return "", fmt.Errorf("is signed with %s, which nobody has who counts", named)
}

// bare is the key itself where it comes with a certificate.
func bare(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// errOther says that a line is about another key.
var errOther = errors.New("another key")

// vouches tells whose a key is by a line of the allowed signers, or why it does not
// count: errOther where the line is about another one.
func (a *allowed) vouches(key ssh.PublicKey, at time.Time) (string, error) {
	who := a.names
	cert, certified := key.(*ssh.Certificate)
	switch {
	case a.authority && (!certified || !same(cert.SignatureKey, a.key)), !a.authority && (certified || !same(key, a.key)):
		return "", errOther
	case a.authority:
		var err error
		if who, err = a.certified(cert, at); err != nil {
			return "", err
		}
	}
	switch {
	case !a.forGit():
		return "", fmt.Errorf("%s's, which does not count for Git", who)
	case !a.after.IsZero() && at.Before(a.after):
		return "", fmt.Errorf("%s's, which counts from %s on", who, a.after.UTC().Format(time.DateTime))
	case !a.before.IsZero() && !at.Before(a.before):
		return "", fmt.Errorf("%s's, which counted until %s", who, a.before.UTC().Format(time.DateTime))
	}
	return who, nil
}

// certified gives the first principal of a certificate that the line's authority may
// vouch for.
func (a *allowed) certified(cert *ssh.Certificate, at time.Time) (string, error) {
	if cert.CertType != ssh.UserCert {
		return "", errors.New("whose certificate is a host's")
	}
	for _, p := range cert.ValidPrincipals {
		if !a.matches(p) {
			continue
		}
		checker := ssh.CertChecker{Clock: func() time.Time { return at }}
		if err := checker.CheckCert(p, cert); err != nil {
			return "", fmt.Errorf("whose certificate for %s does not count: %w", printable(p), err)
		}
		return printable(p), nil
	}
	return "", fmt.Errorf("whose certificate is for none of %s", a.names)
}

func same(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
