package aws

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	kindRouteTable     = "route_table"
	aspectRoutes       = "routes"
	aspectAssociations = "associations"
	fieldSubnets       = "subnetIds"

	// maxRouteTablePage is the largest page of DescribeRouteTables.
	// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html
	maxRouteTablePage = 100
)

// routeTable is the kind aws.route_table. CreateRouteTable takes a client
// token.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html
func routeTable() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindRouteTable, IDs: provider.ReachRegion, Settle: provider.SettleToken, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "route-table-id",
		fields:   map[string]string{"tags": "", "routes": aspectRoutes, fieldSubnets: aspectAssociations},
		list:     listRouteTables,
		create:   createRouteTable,
		update: func(ctx context.Context, s *session, ch change) error {
			if ch.aspect == aspectRoutes {
				return s.reroute(ctx, ch)
			}
			return s.associate(ctx, ch.live.ID, texts(ch.want.Fields[fieldSubnets]))
		},
		remove: func(ctx context.Context, s *session, live, _ resource.Object) error {
			if err := s.associate(ctx, live.ID, nil); err != nil {
				return err
			}
			return send(ctx, s.ec2.DeleteRouteTable, &ec2.DeleteRouteTableInput{RouteTableId: aws.String(string(live.ID))})
		},
	}
}

func listRouteTables(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	err := s.routeTables(ctx, fs, func(t *types.RouteTable) { out = append(out, s.routeTableObject(t)) })
	return out, err
}

func (s *session) routeTables(ctx context.Context, fs []types.Filter, take func(*types.RouteTable)) error {
	in := &ec2.DescribeRouteTablesInput{Filters: fs, MaxResults: aws.Int32(maxRouteTablePage)}
	return pages(ctx, s.ec2.DescribeRouteTables, in, &in.NextToken, func(page *ec2.DescribeRouteTablesOutput) *string {
		for i := range page.RouteTables {
			take(&page.RouteTables[i])
		}
		return page.NextToken
	})
}

func (s *session) routeTableObject(t *types.RouteTable) resource.Object {
	f := resource.Map{"arn": s.arn("route-table", t.OwnerId, t.RouteTableId)}
	text(f, "vpcId", t.VpcId)
	text(f, "ownerId", t.OwnerId)
	var routes, subnets resource.List
	for i := range t.Routes {
		if r := routeValue(&t.Routes[i]); r != nil {
			routes = append(routes, r)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(associations(t))) {
		subnets = append(subnets, resource.String(id))
	}
	if len(routes) > 0 {
		f["routes"] = resource.Sorted(routes)
	}
	if len(subnets) > 0 {
		f[fieldSubnets] = subnets
	}
	o := resource.Object{ID: resource.ID(aws.ToString(t.RouteTableId)), Fields: f}
	if slices.ContainsFunc(t.Associations, func(a types.RouteTableAssociation) bool { return aws.ToBool(a.Main) }) {
		o.Given = "it is the main route table of its VPC"
	}
	return withTags(o, kindRouteTable, t.Tags)
}

// routeValue gives a route in the schema's form, and nil for one that nobody
// created as a route: the VPC's local ones, those that a gateway propagates,
// and those of a gateway endpoint (their destination is a prefix list).
func routeValue(r *types.Route) resource.Value {
	if r.Origin == types.RouteOriginCreateRouteTable || r.Origin == types.RouteOriginEnableVgwRoutePropagation ||
		aws.ToString(r.GatewayId) == "local" || r.DestinationPrefixListId != nil {
		return nil
	}
	m := resource.Map{}
	text(m, "destinationCidrBlock", r.DestinationCidrBlock)
	text(m, "destinationIpv6CidrBlock", r.DestinationIpv6CidrBlock)
	text(m, "gatewayId", r.GatewayId)
	text(m, "natGatewayId", r.NatGatewayId)
	text(m, "vpcPeeringConnectionId", r.VpcPeeringConnectionId)
	text(m, "transitGatewayId", r.TransitGatewayId)
	text(m, "egressOnlyInternetGatewayId", r.EgressOnlyInternetGatewayId)
	// A route to an instance shows its network interface too: it was made by
	// naming one of them, and the instance is what people write.
	if r.InstanceId != nil {
		text(m, "instanceId", r.InstanceId)
	} else {
		text(m, "networkInterfaceId", r.NetworkInterfaceId)
	}
	return m
}

// associations gives the ids of a table's explicit associations by subnet.
func associations(t *types.RouteTable) map[string]string {
	out := map[string]string{}
	for i := range t.Associations {
		a := &t.Associations[i]
		if a.SubnetId == nil || aws.ToBool(a.Main) {
			continue
		}
		if st := a.AssociationState; st != nil && (st.State == types.RouteTableAssociationStateCodeDisassociating ||
			st.State == types.RouteTableAssociationStateCodeDisassociated || st.State == types.RouteTableAssociationStateCodeFailed) {
			continue
		}
		out[*a.SubnetId] = aws.ToString(a.RouteTableAssociationId)
	}
	return out
}

func createRouteTable(ctx context.Context, s *session, want resource.Object, tags map[string]string, token string) (resource.Object, error) {
	in := &ec2.CreateRouteTableInput{VpcId: optional(want.Fields, "vpcId"), TagSpecifications: specifications(kindRouteTable, tags)}
	if token != "" {
		in.ClientToken = aws.String(token)
	}
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.CreateRouteTableOutput, error) { return s.ec2.CreateRouteTable(ctx, in) })
	if err != nil {
		return resource.Object{}, err
	}
	if out.RouteTable == nil {
		return resource.Object{}, emptyAnswer("ec2:CreateRouteTable")
	}
	return s.routeTableObject(out.RouteTable), nil
}

