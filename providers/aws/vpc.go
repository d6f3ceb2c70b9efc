package aws

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	aspectDNSSupport   = "dnsSupport"
	aspectDNSHostnames = "dnsHostnames"

	fieldDNSSupport   = "enableDnsSupport"
	fieldDNSHostnames = "enableDnsHostnames"
	fieldDefaultGroup = "defaultSecurityGroupId"
	fieldMainTable    = "mainRouteTableId"
)

// vpc is the kind aws.vpc. CreateVpc takes no client token, so a lost create
// is settled by the mark.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
func vpc() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: "vpc", IDs: provider.ReachRegion, Settle: provider.SettleMark, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "vpc-id",
		fields:   map[string]string{"tags": "", fieldDNSSupport: aspectDNSSupport, fieldDNSHostnames: aspectDNSHostnames},
		list:     listVPCs,
		enrich:   enrichVPCs,
		create:   createVPC,
		update:   updateVPC,
		remove: func(ctx context.Context, s *session, live, _ resource.Object) error {
			return send(ctx, s.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: aws.String(string(live.ID))})
		},
	}
}

func listVPCs(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	in := &ec2.DescribeVpcsInput{Filters: fs, MaxResults: aws.Int32(maxPage)}
	err := pages(ctx, s.ec2.DescribeVpcs, in, &in.NextToken, func(page *ec2.DescribeVpcsOutput) *string {
		for i := range page.Vpcs {
			out = append(out, s.vpcObject(&page.Vpcs[i]))
		}
		return page.NextToken
	})
	return out, err
}

func (s *session) vpcObject(v *types.Vpc) resource.Object {
	f := resource.Map{"arn": s.arn("vpc", v.OwnerId, v.VpcId)}
	text(f, "cidrBlock", v.CidrBlock)
	text(f, "ownerId", v.OwnerId)
	text(f, "instanceTenancy", aws.String(string(v.InstanceTenancy)))
	o := resource.Object{ID: resource.ID(aws.ToString(v.VpcId)), Fields: f}
	if aws.ToBool(v.IsDefault) {
		o.Given = "it is the region's default VPC"
	}
	return withTags(o, "vpc", v.Tags)
}

// enrichVPCs reads the DNS attributes, one call each, and the default groups
// and main route tables of all VPCs in a call each. A field that nobody asked
// for, or that may not be read, is Unread.
func enrichVPCs(ctx context.Context, s *session, objs []resource.Object, asks map[resource.ID]aspects) ([]resource.Object, error) {
	var bare []string
	for _, o := range objs {
		if asks[o.ID].has("") {
			bare = append(bare, string(o.ID))
		}
	}
	groups, tables := companions{field: fieldDefaultGroup}, companions{field: fieldMainTable}
	gone, errs := make([]bool, len(objs)), make([]error, len(objs))
	var g errgroup.Group
	g.SetLimit(readers)
	g.Go(func() error { groups.read(ctx, bare, s.defaultGroups); return nil })
	g.Go(func() error { tables.read(ctx, bare, s.mainTables); return nil })
	for i, o := range objs {
		g.Go(func() error {
			gone[i], errs[i] = s.vpcAttributes(ctx, o, asks[o.ID])
			return nil
		})
	}
	_ = g.Wait() // errors are kept apart
	var kept []resource.Object
	for i, o := range objs {
		if gone[i] {
			continue
		}
		groups.fill(o, asks[o.ID])
		tables.fill(o, asks[o.ID])
		kept = append(kept, o)
	}
	err := cmp.Or(errs...)
	for _, e := range []error{groups.err, tables.err} {
		if resource.ClassOf(e) != resource.Denied {
			err = cmp.Or(err, e)
		}
	}
	return kept, err
}

// vpcAttributes fills in the DNS attributes of one VPC.
func (s *session) vpcAttributes(ctx context.Context, o resource.Object, asks aspects) (gone bool, err error) {
	for _, a := range []struct {
		aspect, field string
		attribute     types.VpcAttributeName
	}{
		{aspectDNSSupport, fieldDNSSupport, types.VpcAttributeNameEnableDnsSupport},
		{aspectDNSHostnames, fieldDNSHostnames, types.VpcAttributeNameEnableDnsHostnames},
	} {
		if !asks.has(a.aspect) {
			o.Fields[a.field] = resource.Unread{Why: notAsked}
			continue
		}
		out, e := reading(ctx, func(ctx context.Context) (*ec2.DescribeVpcAttributeOutput, error) {
			return s.ec2.DescribeVpcAttribute(ctx, &ec2.DescribeVpcAttributeInput{Attribute: a.attribute, VpcId: aws.String(string(o.ID))})
		})
		switch class := resource.ClassOf(e); {
		case e == nil:
			for _, v := range []*types.AttributeBooleanValue{out.EnableDnsSupport, out.EnableDnsHostnames} {
				if v != nil {
					o.Fields[a.field] = resource.Bool(aws.ToBool(v.Value))
				}
			}
		case class == resource.NotFound:
			return true, nil // deleted since it was listed
		case class == resource.Denied:
			o.Fields[a.field] = resource.Unread{Why: e.Error()}
		default:
			o.Fields[a.field], err = resource.Unread{Why: e.Error()}, e
		}
	}
	return false, err
}

