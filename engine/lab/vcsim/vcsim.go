// Package vcsim starts govmomi's simulator of a vCenter as a child process on
// a loopback port, for tests and the demo, and changes it as somebody else
// would.
//
// It owns the child process and what is done past isobar; it must not be
// imported by the daemon, nor know isobar's kinds. Its world is shared by
// everyone who talks to one server: keep apart by folder and by estate. A
// program that calls Start answers to ChildWord with Child. Lab.
package vcsim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What the simulator was made with.
const (
	User       = "isobar-lab" // the only account
	Password   = "isobar-lab"
	Datacenter = "DC0"
	Pool       = "DC0_C0/Resources" // of the only cluster
	Datastore  = "LocalDS_0"
	Spare      = "LocalDS_1"  // another datastore
	Network    = "VM Network" // on a standard switch
	Portgroup  = "DC0_DVPG0"  // on a distributed switch
)

// startTimeout is how long the simulator may take to answer: a loaded machine
// needs some seconds to build its certificate and model.
const startTimeout = 60 * time.Second

// Server is a running simulator. Its methods are safe for concurrent use.
type Server struct {
	url    string
	cancel context.CancelFunc
	done   chan struct{} // closed once the process has ended
}

// Start runs the calling program again as a simulator and waits until it
// answers. Its log and files go to dir. It ends with ctx, with Close, or with
// the calling program, whichever comes first.
func Start(ctx context.Context, dir string) (*Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "vcsim.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the folder is the caller's choice
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(run, self, ChildWord) //nolint:gosec // the program is this one
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)    //nolint:forbidigo // the child inherits what this process has
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe() // never written: its end is the sign to stop
	if err != nil {
		cancel()
		return nil, errors.Join(err, log.Close())
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start the simulator: %w", err), log.Close())
	}
	s := &Server{cancel: cancel, done: make(chan struct{})}
	line := make(chan string, 1)
	go func() {
		defer close(s.done)
		text, _ := bufio.NewReader(out).ReadString('\n') // an early end is told below
		line <- strings.TrimSpace(text)
		_ = cmd.Wait() // a killed simulator is no news
		_ = stdin.Close()
		_ = log.Close()
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case s.url = <-line:
	case <-timer.C:
	case <-ctx.Done():
	}
	if s.url == "" {
		s.Close()
		return nil, fmt.Errorf("the simulator of a vCenter did not start; its log is %s", log.Name())
	}
	return s, nil
}

// URL is the server's address, "https://127.0.0.1:PORT/sdk". Its certificate is
// one that nobody vouches for.
func (s *Server) URL() string { return s.url }

// Env gives the standard variables with which tools log in.
func (s *Server) Env() []string {
	return []string{"GOVC_USERNAME=" + User, "GOVC_PASSWORD=" + Password}
}

// Close ends the server and waits until it is gone.
func (s *Server) Close() {
	s.cancel()
	<-s.done
}
