package git

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// endpoint is where a repository lies that is reached over SSH.
type endpoint struct {
	host string // a name or an IP address, no brackets
	port int
	path string // absolute, or relative to the home directory of the user
}

const sshPort = 22

func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

// sshAddress takes ssh://[USER@]HOST[:PORT]/PATH.
func sshAddress(u *url.URL) (address, error) {
	if _, has := u.User.Password(); has {
		return address{}, badAddress("the address holds a password, which SSH has no use for here: name a key file")
	}
	if u.Hostname() == "" {
		return address{}, badAddress("the address names no host")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return address{}, badAddress("the address has a query or a fragment")
	}
	e := endpoint{host: u.Hostname(), port: sshPort, path: u.Path}
	if p := u.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return address{}, badAddress("the address has no valid port")
		}
		e.port = n
	}
	return e.address(u.User)
}

// scpAddress takes [USER@]HOST:PATH.
func scpAddress(raw string) (address, error) {
	at, path, _ := strings.Cut(raw, ":")
	var user *url.Userinfo
	if name, host, ok := strings.Cut(at, "@"); ok {
		user, at = url.User(name), host
	}
	if at == "" || strings.ContainsAny(at, "[]@") {
		return address{}, badAddress("the address names no host before its colon")
	}
	return endpoint{host: at, port: sshPort, path: path}.address(user)
}

// isSCP reports whether an address without a scheme means HOST:PATH: as Git has
// it, by a colon before any slash.
func isSCP(raw string) bool {
	before, _, ok := strings.Cut(raw, ":")
	return ok && before != "" && !strings.Contains(before, "/")
}

// isNoHost reports that a character stands in no host name and no IP address.
func isNoHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._:", r)
}

// address finishes the parsing. As Git has it, a path that begins with /~ is
// relative to a home directory.
func (e endpoint) address(user *url.Userinfo) (address, error) {
	if strings.HasPrefix(e.path, "/~") {
		e.path = e.path[1:]
	}
	if strings.Trim(e.path, "/") == "" || strings.HasPrefix(e.path, `\`) {
		return address{}, badAddress("the address names no repository on its host")
	}
	if strings.ContainsFunc(e.host, isNoHost) || strings.HasPrefix(e.host, "-") {
		return address{}, badAddress("the host of the address is no name and no IP address")
	}
	if !utf8.ValidString(e.path) || strings.ContainsFunc(e.path, unicode.IsControl) {
		return address{}, badAddress("the path of the address is no plain text")
	}
	at := address{user: user, ssh: &e}
	shown := url.URL{Scheme: "ssh", Host: e.host, Path: e.path}
	if strings.Contains(e.host, ":") {
		shown.Host = "[" + e.host + "]"
	}
	if e.port != sshPort {
		shown.Host += ":" + strconv.Itoa(e.port)
	}
	// go-git reaches the host through a relay, which knows where it is.
	if strings.HasPrefix(e.path, "/") {
		dialled := url.URL{Scheme: "ssh", Host: relayed, Path: e.path}
		at.url, at.shown = dialled.String(), shown.String()
		return at, nil
	}
	at.url = relayed + ":" + strconv.Itoa(sshPort) + ":" + e.path
	at.shown = shown.Host + ":" + e.path
	if shown.Host != e.host { // HOST:PATH has no room for a port or colons
		shown.Path = "/" + e.path
		if !strings.HasPrefix(e.path, "~") {
			shown.Path = "/~/" + e.path
		}
		at.shown = shown.String()
	}
	return at, nil
}
