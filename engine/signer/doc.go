// Package signer tells whose signature a Git commit bears: by OpenPGP keyrings and by
// a file of SSH's allowed signers (ssh-keygen(1), ALLOWED SIGNERS), which an operator
// keeps beside the server and out of the repositories that they guard.
package signer
