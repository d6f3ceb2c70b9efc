package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// typeFits refuses an update to a type that the instance cannot get: one that
// does not exist, that its zone does not offer, or whose processors cannot run its
// image. AWS refuses these only once the instance is stopped.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resize-limitations.html
func typeFits(ctx context.Context, s *session, ch change) error {
	want := ch.want.Fields.Text(fieldMachine)
	if !ch.fields[fieldMachine] {
		return nil
	}
	v, err := s.instance(ctx, ch.live.ID)
	if err != nil || string(v.InstanceType) == want {
		return err
	}
	info, err := s.instanceType(ctx, want)
	if err != nil {
		return lookFirst(err)
	}
	has := v.Architecture
	if runs := architectures(info); has != "" && len(runs) > 0 && !slices.Contains(runs, string(has)) {
		return invalid("ec2:DescribeInstanceTypes", fmt.Sprintf(
			"%s has processors of %s, and the instance's image is for %s: choose an instanceType of %s, or another imageId, for which the instance is made anew",
			want, strings.Join(runs, " and "), has, has))
	}
	return lookFirst(s.offered(ctx, v, want))
}

// lookFirst says of a grant that is missing why it is needed.
func lookFirst(err error) error {
	if resource.ClassOf(err) != resource.Denied {
		return err
	}
	return adding(err, "nothing was changed: isobar looks whether AWS has a type before it stops a machine for it, so allow ec2:DescribeInstanceTypes and ec2:DescribeInstanceTypeOfferings")
}

// instanceType tells of one type, with AWS's refusal where the region has none of
// that name.
func (s *session) instanceType(ctx context.Context, name string) (*types.InstanceTypeInfo, error) {
	out, err := reading(ctx, func(ctx context.Context) (*ec2.DescribeInstanceTypesOutput, error) {
		return s.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceType(name)}})
	})
	switch {
	case resource.ClassOf(err) == resource.Invalid:
		return nil, adding(err, "choose an instanceType that "+s.region+" has")
	case err != nil:
		return nil, err
	case len(out.InstanceTypes) == 0:
		return nil, invalid("ec2:DescribeInstanceTypes", "there is no instance type "+name+" in "+s.region+": choose another instanceType")
	}
	return &out.InstanceTypes[0], nil
}

func architectures(info *types.InstanceTypeInfo) []string {
	if info.ProcessorInfo == nil {
		return nil
	}
	out := make([]string, len(info.ProcessorInfo.SupportedArchitectures))
	for i, a := range info.ProcessorInfo.SupportedArchitectures {
		out[i] = string(a)
	}
	return out
}

// offered refuses a type that AWS does not offer in an instance's zone. What an
// Outpost offers is its owner's matter, and left to AWS.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
func (s *session) offered(ctx context.Context, v *types.Instance, name string) error {
	if v.Placement == nil || aws.ToString(v.Placement.AvailabilityZone) == "" || v.OutpostArn != nil {
		return nil
	}
	in := &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone, Filters: []types.Filter{filter("instance-type", name)},
	}
	var zones []string
	err := pages(ctx, s.ec2.DescribeInstanceTypeOfferings, in, &in.NextToken, func(page *ec2.DescribeInstanceTypeOfferingsOutput) *string {
		for i := range page.InstanceTypeOfferings {
			zones = append(zones, aws.ToString(page.InstanceTypeOfferings[i].Location))
		}
		return page.NextToken
	})
	zone := *v.Placement.AvailabilityZone
	if err != nil || slices.Contains(zones, zone) {
		return err
	}
	elsewhere := ""
	if len(zones) > 0 {
		slices.Sort(zones)
		elsewhere = ", but in " + strings.Join(zones, ", ")
	}
	return invalid("ec2:DescribeInstanceTypeOfferings", fmt.Sprintf(
		"AWS does not offer %s in %s, where the instance stands%s: choose an instanceType that is offered there, or another subnetId, for which the instance is made anew",
		name, zone, elsewhere))
}

