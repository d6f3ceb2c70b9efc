package signer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"isobar.dev/engine/diag"
)

// Files name where the keys of those who count are: files of OpenPGP public keys,
// armored or not, and one of SSH's allowed signers, or "".
type Files struct {
	OpenPGP []string
	SSH     string
}

// Ring holds the keys of those who count. Safe for concurrent use.
type Ring struct {
	pgp openpgp.EntityList
	ssh []allowed
}

// Read reads the files. What is wrong with them comes back as a diag.List, all of it,
// with file and line: then nobody counts.
func Read(files Files) (*Ring, error) {
	var r Ring
	var wrong diag.List
	for _, name := range files.OpenPGP {
		keys, err := readKeys(name)
		if err != nil {
			wrong = append(wrong, finding(diag.Place{File: name}, err.Error(), "write it with gpg --armor --export NAME"))
		}
		r.pgp = append(r.pgp, keys...)
	}
	if files.SSH != "" {
		data, err := os.ReadFile(files.SSH)
		if err != nil {
			wrong = append(wrong, finding(diag.Place{File: files.SSH}, cause(err).Error(), "write lines such as: ann@example.com ssh-ed25519 AAAA…"))
		}
		lines, found := parseAllowed(files.SSH, data)
		r.ssh, wrong = lines, append(wrong, found...)
	}
	if len(wrong) > 0 {
		return nil, wrong.Sorted()
	}
	if len(r.pgp)+len(r.ssh) == 0 {
		return nil, diag.List{finding(diag.Place{File: files.SSH}, "it names nobody", "write a line such as: ann@example.com ssh-ed25519 AAAA…")}
	}
	return &r, nil
}

func finding(at diag.Place, message, mend string) diag.Finding {
	return diag.Finding{Code: diag.ServerSigners, Severity: diag.Error, Where: at, Message: message, Mend: mend}
}

// cause leaves the name of a file out of its error: the finding has it.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func readKeys(name string) (openpgp.EntityList, error) {
	data, err := os.ReadFile(name) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, cause(err)
	}
	read := openpgp.ReadKeyRing
	if bytes.Contains(data, []byte("-----BEGIN PGP")) {
		read = openpgp.ReadArmoredKeyRing
	}
	keys, err := read(bytes.NewReader(data))
	switch {
	case err != nil:
		return nil, fmt.Errorf("no OpenPGP keys can be read from it: %w", err)
	case len(keys) == 0:
		return nil, errors.New("it holds no OpenPGP key")
	}
	for _, k := range keys {
		if k.PrivateKey != nil {
			return nil, fmt.Errorf("it holds the private key %s: export the public one", fingerprint(k))
		}
	}
	return keys, nil
}

// Whose tells whose signature over a text this is, as somebody who counts at an
// instant: "ann@example.com (SSH key SHA256:…)". An error says, with no name in front,
// why it is nobody's: that there is none, that it does not fit the text, whose key it
// is of that does not count or not any more.
func (r *Ring) Whose(text, signature []byte, at time.Time) (string, error) {
	switch armor := strings.TrimSpace(string(signature)); {
	case armor == "":
		return "", errors.New("is not signed")
	case strings.HasPrefix(armor, "-----BEGIN SSH SIGNATURE-----"):
		return r.whoseSSH(text, []byte(armor), at)
	case strings.HasPrefix(armor, "-----BEGIN PGP"):
		return r.whosePGP(text, []byte(armor), at)
	}
	return "", errors.New("is signed in a way that isobar can't check: neither by OpenPGP nor by an SSH key")
}
