package reconcile_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store/storetest"
)

// weather is what goes wrong in a simulated world. What befalls a call follows
// from the seed, from what the call is and from how often it was made, not from
// when: so it is the same whatever goes on beside it. Safe for concurrent use.
type weather struct {
	seed  uint64
	rates map[string]float64

	mu    sync.Mutex
	calm  bool
	count map[string]uint64
}

// The classes of what befalls a call.
const (
	wRefused   = "refused"   // a mutating call has no effect and says so
	wThrottled = "throttled" // any call
	wDenied    = "denied"    // a mutating call, for a while
	wLost      = "lost"      // it has its effect, and its answer is lost
	wVanished  = "vanished"  // it has none, and its answer is lost
	wLate      = "late"      // its answer is lost, and its effect comes later
	wSlow      = "slow"      // it takes its time, maybe longer than it is waited for
	wBroken    = "broken"    // a create makes its object and fails
	wUnread    = "unread"    // a read fails
	wPage      = "page"      // a list breaks off
	wForgotten = "forgotten" // running work finishes, and its handle is forgotten
	wPaused    = "paused"    // the process stands still between its fence and the wire
)

// drawWeather draws what goes wrong in a world: half of the classes at most, some
// of them often.
func drawWeather(seed uint64, rnd *rand.Rand, classes []string) *weather {
	w := &weather{seed: seed, rates: map[string]float64{}, count: map[string]uint64{}}
	for _, c := range classes {
		rate := []float64{0.03, 0.1, 0.3}[rnd.IntN(3)]
		if rnd.IntN(4) == 0 {
			w.rates[c] = rate
		}
	}
	return w
}

// still ends all bad weather.
func (w *weather) still() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}

// simCall is a call on its way to the world.
type simCall struct {
	op     provider.Op
	at     resource.Address
	id     resource.ID
	token  string
	aspect string
	looks  bool // it makes nothing, whatever its kind may do
}

// mutates reports whether the call changes the world.
func (c simCall) mutates() bool { return c.op.Mutates() && !c.looks }

func (c simCall) String() string {
	return fmt.Sprintf("%s (%s%s)", c.key(), c.id, c.token)
}

// key tells a call from others, whatever ids and tokens it was given.
func (c simCall) key() string { return fmt.Sprintf("%s %s %s", c.op, c.at, c.aspect) }

// fate is what befalls a call. The zero fate is nothing.
type fate struct {
	class  string
	before error         // it has no effect
	after  error         // it has its effect, the answer is lost
	slow   time.Duration // it takes as long
	stale  bool          // a slow read: answered at once, told late
	late   time.Duration // its effect comes as much later than its loss
	pause  time.Duration // the process stands still before it goes out
}

// of says what befalls a call.
func (w *weather) of(c simCall) fate {
	w.mu.Lock()
	key := c.key()
	n := w.count[key]
	w.count[key]++
	calm := w.calm
	w.mu.Unlock()
	if calm {
		return fate{}
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %d", w.seed, key, n)
	rnd := rand.New(rand.NewPCG(h.Sum64(), w.seed))
	for _, class := range classesOf(c.op) {
		if rnd.Float64() < w.rates[class] {
			return w.draw(class, c, rnd)
		}
	}
	return fate{}
}

// classesOf gives what may befall a method, in a fixed order.
func classesOf(op provider.Op) []string {
	switch op {
	case provider.OpRead:
		return []string{wPage, wUnread, wThrottled, wSlow}
	case provider.OpRehearse:
		return []string{wThrottled, wSlow}
	case provider.OpPoll:
		return []string{wThrottled, wForgotten, wSlow}
	case provider.OpFind:
		return []string{wThrottled, wUnread, wSlow, wLost}
	case provider.OpCreate, provider.OpUpdate, provider.OpDelete, provider.OpMark:
	default: // what a create makes
		return []string{wBroken}
	}
	return []string{wLate, wLost, wVanished, wPaused, wSlow, wRefused, wThrottled, wDenied}
}

// nameless reports whether a call makes an object that bears no mark: where one
// comes after it was given up, nothing says whose it is, and a person must.
func (c simCall) nameless() bool { return c.op == provider.OpCreate && c.at.Kind == "record" }

func (w *weather) draw(class string, c simCall, rnd *rand.Rand) fate {
	f := fate{class: class}
	failure := func(k resource.Class) error {
		return &resource.Failure{Class: k, Op: "fake:" + string(c.op), Message: "the weather: " + class}
	}
	switch class {
	case wRefused:
		f.before = failure([]resource.Class{resource.Invalid, resource.Conflict, resource.Transient}[rnd.IntN(3)])
	case wThrottled:
		f.before = &resource.Failure{Class: resource.Throttled, Op: "fake:" + string(c.op), Message: "slow down", After: 2 * time.Second}
	case wDenied:
		f.before = failure(resource.Denied)
	case wLost:
		f.after = failure(resource.UnknownOutcome)
	case wVanished:
		f.before = failure(resource.UnknownOutcome)
	case wLate:
		if c.nameless() {
			return fate{}
		}
		f.before, f.late = failure(resource.UnknownOutcome), time.Duration(1+rnd.IntN(240))*time.Second
	case wSlow:
		f.slow, f.stale = time.Duration(1+rnd.IntN(80))*time.Second, c.op == provider.OpRead && rnd.IntN(2) == 0
		if c.nameless() {
			f.slow = min(f.slow, 50*time.Second)
		}
	case wUnread:
		f.before = failure([]resource.Class{resource.Transient, resource.Denied}[rnd.IntN(2)])
	case wPaused:
		if c.nameless() {
			return fate{}
		}
		f.pause = time.Duration(1+rnd.IntN(60)) * time.Second
	}
	return f
}

// deaths are the faults of the processes' disks, one a process that starts.
type deaths struct {
	rnd  *rand.Rand
	left int
}

// next gives what ends the next process, if anything does: a fault of its disk,
// or the number of a call, 0 for none, before or after which it dies.
func (d *deaths) next() (f storetest.Fault, call int, after bool) {
	if d.left == 0 {
		return f, 0, false
	}
	d.left--
	if d.rnd.IntN(2) == 0 {
		return f, 1 + d.rnd.IntN(60), d.rnd.IntN(2) == 0
	}
	when := []storetest.Moment{storetest.Before, storetest.After, storetest.Refuse, storetest.Unheard}
	return storetest.Fault{Write: 1 + d.rnd.IntN(120), When: when[d.rnd.IntN(len(when))]}, 0, false
}
