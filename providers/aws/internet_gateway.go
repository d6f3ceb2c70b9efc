package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const kindGateway = "internet_gateway"

// internetGateway is the kind aws.internet_gateway. CreateInternetGateway
// takes no client token.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html
func internetGateway() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindGateway, IDs: provider.ReachRegion, Settle: provider.SettleMark, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "internet-gateway-id",
		fields:   map[string]string{"tags": "", "vpcId": "attachment"},
		list:     listGateways,
		create:   createGateway,
		update:   attachGateway,
		remove:   removeGateway,
	}
}

func listGateways(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	in := &ec2.DescribeInternetGatewaysInput{Filters: fs, MaxResults: aws.Int32(maxPage)}
	err := pages(ctx, s.ec2.DescribeInternetGateways, in, &in.NextToken, func(page *ec2.DescribeInternetGatewaysOutput) *string {
		for i := range page.InternetGateways {
			out = append(out, s.gatewayObject(&page.InternetGateways[i]))
		}
		return page.NextToken
	})
	return out, err
}

func (s *session) gatewayObject(v *types.InternetGateway) resource.Object {
	f := resource.Map{"arn": s.arn("internet-gateway", v.OwnerId, v.InternetGatewayId)}
	text(f, "ownerId", v.OwnerId)
	for _, a := range v.Attachments {
		if a.State != types.AttachmentStatusDetached && a.State != types.AttachmentStatusDetaching {
			text(f, "vpcId", a.VpcId)
		}
	}
	return withTags(resource.Object{ID: resource.ID(aws.ToString(v.InternetGatewayId)), Fields: f}, kindGateway, v.Tags)
}

func createGateway(ctx context.Context, s *session, _ resource.Object, tags map[string]string, _ string) (resource.Object, error) {
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.CreateInternetGatewayOutput, error) {
		return s.ec2.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{TagSpecifications: specifications(kindGateway, tags)})
	})
	if err != nil {
		return resource.Object{}, err
	}
	if out.InternetGateway == nil {
		return resource.Object{}, emptyAnswer("ec2:CreateInternetGateway")
	}
	return s.gatewayObject(out.InternetGateway), nil
}

// attachGateway moves the gateway from the VPC that it is on to the wanted
// one, or to none.
func attachGateway(ctx context.Context, s *session, ch change) error {
	want := ch.want.Fields.Text("vpcId")
	if ch.live.Fields.Text("vpcId") != want {
		if err := s.detachGateway(ctx, ch.live); err != nil {
			return err
		}
	}
	if want == "" {
		return nil
	}
	err := send(ctx, s.ec2.AttachInternetGateway, &ec2.AttachInternetGatewayInput{
		InternetGatewayId: aws.String(string(ch.live.ID)), VpcId: aws.String(want),
	})
	if codeOf(err) != "Resource.AlreadyAssociated" {
		return err
	}
	// Attached already: to the wanted VPC (this call was made before), or not.
	now, e := listGateways(ctx, s, []types.Filter{filter("internet-gateway-id", string(ch.live.ID))})
	if e != nil {
		return e
	}
	if len(now) == 1 && now[0].Fields.Text("vpcId") == want {
		return nil
	}
	return err
}

// removeGateway detaches the gateway and deletes it. Where live does not tell
// that it is attached, EC2's refusal does, and it looks again.
func removeGateway(ctx context.Context, s *session, live, _ resource.Object) error {
	remove := func() error {
		if err := s.detachGateway(ctx, live); err != nil {
			return err
		}
		return send(ctx, s.ec2.DeleteInternetGateway, &ec2.DeleteInternetGatewayInput{InternetGatewayId: aws.String(string(live.ID))})
	}
	err := remove()
	if codeOf(err) != "DependencyViolation" {
		return err
	}
	now, e := listGateways(ctx, s, []types.Filter{filter("internet-gateway-id", string(live.ID))})
	if e != nil || len(now) != 1 || now[0].Fields.Text("vpcId") == live.Fields.Text("vpcId") {
		return err
	}
	live = now[0]
	return remove()
}

// detachGateway takes the gateway off its VPC; one that is on none is fine.
func (s *session) detachGateway(ctx context.Context, live resource.Object) error {
	from := live.Fields.Text("vpcId")
	if from == "" {
		return nil
	}
	err := send(ctx, s.ec2.DetachInternetGateway, &ec2.DetachInternetGatewayInput{
		InternetGatewayId: aws.String(string(live.ID)), VpcId: aws.String(from),
	})
	return ignore(err, "Gateway.NotAttached")
}
