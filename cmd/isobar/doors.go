package main

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/web"
)

// door is a listener with what it answers.
type door struct {
	listener net.Listener
	handler  http.Handler
}

type doors []door

// openDoors opens the control socket beside the store and, where asked for, the
// listener for health and metrics.
func openDoors(listen, path string, d *reconcile.Daemon, m *web.Metrics) (doors, error) {
	socket, err := web.ListenSocket(socketPath(path))
	if err != nil {
		return nil, err
	}
	spool := path + ".copying"
	if err := os.Remove(spool); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a daemon that was killed
		return nil, errors.Join(err, socket.Close())
	}
	health := web.Health(d, m)
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", (&web.API{Records: d.Store, Control: d, Now: time.Now, Version: version(), Spool: spool}).Handler())
	mux.Handle("/", health)
	out := doors{{socket, mux}}
	if listen == "" {
		return out, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return append(out, door{l, health}), nil
}

// address is where health and metrics are answered, or "".
func (ds doors) address() string {
	if len(ds) < 2 {
		return ""
	}
	return ds[1].listener.Addr().String()
}
