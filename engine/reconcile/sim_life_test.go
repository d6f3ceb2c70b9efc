package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// life is a simulated world from its beginning to its end: a cloud, a repository
// with environments, what people and others do, and the processes of isobar. All
// of it is drawn from a seed. It lives in a bubble of testing/synctest.
type life struct {
	seed    uint64
	rnd     *rand.Rand // of what happens: only the story's goroutine draws
	began   time.Time
	world   *fake.World
	story   *story
	weather *weather
	laws    *lawbook
	specs   *specs
	source  *source
	room    *room // nil: nobody is told
	box     *box
	inbox   *inbox // nil: one process
	lag     time.Duration
	width   int  // calls at once in a run
	workers int  // runs at once in a process
	deadly  bool // processes die
	loud    bool // the trace has the processes' logs
	seats   []*seat
	landing sync.WaitGroup // calls that are on the wire
	waiting sync.WaitGroup // processes that may die

	mu      sync.Mutex
	data    *store.Memory
	over    bool // nobody starts any more
	rest    *rand.Rand
	trace   []string
	tokens  int
	commits int
	foreign []resource.Object
}

// newLife draws a world. It is to be called within a bubble.
func newLife(seed uint64, classes []string) *life {
	rnd := rand.New(rand.NewPCG(seed, 1))
	l := &life{
		seed: seed, rnd: rnd, rest: rand.New(rand.NewPCG(seed, 2)), began: time.Now(), width: 1,
		specs: &specs{commits: map[string]commit{}, asked: map[string]int{}}, source: &source{head: "none"},
		box: newBox(), data: store.NewMemory(),
	}
	l.laws = &lawbook{life: l, stale: map[ticket]int{}}
	l.lag = []time.Duration{0, 0, 5 * time.Second, 20 * time.Second, 2 * time.Minute}[rnd.IntN(5)]
	l.world = fake.NewWorld(fake.Options{Now: time.Now, Lag: l.lag, LagReads: 2 * rnd.IntN(2), PollAfter: time.Second, Lasts: time.Minute})
	l.world.Publish("linux", "")
	l.world.Publish("linux", "edge")
	l.story = newStory(rnd, 1+rnd.IntN(3))
	l.weather = drawWeather(seed, rnd, classes)
	if slices.Contains(classes, wBroken) {
		l.world.OnCall(l.breaks)
	}
	if l.workers = 1; rnd.IntN(4) == 0 {
		l.width, l.workers = 8, 4
	}
	if rnd.IntN(3) == 0 {
		l.room = &room{}
	}
	seats := 1
	if slices.Contains(classes, wPaused) && rnd.IntN(3) == 0 {
		seats, l.inbox = 2, newInbox()
	}
	for i := range seats {
		s := &seat{name: string(rune('a' + i)), owner: "local", shared: seats > 1}
		if s.shared {
			s.owner = "host-" + s.name
		}
		if slices.Contains(classes, "death") {
			s.deaths = deaths{rnd: rand.New(rand.NewPCG(seed, uint64(3+i))), left: rnd.IntN(4)}
			l.deadly = l.deadly || s.deaths.left > 0
		}
		l.seats = append(l.seats, s)
	}
	time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond) // clocks rarely show whole milliseconds
	return l
}

// breaks has a create make its object and fail, where the weather says so.
func (l *life) breaks(c fake.Call) fake.Decision {
	if c.Op == provider.OpCreate && c.Kind != "machine" && l.weather.of(simCall{op: "whole", aspect: c.Kind}).class == wBroken {
		l.tell("the %s of %s comes out broken", c.Kind, c.Token)
		return fake.Decision{Broken: "it came out broken"}
	}
	return fake.Decision{}
}

func (l *life) tell(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trace = append(l.trace, fmt.Sprintf("%9.3fs  ", time.Since(l.began).Seconds())+fmt.Sprintf(format, args...))
}

func (l *life) token() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens++
	return fmt.Sprintf("0194a000-0000-7000-8000-%012x", l.tokens)
}

// restartAfter is how long nobody starts what died.
func (l *life) restartAfter() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return []time.Duration{0, time.Second, 10 * time.Second, 90 * time.Second}[l.rest.IntN(4)]
}

// disk is the store that all processes see, past their faults.
func (l *life) disk() *store.Memory {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data
}

// play lives through the world, and gives the laws that were broken.
func (l *life) play() error {
	l.push("the first commit")
	for _, s := range l.seats {
		l.start(s)
	}
	for range 2 + l.rnd.IntN(5) {
		time.Sleep([]time.Duration{0, time.Second, 5 * time.Second, 20 * time.Second, 70 * time.Second, 3 * time.Minute}[l.rnd.IntN(6)])
		l.happen()
	}
	time.Sleep(30 * time.Second)
	l.calm()
	err := l.settle()
	l.leave()
	l.laws.breach(err)
	return l.laws.verdict()
}

