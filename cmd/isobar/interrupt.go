package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// interruptible calls f with a ctx that the first Ctrl-C or SIGTERM ends; a
// line says what happens then. The second ends the process at once.
func (a *app) interruptible(ctx context.Context, says string, f func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	told := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(told)
		stop() // from here on a signal does what it does to any process
		fmt.Fprintf(a.err, "\nisobar: %s; once more ends at once\n", says)
	})
	err := f(ctx)
	if !unhook() {
		<-told
	}
	return err
}
