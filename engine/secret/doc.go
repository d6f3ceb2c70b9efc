// Package secret reads the secrets that environments bind, from environment
// variables and files, and tells their values apart by an HMAC under a key of
// its own. It must not keep a value, write one anywhere, or put one into an
// error. Floor 4.
package secret
