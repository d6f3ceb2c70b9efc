package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const fieldPublicIP = "mapPublicIpOnLaunch"

// subnet is the kind aws.subnet. CreateSubnet takes no client token.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
func subnet() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: "subnet", IDs: provider.ReachRegion, Settle: provider.SettleMark, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "subnet-id",
		fields:   map[string]string{"tags": "", fieldPublicIP: fieldPublicIP},
		list:     listSubnets,
		create:   createSubnet,
		update: func(ctx context.Context, s *session, ch change) error {
			on := boolOr(ch.want.Fields, fieldPublicIP, false)
			return send(ctx, s.ec2.ModifySubnetAttribute, &ec2.ModifySubnetAttributeInput{
				SubnetId:            aws.String(string(ch.live.ID)),
				MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(on)},
			})
		},
		remove: func(ctx context.Context, s *session, live, _ resource.Object) error {
			return send(ctx, s.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: aws.String(string(live.ID))})
		},
	}
}

func listSubnets(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	in := &ec2.DescribeSubnetsInput{Filters: fs, MaxResults: aws.Int32(maxPage)}
	err := pages(ctx, s.ec2.DescribeSubnets, in, &in.NextToken, func(page *ec2.DescribeSubnetsOutput) *string {
		for i := range page.Subnets {
			out = append(out, s.subnetObject(&page.Subnets[i]))
		}
		return page.NextToken
	})
	return out, err
}

func (s *session) subnetObject(v *types.Subnet) resource.Object {
	f := resource.Map{"arn": s.arn("subnet", v.OwnerId, v.SubnetId), fieldPublicIP: resource.Bool(aws.ToBool(v.MapPublicIpOnLaunch))}
	text(f, "arn", v.SubnetArn)
	text(f, "vpcId", v.VpcId)
	text(f, "cidrBlock", v.CidrBlock)
	text(f, "availabilityZone", v.AvailabilityZone)
	text(f, "ownerId", v.OwnerId)
	o := resource.Object{ID: resource.ID(aws.ToString(v.SubnetId)), Fields: f}
	if aws.ToBool(v.DefaultForAz) {
		o.Given = "it is the default subnet of its availability zone"
	}
	return withTags(o, "subnet", v.Tags)
}

func createSubnet(ctx context.Context, s *session, want resource.Object, tags map[string]string, _ string) (resource.Object, error) {
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.CreateSubnetOutput, error) {
		return s.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{
			VpcId: optional(want.Fields, "vpcId"), CidrBlock: optional(want.Fields, "cidrBlock"),
			AvailabilityZone: optional(want.Fields, "availabilityZone"), TagSpecifications: specifications("subnet", tags),
		})
	})
	if err != nil {
		return resource.Object{}, err
	}
	if out.Subnet == nil {
		return resource.Object{}, emptyAnswer("ec2:CreateSubnet")
	}
	return s.subnetObject(out.Subnet), nil
}