// retype gives an instance another type, for which it must be stopped, and starts
// it again, with the old type where AWS refuses the new one. Each part is
// repeatable, and an instance that a fault leaves stopped differs from the wanted
// state.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/change-instance-type-of-ebs-backed-instance.html
func (s *session) retype(ctx context.Context, ch change, modify func(*ec2.ModifyInstanceAttributeInput) error) error {
	want := ch.want.Fields.Text(fieldMachine)
	v, err := s.instance(ctx, ch.live.ID)
	if err != nil {
		return err
	}
	state := ch.want.Fields.Text(aspectState)
	if state == "" {
		state = ch.live.Fields.Text(aspectState)
	}
	if string(v.InstanceType) != want {
		if err := s.halt(ctx, ch, v); err != nil {
			return err
		}
		err := insist(ctx, func() error {
			return modify(&ec2.ModifyInstanceAttributeInput{InstanceType: &types.AttributeValue{Value: aws.String(want)}})
		})
		if err != nil && state == stateRunning {
			return s.restart(ctx, ch, string(v.InstanceType), err)
		}
		if err != nil {
			return err
		}
	}
	if state == stateStopped {
		return nil
	}
	if err := insist(ctx, func() error { return s.launch(ctx, ch.live.ID) }); err != nil {
		return s.unstarted(ctx, ch, modify, err)
	}
	delete(ch.left, aspectState)
	return s.reach(ctx, ch.live.ID, types.InstanceStateNameRunning)
}

// halt stops an instance for its new type. One that ran as the step began and is
// stopped by now was stopped for it too, by an earlier try.
func (s *session) halt(ctx context.Context, ch change, v *types.Instance) error {
	if stateOf(v) != types.InstanceStateNameStopped {
		if err := s.stop(ctx, ch.live.ID); err != nil {
			return err
		}
	}
	err := s.reach(ctx, ch.live.ID, types.InstanceStateNameStopped)
	if ch.live.Fields.Text(aspectState) == stateRunning {
		ch.left[aspectState] = resource.String(stateStopped)
		err = adding(err, "it was stopped for its new type")
	}
	return err
}

// unstarted sees to an instance that AWS does not start with its new type, for want of
// capacity say: it gets the type that it had and is started with that one. Where the
// refusal is not the type's, or the old type can't be had back, it stands still.
func (s *session) unstarted(ctx context.Context, ch change, modify func(*ec2.ModifyInstanceAttributeInput) error, refusal error) error {
	want, old := ch.want.Fields.Text(fieldMachine), ch.live.Fields.Text(fieldMachine)
	waits := adding(refusal, "it has its new type "+want+" and stands still until AWS starts it, which the next apply asks for again")
	var fenced *provider.FencedError
	class := resource.ClassOf(refusal)
	if class != resource.Conflict && class != resource.Invalid || errors.As(refusal, &fenced) || expired(codeOf(refusal)) || old == "" || old == want {
		return waits
	}
	back := &ec2.ModifyInstanceAttributeInput{InstanceType: &types.AttributeValue{Value: aws.String(old)}}
	if err := insist(ctx, func() error { return modify(back) }); err != nil {
		return waits
	}
	return s.restart(ctx, ch, old, refusal)
}

// restart starts an instance after AWS refused its new type, and gives the refusal
// with what became of the machine. Where the refusal came late, little of the
// call's time is left: the start has its own. It passes the fence like any call.
func (s *session) restart(ctx context.Context, ch change, old string, refusal error) error {
	var fenced *provider.FencedError
	if resource.ClassOf(refusal) == resource.UnknownOutcome || errors.As(refusal, &fenced) {
		return refusal // the type may be the new one by now, or somebody else sees to it
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := insist(ctx, func() error { return s.launch(ctx, ch.live.ID) })
	if err != nil && expired(codeOf(err)) && expired(codeOf(refusal)) {
		// Nothing was said of the type, and the next try interrupts nothing.
		return adding(refusal, "it was stopped for its new type and stands still now, as a "+old+"; the next apply goes on")
	}
	if err != nil {
		return interrupting(refusal, "it was stopped for its new type and stands still now, as a "+old+", since it could not be started again ("+err.Error()+"); the next apply starts it")
	}
	if ch.left[aspectState] == nil {
		return interrupting(refusal, "it was started as a "+old)
	}
	delete(ch.left, aspectState)
	return interrupting(refusal, "it was stopped for its new type and started again as a "+old)
}

// interrupting gives a refusal of a type that the machine was stopped for, and what
// became of the machine.
func interrupting(refusal error, became string) error {
	var f *resource.Failure
	if !errors.As(refusal, &f) {
		return refusal
	}
	told := *f
	told.Interrupted, told.Became = fieldMachine, became
	return &told
}

// insistence is how often a call between a stop and a start is made in all.
const insistence = 5

// insist makes a call again that AWS does not take for now, throttled above all: in
// between the machine stands still, and the whole update made again would stop it
// once more.
func insist(ctx context.Context, call func() error) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		err := call()
		if !resource.ClassOf(err).Retryable() || n == insistence {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// launch asks for a start.
func (s *session) launch(ctx context.Context, id resource.ID) error {
	return send(ctx, s.ec2.StartInstances, &ec2.StartInstancesInput{InstanceIds: []string{string(id)}})
}
