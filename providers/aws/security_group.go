package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	kindGroup     = "security_group"
	aspectIngress = "ingress"
	aspectEgress  = "egress"
)

// securityGroup is the kind aws.security_group. CreateSecurityGroup takes no
// client token. A group's aspects have the names of their fields.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
func securityGroup() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindGroup, IDs: provider.ReachRegion, Settle: provider.SettleMark, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "group-id",
		fields:   map[string]string{"tags": "", aspectIngress: aspectIngress, aspectEgress: aspectEgress},
		list:     listGroups,
		create:   createGroup,
		update:   updateGroup,
		remove: func(ctx context.Context, s *session, live, _ resource.Object) error {
			return send(ctx, s.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: aws.String(string(live.ID))})
		},
	}
}

func listGroups(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	var out []resource.Object
	in := &ec2.DescribeSecurityGroupsInput{Filters: fs, MaxResults: aws.Int32(maxPage)}
	err := pages(ctx, s.ec2.DescribeSecurityGroups, in, &in.NextToken, func(page *ec2.DescribeSecurityGroupsOutput) *string {
		for i := range page.SecurityGroups {
			out = append(out, s.groupObject(&page.SecurityGroups[i]))
		}
		return page.NextToken
	})
	return out, err
}

func (s *session) groupObject(v *types.SecurityGroup) resource.Object {
	f := resource.Map{"arn": s.arn("security-group", v.OwnerId, v.GroupId)}
	text(f, "arn", v.SecurityGroupArn)
	text(f, "groupName", v.GroupName)
	text(f, "description", v.Description)
	text(f, "vpcId", v.VpcId)
	text(f, "ownerId", v.OwnerId)
	if in := rulesOf(v.IpPermissions); len(in) > 0 {
		f[aspectIngress] = ruleList(in)
	}
	// No way out is a setting of its own, unlike a field that is unset.
	f[aspectEgress] = ruleList(rulesOf(v.IpPermissionsEgress))
	o := resource.Object{ID: resource.ID(aws.ToString(v.GroupId)), Fields: f}
	if aws.ToString(v.GroupName) == "default" { // a name that nobody else may give
		o.Given = "it is the default group of its VPC"
	}
	return withTags(o, kindGroup, v.Tags)
}

func createGroup(ctx context.Context, s *session, want resource.Object, tags map[string]string, _ string) (resource.Object, error) {
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.CreateSecurityGroupOutput, error) {
		return s.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			GroupName:   optional(want.Fields, "groupName"),
			Description: optional(want.Fields, "description"), VpcId: optional(want.Fields, "vpcId"), TagSpecifications: specifications(kindGroup, tags),
		})
	})
	if err != nil {
		return resource.Object{}, err
	}
	if out.GroupId == nil {
		return resource.Object{}, emptyAnswer("ec2:CreateSecurityGroup")
	}
	f := resource.Map{"arn": s.arn("security-group", nil, out.GroupId)}
	text(f, "arn", out.SecurityGroupArn)
	for _, n := range []string{"groupName", "description", "vpcId"} {
		text(f, n, optional(want.Fields, n))
	}
	// AWS gives it this rule by itself, and its answer does not tell of it.
	f[aspectEgress] = ruleList([]rule{newRule(ruleKey{protocol: "-1", peer: peerIPv4, source: "0.0.0.0/0"}, "")})
	return withTags(resource.Object{ID: resource.ID(*out.GroupId), Fields: f}, kindGroup, out.Tags), nil
}

// updateGroup lets the new rules in before it takes the gone ones away, so
// that a rule that merely changes its form never leaves a gap.
func updateGroup(ctx context.Context, s *session, ch change) error {
	if err := checkRules(ch.want.Fields[ch.aspect]); err != nil {
		return err
	}
	have, want := parseRules(ch.live.Fields[ch.aspect]), parseRules(ch.want.Fields[ch.aspect])
	d := s.ingress(ch.live.ID)
	if ch.aspect == aspectEgress {
		d = s.egress(ch.live.ID)
	}
	var fresh, reworded, gone []rule
	for key, r := range want {
		switch old, known := have[key]; {
		case !known:
			fresh = append(fresh, r)
		case old.description != r.description:
			reworded = append(reworded, r)
		}
	}
	for key, r := range have {
		if _, kept := want[key]; !kept {
			gone = append(gone, r)
		}
	}
	if err := eachOnce(ctx, fresh, d.authorize, "InvalidPermission.Duplicate"); err != nil {
		return err
	}
	if err := eachOnce(ctx, reworded, d.describe); err != nil {
		return err
	}
	return eachOnce(ctx, gone, d.revoke, "InvalidPermission.NotFound")
}

// eachOnce sends all rules in one call. Where one of them is done already the
// whole call is refused with one of the codes; then each goes alone.
func eachOnce(ctx context.Context, rules []rule, op func(context.Context, []types.IpPermission) error, done ...string) error {
	if len(rules) == 0 {
		return nil
	}
	sortRules(rules)
	err := op(ctx, permissions(rules))
	if err == nil || ignore(err, done...) != nil {
		return err
	}
	if len(rules) == 1 {
		return nil
	}
	for _, r := range rules {
		if err := ignore(op(ctx, permissions([]rule{r})), done...); err != nil {
			return err
		}
	}
	return nil
}

// direction is the calls that change a group's rules one way.
type direction struct {
	authorize, describe, revoke func(context.Context, []types.IpPermission) error
}

func (s *session) ingress(id resource.ID) direction {
	group := aws.String(string(id))
	return direction{
		authorize: func(ctx context.Context, ps []types.IpPermission) error {
			return send(ctx, s.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group, IpPermissions: ps})
		},
		describe: func(ctx context.Context, ps []types.IpPermission) error {
			return send(ctx, s.ec2.UpdateSecurityGroupRuleDescriptionsIngress,
				&ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: group, IpPermissions: ps})
		},
		revoke: func(ctx context.Context, ps []types.IpPermission) error {
			return send(ctx, s.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: group, IpPermissions: ps})
		},
	}
}

func (s *session) egress(id resource.ID) direction {
	group := aws.String(string(id))
	return direction{
		authorize: func(ctx context.Context, ps []types.IpPermission) error {
			return send(ctx, s.ec2.AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: group, IpPermissions: ps})
		},
		describe: func(ctx context.Context, ps []types.IpPermission) error {
			return send(ctx, s.ec2.UpdateSecurityGroupRuleDescriptionsEgress,
				&ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: group, IpPermissions: ps})
		},
		revoke: func(ctx context.Context, ps []types.IpPermission) error {
			return send(ctx, s.ec2.RevokeSecurityGroupEgress, &ec2.RevokeSecurityGroupEgressInput{GroupId: group, IpPermissions: ps})
		},
	}
}
