package aws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// machine makes an instance in a subnet of its own.
func (r *rig) machine(t *testing.T, more resource.Map) resource.Object {
	t.Helper()
	v := r.vpc(t)
	sub := r.create(t, "subnet", resource.Map{
		"vpcId": str(v.ID), "cidrBlock": resource.String("10.0.8.0/24"), "availabilityZone": resource.String(r.region + "a"),
	})
	o := r.create(t, "instance", merge(resource.Map{
		"imageId": r.image(t), "instanceType": resource.String("t3.micro"), "subnetId": str(sub.ID),
		"metadataOptions": rule("httpTokens", "required", "httpEndpoint", "enabled"), "rootVolume": disk("volumeType", "gp3"),
	}, more))
	return r.one(t, "instance", o.ID)
}

// poll asks for one handle.
func (r *rig) poll(t *testing.T, h string) provider.Polled {
	t.Helper()
	return r.Poll(t.Context(), []resource.Handle{resource.Handle(h)})[0]
}

// calls gives the changing calls since the record was dropped.
func (r *rig) calls() []string {
	var out []string
	for _, c := range r.proxy.Calls() {
		if !strings.HasPrefix(c.Action, "Describe") {
			out = append(out, c.Action)
		}
	}
	return out
}

// A change of type stops the instance, changes it and starts it. When a fault
// leaves it stopped, that shows, and the same update made again ends it.
func TestTypeIsChangedByStopAndStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.machine(t, nil)
	r.proxy.Forget()
	r.proxy.Inject(fault.Rule{Action: "ModifyInstanceAttribute", Times: 1, Do: fault.LoseRequest()})
	class(t, r.change(t, o, "instanceType", resource.String("t3.large")), resource.UnknownOutcome, "")
	half := r.one(t, "instance", o.ID)
	if half.Fields.Text("state") != "stopped" || half.Fields.Text("instanceType") != "t3.micro" {
		t.Fatalf("after the fault: %s", resource.Encode(half.Fields))
	}
	want := half
	want.Fields = merge(half.Fields, resource.Map{"instanceType": resource.String("t3.large"), "state": resource.String("running")})
	_, err := r.Update(t.Context(), half, want, []resource.Change{{
		Path: resource.Path{"instanceType"}, Before: half.Fields["instanceType"], After: want.Fields["instanceType"],
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := r.one(t, "instance", o.ID)
	if done.Fields.Text("state") != "running" || done.Fields.Text("instanceType") != "t3.large" {
		t.Fatalf("at the end: %s", resource.Encode(done.Fields))
	}
	calls := []string{"StopInstances", "ModifyInstanceAttribute", "ModifyInstanceAttribute", "StartInstances"}
	if got := r.calls(); !slices.Equal(got, calls) {
		t.Fatalf("calls %v, want %v", got, calls)
	}
	// One that shall be stopped is changed without a start.
	if err := r.change(t, done, "state", resource.String("stopped")); err != nil {
		t.Fatal(err)
	}
	r.proxy.Forget()
	if err := r.change(t, r.one(t, "instance", o.ID), "instanceType", resource.String("t3.micro")); err != nil {
		t.Fatal(err)
	}
	if got := r.calls(); !slices.Equal(got, []string{"ModifyInstanceAttribute"}) {
		t.Fatalf("calls %v for a stopped instance", got)
	}
}

// refused asks for another type, beside the fields of more, and gives what the
// failure says that it left.
func (r *rig) refused(t *testing.T, live resource.Object, to string, more resource.Map) (resource.Map, error) {
	t.Helper()
	r.proxy.Forget()
	want := live
	want.Fields = merge(live.Fields, merge(resource.Map{"instanceType": resource.String(to)}, more))
	changes := []resource.Change{{Path: resource.Path{"instanceType"}, Before: live.Fields["instanceType"], After: want.Fields["instanceType"]}}
	if more["tags"] != nil {
		changes = append(changes, resource.Change{Path: resource.Path{"tags"}, Before: live.Fields["tags"], After: more["tags"]})
	}
	p, err := r.Update(t.Context(), live, want, changes)
	if err == nil {
		t.Fatalf("%s became a %s", live.ID, to)
	}
	return p.Object.Fields, err
}

// What is to be made in an instance's place is looked for before that one goes; who may
// not look is not held up.
func TestRehearseAnInstance(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	o := r.machine(t, nil)
	for _, c := range []struct {
		more resource.Map
		says string
	}{
		{nil, ""},
		{resource.Map{"imageId": resource.String("ami-0123456789abcdef0")}, "there is no image ami-0123456789abcdef0 in eu-west-1"},
		{resource.Map{"instanceType": resource.String("t98.huge")}, "choose an instanceType that eu-west-1 has"},
	} {
		err := r.Rehearse(t.Context(), resource.Object{Address: o.Address, Fields: merge(o.Fields, c.more)})
		if c.says == "" && err != nil || c.says != "" && (resource.ClassOf(err) != resource.Invalid || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: %v, want %q", c.more, err, c.says)
		}
	}
	r.proxy.Inject(fault.Rule{Action: "Describe*", Do: fault.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")})
	if err := r.Rehearse(t.Context(), resource.Object{Address: o.Address, Fields: o.Fields}); err != nil {
		t.Errorf("who may not look: %v", err)
	}
}

// A type that AWS would refuse is refused before anything is changed, above all
// before the machine is stopped.
func TestTypesThatDoNotFitStopNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	o := r.machine(t, nil)
	for _, c := range []struct {
		to, code, says string
		rules          []fault.Rule
	}{
		{to: "t98.huge", code: "InvalidInstanceType", says: "t98.huge]: choose an instanceType that eu-west-1 has"},
		{to: "t4g.small", says: "t4g.small has processors of arm64, and the instance's image is for x86_64: choose an instanceType of x86_64"},
		{to: "p4d.24xlarge", says: "AWS does not offer p4d.24xlarge in eu-west-1a, where the instance stands, but in eu-west-1c: choose"},
		{
			to: "t3.large", code: "UnauthorizedOperation", says: "so allow ec2:DescribeInstanceTypes and ec2:DescribeInstanceTypeOfferings",
			rules: []fault.Rule{{Action: "DescribeInstanceType*", Do: fault.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")}},
		},
	} {
		var ends []func()
		for _, rule := range c.rules {
			ends = append(ends, r.proxy.Inject(rule))
		}
		left, err := r.refused(t, o, c.to, resource.Map{"tags": tags("team", "z")})
		for _, end := range ends {
			end()
		}
		want := resource.Invalid
		if len(c.rules) > 0 {
			want = resource.Denied
		}
		class(t, err, want, c.code)
		if !strings.Contains(err.Error(), c.says) || len(left) > 0 || resource.Interrupts(err) {
			t.Errorf("%s: %v, left %v", c.to, err, left)
		}
		if got := r.calls(); len(got) > 0 {
			t.Errorf("%s: calls %v, want none", c.to, got)
		}
	}
	if now := r.one(t, "instance", o.ID); now.Fields.Text("state") != "running" || now.Fields["tags"] != nil {
		t.Errorf("at the end: %s", resource.Encode(now.Fields))
	}
}

// A type that AWS refuses once the machine is stopped does not leave it so: it is
// started again, and where that fails too the failure says that it stands still.
func TestRefusedTypeStartsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	o := r.machine(t, nil)
	refuse := fault.Rule{Action: "ModifyInstanceAttribute", Do: fault.Refuse(http.StatusBadRequest, "InvalidParameterCombination", "Enhanced networking is required.")}
	throttle := fault.Rule{Times: 2, Do: fault.Throttle()}
	down := fault.Rule{Action: "StartInstances", Do: fault.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")}
	tried := func(live resource.Object, state string, rules ...fault.Rule) (resource.Map, error) {
		t.Helper()
		for _, rule := range rules {
			defer r.proxy.Inject(rule)()
		}
		return r.refused(t, live, "t3.large", resource.Map{"state": resource.String(state)})
	}
	expect := func(state string, want ...string) resource.Object {
		t.Helper()
		if got := r.calls(); !slices.Equal(got, want) {
			t.Fatalf("calls %v, want %v", got, want)
		}
		now := r.one(t, "instance", o.ID)
		if now.Fields.Text("state") != state || now.Fields.Text("instanceType") != "t3.micro" {
			t.Fatalf("at the end: %s", resource.Encode(now.Fields))
		}
		return now
	}

	left, err := tried(o, "running", refuse)
	class(t, err, resource.Invalid, "InvalidParameterCombination")
	if !strings.Contains(err.Error(), "Enhanced networking is required: it was stopped for its new type and started again as a t3.micro") || len(left) > 0 || !resource.Interrupts(err) {
		t.Fatalf("%v, left %v", err, left)
	}
	expect("running", "StopInstances", "ModifyInstanceAttribute", "StartInstances")

	// What AWS does not take for now is asked for again while the machine stands still.
	throttle.Action = "StartInstances"
	left, err = tried(o, "running", refuse, throttle)
	if !strings.Contains(err.Error(), "started again as a t3.micro") || len(left) > 0 {
		t.Fatalf("%v, left %v", err, left)
	}
	expect("running", "StopInstances", "ModifyInstanceAttribute", "StartInstances", "StartInstances", "StartInstances")

	left, err = tried(o, "running", refuse, down)
	class(t, err, resource.Invalid, "InvalidParameterCombination")
	if !strings.Contains(err.Error(), "it was stopped for its new type and stands still now, as a t3.micro, since it could not be started again (ec2:StartInstances: UnauthorizedOperation") ||
		!resource.Equal(left, resource.Map{"state": resource.String("stopped")}) {
		t.Fatalf("%v, left %v", err, left)
	}
	still := expect("stopped", "StopInstances", "ModifyInstanceAttribute", "StartInstances")

	// The same try made again starts it; what shall stand still is left so.
	left, err = tried(still, "running", refuse)
	if !strings.Contains(err.Error(), "Enhanced networking is required: it was started as a t3.micro") || len(left) > 0 {
		t.Fatalf("%v, left %v", err, left)
	}
	expect("running", "ModifyInstanceAttribute", "StartInstances")
	if err := r.change(t, r.one(t, "instance", o.ID), "state", resource.String("stopped")); err != nil {
		t.Fatal(err)
	}
	left, err = tried(r.one(t, "instance", o.ID), "stopped", refuse)
	if strings.Contains(err.Error(), "start") || len(left) > 0 || resource.Interrupts(err) {
		t.Fatalf("%v, left %v", err, left)
	}
	expect("stopped", "ModifyInstanceAttribute")
}

// TestCredentialsThatEndAfterTheStop say nothing of the type: the same try made
// again goes on where this one stopped, and interrupts nothing.
func TestCredentialsThatEndAfterTheStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	o := r.machine(t, nil)
	end := func(action string) func() {
		return r.proxy.Inject(fault.Rule{Action: action, Do: fault.Refuse(http.StatusBadRequest, "RequestExpired", "Request has expired.")})
	}
	change, start := end("ModifyInstanceAttribute"), end("StartInstances")
	_, err := r.refused(t, o, "t3.large", resource.Map{"state": resource.String("running")})
	class(t, err, resource.Denied, "RequestExpired")
	if resource.Interrupts(err) || strings.Count(err.Error(), "have expired") != 1 || !strings.Contains(err.Error(), "stands still now, as a t3.micro; the next apply goes on") {
		t.Fatalf("interrupts %v: %v", resource.Interrupts(err), err)
	}
	start()
	_, err = r.refused(t, o, "t3.large", resource.Map{"state": resource.String("running")})
	if !resource.Interrupts(err) {
		t.Fatalf("it was stopped and started for nothing, and would be again: %v", err)
	}
	change()
	if err := r.change(t, r.one(t, "instance", o.ID), "instanceType", resource.String("t3.large")); err != nil {
		t.Fatal(err)
	}
	if now := r.one(t, "instance", o.ID); now.Fields.Text("instanceType") != "t3.large" {
		t.Fatalf("at the end: %s", resource.Encode(now.Fields))
	}
}

// A machine that AWS does not start with its new type has its old one again, and runs.
// Where that can't be, what it is now is told, and the same update made again goes on.
func TestNewTypeThatDoesNotStart(t *testing.T) {
	t.Parallel()
	full := fault.Refuse(http.StatusInternalServerError, "InsufficientInstanceCapacity", "We do not have sufficient t3.large capacity.")
	busy := fault.Refuse(http.StatusBadRequest, "IncorrectInstanceState", "The instance is busy.")
	down := resource.Map{"state": resource.String("stopped")}
	const stop, change, start = "StopInstances", "ModifyInstanceAttribute", "StartInstances"
	for name, c := range map[string]struct {
		rules     []fault.Rule
		words     string
		kind      string // as which it is left
		left      resource.Map
		interrupt bool
		calls     []string
	}{
		"put back": {
			[]fault.Rule{{Action: start, Times: 1, Do: full}},
			"capacity: it was stopped for its new type and started again as a t3.micro", "t3.micro", nil, true,
			[]string{stop, change, start, change, start},
		},
		"no capacity at all": {
			[]fault.Rule{{Action: start, Do: full}},
			"capacity: it was stopped for its new type and stands still now, as a t3.micro, since it could not be started again (ec2:StartInstances: Insuff",
			"t3.micro", down, true,
			[]string{stop, change, start, change, start},
		},
		"no way back": {
			[]fault.Rule{{Action: start, Do: full}, {Action: change, After: 1, Do: busy}},
			"capacity: it has its new type t3.large and stands still until AWS starts it",
			"t3.large", down, false,
			[]string{stop, change, start, change},
		},
		"not for its type": {
			[]fault.Rule{{Action: start, Do: fault.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")}},
			"operation: it has its new type t3.large and stands still until AWS starts it", "t3.large", down, false,
			[]string{stop, change, start},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "eu-west-1")
			o := r.machine(t, nil)
			var ends []func()
			for _, rule := range c.rules {
				ends = append(ends, r.proxy.Inject(rule))
			}
			left, err := r.refused(t, o, "t3.large", nil)
			for _, end := range ends {
				end()
			}
			if err == nil || !strings.Contains(err.Error(), c.words) || resource.Interrupts(err) != c.interrupt || len(left) != len(c.left) || len(left) > 0 && !resource.Equal(left, c.left) {
				t.Fatalf("interrupts %v: %v, left %v", resource.Interrupts(err), err, left)
			}
			if got := r.calls(); !slices.Equal(got, c.calls) {
				t.Fatalf("calls %v", got)
			}
			now := r.one(t, "instance", o.ID)
			if now.Fields.Text("instanceType") != c.kind {
				t.Fatalf("at the end: %s", resource.Encode(now.Fields))
			}
			if c.left == nil {
				return
			}
			if err := r.change(t, now, "state", resource.String("running")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Once the lease is another's nothing is sent any more, not even the start.
func TestFencedTypeStartsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	o := r.machine(t, nil)
	var taken atomic.Bool
	refuse := fault.Refuse(http.StatusBadRequest, "InvalidParameterCombination", "Enhanced networking is required.")
	refuse.After = func(fault.Call) { taken.Store(true) }
	r.proxy.Inject(fault.Rule{Action: "ModifyInstanceAttribute", Do: refuse})
	r.proxy.Forget()
	ctx := provider.WithFence(t.Context(), func(context.Context) error {
		if taken.Load() {
			return errors.New("the lease is gone")
		}
		return nil
	})
	want := o
	want.Fields = merge(o.Fields, resource.Map{"instanceType": resource.String("t3.large")})
	_, err := r.Update(ctx, o, want, []resource.Change{{Path: resource.Path{"instanceType"}, After: want.Fields["instanceType"]}})
	class(t, err, resource.Invalid, "InvalidParameterCombination")
	if !strings.Contains(err.Error(), "stands still now") || !strings.Contains(err.Error(), "the lease is gone") {
		t.Fatalf("%v", err)
	}
	if got := r.calls(); !slices.Equal(got, []string{"StopInstances", "ModifyInstanceAttribute"}) {
		t.Fatalf("calls %v", got)
	}
}

// answered calls then with each answer that came, read whole.
type answered struct {
	base http.RoundTripper
	then func(status int)
}

func (a answered) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), resp.Body}
	a.then(resp.StatusCode)
	return resp, nil
}

// A refusal that comes just as the call's time ends has the machine started all the
// same.
func TestRefusedTypeStartsAfterItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-1")
	o := r.machine(t, nil)
	r.proxy.Inject(fault.Rule{Action: "ModifyInstanceAttribute", Do: fault.Refuse(http.StatusBadRequest, "InvalidParameterCombination", "Enhanced networking is required.")})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := r.proxy.Client(func(base http.RoundTripper) http.RoundTripper {
		return answered{base, func(status int) {
			if status == http.StatusBadRequest {
				cancel()
			}
		}}
	})
	s := r.open(t, r.estate, client)
	r.proxy.Forget()
	want := o
	want.Fields = merge(o.Fields, resource.Map{"instanceType": resource.String("t3.large")})
	_, err := s.Update(ctx, o, want, []resource.Change{{Path: resource.Path{"instanceType"}, After: want.Fields["instanceType"]}})
	class(t, err, resource.Invalid, "InvalidParameterCombination")
	if got := r.calls(); ctx.Err() == nil || !strings.Contains(err.Error(), "started again as a t3.micro") || !slices.Equal(got, []string{"StopInstances", "ModifyInstanceAttribute", "StartInstances"}) {
		t.Fatalf("%v, calls %v", err, got)
	}
}

// What the creating call gives an instance: session tokens for its metadata,
// an encrypted disk, and a disk that carries its mark and tags.
func TestInstanceIsBornSecureAndMarked(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.machine(t, resource.Map{"tags": tags("team", "x"), "userData": resource.String("#!/bin/sh\necho hello\n")})
	if m, _ := o.Fields["metadataOptions"].(resource.Map); m.Text("httpTokens") != "required" {
		t.Errorf("metadata options %s", resource.Encode(o.Fields["metadataOptions"]))
	}
	if d, _ := o.Fields["rootVolume"].(resource.Map); d["encrypted"] != resource.Bool(true) || d.Text("volumeType") != "gp3" || d["volumeSize"] == nil {
		t.Errorf("root volume %s", resource.Encode(o.Fields["rootVolume"]))
	}
	if n := r.proxy.Count("RunInstances"); n != 1 || o.Fields["userData"] != nil {
		t.Errorf("%d RunInstances, user data reads back as %v", n, o.Fields["userData"])
	}
	tagged := func() map[string]string {
		out, err := r.raw.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{o.Fields.Text("rootVolumeId")}})
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, tag := range out.Volumes[0].Tags {
			m[*tag.Key] = *tag.Value
		}
		return m
	}
	if got := tagged(); got["team"] != "x" || got[resource.MarkToken] != o.Mark.Token {
		t.Errorf("the root volume carries %v", got)
	}
	if err := r.change(t, o, "tags", tags("team", "y")); err != nil {
		t.Fatal(err)
	}
	if got := tagged(); got["team"] != "y" {
		t.Errorf("the root volume carries %v", got)
	}
	if got := r.read(t, "volume", resource.Selector{Estate: r.estate}); len(got) != 0 {
		t.Errorf("a root volume counts as a volume of its own: %+v", got)
	}
}

// An instance that AWS protects stays; a terminated one is absent although AWS
// still shows it.
func TestProtectedAndTerminated(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.machine(t, nil)
	if err := r.change(t, o, "disableApiTermination", resource.Bool(true)); err != nil {
		t.Fatal(err)
	}
	if o = r.one(t, "instance", o.ID); o.Fields["disableApiTermination"] != resource.Bool(true) {
		t.Fatalf("it reads back as %v", o.Fields["disableApiTermination"])
	}
	_, err := r.Delete(t.Context(), o, o)
	class(t, err, resource.Denied, "OperationNotPermitted")
	if err := r.change(t, o, "disableApiTermination", nil); err != nil {
		t.Fatal(err)
	}
	p, err := r.Delete(t.Context(), o, o)
	if err != nil || p.Handle == "" {
		t.Fatalf("the delete gives %+v, %v; want a handle, since AWS takes its time", p, err)
	}
	if q := r.poll(t, string(p.Handle)); !q.Done || q.Err != nil {
		t.Fatalf("%+v", q)
	}
	raw, err := r.raw.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{string(o.ID)}})
	if err != nil || raw.Reservations[0].Instances[0].State.Name != types.InstanceStateNameTerminated {
		t.Fatalf("AWS shows %+v, %v", raw, err)
	}
	if got := r.read(t, "instance", resource.Selector{Estate: r.estate}); len(got) != 0 {
		t.Fatalf("a tombstone is present: %+v", got)
	}
	got := r.Read(t.Context(), []resource.Want{{Kind: "instance", By: resource.Selector{IDs: []resource.ID{o.ID, "i-0123456789abcdef0"}}}})[0]
	if got.Err != nil || len(got.Objects) != 0 || !slices.Equal(got.Ended, []resource.ID{o.ID}) {
		t.Fatalf("by its id it reads as %+v: the tombstone proves that it is gone, and nothing that the other one is", got)
	}
	// Waiting for it to run is over, with the cloud's own words.
	if q := r.poll(t, "instance/"+string(o.ID)+"/running"); !q.Done || resource.ClassOf(q.Err) != resource.Invalid || !strings.Contains(q.Err.Error(), "terminated") {
		t.Fatalf("%+v", q)
	}
	if q := r.poll(t, "instance/i-0123456789abcdef0/running"); q.Done || resource.ClassOf(q.Err) != resource.NotFound {
		t.Fatalf("%+v", q)
	}
	if q := r.poll(t, "moon/x/full"); !q.Done || resource.ClassOf(q.Err) != resource.Bug {
		t.Fatalf("%+v", q)
	}
}

