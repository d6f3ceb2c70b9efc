package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/net/proxy"
)

// relayed is the name that go-git knows the host by.
const relayed = "remote"

// relay carries connections from a loopback port to one server, whatever host
// the client asks for; all of them end with its context. go-git's SSH transport
// dials, shakes hands and starts a command without a context, so that a server
// that accepts and then says nothing would hold it for ever; it takes a SOCKS5
// proxy, though, and this is one.
type relay struct {
	to     string // HOST:PORT
	ln     net.Listener
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu  sync.Mutex
	err error // why the server could not be dialled
}

func openRelay(ctx context.Context, to string) (*relay, error) {
	ctx, cancel := context.WithCancel(ctx)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen on the loopback interface: %w", err)
	}
	r := &relay{to: to, ln: ln, cancel: cancel}
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	r.wg.Go(func() {
		defer stop()
		for {
			c, err := ln.Accept()
			if err != nil {
				return // closed
			}
			r.wg.Go(func() { r.serve(ctx, c) })
		}
	})
	return r, nil
}

func (r *relay) url() string { return "socks5://" + r.ln.Addr().String() }

// close ends all connections and waits for that.
func (r *relay) close() {
	r.cancel()
	_ = r.ln.Close() // it has no state to lose
	r.wg.Wait()
}

// failure gives why the server could not be dialled, or nil.
func (r *relay) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *relay) serve(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if readRequest(c) != nil {
		return
	}
	far, err := proxy.Dial(ctx, "tcp", r.to) // honours ALL_PROXY
	if err != nil {
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
		_, _ = c.Write(reply(1))
		return
	}
	defer func() { _ = far.Close() }()
	defer context.AfterFunc(ctx, func() { _ = far.Close() })()
	if _, err := c.Write(reply(0)); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { pour(far, c) })
	wg.Go(func() { pour(c, far) })
	wg.Wait()
}

// pour copies until from ends, and then tells to so; the other direction may
// still have something to say.
func pour(to, from net.Conn) {
	_, _ = io.Copy(to, from) // the client sees the connection end
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}

// reply is a SOCKS5 answer (RFC 1928 §6): 0 is success, 1 failure.
func reply(code byte) []byte { return []byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0} }

var errNotSOCKS = errors.New("no SOCKS5 request")

// readRequest takes a SOCKS5 greeting and request (RFC 1928 §3 and §4) without
// credentials. The destination is not looked at: there is only one.
func readRequest(c io.ReadWriter) error {
	greeting, err := take(c, 2)
	if err != nil {
		return err
	}
	if _, err := take(c, int(greeting[1])); err != nil || greeting[0] != 5 {
		return errors.Join(errNotSOCKS, err)
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return err
	}
	request, err := take(c, 5) // version, command, reserved, kind and first byte of the host
	if err != nil || request[0] != 5 || request[1] != 1 {
		return errors.Join(errNotSOCKS, err)
	}
	rest := 0
	switch request[3] {
	case 1:
		rest = net.IPv4len - 1
	case 3:
		rest = int(request[4])
	case 4:
		rest = net.IPv6len - 1
	default:
		return errNotSOCKS
	}
	_, err = take(c, rest+2) // and the port
	return err
}

func take(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}
