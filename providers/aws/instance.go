package aws

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	kindInstance      = "instance"
	aspectTermination = "termination"
	aspectState       = "state"

	fieldProtected = "disableApiTermination"
	fieldMetadata  = "metadataOptions"
	fieldRoot      = "rootVolume"
	fieldRootID    = "rootVolumeId"
	fieldGroups    = "securityGroupIds"
	fieldProfile   = "iamInstanceProfile"
	fieldMachine   = "instanceType"

	stateRunning = "running"
	stateStopped = "stopped"
)

// instance is the kind aws.instance. RunInstances honours a client token.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
func instance() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindInstance, IDs: provider.ReachRegion, Settle: provider.SettleToken, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "instance-id",
		fields: map[string]string{
			"tags": "", fieldMachine: "", fieldGroups: "", fieldMetadata: "", fieldRoot: "", fieldProfile: "",
			aspectState: aspectState, fieldProtected: aspectTermination,
		},
		list:     listInstances,
		enrich:   enrichInstances,
		rehearse: rehearseInstance,
		create:   runInstance,
		refuses:  typeFits,
		update:   updateInstance,
		remove: func(ctx context.Context, s *session, live, _ resource.Object) error {
			return send(ctx, s.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{string(live.ID)}})
		},
		work:  &work{until: instanceUntil, look: lookAtInstances},
		tombs: true,
		parts: func(live resource.Object) []resource.ID {
			if id := live.Fields.Text(fieldRootID); id != "" {
				return []resource.ID{resource.ID(id)}
			}
			return nil
		},
	}
}

func instanceUntil(op provider.Op, _ string, _ resource.Object) string {
	switch op {
	case provider.OpCreate:
		return stateRunning
	case provider.OpDelete:
		return stateGone
	case provider.OpRead, provider.OpRehearse, provider.OpUpdate, provider.OpFind, provider.OpPoll, provider.OpMark:
	}
	return ""
}

func listInstances(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	err := s.instances(ctx, fs, func(v *types.Instance) {
		switch {
		case stateOf(v) == types.InstanceStateNameTerminated:
			out = append(out, resource.Object{ID: resource.ID(aws.ToString(v.InstanceId))})
		case !ended(v):
			out = append(out, s.instanceObject(v))
		}
	})
	return out, err
}

func (s *session) instances(ctx context.Context, fs []types.Filter, take func(*types.Instance)) error {
	in := &ec2.DescribeInstancesInput{Filters: fs, MaxResults: aws.Int32(maxPage)}
	return pages(ctx, s.ec2.DescribeInstances, in, &in.NextToken, func(page *ec2.DescribeInstancesOutput) *string {
		for i := range page.Reservations {
			for j := range page.Reservations[i].Instances {
				take(&page.Reservations[i].Instances[j])
			}
		}
		return page.NextToken
	})
}

func stateOf(v *types.Instance) types.InstanceStateName {
	if v.State == nil {
		return types.InstanceStateNamePending
	}
	return v.State.Name
}

// ended reports whether an instance is on its way out or a tombstone, which
// EC2 shows for about an hour: neither comes back.
func ended(v *types.Instance) bool {
	st := stateOf(v)
	return st == types.InstanceStateNameTerminated || st == types.InstanceStateNameShuttingDown
}

func (s *session) instanceObject(v *types.Instance) resource.Object {
	f := resource.Map{"arn": s.arn("instance", nil, v.InstanceId), aspectState: resource.String(stateRunning)}
	if st := stateOf(v); st == types.InstanceStateNameStopped || st == types.InstanceStateNameStopping {
		f[aspectState] = resource.String(stateStopped)
	}
	text(f, "imageId", v.ImageId)
	text(f, fieldMachine, aws.String(string(v.InstanceType)))
	text(f, "subnetId", v.SubnetId)
	text(f, fieldKeyName, v.KeyName)
	text(f, "privateIpAddress", v.PrivateIpAddress)
	text(f, "publicIpAddress", v.PublicIpAddress)
	if v.Placement != nil {
		text(f, "availabilityZone", v.Placement.AvailabilityZone)
	}
	if p := v.IamInstanceProfile; p != nil {
		arn := aws.ToString(p.Arn)
		text(f, fieldProfile, aws.String(arn[strings.LastIndex(arn, "/")+1:]))
	}
	var groups resource.List
	for _, g := range v.SecurityGroups {
		groups = append(groups, resource.String(aws.ToString(g.GroupId)))
	}
	if len(groups) > 0 {
		f[fieldGroups] = resource.Sorted(groups)
	}
	if o := v.MetadataOptions; o != nil {
		m := resource.Map{}
		text(m, "httpTokens", aws.String(string(o.HttpTokens)))
		text(m, "httpEndpoint", aws.String(string(o.HttpEndpoint)))
		number(m, "httpPutResponseHopLimit", o.HttpPutResponseHopLimit)
		f[fieldMetadata] = m
	}
	if d := rootDevice(v); d != nil {
		text(f, fieldRootID, d.VolumeId)
		f[fieldRoot] = resource.Map{"deleteOnTermination": resource.Bool(aws.ToBool(d.DeleteOnTermination))}
	}
	return withTags(resource.Object{ID: resource.ID(aws.ToString(v.InstanceId)), Fields: f}, kindInstance, v.Tags)
}

// rootDevice is the volume that an instance started from; nil where it has
// none yet.
func rootDevice(v *types.Instance) *types.EbsInstanceBlockDevice {
	i := slices.IndexFunc(v.BlockDeviceMappings, func(b types.InstanceBlockDeviceMapping) bool {
		return b.Ebs != nil && aws.ToString(b.DeviceName) == aws.ToString(v.RootDeviceName)
	})
	if i < 0 {
		return nil
	}
	return v.BlockDeviceMappings[i].Ebs
}