// companions are what every VPC has one of, made by AWS with it.
type companions struct {
	field string
	of    map[string]string // by VPC
	err   error
}

func (c *companions) read(ctx context.Context, vpcs []string, list func(context.Context, []string, map[string]string) error) {
	c.of = make(map[string]string, len(vpcs))
	for part := range slices.Chunk(vpcs, maxFilterValues-1) { // the other filter has one
		if c.err = list(ctx, part, c.of); c.err != nil {
			return
		}
	}
}

func (c *companions) fill(o resource.Object, asks aspects) {
	id, ok := c.of[string(o.ID)]
	switch {
	case !asks.has(""):
		o.Fields[c.field] = resource.Unread{Why: notAsked}
	case ok:
		o.Fields[c.field] = resource.String(id)
	case c.err != nil:
		o.Fields[c.field] = resource.Unread{Why: c.err.Error()}
	default:
		o.Fields[c.field] = resource.Unread{Why: "not to be seen yet"} // every VPC has one
	}
}

func (s *session) defaultGroups(ctx context.Context, vpcs []string, into map[string]string) error {
	fs := []types.Filter{filter("group-name", "default"), filter("vpc-id", vpcs...)}
	in := &ec2.DescribeSecurityGroupsInput{Filters: fs, MaxResults: aws.Int32(maxPage)}
	return pages(ctx, s.ec2.DescribeSecurityGroups, in, &in.NextToken, func(page *ec2.DescribeSecurityGroupsOutput) *string {
		for i := range page.SecurityGroups {
			into[aws.ToString(page.SecurityGroups[i].VpcId)] = aws.ToString(page.SecurityGroups[i].GroupId)
		}
		return page.NextToken
	})
}

func (s *session) mainTables(ctx context.Context, vpcs []string, into map[string]string) error {
	fs := []types.Filter{filter("association.main", "true"), filter("vpc-id", vpcs...)}
	in := &ec2.DescribeRouteTablesInput{Filters: fs, MaxResults: aws.Int32(maxRouteTablePage)}
	return pages(ctx, s.ec2.DescribeRouteTables, in, &in.NextToken, func(page *ec2.DescribeRouteTablesOutput) *string {
		for i := range page.RouteTables {
			into[aws.ToString(page.RouteTables[i].VpcId)] = aws.ToString(page.RouteTables[i].RouteTableId)
		}
		return page.NextToken
	})
}

func createVPC(ctx context.Context, s *session, want resource.Object, tags map[string]string, _ string) (resource.Object, error) {
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.CreateVpcOutput, error) {
		return s.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{
			CidrBlock:       optional(want.Fields, "cidrBlock"),
			InstanceTenancy: types.Tenancy(want.Fields.Text("instanceTenancy")), TagSpecifications: specifications("vpc", tags),
		})
	})
	if err != nil {
		return resource.Object{}, err
	}
	if out.Vpc == nil {
		return resource.Object{}, emptyAnswer("ec2:CreateVpc")
	}
	return s.vpcObject(out.Vpc), nil
}

// updateVPC sets one DNS attribute. AWS takes host names only where DNS
// support is on, and their order is not otherwise given, so support goes first.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html
func updateVPC(ctx context.Context, s *session, ch change) error {
	support := boolOr(ch.want.Fields, fieldDNSSupport, true)
	hostnames := boolOr(ch.want.Fields, fieldDNSHostnames, false)
	id := aws.String(string(ch.live.ID))
	set := func(in *ec2.ModifyVpcAttributeInput) error {
		in.VpcId = id
		return send(ctx, s.ec2.ModifyVpcAttribute, in)
	}
	if ch.aspect == aspectDNSSupport {
		return set(&ec2.ModifyVpcAttributeInput{EnableDnsSupport: &types.AttributeBooleanValue{Value: aws.Bool(support)}})
	}
	if hostnames && support && !boolOr(ch.live.Fields, fieldDNSSupport, false) {
		on := &types.AttributeBooleanValue{Value: aws.Bool(true)}
		if err := set(&ec2.ModifyVpcAttributeInput{EnableDnsSupport: on}); err != nil {
			return err
		}
	}
	return set(&ec2.ModifyVpcAttributeInput{EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(hostnames)}})
}
