package aws

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/resource"
)

// updateInstance changes what can be changed in place. Whatever needs no stop
// goes before the type, which does.
func updateInstance(ctx context.Context, s *session, ch change) error {
	id := aws.String(string(ch.live.ID))
	modify := func(in *ec2.ModifyInstanceAttributeInput) error {
		in.InstanceId = id
		return send(ctx, s.ec2.ModifyInstanceAttribute, in)
	}
	f := ch.want.Fields
	switch ch.aspect {
	case aspectState:
		if f.Text(aspectState) == stateStopped {
			return s.stop(ctx, ch.live.ID)
		}
		return s.start(ctx, ch.live.ID)
	case aspectTermination:
		on := boolOr(f, fieldProtected, false)
		return modify(&ec2.ModifyInstanceAttributeInput{DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(on)}})
	}
	for _, step := range []struct {
		field string
		do    func() error
	}{
		{fieldGroups, func() error {
			return modify(&ec2.ModifyInstanceAttributeInput{Groups: slices.Sorted(keys(texts(f[fieldGroups])))})
		}},
		{fieldMetadata, func() error { return s.metadata(ctx, id, f) }},
		{fieldProfile, func() error { return s.profile(ctx, ch.live.ID, f.Text(fieldProfile)) }},
		{fieldRoot, func() error { return s.rootVolume(ctx, ch, modify) }},
		{fieldMachine, func() error { return s.retype(ctx, ch, modify) }},
	} {
		if ch.fields[step.field] {
			if err := step.do(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) metadata(ctx context.Context, id *string, f resource.Map) error {
	o, _ := f[fieldMetadata].(resource.Map)
	return send(ctx, s.ec2.ModifyInstanceMetadataOptions, &ec2.ModifyInstanceMetadataOptionsInput{
		InstanceId: id, HttpTokens: types.HttpTokensState(o.Text("httpTokens")),
		HttpEndpoint:            types.InstanceMetadataEndpointState(o.Text("httpEndpoint")),
		HttpPutResponseHopLimit: optionalInt(o, "httpPutResponseHopLimit"),
	})
}

// rootVolume changes the root volume's size, type and speed, and whether it
// goes with the instance.
func (s *session) rootVolume(ctx context.Context, ch change, modify func(*ec2.ModifyInstanceAttributeInput) error) error {
	v, err := s.instance(ctx, ch.live.ID)
	if err != nil {
		return err
	}
	root := rootDevice(v)
	if root == nil {
		return invalid("aws:Update", "the instance has no root volume that could be changed")
	}
	want, _ := ch.want.Fields[fieldRoot].(resource.Map)
	if keep := boolOr(want, "deleteOnTermination", true); keep != aws.ToBool(root.DeleteOnTermination) {
		err := modify(&ec2.ModifyInstanceAttributeInput{BlockDeviceMappings: []types.InstanceBlockDeviceMappingSpecification{{
			DeviceName: v.RootDeviceName, Ebs: &types.EbsInstanceBlockDeviceSpecification{DeleteOnTermination: aws.Bool(keep)},
		}}})
		if err != nil {
			return err
		}
	}
	size := maps.Clone(want)
	size[fieldSize] = want["volumeSize"]
	id := aws.ToString(root.VolumeId)
	if sent, err := s.resize(ctx, resource.ID(id), size); err != nil || !sent {
		return err
	}
	return await(ctx, "the root volume "+id+" is modified", func(ctx context.Context) (bool, error) {
		busy, failed := map[string]bool{}, map[string]string{}
		err := s.modifications(ctx, []types.Filter{filter("volume-id", id)}, busy, failed)
		if why := failed[id]; why != "" {
			return false, invalid("ec2:ModifyVolume", id+": "+why)
		}
		return err == nil && !busy[id], err
	})
}

func (s *session) stop(ctx context.Context, id resource.ID) error {
	return send(ctx, s.ec2.StopInstances, &ec2.StopInstancesInput{InstanceIds: []string{string(id)}})
}

// start starts an instance and waits until it runs: only then does it have its
// new public address.
func (s *session) start(ctx context.Context, id resource.ID) error {
	if err := s.launch(ctx, id); err != nil {
		return err
	}
	return s.reach(ctx, id, types.InstanceStateNameRunning)
}

func (s *session) reach(ctx context.Context, id resource.ID, state types.InstanceStateName) error {
	return await(ctx, "instance "+string(id)+" is "+string(state), func(ctx context.Context) (bool, error) {
		v, err := s.instance(ctx, id)
		return err == nil && stateOf(v) == state, err
	})
}

// instance reads one instance that must be there.
func (s *session) instance(ctx context.Context, id resource.ID) (*types.Instance, error) {
	var found *types.Instance
	err := s.instances(ctx, []types.Filter{filter("instance-id", string(id))}, func(v *types.Instance) { found = v })
	if err != nil {
		return nil, err
	}
	if found == nil || ended(found) {
		return nil, notSeen(kindInstance, string(id))
	}
	return found, nil
}

// profile brings the instance's profile to the named one, or to none. An
// instance has one association at most.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html
func (s *session) profile(ctx context.Context, id resource.ID, want string) error {
	var have *types.IamInstanceProfileAssociation
	in := &ec2.DescribeIamInstanceProfileAssociationsInput{
		Filters: []types.Filter{filter("instance-id", string(id))},
	}
	err := pages(ctx, s.ec2.DescribeIamInstanceProfileAssociations, in, &in.NextToken, func(page *ec2.DescribeIamInstanceProfileAssociationsOutput) *string {
		for i := range page.IamInstanceProfileAssociations {
			a := &page.IamInstanceProfileAssociations[i]
			if a.State == types.IamInstanceProfileAssociationStateAssociated || a.State == types.IamInstanceProfileAssociationStateAssociating {
				have = a
			}
		}
		return page.NextToken
	})
	named := &types.IamInstanceProfileSpecification{Name: aws.String(want)}
	switch {
	case err != nil:
		return err
	case have == nil && want == "":
		return nil
	case have == nil:
		return send(ctx, s.ec2.AssociateIamInstanceProfile, &ec2.AssociateIamInstanceProfileInput{
			InstanceId: aws.String(string(id)), IamInstanceProfile: named,
		})
	case want == "":
		return send(ctx, s.ec2.DisassociateIamInstanceProfile, &ec2.DisassociateIamInstanceProfileInput{AssociationId: have.AssociationId})
	}
	return send(ctx, s.ec2.ReplaceIamInstanceProfileAssociation, &ec2.ReplaceIamInstanceProfileAssociationInput{
		AssociationId: have.AssociationId, IamInstanceProfile: named,
	})
}
