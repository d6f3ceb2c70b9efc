package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// chaosEnv is an environment as its repository has it.
type chaosEnv struct {
	n       int
	rev     int  // a tag on each object
	port    int  // that its security group lets in
	subnets int  // how many
	volume  bool // one that a ClientToken makes
}

func (e chaosEnv) name() string { return fmt.Sprintf("env%02d", e.n) }

// text is its specification.
func (e chaosEnv) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `package %[1]s

import "isobar.dev/schemas"

schemas.#Environment

name:    "%[1]s"
mode:    "auto"
deletes: {max: 100, maxShare: 1}
providers: aws: region: "%[2]s"
policy: packs: []

aws: vpc: main: {cidrBlock: "10.%[3]d.0.0/16", tags: {Name: "%[1]s", rev: "%[4]d"}}
aws: security_group: web: {
	groupName: "web-%[1]s"
	vpcId:     aws.vpc.main.#out.id
	ingress: [{ipProtocol: "tcp", fromPort: %[5]d, toPort: %[5]d, cidrIpv4: "0.0.0.0/0"}]
	tags: {Name: "web", rev: "%[4]d"}
}
`, e.name(), crashRegion, e.n+1, e.rev, e.port)
	for i := range e.subnets {
		fmt.Fprintf(&b, "aws: subnet: s%[1]d: {cidrBlock: \"10.%[2]d.%[1]d.0/24\", vpcId: aws.vpc.main.#out.id, tags: {Name: \"s%[1]d\", rev: \"%[3]d\"}}\n", i, e.n+1, e.rev)
	}
	if e.volume {
		fmt.Fprintf(&b, "aws: volume: data: {size: 8, availabilityZone: \"%sa\", tags: {Name: \"data-%s\", rev: \"%d\"}}\n", crashRegion, e.name(), e.rev)
	}
	return b.String()
}

// keys are the things that it comes to.
func (e chaosEnv) keys() []string {
	out := []string{fmt.Sprintf("vpc 10.%d.0.0/16", e.n+1), "security group web-" + e.name()}
	for i := range e.subnets {
		out = append(out, fmt.Sprintf("subnet 10.%d.%d.0/24", e.n+1, i))
	}
	if e.volume {
		out = append(out, "volume data-"+e.name())
	}
	return out
}

// next is the environment after a commit. A create that was cut off stays in
// doubt for minutes (crashWindow): the short form has none but the first.
func (e chaosEnv) next(rnd *rand.Rand, creates bool) chaosEnv {
	e.rev++
	e.port = 1 + rnd.IntN(60000)
	if creates {
		e.subnets, e.volume = rnd.IntN(4), rnd.IntN(2) == 0
	}
	return e
}

// The moves of the schedule.
const (
	moveCommit = "commit"
	moveKill   = "kill" // SIGKILL to a daemon
	moveStart  = "start"
	movePause  = "pause" // SIGSTOP
	moveWake   = "wake"  // SIGCONT
	moveDown   = "down"  // PostgreSQL, without a word to its clients
	moveStop   = "stop"  // PostgreSQL, as an administrator does
	moveUp     = "up"
)

// chaosMove is something that happens.
type chaosMove struct {
	at   time.Duration
	what string
	who  int // a daemon
}

// chaosSchedule draws what happens within total: a deck with some of each, again
// and again, the first one to its end. What was ended comes back, some of it after
// total.
func chaosSchedule(rnd *rand.Rand, total time.Duration, daemons int) []chaosMove {
	between := func(low, high time.Duration) time.Duration { return low + time.Duration(rnd.Int64N(int64(high-low))) }
	var out []chaosMove
	var deck []string
	decks := 0
	for at := between(0, 2*time.Second); at < total || decks == 1 && len(deck) > 0; at += between(time.Second, 3500*time.Millisecond) {
		if len(deck) == 0 {
			decks++
			deck = []string{moveCommit, moveCommit, moveCommit, moveKill, moveKill, movePause, movePause, moveDown, moveStop}
			rnd.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		m := chaosMove{at, deck[0], rnd.IntN(daemons)}
		deck = deck[1:]
		out = append(out, m)
		switch m.what {
		case moveKill:
			out = append(out, chaosMove{at + between(200*time.Millisecond, 4*time.Second), moveStart, m.who})
		case movePause: // half of them outlast a lease
			out = append(out, chaosMove{at + between(2*time.Second, 12*time.Second), moveWake, m.who})
		case moveDown, moveStop:
			out = append(out, chaosMove{at + between(100*time.Millisecond, 3*time.Second), moveUp, 0})
		}
	}
	slices.SortStableFunc(out, func(a, b chaosMove) int { return int(a.at - b.at) })
	return out
}