// destination is what a table holds one route for.
func destination(r resource.Map) string {
	if d := r.Text("destinationCidrBlock"); d != "" {
		return d
	}
	return r.Text("destinationIpv6CidrBlock")
}

// reroute brings the routes from live to want: new ones first, then changed
// ones, then those that are gone.
func (s *session) reroute(ctx context.Context, ch change) error {
	have := map[string]resource.Map{}
	for _, r := range structs(ch.live.Fields["routes"]) {
		have[destination(r)] = r
	}
	want := map[string]bool{}
	for _, r := range structs(ch.want.Fields["routes"]) {
		if kept, _ := resource.CanonicalCIDR(destination(r)); kept != destination(r) {
			return invalid("aws:Update", "EC2 keeps the destination "+destination(r)+" in another form: write "+kept)
		}
		old, known := have[destination(r)]
		want[destination(r)] = true
		if known && resource.Equal(old, r) {
			continue
		}
		if err := s.route(ctx, ch.live.ID, r, known); err != nil {
			return err
		}
	}
	for _, d := range slices.Sorted(maps.Keys(have)) {
		if want[d] {
			continue
		}
		err := send(ctx, s.ec2.DeleteRoute, &ec2.DeleteRouteInput{
			RouteTableId:             aws.String(string(ch.live.ID)),
			DestinationCidrBlock:     optional(have[d], "destinationCidrBlock"),
			DestinationIpv6CidrBlock: optional(have[d], "destinationIpv6CidrBlock"),
		})
		if err := ignore(err, "InvalidRoute.NotFound"); err != nil {
			return err
		}
	}
	return nil
}

