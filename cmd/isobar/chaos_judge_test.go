package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// epochOf is one holder's time with an environment.
type epochOf struct {
	env   string
	epoch int64
}

// tenure says who held an epoch and for how long.
type tenure struct {
	process     string
	from, until time.Time // until is zero while it lasts
}

// written is an intent on record.
type written struct {
	epochOf
	seq int64
	at  time.Time
}

// chaosJudge joins the calls that a proxy saw with what the store has on record.
// A create bears its object's token, in the mark or as ClientToken; any other
// call names an object whose id the ledger knows. Of the intents on that object
// the author is the last that the calling process had written by then: whose an
// intent is, its epoch tells, whose holder the leases name.
type chaosJudge struct {
	tenures map[epochOf]tenure
	intents map[string][]written // by token, in order
	tokens  map[string]string    // by id
}

func newChaosJudge(tenures map[epochOf]tenure) *chaosJudge {
	return &chaosJudge{tenures: tenures, intents: map[string][]written{}, tokens: map[string]string{}}
}

// learn takes in an environment's ledger.
func (j *chaosJudge) learn(env string, events []ledger.Event) {
	for _, ev := range events {
		if ev.Intent != nil {
			j.intents[ev.Token] = append(j.intents[ev.Token], written{epochOf{env, ev.Intent.Epoch}, ev.Seq, ev.At})
		}
		if ev.Record != nil && ev.Record.ID != "" {
			j.tokens[string(ev.Record.ID)] = ev.Token
		}
	}
}

// judged is what came of it. A call is late that came after its epoch had ended;
// of each intent one may be: it had passed its fence. Each further one is stale,
// and so is a call without an intent of its process.
type judged struct {
	calls, late, stale int
	why                []string // of each stale one
}

func (j *chaosJudge) judge(calls []fault.Call) judged {
	var out judged
	past := map[written]int{}
	for _, c := range calls {
		if !c.Mutates() {
			continue
		}
		out.calls++
		by, ok := j.author(c)
		if !ok {
			out.stale++
			out.why = append(out.why, fmt.Sprintf("%s of %s at %s has no intent of its process: %s", c.Action, c.From, c.At.Format(time.StampMicro), c.Form))
			continue
		}
		held := j.tenures[by.epochOf]
		if held.until.IsZero() || !c.At.After(held.until) {
			continue
		}
		out.late++
		if past[by]++; past[by] > 1 {
			out.stale++
			out.why = append(out.why, fmt.Sprintf("%s of %s at %s is call %d of intent %d in %s past epoch %d, which ended at %s", c.Action, c.From,
				c.At.Format(time.StampMicro), past[by], by.seq, by.env, by.epoch, held.until.Format(time.StampMicro)))
		}
	}
	return out
}

// author gives the intent that a call was made for.
func (j *chaosJudge) author(c fault.Call) (by written, ok bool) {
	for _, token := range j.named(c) {
		for _, in := range j.intents[token] {
			// The journal rounds times up to the next millisecond.
			if j.tenures[in.epochOf].process == c.From && !in.at.After(c.At.Add(time.Millisecond)) && (!ok || in.seq > by.seq) {
				by, ok = in, true
			}
		}
	}
	return by, ok
}

// named gives the tokens of the objects that a call is about.
func (j *chaosJudge) named(c fault.Call) []string {
	form, err := url.ParseQuery(c.Form)
	if err != nil {
		return nil
	}
	if c.Token != "" {
		return []string{c.Token}
	}
	for key := range form {
		if strings.HasPrefix(key, "TagSpecification.") && form.Get(key) == resource.MarkToken {
			return []string{form.Get(strings.TrimSuffix(key, "Key") + "Value")}
		}
	}
	var out []string
	for key := range form {
		if token := j.tokens[form.Get(key)]; token != "" {
			out = append(out, token)
		}
	}
	return out
}

// TestChaosJudge has histories of two processes, of which one was stopped and
// woke up.
func TestChaosJudge(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	j := newChaosJudge(map[epochOf]tenure{
		{"a", 1}: {"one", at(0), at(10)},
		{"a", 3}: {"two", at(11), time.Time{}},
	})
	intent := func(seq, epoch int64, token string, s int) ledger.Event {
		return ledger.Event{Seq: seq, Token: token, At: at(s), Type: ledger.Intended, Intent: &ledger.Intent{Epoch: epoch}}
	}
	j.learn("a", []ledger.Event{
		intent(1, 1, "t1", 1),
		{Seq: 2, Token: "t1", Type: ledger.Done, Record: &ledger.Record{ID: "vpc-1"}},
		intent(3, 1, "t1", 5), intent(4, 1, "t2", 5), intent(5, 3, "t1", 12),
	})
	ask := func(from string, s int, action string, form url.Values) fault.Call {
		return fault.Call{Method: "POST", From: from, At: at(s), Action: action, Form: form.Encode(), Token: form.Get("ClientToken")}
	}
	tags := func(from string, s int) fault.Call {
		return ask(from, s, "CreateTags", url.Values{"ResourceId.1": {"vpc-1"}})
	}
	marked := url.Values{"VpcId": {"vpc-1"}, "TagSpecification.1.Tag.2.Key": {resource.MarkToken}, "TagSpecification.1.Tag.2.Value": {"t2"}}
	for _, c := range []struct {
		name        string
		calls       []fault.Call
		late, stale int
	}{
		{"in time", []fault.Call{ask("one", 1, "CreateVpc", url.Values{"ClientToken": {"t1"}}), tags("one", 6), tags("two", 13)}, 0, 0},
		{"one past its fence", []fault.Call{tags("one", 12)}, 1, 0},
		{"one of each intent", []fault.Call{tags("one", 12), ask("one", 12, "CreateSubnet", marked)}, 2, 0},
		{"a second", []fault.Call{tags("one", 12), tags("one", 13)}, 2, 1},
		{"before its intent", []fault.Call{tags("two", 11)}, 0, 1},
		{"of nobody", []fault.Call{tags("three", 6)}, 0, 1},
		{"of an object that nobody knows", []fault.Call{ask("one", 6, "DeleteVpc", url.Values{"VpcId": {"vpc-9"}})}, 0, 1},
		{"a read", []fault.Call{ask("one", 20, "DescribeVpcs", url.Values{"VpcId.1": {"vpc-1"}})}, 0, 0},
	} {
		got := j.judge(c.calls)
		if got.late != c.late || got.stale != c.stale || len(got.why) != got.stale {
			t.Errorf("%s: %+v, want %d late and %d stale", c.name, got, c.late, c.stale)
		}
	}
	if by, ok := j.author(tags("one", 12)); !ok || by.seq != 3 {
		t.Errorf("the author is %+v", by)
	}
	if named := j.named(ask("one", 12, "CreateSubnet", marked)); !slices.Equal(named, []string{"t2"}) {
		t.Errorf("it names %q", named)
	}
}
