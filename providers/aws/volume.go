package aws

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// What AWS chooses for iops and throughput by itself, @usual says in the schema:
// 3000 and 125 for a gp3. Of the other types but io1 and io2 a volume shows the
// iops that go with its size, and a request that names any is refused.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Volume.html
const (
	kindVolume      = "volume"
	fieldAttachment = "attachment"
	fieldSize       = "size"
	fieldType       = "volumeType"
	fieldIOPS       = "iops"
	fieldThroughput = "throughput"

	// The states that work on a volume waits for.
	stateAvailable = "available"
	stateModified  = "modified"
)

// maxVolumePage is the largest page of DescribeVolumes and
// DescribeVolumesModifications.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
const maxVolumePage = 500

// volume is the kind aws.volume. CreateVolume honours a client token.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html
func volume() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindVolume, IDs: provider.ReachRegion, Settle: provider.SettleToken, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "volume-id",
		fields: map[string]string{
			"tags": "", fieldSize: "", fieldType: "", fieldIOPS: "", fieldThroughput: "", fieldAttachment: fieldAttachment,
		},
		list:   listVolumes,
		create: createVolume,
		update: func(ctx context.Context, s *session, ch change) error {
			if ch.aspect == fieldAttachment {
				want, _ := ch.want.Fields[fieldAttachment].(resource.Map)
				return s.attach(ctx, ch.live.ID, want)
			}
			_, err := s.resize(ctx, ch.live.ID, ch.want.Fields)
			return err
		},
		remove: removeVolume,
		work:   &work{until: volumeUntil, look: lookAtVolumes},
	}
}

func volumeUntil(op provider.Op, aspect string, _ resource.Object) string {
	switch {
	case op == provider.OpCreate:
		return stateAvailable
	case op == provider.OpUpdate && aspect == "":
		return stateModified
	}
	return ""
}

func listVolumes(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	err := s.volumes(ctx, fs, func(v *types.Volume) {
		if v.State != types.VolumeStateDeleting && v.State != types.VolumeStateDeleted {
			out = append(out, s.volumeObject(v))
		}
	})
	return out, err
}

func (s *session) volumes(ctx context.Context, fs []types.Filter, take func(*types.Volume)) error {
	in := &ec2.DescribeVolumesInput{Filters: fs, MaxResults: aws.Int32(maxVolumePage)}
	return pages(ctx, s.ec2.DescribeVolumes, in, &in.NextToken, func(page *ec2.DescribeVolumesOutput) *string {
		for i := range page.Volumes {
			take(&page.Volumes[i])
		}
		return page.NextToken
	})
}

func (s *session) volumeObject(v *types.Volume) resource.Object {
	f := resource.Map{"arn": s.arn("volume", nil, v.VolumeId), "encrypted": resource.Bool(aws.ToBool(v.Encrypted))}
	text(f, "availabilityZone", v.AvailabilityZone)
	text(f, fieldType, aws.String(string(v.VolumeType)))
	text(f, "kmsKeyId", v.KmsKeyId)
	text(f, "snapshotId", v.SnapshotId)
	number(f, fieldSize, v.Size)
	number(f, fieldIOPS, v.Iops)
	number(f, fieldThroughput, v.Throughput)
	if a := attached(v); len(a) > 0 {
		f[fieldAttachment] = attachmentValue(a[0])
	}
	return withTags(resource.Object{ID: resource.ID(aws.ToString(v.VolumeId)), Fields: f}, kindVolume, v.Tags)
}

// attached gives a volume's attachments that stay. A volume of a type that can
// be on several instances at once is managed on the first of them alone.
func attached(v *types.Volume) []types.VolumeAttachment {
	return slices.DeleteFunc(slices.Clone(v.Attachments), func(a types.VolumeAttachment) bool {
		return a.State == types.VolumeAttachmentStateDetaching || a.State == types.VolumeAttachmentStateDetached
	})
}

func attachmentValue(a types.VolumeAttachment) resource.Map {
	m := resource.Map{}
	text(m, "instanceId", a.InstanceId)
	text(m, "device", a.Device)
	return m
}

func createVolume(ctx context.Context, s *session, want resource.Object, tags map[string]string, token string) (resource.Object, error) {
	f := want.Fields
	in := &ec2.CreateVolumeInput{
		AvailabilityZone: optional(f, "availabilityZone"), Size: optionalInt(f, fieldSize),
		VolumeType: types.VolumeType(f.Text(fieldType)), Iops: optionalInt(f, fieldIOPS), Throughput: optionalInt(f, fieldThroughput),
		Encrypted: aws.Bool(boolOr(f, "encrypted", false)), KmsKeyId: optional(f, "kmsKeyId"), SnapshotId: optional(f, "snapshotId"),
		TagSpecifications: specifications(kindVolume, tags),
	}
	if token != "" {
		in.ClientToken = aws.String(token)
	}
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.CreateVolumeOutput, error) { return s.ec2.CreateVolume(ctx, in) })
	if err != nil {
		return resource.Object{}, err
	}
	if out.VolumeId == nil {
		return resource.Object{}, emptyAnswer("ec2:CreateVolume")
	}
	return s.volumeObject(&types.Volume{
		VolumeId: out.VolumeId, AvailabilityZone: out.AvailabilityZone, Size: out.Size, VolumeType: out.VolumeType, Iops: out.Iops,
		Throughput: out.Throughput, Encrypted: out.Encrypted, KmsKeyId: out.KmsKeyId, SnapshotId: out.SnapshotId, Tags: out.Tags,
	}), nil
}

