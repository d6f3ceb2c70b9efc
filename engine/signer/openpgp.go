package signer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// whosePGP checks an OpenPGP signature (RFC 9580 §5.2): over a binary document, by
// a key of the ring that neither is expired at that instant nor was ever revoked.
func (r *Ring) whosePGP(text, armored []byte, at time.Time) (string, error) {
	body, err := dearmor(armored)
	if err != nil {
		return "", fmt.Errorf("has a signature that can't be read: %w", err)
	}
	key, err := issuer(body)
	if err != nil {
		return "", fmt.Errorf("has a signature that can't be read: %w", err)
	}
	config := &packet.Config{Time: func() time.Time { return at }}
	_, by, err := openpgp.VerifyDetachedSignature(r.pgp, bytes.NewReader(text), bytes.NewReader(body), config)
	named := "the OpenPGP key " + key
	if by != nil {
		named += " of " + person(by)
	}
	var invalid pgperrors.SignatureError
	switch {
	case err == nil:
		return fmt.Sprintf("%s (OpenPGP key %s)", person(by), fingerprint(by)), nil
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "", fmt.Errorf("is signed with %s, which nobody has who counts", named)
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "", fmt.Errorf("is signed with %s, which was revoked", named)
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return "", fmt.Errorf("is signed with %s, which has expired", named)
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return "", fmt.Errorf("is signed with %s, and the signature has expired", named)
	case errors.As(err, &invalid):
		return "", fmt.Errorf("has a signature with %s that does not fit it", named)
	}
	return "", fmt.Errorf("is signed with %s, and the signature can't be checked: %w", named, err)
}

// dearmor gives the bytes of the one armored signature, with nothing after it.
func dearmor(armored []byte) ([]byte, error) {
	in := bytes.NewReader(armored)
	block, err := armor.Decode(in)
	if err != nil {
		return nil, err
	}
	if block.Type != openpgp.SignatureType {
		return nil, fmt.Errorf("it is a %s", block.Type)
	}
	return io.ReadAll(block.Body)
}

// issuer names the key that made a signature: there has to be one alone, over the
// bytes as they are.
func issuer(body []byte) (string, error) {
	packets := packet.NewReader(bytes.NewReader(body))
	p, err := packets.Next()
	if err != nil {
		return "", err
	}
	sig, ok := p.(*packet.Signature)
	switch {
	case !ok:
		return "", errors.New("it holds something else")
	case sig.SigType != packet.SigTypeBinary:
		return "", errors.New("it is not over a document")
	}
	if _, err := packets.Next(); !errors.Is(err, io.EOF) {
		return "", errors.New("it holds more than one signature")
	}
	switch {
	case len(sig.IssuerFingerprint) > 0:
		return fmt.Sprintf("%X", sig.IssuerFingerprint), nil
	case sig.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *sig.IssuerKeyId), nil
	}
	return "", errors.New("it does not say whose it is")
}

func fingerprint(e *openpgp.Entity) string { return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint) }

// person is who a key belongs to, as its first identity says.
func person(e *openpgp.Entity) string {
	if _, id := e.PrimarySelfSignature(); id != nil {
		return printable(id.Name)
	}
	return "nobody that it names"
}

// printable leaves control characters out of what a key says of itself.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