// A volume follows its wish from instance to instance, and is taken off one
// before it is deleted.
func TestVolumeMovesAndGoes(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	a, b := r.machine(t, nil), r.machine(t, nil)
	v := r.create(t, "volume", resource.Map{
		"availabilityZone": resource.String("eu-west-2a"), "size": resource.Int(4), "volumeType": resource.String("gp3"), "encrypted": resource.Bool(true),
	})
	read := func() resource.Object { return r.one(t, "volume", v.ID) }
	for _, want := range []resource.Value{
		rule("instanceId", a.ID, "device", "/dev/sdf"), rule("instanceId", b.ID, "device", "/dev/sdf"),
		rule("instanceId", b.ID, "device", "/dev/sdg"), nil, rule("instanceId", a.ID, "device", "/dev/sdf"),
	} {
		if err := r.change(t, read(), "attachment", want); err != nil {
			t.Fatal(err)
		}
		if got := read().Fields["attachment"]; !resource.Equal(got, want) {
			t.Fatalf("attached to %v, want %v", got, want)
		}
	}
	// Somebody pulls it out: that is drift, and it is put back.
	at := read().Fields["attachment"]
	if _, err := r.raw.DetachVolume(t.Context(), &ec2.DetachVolumeInput{VolumeId: ptr(v.ID), InstanceId: ptr(a.ID)}); err != nil {
		t.Fatal(err)
	}
	if got := read().Fields["attachment"]; got != nil {
		t.Fatalf("the drift is not seen: %v", got)
	}
	if err := r.change(t, read(), "attachment", at); err != nil {
		t.Fatal(err)
	}
	// A size that is there already is not asked for again.
	r.proxy.Forget()
	for range 2 {
		if err := r.change(t, v, "size", resource.Int(8)); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.proxy.Count("ModifyVolume"); n != 1 || read().Fields["size"] != resource.Int(8) {
		t.Fatalf("%d modifications, size %v", n, read().Fields["size"])
	}
	if _, err := r.Delete(t.Context(), read(), resource.Object{}); err != nil {
		t.Fatal(err)
	}
	if got := r.read(t, "volume", resource.Selector{IDs: []resource.ID{v.ID}}); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}

// A key pair's name that is taken is a conflict, and the comment of a key is
// no difference.
func TestKeyPair(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	key := publicKey(t)
	text := string(key.(resource.String))
	taken := address("key_pair").Name
	out, err := r.raw.ImportKeyPair(t.Context(), &ec2.ImportKeyPairInput{KeyName: &taken, PublicKeyMaterial: []byte(text + " mei@laptop")})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.one(t, "key_pair", resource.ID(*out.KeyPairId)); !resource.Equal(got.Fields["publicKeyMaterial"], key) || !got.Mark.IsZero() {
		t.Fatalf("read %s, %+v", resource.Encode(got.Fields), got.Mark)
	}
	a := address("key_pair")
	_, err = r.Create(t.Context(), resource.Object{Address: a, Fields: resource.Map{"keyName": resource.String(taken), "publicKeyMaterial": key}}, r.mark(a))
	class(t, err, resource.Invalid, "InvalidKeyPair.Duplicate")
}

// An instance's profile is set, exchanged and taken away in place.
func TestInstanceProfile(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	names := []string{address("p").Name, address("p").Name}
	for _, n := range names {
		form := url.Values{"Action": {"CreateInstanceProfile"}, "Version": {"2010-05-08"}, "InstanceProfileName": {n}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, cloud.URL(), strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/iam/aws4_request")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("CreateInstanceProfile: %s", resp.Status)
		}
	}
	o := r.machine(t, resource.Map{"iamInstanceProfile": resource.String(names[0])})
	if got := o.Fields.Text("iamInstanceProfile"); got != names[0] {
		t.Fatalf("born with %q", got)
	}
	for _, want := range []resource.Value{resource.String(names[1]), nil, resource.String(names[0])} {
		if err := r.change(t, r.one(t, "instance", o.ID), "iamInstanceProfile", want); err != nil {
			t.Fatal(err)
		}
		// The emulator shows an exchanged profile in the association alone.
		out, err := r.raw.DescribeIamInstanceProfileAssociations(t.Context(), &ec2.DescribeIamInstanceProfileAssociationsInput{
			Filters: []types.Filter{{Name: ptr("instance-id"), Values: []string{string(o.ID)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if as := out.IamInstanceProfileAssociations; want == nil && len(as) != 0 ||
			want != nil && (len(as) != 1 || !strings.HasSuffix(*as[0].IamInstanceProfile.Arn, "/"+string(want.(resource.String)))) {
			t.Fatalf("it has %+v, want %v", as, want)
		}
	}
}

// A read of many instances costs a list, one more for their disks, and one
// call each only where their protection is asked for.
func TestRequestsOfManyInstances(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-north-1")
	var ids []resource.ID
	for range 6 {
		ids = append(ids, r.machine(t, nil).ID)
	}
	for _, c := range []struct {
		aspects []string
		most    int
	}{{[]string{"", "state"}, 2}, {nil, 2 + len(ids)}} {
		r.proxy.Forget()
		a := r.Read(t.Context(), []resource.Want{{Kind: "instance", By: resource.Selector{Estate: r.estate}, Aspects: c.aspects}})[0]
		if a.Err != nil || len(a.Objects) != len(ids) || r.proxy.Count("") > c.most {
			t.Errorf("aspects %v: %d objects, %v in %d requests, want at most %d", c.aspects, len(a.Objects), a.Err, r.proxy.Count(""), c.most)
		}
	}
	// Disks that may not be read leave the rest of the instance usable.
	r.proxy.Forget()
	r.proxy.Inject(fault.Rule{Action: "DescribeVolumes", Times: 1, Do: fault.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")})
	o := r.one(t, "instance", ids[0])
	if u, ok := o.Fields["rootVolume"].(resource.Unread); !ok || !strings.Contains(u.Why, "not authorized") {
		t.Fatalf("the root volume is %v", fmt.Sprint(o.Fields["rootVolume"]))
	}
}
