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

// fronts are what a listener on the network may answer to anybody.
type fronts struct{ health, hooks http.Handler }

func (f fronts) public() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/hooks/", f.hooks)
	mux.Handle("/", f.health)
	return mux
}

// openDoors opens the control socket beside a store's file and, where asked for,
// the listener for health, metrics and webhooks. A store that is shared needs no
// socket: commands ask it themselves.
func openDoors(listen string, at place, d *reconcile.Daemon, f fronts) (out doors, err error) {
	if !at.shared() {
		socket, err := web.ListenSocket(at.socket())
		if err != nil {
			return nil, err
		}
		spool := at.file + ".copying"
		if err := os.Remove(spool); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a daemon that was killed
			return nil, errors.Join(err, socket.Close())
		}
		mux := http.NewServeMux()
		mux.Handle("/api/v1/", (&web.API{Records: d.Store, Control: d, Now: time.Now, Version: version(), Spool: spool}).Handler())
		mux.Handle("/", f.health)
		out = doors{{socket, mux}}
	}
	if listen == "" {
		return out, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		for _, o := range out {
			err = errors.Join(err, o.listener.Close())
		}
		return nil, err
	}
	return append(out, door{l, f.public()}), nil
}

// address is where health and metrics are answered, or "".
func (ds doors) address() string { return ds.on("tcp") }

// socket is where commands are answered, or "".
func (ds doors) socket() string { return ds.on("unix") }

func (ds doors) on(network string) string {
	for _, d := range ds {
		if a := d.listener.Addr(); a.Network() == network {
			return a.String()
		}
	}
	return ""
}