// route creates or replaces one route, whichever the table wants by now.
func (s *session) route(ctx context.Context, table resource.ID, r resource.Map, exists bool) error {
	create := func() error {
		return send(ctx, s.ec2.CreateRoute, &ec2.CreateRouteInput{
			RouteTableId:         aws.String(string(table)),
			DestinationCidrBlock: optional(r, "destinationCidrBlock"), DestinationIpv6CidrBlock: optional(r, "destinationIpv6CidrBlock"),
			GatewayId: optional(r, "gatewayId"), NatGatewayId: optional(r, "natGatewayId"), InstanceId: optional(r, "instanceId"),
			NetworkInterfaceId: optional(r, "networkInterfaceId"), VpcPeeringConnectionId: optional(r, "vpcPeeringConnectionId"),
			TransitGatewayId: optional(r, "transitGatewayId"), EgressOnlyInternetGatewayId: optional(r, "egressOnlyInternetGatewayId"),
		})
	}
	replace := func() error {
		return send(ctx, s.ec2.ReplaceRoute, &ec2.ReplaceRouteInput{
			RouteTableId:         aws.String(string(table)),
			DestinationCidrBlock: optional(r, "destinationCidrBlock"), DestinationIpv6CidrBlock: optional(r, "destinationIpv6CidrBlock"),
			GatewayId: optional(r, "gatewayId"), NatGatewayId: optional(r, "natGatewayId"), InstanceId: optional(r, "instanceId"),
			NetworkInterfaceId: optional(r, "networkInterfaceId"), VpcPeeringConnectionId: optional(r, "vpcPeeringConnectionId"),
			TransitGatewayId: optional(r, "transitGatewayId"), EgressOnlyInternetGatewayId: optional(r, "egressOnlyInternetGatewayId"),
		})
	}
	if !exists {
		err := create()
		if codeOf(err) != "RouteAlreadyExists" {
			return err
		}
		return replace()
	}
	err := replace()
	if codeOf(err) != "InvalidRoute.NotFound" {
		return err
	}
	return create()
}

// associate brings a table's explicit associations to the wanted subnets. The
// ids of associations are no fields, so it looks first. A table that is not
// there has none. What another table has is taken from it in one call, so that no
// packet of the subnet goes by the VPC's main table meanwhile.
func (s *session) associate(ctx context.Context, table resource.ID, want map[string]bool) error {
	have := map[string]string{}
	err := s.routeTables(ctx, []types.Filter{filter("route-table-id", string(table))}, func(t *types.RouteTable) {
		maps.Copy(have, associations(t))
	})
	if err != nil {
		return err
	}
	lacks := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(sub string) bool { return have[sub] != "" })
	if err := s.take(ctx, table, lacks); err != nil {
		return err
	}
	for _, sub := range slices.Sorted(maps.Keys(have)) {
		if want[sub] {
			continue
		}
		err := send(ctx, s.ec2.DisassociateRouteTable, &ec2.DisassociateRouteTableInput{AssociationId: aws.String(have[sub])})
		if err := ignore(err, "InvalidAssociationID.NotFound"); err != nil {
			return err
		}
	}
	return nil
}

// take associates subnets with a table, whichever they were associated with.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRouteTableAssociation.html
func (s *session) take(ctx context.Context, table resource.ID, subnets []string) error {
	if len(subnets) == 0 {
		return nil
	}
	elsewhere := map[string]string{}
	err := s.routeTables(ctx, []types.Filter{filter("association.subnet-id", subnets...)}, func(t *types.RouteTable) {
		maps.Copy(elsewhere, associations(t))
	})
	if err != nil {
		return err
	}
	for _, sub := range subnets {
		if id := elsewhere[sub]; id != "" {
			err := send(ctx, s.ec2.ReplaceRouteTableAssociation, &ec2.ReplaceRouteTableAssociationInput{
				AssociationId: aws.String(id), RouteTableId: aws.String(string(table)),
			})
			if err == nil || codeOf(err) != "InvalidAssociationID.NotFound" { // else it was let go of meanwhile
				if err != nil {
					return err
				}
				continue
			}
		}
		err := send(ctx, s.ec2.AssociateRouteTable, &ec2.AssociateRouteTableInput{
			RouteTableId: aws.String(string(table)), SubnetId: aws.String(sub),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
