package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/view"
)

// story tells the main job, step by step.
func (s *stage) story(ctx context.Context) error {
	steps := []struct {
		title string
		tell  func(context.Context) (string, error)
	}{
		{"An environment is created: git push, and isobar builds it", s.create},
		{"A change is pushed and applied", s.change},
		{"Somebody opens SSH to the world behind isobar's back; it notices and puts it back", s.drift},
		{"A push that breaks a policy is refused, with rule, file and line", s.breach},
		{"An empty push changes nothing", s.empty},
	}
	for i, st := range steps {
		began := time.Now()
		say("\n%d. %s", i+1, st.title)
		seen, err := st.tell(ctx)
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		for line := range strings.Lines(seen) {
			say("   %s", strings.TrimRight(line, "\n"))
		}
		say("   ✓ held, in %.1f s", time.Since(began).Seconds())
	}
	return nil
}

// push commits the environment's spec and pushes it.
func (s *stage) push(ctx context.Context, msg, content string) (string, error) {
	if err := s.repo.Write("environments/"+env+"/"+env+".cue", content); err != nil {
		return "", err
	}
	hash, err := s.repo.Commit(ctx, msg)
	if err != nil {
		return "", err
	}
	say("   git push       %s %q", hash[:7], msg)
	return hash, s.repo.Push(ctx, false)
}

// settled waits until the environment is in a state at a commit.
func (s *stage) settled(ctx context.Context, hash, state string) (view.Status, error) {
	var got view.Status
	err := s.until(ctx, 40*time.Second, env+" is "+state+" at "+hash[:7], func(ctx context.Context) error {
		rows, err := s.client.Environments(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Env == env {
				got = row
				if row.Commit == hash && row.State == state {
					return nil
				}
				return fmt.Errorf("it is %q at %s: %s", row.State, row.Commit[:min(7, len(row.Commit))], row.Note)
			}
		}
		return errors.New("the daemon does not know it yet")
	})
	return got, err
}

func (s *stage) create(ctx context.Context) (string, error) {
	if err := s.repo.Remove("environments/dev/dev.cue"); err != nil {
		return "", err
	}
	hash, err := s.push(ctx, "Add the shop", s.spec)
	if err != nil {
		return "", err
	}
	if err := s.serve(ctx); err != nil {
		return "", err
	}
	if _, err := s.settled(ctx, hash, "in sync"); err != nil {
		return "", err
	}
	seen, err := s.inventory(ctx)
	if err != nil {
		return "", err
	}
	if seen != "1 VPC, 2 subnets, 1 internet gateway, 1 route table, 2 security groups" {
		return "", fmt.Errorf("the cloud holds %s", seen)
	}
	web, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(web.rules, "tcp 80 0.0.0.0/0") {
		return "", fmt.Errorf("shop-web's rules in the cloud are %q", web.rules)
	}
	return "AWS says         " + seen, nil
}

func (s *stage) change(ctx context.Context) (string, error) {
	next := strings.Replace(s.spec, `{ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIpv4: "0.0.0.0/0"},`,
		`{ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIpv4: "0.0.0.0/0"},
			{ipProtocol: "tcp", fromPort: 443, toPort: 443, cidrIpv4: "0.0.0.0/0"},`, 1)
	before, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	hash, err := s.push(ctx, "Serve HTTPS too", next)
	if err != nil {
		return "", err
	}
	if _, err := s.settled(ctx, hash, "in sync"); err != nil {
		return "", err
	}
	web, err := s.webGroup(ctx)
	switch {
	case err != nil:
		return "", err
	case web.id != before.id:
		return "", fmt.Errorf("shop-web was made anew: %s became %s", before.id, web.id)
	case !slices.Contains(web.rules, "tcp 443 0.0.0.0/0"):
		return "", fmt.Errorf("shop-web's rules in the cloud are %q", web.rules)
	}
	return fmt.Sprintf("AWS says         %s, the same group, now allows %s", web.id, strings.Join(web.rules, ", ")), nil
}

func (s *stage) drift(ctx context.Context) (string, error) {
	web, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	_, err = s.cloud.EC2(ctx, region, "AuthorizeSecurityGroupIngress", map[string]string{
		"GroupId": web.id, "IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "22",
		"IpPermissions.1.ToPort": "22", "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0",
	})
	if err != nil {
		return "", err
	}
	changed, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(changed.rules, "tcp 22 0.0.0.0/0") {
		return "", fmt.Errorf("the change behind its back did not take: %q", changed.rules)
	}
	say("   somebody       AuthorizeSecurityGroupIngress %s tcp 22 from 0.0.0.0/0", web.id)
	err = s.until(ctx, 40*time.Second, "SSH is closed again", func(ctx context.Context) error {
		now, err := s.webGroup(ctx)
		if err == nil && slices.Contains(now.rules, "tcp 22 0.0.0.0/0") {
			err = errors.New("tcp 22 is still open to the world")
		}
		return err
	})
	if err != nil {
		return "", err
	}
	err = s.until(ctx, 20*time.Second, "Slack is told of it", func(context.Context) error {
		if !strings.Contains(s.slack.Transcript(), "drift") {
			return errors.New("no message speaks of drift")
		}
		return nil
	})
	now, gerr := s.webGroup(ctx)
	return "AWS says         " + web.id + " allows " + strings.Join(now.rules, ", "), errors.Join(err, gerr)
}

