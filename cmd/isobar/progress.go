package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"isobar.dev/engine/view"
)

// progress tells how steps go: on a terminal one live line a running step and
// a bar for the whole, elsewhere one line a finished step.
type progress struct {
	w     io.Writer
	page  view.Page
	live  bool
	total int
	stop  chan struct{}
	ended chan struct{}

	mu      sync.Mutex
	running []view.Step
	done    int
	drawn   int // lines on the screen
}

// redraw is how often elapsed times are brought up to date.
const redraw = 500 * time.Millisecond

// newProgress begins to tell; end ends it.
func newProgress(w io.Writer, total int) *progress {
	_, on := terminal(w)
	p := &progress{w: w, page: page(w), live: on && !dumb(), total: total, stop: make(chan struct{}), ended: make(chan struct{})}
	go p.tick()
	return p
}

func (p *progress) tick() {
	defer close(p.ended)
	t := time.NewTicker(redraw)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// step takes a step's start or end.
func (p *progress) step(s view.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.running, func(r view.Step) bool { return r.ID == s.ID })
	switch {
	case s.State == view.StepRunning && at >= 0: // it is tried again
		p.running[at] = s
	case s.State == view.StepRunning:
		p.running = append(p.running, s)
	case at >= 0:
		p.running = slices.Delete(p.running, at, at+1)
	}
	if s.State == view.StepRunning {
		p.draw()
		return
	}
	p.done++
	if s.State == view.StepWaiting {
		return // never begun: the report says why
	}
	p.wipe()
	_, _ = io.WriteString(p.w, s.Line(p.page)) // a reader that went away stops no run
	p.draw()
}

// end stops telling.
func (p *progress) end() {
	close(p.stop)
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

// wipe takes the live lines off the screen.
func (p *progress) wipe() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// draw puts the live lines on the screen.
func (p *progress) draw() {
	if !p.live || p.total == 0 {
		return
	}
	p.wipe()
	var b strings.Builder
	for i := range p.running {
		s := p.running[i]
		s.Took = time.Since(s.At)
		b.WriteString(s.Line(p.page))
	}
	const width = 24
	full := min(width*p.done/p.total, width)
	fmt.Fprintf(&b, "[%s%s] %d/%d\n", strings.Repeat("#", full), strings.Repeat("-", width-full), p.done, p.total)
	p.drawn = strings.Count(b.String(), "\n")
	_, _ = io.WriteString(p.w, b.String()) // as in step
}
