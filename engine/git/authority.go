package git

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"os"
)

// authorities reads the certificates to trust beside the system's at an https://
// address; nil where no file is named.
func (a address) authorities(file string) ([]byte, error) {
	if file == "" || a.local != "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the file that a person named
	if err != nil {
		return nil, &Error{Kind: Untrusted, URL: a.shown, What: "the certificates to trust can't be read", Mend: "mend the file, or let the user isobar runs as read it", Err: err}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return nil, &Error{Kind: Untrusted, URL: a.shown, What: file + " holds no certificate in PEM", Mend: "give the authority's certificate, from -----BEGIN CERTIFICATE----- on"}
	}
	return pem, nil
}

// unknownAuthority says how a server's certificate comes to be trusted.
func (a address) unknownAuthority(err *tls.CertificateVerificationError, give string) error {
	return &Error{
		Kind: Untrusted, URL: a.shown, What: "the server's certificate is not trusted", Err: err.Err,
		Mend: "let this machine trust the authority that issued it, or " + cmp.Or(give, "name the authority's file, in PEM"),
	}
}