func runInstance(ctx context.Context, s *session, want resource.Object, tags map[string]string, token string) (resource.Object, error) {
	f := want.Fields
	root, err := s.rootMapping(ctx, f)
	if err != nil {
		return resource.Object{}, err
	}
	in := &ec2.RunInstancesInput{
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		ImageId: optional(f, "imageId"), InstanceType: types.InstanceType(f.Text(fieldMachine)), SubnetId: optional(f, "subnetId"),
		KeyName: optional(f, fieldKeyName), BlockDeviceMappings: root, TagSpecifications: specifications(kindInstance, tags),
	}
	// The root volume carries the instance's mark and tags.
	in.TagSpecifications = append(in.TagSpecifications, specifications(kindVolume, tags)...)
	in.SecurityGroupIds = slices.Sorted(keys(texts(f[fieldGroups])))
	if data := f.Text("userData"); data != "" {
		in.UserData = aws.String(base64.StdEncoding.EncodeToString([]byte(data)))
	}
	if p := optional(f, fieldProfile); p != nil {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: p}
	}
	if o, ok := f[fieldMetadata].(resource.Map); ok {
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{
			HttpTokens: types.HttpTokensState(o.Text("httpTokens")), HttpEndpoint: types.InstanceMetadataEndpointState(o.Text("httpEndpoint")),
			HttpPutResponseHopLimit: optionalInt(o, "httpPutResponseHopLimit"),
		}
	}
	if token != "" {
		in.ClientToken = aws.String(token)
	}
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.RunInstancesOutput, error) { return s.ec2.RunInstances(ctx, in) })
	if err != nil {
		return resource.Object{}, err
	}
	if len(out.Instances) != 1 || out.Instances[0].InstanceId == nil {
		return resource.Object{}, emptyAnswer("ec2:RunInstances")
	}
	obj := s.instanceObject(&out.Instances[0])
	delete(obj.Fields, fieldRoot) // told in part alone
	return obj, nil
}

// rehearseInstance looks whether there are the image and the type that an instance
// names. Who may not look is not in the way: AWS then says it at the creation.
func rehearseInstance(ctx context.Context, s *session, want resource.Object) error {
	if image := want.Fields.Text("imageId"); image != "" {
		if _, err := s.image(ctx, image); err != nil && resource.ClassOf(err) != resource.Denied {
			return err
		}
	}
	_, err := s.instanceType(ctx, want.Fields.Text(fieldMachine))
	if resource.ClassOf(err) == resource.Denied {
		return nil
	}
	return err
}

// image tells of an image that the account may start.
func (s *session) image(ctx context.Context, id string) (*types.Image, error) {
	got, err := reading(ctx, func(ctx context.Context) (*ec2.DescribeImagesOutput, error) {
		return s.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}})
	})
	switch {
	case err != nil && resource.ClassOf(err) != resource.NotFound:
		return nil, err
	case err != nil, len(got.Images) == 0:
		return nil, &resource.Failure{
			Class: resource.Invalid, Op: "ec2:DescribeImages", Code: codeOf(err),
			Message: "there is no image " + id + " in " + s.region + " that this account may start: images differ from region to region",
		}
	}
	return &got.Images[0], nil
}

// rootMapping is the request for the root volume, under the device name that
// the image has for it.
func (s *session) rootMapping(ctx context.Context, f resource.Map) ([]types.BlockDeviceMapping, error) {
	want, ok := f[fieldRoot].(resource.Map)
	image := f.Text("imageId")
	if !ok || image == "" {
		return nil, nil
	}
	img, err := s.image(ctx, image)
	if err != nil {
		return nil, err
	}
	size := optionalInt(want, "volumeSize")
	for _, b := range img.BlockDeviceMappings {
		if size == nil && b.Ebs != nil && aws.ToString(b.DeviceName) == aws.ToString(img.RootDeviceName) {
			size = b.Ebs.VolumeSize
		}
	}
	ebs := &types.EbsBlockDevice{
		VolumeSize: size, VolumeType: types.VolumeType(want.Text(fieldType)), Iops: optionalInt(want, fieldIOPS),
		Throughput: optionalInt(want, fieldThroughput), KmsKeyId: optional(want, "kmsKeyId"),
		DeleteOnTermination: aws.Bool(boolOr(want, "deleteOnTermination", true)),
	}
	if boolOr(want, "encrypted", false) {
		ebs.Encrypted = aws.Bool(true)
	}
	return []types.BlockDeviceMapping{{DeviceName: img.RootDeviceName, Ebs: ebs}}, nil
}

func lookAtInstances(ctx context.Context, s *session, state string, by []types.Filter) ([]condition, error) {
	var out []condition
	err := s.instances(ctx, by, func(v *types.Instance) {
		c := condition{object: s.instanceObject(v)}
		delete(c.object.Fields, fieldRoot) // told in part alone
		st := stateOf(v)
		switch {
		case state == stateGone:
			c.reached = st == types.InstanceStateNameTerminated
		case st == types.InstanceStateNameRunning:
			c.reached = true
		case st != types.InstanceStateNamePending:
			c.failed = "it is " + string(st) + ": " + aws.ToString(v.StateTransitionReason)
			if r := v.StateReason; r != nil {
				c.failed = "it is " + string(st) + ": " + aws.ToString(r.Message)
			}
		}
		out = append(out, c)
	})
	return out, err
}