// push moves the repository's head to the specs as they are.
func (l *life) push(what string) {
	channel := ""
	if l.room != nil {
		channel = "#ops"
	}
	l.commits++
	name := fmt.Sprintf("commit-%03d", l.commits)
	l.specs.put(name, l.story.commit(channel))
	l.source.mu.Lock()
	l.source.head = name
	l.source.mu.Unlock()
	l.tell("%s is pushed: %s", name, what)
}

// happen is one event.
func (l *life) happen() {
	switch n := l.rnd.IntN(20); {
	case n < 9:
		var what []string
		for range 1 + l.rnd.IntN(3) {
			what = append(what, l.story.edit())
		}
		l.push(strings.Join(what, "; "))
	case n < 13:
		l.meddle()
	case n < 14:
		l.stranger()
	case n < 16:
		l.people()
	case n < 17:
		r := l.story.realms[l.rnd.IntN(len(l.story.realms))]
		if r != l.story.realms[0] || len(l.story.realms) == 1 {
			r.gone = true
			l.push(r.name + ": its folder is removed")
		}
	case n < 18:
		l.letGo()
	case n < 19:
		l.restart(l.seats[l.rnd.IntN(len(l.seats))])
	default:
		if s := l.seats[l.rnd.IntN(len(l.seats))]; len(l.seats) > 1 {
			l.process(s).pause(time.Duration(1+l.rnd.IntN(90)) * time.Second)
		}
	}
}

func (l *life) process(s *seat) *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.now
}

// restart ends a seat's process as SIGTERM does, and starts the next. It reports
// false where it died, and is started again without a hand.
func (l *life) restart(s *seat) bool {
	p := l.process(s)
	if !p.claim() {
		return false
	}
	l.laws.breach(p.end())
	l.start(s)
	return true
}

// meddle is somebody with a console, who changes, unmarks or removes an object
// of ours.
func (l *life) meddle() {
	var ours []resource.Object
	for _, o := range l.world.Objects() {
		if o.Mark.Estate == estate || o.Address.Kind == "record" && !l.isForeign(o.ID) {
			ours = append(ours, o)
		}
	}
	if len(ours) == 0 {
		return
	}
	o := ours[l.rnd.IntN(len(ours))]
	what := "changed"
	switch n := l.rnd.IntN(6); {
	case n == 0:
		what = "removed"
		_ = l.world.Remove(o.Address.Kind, o.ID)
	case n == 1 && o.Address.Kind != "record":
		if l.known(o.ID) == nil { // nothing would say whose it is
			return
		}
		what = "unmarked"
		_ = l.world.Unmark(o.Address.Kind, o.ID)
	case o.Address.Kind == "group" && l.known(o.ID)["rules"] == nil, o.Address.Kind == "record" && l.known(o.ID) == nil:
		return // before they are ours, rules of somebody else are his, and so is a record that is not as we made it
	default:
		_ = l.world.Mutate(o.Address.Kind, o.ID, func(f resource.Map) {
			switch o.Address.Kind { // what the spec does not set is nobody's to put back
			case "network":
				f["label"] = text("meddled")
			case "disk":
				was, _ := f["policy"].(resource.Map)
				now := resource.Map{}
				for k := range was { // a key of their own would be theirs
					now[k] = text("meddled")
				}
				if len(now) > 0 {
					f["policy"] = now
				}
			case "machine":
				f["state"] = text("stopped")
			case "group":
				f["rules"] = resource.List{resource.Map{"port": resource.Int(22)}}
			case "record":
				f["values"] = resource.List{text("meddled")}
			}
		})
	}
	l.tell("another hand: %s %s", o.ID, what)
}

// known gives what a ledger says was last applied to an object that it holds by its
// id, nil where none does.
func (l *life) known(id resource.ID) resource.Map {
	for _, r := range l.story.realms {
		st, err := l.disk().State(context.Background(), r.name)
		l.laws.breach(err)
		if err != nil {
			continue
		}
		for _, e := range st.Sorted() {
			if e.Record.ID == id {
				return e.Record.Applied
			}
		}
	}
	return nil
}

func (l *life) isForeign(id resource.ID) bool {
	return slices.ContainsFunc(l.strangers(), func(o resource.Object) bool { return o.ID == id })
}

func (l *life) strangers() []resource.Object {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.foreign
}

// stranger puts an object into the world that is nobody's or another estate's.
func (l *life) stranger() {
	o := resource.Object{Address: at("network", "a"), Fields: resource.Map{"cidr": text("10.0.0.0/16"), "label": text("theirs")}}
	if l.rnd.IntN(2) == 0 {
		o.Mark = resource.Mark{Estate: "estate-2", Env: "prod", Address: at("network", "a"), Token: "0194ffff-0000-7000-8000-000000000000"}
	}
	id, err := l.world.Add("fake/main", o)
	l.laws.breach(err)
	l.tell("a stranger: %s", id)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.world.Objects() {
		if o.ID == id {
			l.foreign = append(l.foreign, o)
		}
	}
}

