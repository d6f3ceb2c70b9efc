package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// canAsk reports whether a person can see a question and answer it.
func (a *app) canAsk() bool {
	_, in := terminal(a.in)
	_, out := terminal(a.out)
	return in && out && a.output == "text"
}

// ask puts a question and gives the answer, trimmed and in lower case; it is ""
// where none comes. An interrupt ends the waiting.
func (a *app) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.out, "\n"+question)
	line := make(chan string, 1)
	go func() { // it ends with the process at the latest: a read of a terminal can't be called off
		text, _ := bufio.NewReader(a.in).ReadString('\n') // no line is no answer
		line <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
