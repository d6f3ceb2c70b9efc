package vsphere

import (
	"context"
	"errors"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	fieldPower = "powerState"
	poweredOn  = string(types.VirtualMachinePowerStatePoweredOn)

	// startPatience is how long a machine that was stopped for a change may take to be
	// switched on again.
	startPatience = 25 * time.Second

	// A call between a stop and a start is made so often in all, with pauses that begin
	// with the first and double.
	insistence = 5
	firstPause = 250 * time.Millisecond
)

// restart switches a machine on that was stopped for a field's change, and gives the
// change's refusal, if there was one, with what became of the machine. Where the
// refusal came late, little of the call's time is left: the start has its own. It
// passes the fence like any call.
func (u *updating) restart(ctx context.Context, field string, refusal error) (provider.Progress, error) {
	var fenced *provider.FencedError
	if errors.As(refusal, &fenced) { // somebody else sees to it
		return u.stands(), refusal
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	defer cancel()
	err := insist(ctx, func() error { return u.start(ctx) })
	switch {
	case refusal == nil && err == nil:
		return provider.Progress{}, nil
	case refusal == nil:
		return u.stands(), became(err, "", "it has what was asked for and stands still now, since it could not be started again; the next apply starts it")
	case resource.ClassOf(refusal) == resource.UnknownOutcome && err == nil:
		return provider.Progress{}, refusal
	case resource.ClassOf(refusal) == resource.UnknownOutcome:
		return u.stands(), refusal
	case err == nil:
		return provider.Progress{}, became(refusal, field, "it was stopped for this and started again as it was")
	}
	return u.stands(), became(refusal, field, "it was stopped for this and stands still now, since it could not be started again ("+err.Error()+"); the next apply starts it")
}

// start switches the machine on and waits until it is.
func (u *updating) start(ctx context.Context) error {
	got, err := methods.PowerOnVM_Task(ctx, u.s, &types.PowerOnVM_Task{This: u.ref})
	if err != nil {
		return err
	}
	err = u.s.await(ctx, got.Returnval)
	var f *resource.Failure
	if errors.As(err, &f) && f.Code == "InvalidPowerState" {
		return nil // somebody else started it meanwhile
	}
	return err
}

// stands is what a failed update tells of a machine that it left switched off.
func (u *updating) stands() provider.Progress {
	off := resource.String(types.VirtualMachinePowerStatePoweredOff)
	return provider.Progress{Object: resource.Object{Fields: resource.Map{fieldPower: off}}}
}

// became gives a failure with what became of the machine; field is what it was stopped
// for in vain, "" for none.
func became(err error, field, words string) error {
	var f *resource.Failure
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Interrupted, told.Became, told.Err = field, words, err
	return &told
}

// insist makes a call again that the vCenter does not take for now: the machine stands
// still meanwhile, and the whole update made again would stop it once more.
func insist(ctx context.Context, call func() error) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		err := call()
		if !resource.ClassOf(err).Retryable() || n == insistence || sleep(ctx, pause) != nil {
			return err
		}
	}
}
