package aws

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/resource"
)

// enrichInstances reads the root volumes of all instances in a call for each
// 200, and whether an instance is protected in a call each, where that is
// asked for.
func enrichInstances(ctx context.Context, s *session, objs []resource.Object, asks map[resource.ID]aspects) ([]resource.Object, error) {
	var roots []string
	for _, o := range objs {
		if id := o.Fields.Text(fieldRootID); id != "" && asks[o.ID].has("") {
			roots = append(roots, id)
		}
	}
	gone, errs := make([]bool, len(objs)), make([]error, len(objs))
	volumes := map[string]*types.Volume{}
	var rootErr error
	var g errgroup.Group
	g.SetLimit(readers)
	g.Go(func() error {
		for part := range slices.Chunk(roots, maxFilterValues) {
			rootErr = s.volumes(ctx, []types.Filter{filter("volume-id", part...)}, func(v *types.Volume) { volumes[aws.ToString(v.VolumeId)] = v })
			if rootErr != nil {
				break
			}
		}
		return nil
	})
	for i, o := range objs {
		g.Go(func() error {
			gone[i], errs[i] = s.protection(ctx, o, asks[o.ID])
			return nil
		})
	}
	_ = g.Wait() // errors are kept apart
	var kept []resource.Object
	for i, o := range objs {
		if !gone[i] {
			withRoot(o, volumes[o.Fields.Text(fieldRootID)], asks[o.ID], rootErr)
			kept = append(kept, o)
		}
	}
	err := cmp.Or(errs...)
	if resource.ClassOf(rootErr) != resource.Denied {
		err = cmp.Or(err, rootErr)
	}
	return kept, err
}

// withRoot fills in the root volume.
func withRoot(o resource.Object, v *types.Volume, asks aspects, err error) {
	switch {
	case o.Fields.Text(fieldRootID) == "":
		// It starts from no volume, or has none yet: nothing can be said.
		o.Fields[fieldRoot] = resource.Unread{Why: "no volume is attached as its root device"}
	case !asks.has(""):
		o.Fields[fieldRoot] = resource.Unread{Why: notAsked}
	case v != nil:
		seen, _ := o.Fields[fieldRoot].(resource.Map)
		m := resource.Map{"deleteOnTermination": seen["deleteOnTermination"], "encrypted": resource.Bool(aws.ToBool(v.Encrypted))}
		text(m, fieldType, aws.String(string(v.VolumeType)))
		text(m, "kmsKeyId", v.KmsKeyId)
		number(m, "volumeSize", v.Size)
		number(m, fieldIOPS, v.Iops)
		number(m, fieldThroughput, v.Throughput)
		o.Fields[fieldRoot] = m
	case err != nil:
		o.Fields[fieldRoot] = resource.Unread{Why: err.Error()}
	default:
		o.Fields[fieldRoot] = resource.Unread{Why: "not to be seen yet"}
	}
}

// protection fills in whether an instance may be terminated.
func (s *session) protection(ctx context.Context, o resource.Object, asks aspects) (gone bool, err error) {
	if !asks.has(aspectTermination) {
		o.Fields[fieldProtected] = resource.Unread{Why: notAsked}
		return false, nil
	}
	out, err := reading(ctx, func(ctx context.Context) (*ec2.DescribeInstanceAttributeOutput, error) {
		return s.ec2.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{
			Attribute: types.InstanceAttributeNameDisableApiTermination, InstanceId: aws.String(string(o.ID)),
		})
	})
	switch class := resource.ClassOf(err); {
	case err == nil:
		if v := out.DisableApiTermination; v != nil {
			o.Fields[fieldProtected] = resource.Bool(aws.ToBool(v.Value))
		}
	case class == resource.NotFound:
		return true, nil // gone since it was listed
	case class == resource.Denied:
		o.Fields[fieldProtected], err = resource.Unread{Why: err.Error()}, nil
	default:
		o.Fields[fieldProtected] = resource.Unread{Why: err.Error()}
	}
	return false, err
}
