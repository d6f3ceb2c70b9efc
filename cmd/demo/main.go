// Command demo builds the real isobar, starts a lab of real peers on loopback
// ports (an AWS emulator, a vCenter simulator, a Git server, a Slack receiver)
// and tells the story of isobar's main job with real commits, checking each step against the cloud
// itself. It ends every process that it started. Floor 8.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"isobar.dev/engine/lab/vcsim"
)

func main() { os.Exit(realMain()) }

func realMain() int {
	if len(os.Args) > 1 && os.Args[1] == vcsim.ChildWord {
		return vcsim.Child(os.Stdin, os.Stdout, os.Stderr)
	}
	once := flag.Bool("once", false, "tell the story, then end everything; exit 0 when every step held")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	start := time.Now()
	if err := demo(ctx, *once); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "\ninterrupted; everything that was started is ended")
			return 1
		}
		fmt.Fprintf(os.Stderr, "\ndemo failed: %v\n", err)
		return 1
	}
	if *once {
		fmt.Printf("\ndemo: every step held, in %.0f s\n", time.Since(start).Seconds())
	}
	return 0
}

// demo runs the whole of it. Whatever it starts ends with it.
func demo(ctx context.Context, once bool) (err error) {
	dir, err := os.MkdirTemp("", "isobar-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			fmt.Fprintf(os.Stderr, "logs are kept in %s\n", dir)
		}
	}()
	s := &stage{dir: dir}
	defer s.strike()
	if err := s.set(ctx); err != nil {
		return err
	}
	if err := s.story(ctx); err != nil {
		return err
	}
	s.printTranscript()
	if once {
		return nil
	}
	s.invite()
	<-ctx.Done()
	return nil
}