// resize brings a volume's size, type and speed to those that want names, and
// tells whether there was something to send: AWS takes the next modification
// of a volume only hours after the last, so one that is there already is not
// asked for again.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
func (s *session) resize(ctx context.Context, id resource.ID, want resource.Map) (sent bool, err error) {
	v, err := s.volume(ctx, id)
	if err != nil {
		return false, err
	}
	in := &ec2.ModifyVolumeInput{VolumeId: v.VolumeId}
	if t := types.VolumeType(want.Text(fieldType)); t != "" && t != v.VolumeType {
		in.VolumeType, sent = t, true
	}
	for _, n := range []struct {
		field string
		have  *int32
		to    **int32
	}{{fieldSize, v.Size, &in.Size}, {fieldIOPS, v.Iops, &in.Iops}, {fieldThroughput, v.Throughput, &in.Throughput}} {
		if w := optionalInt(want, n.field); w != nil && *w != aws.ToInt32(n.have) {
			*n.to, sent = w, true
		}
	}
	if !sent {
		return false, nil
	}
	return true, send(ctx, s.ec2.ModifyVolume, in)
}

// attach brings a volume to the wanted instance and device, or to none. It
// looks first, since the calls refuse what is done already.
func (s *session) attach(ctx context.Context, id resource.ID, want resource.Map) error {
	v, err := s.volume(ctx, id)
	if err != nil {
		return err
	}
	for _, a := range attached(v) {
		if resource.Equal(attachmentValue(a), want) {
			return nil
		}
	}
	if err := s.detach(ctx, id, v); err != nil || len(want) == 0 {
		return err
	}
	return send(ctx, s.ec2.AttachVolume, &ec2.AttachVolumeInput{
		VolumeId: aws.String(string(id)), InstanceId: optional(want, "instanceId"), Device: optional(want, "device"),
	})
}

// volume reads one volume that must be there.
func (s *session) volume(ctx context.Context, id resource.ID) (*types.Volume, error) {
	var found *types.Volume
	err := s.volumes(ctx, []types.Filter{filter("volume-id", string(id))}, func(v *types.Volume) { found = v })
	if err != nil {
		return nil, err
	}
	if found == nil || found.State == types.VolumeStateDeleting || found.State == types.VolumeStateDeleted {
		return nil, notSeen(kindVolume, string(id))
	}
	return found, nil
}

// detach takes a volume off every instance and waits until it is free.
func (s *session) detach(ctx context.Context, id resource.ID, v *types.Volume) error {
	if len(v.Attachments) == 0 {
		return nil
	}
	for _, a := range attached(v) {
		err := send(ctx, s.ec2.DetachVolume, &ec2.DetachVolumeInput{VolumeId: v.VolumeId, InstanceId: a.InstanceId})
		if err := ignore(err, "InvalidAttachment.NotFound", "IncorrectState"); err != nil {
			return err
		}
	}
	return await(ctx, "volume "+string(id)+" is detached", func(ctx context.Context) (bool, error) {
		now, err := s.volume(ctx, id)
		return err == nil && len(now.Attachments) == 0, err
	})
}

// removeVolume deletes a volume, off the instance that it may be on.
func removeVolume(ctx context.Context, s *session, live, _ resource.Object) error {
	remove := func() error {
		return send(ctx, s.ec2.DeleteVolume, &ec2.DeleteVolumeInput{VolumeId: aws.String(string(live.ID))})
	}
	err := remove()
	if codeOf(err) != "VolumeInUse" {
		return err
	}
	v, e := s.volume(ctx, live.ID)
	if e != nil {
		return e
	}
	if e := s.detach(ctx, live.ID, v); e != nil {
		return e
	}
	return remove()
}

func lookAtVolumes(ctx context.Context, s *session, state string, by []types.Filter) ([]condition, error) {
	busy, failed := map[string]bool{}, map[string]string{}
	if state == stateModified {
		if err := s.modifications(ctx, by, busy, failed); err != nil {
			return nil, err
		}
	}
	var out []condition
	err := s.volumes(ctx, by, func(v *types.Volume) {
		id := aws.ToString(v.VolumeId)
		c := condition{object: s.volumeObject(v), failed: failed[id]}
		switch v.State {
		case types.VolumeStateAvailable, types.VolumeStateInUse:
			c.reached = !busy[id]
		case types.VolumeStateError:
			c.failed = "AWS could not make it (state error)"
		case types.VolumeStateCreating, types.VolumeStateDeleting, types.VolumeStateDeleted:
		}
		out = append(out, c)
	})
	return out, err
}

// modifications tells which volumes are being modified still. From optimizing
// on a volume has its new size and type.
// https://docs.aws.amazon.com/ebs/latest/userguide/monitoring-volume-modifications.html
func (s *session) modifications(ctx context.Context, by []types.Filter, busy map[string]bool, failed map[string]string) error {
	in := &ec2.DescribeVolumesModificationsInput{
		Filters: by, MaxResults: aws.Int32(maxVolumePage),
	}
	return pages(ctx, s.ec2.DescribeVolumesModifications, in, &in.NextToken, func(page *ec2.DescribeVolumesModificationsOutput) *string {
		for i := range page.VolumesModifications {
			m := &page.VolumesModifications[i]
			id := aws.ToString(m.VolumeId)
			busy[id] = m.ModificationState == types.VolumeModificationStateModifying
			if m.ModificationState == types.VolumeModificationStateFailed {
				failed[id] = "its modification failed: " + aws.ToString(m.StatusMessage)
			}
		}
		return page.NextToken
	})
}
