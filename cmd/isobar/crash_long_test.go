package main

import (
	"fmt"
	"testing"
)

func crashEvery(t *testing.T) {
	l := newCrashLab(t, shipped(t))
	estate := func(s *site) string { return crashEstate(s, l.image) }
	whole := l.trial(t, 0, false, estate)
	whole.finish(t)
	fmt.Println("requests", whole.requests())
	for _, c := range whole.aws.Calls() {
		if c.Mutates() {
			fmt.Println(c.Action)
		}
	}
	r := newReckoning(t, whole)
	for _, l := range r.want {
		fmt.Println(l)
	}
}