// letGo takes a resource out of the spec whose object is to stay.
func (l *life) letGo() {
	r := l.story.realms[l.rnd.IntN(len(l.story.realms))]
	if r.gone || len(r.items) < 2 {
		return
	}
	it := r.items[l.rnd.IntN(len(r.items))]
	if l.story.keeps(r, &it) || len(resource.Refs(it.Fields)) > 0 || it.Address.Kind != "disk" && it.Address.Kind != "record" {
		return // what stays would be in the way of what it refers to
	}
	st, err := l.disk().State(context.Background(), r.name)
	if l.laws.breach(err); err != nil {
		return
	}
	if e := st.Current(it.Address); e != nil && e.Record.Applied["networkId"] != nil {
		return // or of what it referred to
	}
	err = l.process(l.seats[0]).Say(context.Background(), reconcile.Word{Env: r.name, Addresses: []string{it.Address.Local()}, By: "ann", Verdict: store.Release})
	l.tell("ann lets go of %s: %v", it.Address, err)
	l.story.remove(r, it.Address)
	l.push(r.name + ": without " + it.Address.Local())
}

// people answer what they are asked: each plan that waits is approved, each
// orphan confirmed.
func (l *life) people() {
	ctx, p := context.Background(), l.process(l.seats[0])
	rows, err := l.disk().Environments(ctx)
	l.laws.breach(err)
	for _, row := range rows {
		if row.PlanDigest != "" {
			_, err := p.Verdict(ctx, row.Name, row.PlanDigest, "ann", store.Approve)
			l.tell("ann approves %s of %s: %v", row.PlanDigest[:8], row.Name, err)
		}
		for o := range row.Orphans {
			address, _, _ := strings.Cut(o, " ")
			err := p.Say(ctx, reconcile.Word{Env: row.Name, Addresses: []string{address}, By: "ann", Verdict: store.Delete})
			l.tell("ann confirms %s of %s: %v", o, row.Name, err)
		}
	}
}

// calm ends all that goes wrong: what is on the wire lands, the dead are back.
func (l *life) calm() {
	l.weather.still()
	for _, s := range l.seats {
		s.peace()
	}
	time.Sleep(2 * time.Minute)
	l.landing.Wait()
	for _, s := range l.seats {
		for !l.restart(s) {
			time.Sleep(time.Second) // until somebody started what died
		}
	}
	for _, r := range l.story.realms {
		if r.mode == "observe" {
			r.mode = "approve"
		}
	}
	l.push("the last commit")
	l.tell("from here on nothing goes wrong")
}

// settle waits until everything is as wanted, answering what people are asked.
func (l *life) settle() error {
	var last string
	for range 4 {
		for range 10 {
			time.Sleep(70*time.Second + l.lag)
			synctest.Wait()
			if last = l.unsettled(); last == "" {
				break
			}
			l.people()
		}
		again, err := l.inspect()
		if err != nil || !again {
			return err
		}
	}
	return fmt.Errorf("it does not settle: %s", last)
}

// unsettled says what the environments' rows show to be left, "" for nothing.
func (l *life) unsettled() string {
	rows, err := l.disk().Environments(context.Background())
	l.laws.breach(err)
	for _, row := range rows {
		if row.State != "in sync" || len(row.Orphans) > 0 {
			return row.Name + " is " + row.State + ": " + row.Note
		}
	}
	return ""
}

// inspect stops everything and plans each environment once more, as a person
// would who does not trust what is told. again says that the person did
// something about what is held.
func (l *life) inspect() (again bool, err error) {
	for _, s := range l.seats {
		p := l.process(s)
		if !p.claim() {
			return false, fmt.Errorf("%s died though nothing goes wrong", p.name)
		}
		if err := p.end(); err != nil {
			return false, err
		}
	}
	ctx := context.Background()
	once := l.process(l.seats[0]).once()
	var left []string
	for _, r := range l.story.realms {
		a, err := once.Draft(ctx, reconcile.Job{Tree: tree(l.source.head), Env: r.name, Commit: l.source.head, Trigger: "manual"})
		if err != nil {
			return false, fmt.Errorf("the last plan of %s: %w", r.name, err)
		}
		if !a.Plan.Empty() || len(a.Plan.Ledger) > 0 || len(a.Open) > 0 {
			left = append(left, fmt.Sprintf("%s: %d open, %s", r.name, len(a.Open), brief(a.Plan)))
			again = l.mend(a.Plan.Held) || again
		}
	}
	switch {
	case len(left) == 0:
		return false, nil
	case !again:
		return false, fmt.Errorf("the last plan is not empty: %s", strings.Join(left, "; "))
	}
	for _, s := range l.seats {
		l.start(s)
	}
	return true, nil
}

// leave ends every process for good.
func (l *life) leave() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	for _, s := range l.seats {
		if p := l.process(s); p.claim() {
			l.laws.breach(p.end())
		}
	}
	l.waiting.Wait()
	l.landing.Wait()
	l.laws.atEnd()
}
