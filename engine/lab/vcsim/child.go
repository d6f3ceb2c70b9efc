package vcsim

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/url"

	"github.com/vmware/govmomi/simulator"
)

// ChildWord is the first argument with which a program that starts a vCenter
// must call Child and end with what it gives: the simulator may panic on a
// hostile call, so it runs in a process of its own.
const ChildWord = "isobar-lab-vcsim"

// Child is the simulated vCenter: it prints its address as one line and serves
// until stdin ends. It gives the exit code.
func Child(stdin io.Reader, stdout, stderr io.Writer) int {
	if err := serve(stdin, stdout); err != nil {
		fmt.Fprintln(stderr, "vcsim:", err)
		return 1
	}
	return 0
}

func serve(stdin io.Reader, stdout io.Writer) error {
	model := simulator.VPX()
	// One cluster with a second datastore and port group to move to, and no
	// machine.
	model.Host, model.ClusterHost, model.Machine, model.Datastore, model.Portgroup = 0, 2, 0, 2, 2
	if err := model.Create(); err != nil {
		return err
	}
	defer model.Remove()
	model.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(User, Password)}
	model.Service.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server := model.Service.NewServer()
	defer server.Close()
	address := *server.URL
	address.User = nil
	if _, err := fmt.Fprintln(stdout, address.String()); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, stdin)
	return err
}
