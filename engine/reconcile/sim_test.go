package reconcile_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	simSeed   = flag.Uint64("sim.seed", 0, "live through this one world of TestSim, and tell what happens in it")
	simWorlds = flag.Uint64("sim.worlds", 150, "how many worlds TestSim lives through")
	simFrom   = flag.Uint64("sim.from", 1, "the first one's seed")
	simSum    = flag.String("sim.sum", "", "the file to write the closing line to")
)

// simClasses are the classes of faults that befall the worlds of TestSim.
func simClasses() []string {
	return []string{wRefused, wThrottled, wDenied, wLost, wVanished, wLate, wSlow, wBroken, wUnread, wPage, wForgotten, wPaused, "death"}
}

// live lives through the world of a seed.
func live(t *testing.T, seed uint64, loud bool) (trace []string, err error) {
	var l *life
	synctest.Test(t, func(*testing.T) {
		l = newLife(seed, simClasses())
		l.loud = loud
		err = l.play()
	})
	return l.trace, err
}

// keptSeeds are those whose worlds broke a law once.
func keptSeeds(t *testing.T) []uint64 {
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []uint64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		n, _, _ := strings.Cut(lines.Text(), " ")
		if n == "" || n == "#" {
			continue
		}
		seed, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, seed)
	}
	return out
}

// TestSim lives through worlds in which all that may go wrong does, and holds
// each against the laws: see docs/explanation/simulation.md.
func TestSim(t *testing.T) {
	t.Parallel()
	if *simSeed != 0 {
		trace, err := live(t, *simSeed, true)
		t.Log("\n" + strings.Join(trace, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	seeds := keptSeeds(t)
	for i := range *simWorlds {
		seeds = append(seeds, *simFrom+i)
	}
	var next, broken atomic.Int64
	var mu sync.Mutex
	t.Run("worlds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("share-", i), func(t *testing.T) {
				t.Parallel()
				for n := next.Add(1) - 1; n < int64(len(seeds)); n = next.Add(1) - 1 {
					trace, err := live(t, seeds[n], false)
					if err == nil {
						continue
					}
					mu.Lock()
					if broken.Add(1) <= 5 {
						t.Errorf("seed %d: %v\n…\n%s", seeds[n], err, strings.Join(trace[max(len(trace)-25, 0):], "\n"))
					}
					t.Errorf("seed %d broke a law: %v\nrepeat it: go test ./engine/reconcile -run '^TestSim$' -v -sim.seed=%d", seeds[n], err, seeds[n])
					mu.Unlock()
				}
			})
		}
	})
	sum := fmt.Sprintf("sim: %d worlds, %d broken laws", len(seeds), broken.Load())
	t.Log(sum)
	if *simSum != "" {
		if err := os.WriteFile(*simSum, []byte(sum+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