func (s *stage) breach(ctx context.Context) (string, error) {
	bad := strings.Replace(s.spec, `fromPort: 80, toPort: 80,`, `fromPort: 22, toPort: 22,`, 1)
	before, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	hash, err := s.push(ctx, "Debug access", bad)
	if err != nil {
		return "", err
	}
	row, err := s.settled(ctx, hash, "denied")
	if err != nil {
		return "", err
	}
	if !strings.Contains(row.Note, "environments/shop/shop.cue:") || !strings.Contains(row.Note, "SG-001") {
		return "", fmt.Errorf("the refusal does not name rule, file and line: %s", row.Note)
	}
	after, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Equal(before.rules, after.rules) {
		return "", fmt.Errorf("the cloud changed: %q became %q", before.rules, after.rules)
	}
	return "refused          " + row.Note + "\nAWS says         unchanged", nil
}

func (s *stage) empty(ctx context.Context) (string, error) {
	next := strings.Replace(s.spec, `{ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIpv4: "0.0.0.0/0"},`,
		`{ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIpv4: "0.0.0.0/0"},
			{ipProtocol: "tcp", fromPort: 443, toPort: 443, cidrIpv4: "0.0.0.0/0"},`, 1)
	hash, err := s.push(ctx, "Take that back", next)
	if err != nil {
		return "", err
	}
	if _, err := s.settled(ctx, hash, "in sync"); err != nil {
		return "", err
	}
	s.proxy.Forget()
	runs, err := s.client.Runs(ctx, env, 1000)
	if err != nil {
		return "", err
	}
	if _, err := s.repo.Git(ctx, "commit", "--allow-empty", "-m", "Nothing at all"); err != nil {
		return "", err
	}
	say("   git push       an empty commit")
	if err := s.repo.Push(ctx, false); err != nil {
		return "", err
	}
	// Wait for proof that it was fetched and that the cloud was looked at after.
	fetched := s.git.Requests()
	err = s.until(ctx, 40*time.Second, "the push is fetched and the cloud looked at", func(context.Context) error {
		if s.git.Requests() < fetched+4 || s.proxy.Count("DescribeSecurityGroups") < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	mutating := 0
	for _, c := range s.proxy.Calls() {
		if !strings.HasPrefix(c.Action, "Describe") && c.Action != "GetCallerIdentity" {
			mutating++
		}
	}
	later, err := s.client.Runs(ctx, env, 1000)
	if err != nil {
		return "", err
	}
	if mutating != 0 || len(later) != len(runs) {
		return "", fmt.Errorf("%d changing calls and %d new runs after an empty push", mutating, len(later)-len(runs))
	}
	return fmt.Sprintf("AWS saw          %d reads, 0 changing calls; no run, no message", s.proxy.Count("")), nil
}

// inventory counts what the cloud holds of the environment.
func (s *stage) inventory(ctx context.Context) (string, error) {
	filter := map[string]string{"Filter.1.Name": "tag:isobar:env", "Filter.1.Value.1": env}
	var parts []string
	for _, k := range []struct{ action, set, one string }{
		{"DescribeVpcs", "vpcSet", "VPC"},
		{"DescribeSubnets", "subnetSet", "subnet"},
		{"DescribeInternetGateways", "internetGatewaySet", "internet gateway"},
		{"DescribeRouteTables", "routeTableSet", "route table"},
		{"DescribeSecurityGroups", "securityGroupInfo", "security group"},
	} {
		out, err := s.cloud.EC2(ctx, region, k.action, filter)
		if err != nil {
			return "", err
		}
		n := len(out.All(k.set, "item"))
		if n != 1 {
			k.one += "s"
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, k.one))
	}
	return strings.Join(parts, ", "), nil
}

// group is a security group as the cloud has it.
type group struct {
	id    string
	rules []string
}

// webGroup reads the security group shop-web.
func (s *stage) webGroup(ctx context.Context) (group, error) {
	const name = env + "-web"
	out, err := s.cloud.EC2(ctx, region, "DescribeSecurityGroups", map[string]string{"Filter.1.Name": "group-name", "Filter.1.Value.1": name})
	if err != nil {
		return group{}, err
	}
	items := out.All("securityGroupInfo", "item")
	if len(items) != 1 {
		return group{}, fmt.Errorf("the cloud has %d groups named %s", len(items), name)
	}
	return group{id: items[0].Get("groupId"), rules: rulesOf(items[0])}, nil
}

func rulesOf(g *moto.Node) []string {
	var out []string
	for _, p := range g.All("ipPermissions", "item") {
		for _, r := range p.All("ipRanges", "item") {
			out = append(out, fmt.Sprintf("%s %s %s", p.Get("ipProtocol"), p.Get("fromPort"), r.Get("cidrIp")))
		}
		for _, r := range p.All("groups", "item") {
			out = append(out, fmt.Sprintf("%s %s %s", p.Get("ipProtocol"), p.Get("fromPort"), r.Get("groupId")))
		}
	}
	slices.Sort(out)
	return out
}
