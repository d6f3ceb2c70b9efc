package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/view"
)

// story tells the main job, step by step.
func (s *stage) story(ctx context.Context) error {
	steps := []struct {
		title string
		tell  func(context.Context) (string, error)
	}{
		{"An environment is created: git push, and isobar builds it on AWS and on vSphere", s.create},
		{"A change is pushed and applied", s.change},
		{"Behind isobar's back SSH is opened to the world and the database's memory taken; it puts both back", s.drift},
		{"In mode approve a change waits for a person's word", s.approval},
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
	err := s.until(ctx, 2*time.Minute, env+" is "+state+" at "+hash[:7], func(ctx context.Context) error {
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
	if err := s.boot(ctx); err != nil {
		return "", err
	}
	if _, err := s.settled(ctx, hash, "in sync"); err != nil {
		return "", err
	}
	seen, err := s.inventory(ctx)
	if err != nil {
		return "", err
	}
	if seen != "1 VPC, 2 subnets, 1 internet gateway, 1 route table, 2 security groups, 1 instance" {
		return "", fmt.Errorf("the cloud holds %s", seen)
	}
	web, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(web.rules, "tcp 80 0.0.0.0/0") || !slices.Contains(web.egress, "tcp 5432 "+guest+"/32") {
		return "", fmt.Errorf("shop-web's rules in the cloud are %q and %q", web.rules, web.egress)
	}
	vm, err := s.database(ctx)
	if err != nil {
		return "", err
	}
	if vm.CPUs != 2 || vm.MemoryMB != 4096 || !vm.On || vm.Disks != 1 || vm.Networks != 1 {
		return "", fmt.Errorf("the vCenter holds %+v", vm)
	}
	return "AWS says         " + seen + "\nvCenter says     " + vm.Path + ", 2 CPUs, 4096 MB, on; shop-web may reach it at " + guest, nil
}

// guest is the address that the database's guest gets.
const guest = "10.8.0.21"

// boot stands for the guest: once the machine is on, it tells its address.
func (s *stage) boot(ctx context.Context) error {
	err := s.until(ctx, 2*time.Minute, "the database's machine is on", func(ctx context.Context) error {
		vm, err := s.database(ctx)
		if err == nil && !vm.On {
			err = errors.New("it is off")
		}
		return err
	})
	if err != nil {
		return err
	}
	say("   the guest      has started; VMware Tools tell its address, %s", guest)
	return s.center.TellAddress(ctx, env+"-db", guest)
}

// database reads the machine shop-db.
func (s *stage) database(ctx context.Context) (vcsim.Machine, error) {
	all, err := s.center.Machines(ctx)
	if err != nil {
		return vcsim.Machine{}, err
	}
	vm, ok := all[env+"-db"]
	if !ok {
		return vm, errors.New("the vCenter has no machine shop-db")
	}
	return vm, nil
}

func (s *stage) change(ctx context.Context) (string, error) {
	before, err := s.webGroup(ctx)
	if err != nil {
		return "", err
	}
	hash, err := s.push(ctx, "Serve HTTPS too", s.served())
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
	if err := s.center.SetMemory(ctx, env+"-db", 1024); err != nil {
		return "", err
	}
	say("   somebody       sets the memory of shop-db to 1024 MB")
	err = s.until(ctx, 2*time.Minute, "both are put back", func(ctx context.Context) error {
		now, err := s.webGroup(ctx)
		vm, verr := s.database(ctx)
		switch err = errors.Join(err, verr); {
		case err == nil && slices.Contains(now.rules, "tcp 22 0.0.0.0/0"):
			err = errors.New("tcp 22 is still open to the world")
		case err == nil && (vm.MemoryMB != 4096 || !vm.On):
			err = fmt.Errorf("shop-db has %d MB, on: %v", vm.MemoryMB, vm.On)
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
	return "AWS says         " + web.id + " allows " + strings.Join(now.rules, ", ") + "\nvCenter says     shop-db has 4096 MB, on", errors.Join(err, gerr)
}

// planName is how a plan is named to people.
var planName = regexp.MustCompile(`\b[0-9a-f]{4}-[0-9a-f]{4}\b`)

func (s *stage) approval(ctx context.Context) (string, error) {
	more := strings.NewReplacer(`mode: "auto"`, `mode: "approve"`, "numCPUs:   2", "numCPUs:   4").Replace(s.served())
	hash, err := s.push(ctx, "Two more processors for the database, with approval", more)
	if err != nil {
		return "", err
	}
	row, err := s.settled(ctx, hash, "waiting")
	if err != nil {
		return "", err
	}
	vm, err := s.database(ctx)
	if err != nil {
		return "", err
	}
	name := planName.FindString(row.Note)
	if name == "" || vm.CPUs != 2 {
		return "", fmt.Errorf("it says %q, and shop-db has %d CPUs", row.Note, vm.CPUs)
	}
	say("   isobar status  %s: %s", row.State, row.Note)
	out, err := s.isobar(ctx, "approve", env, name, "--store", "sqlite:"+s.store())
	if err != nil {
		return "", fmt.Errorf("isobar approve: %w\n%s", err, out)
	}
	say("   isobar approve %s", strings.TrimSpace(out))
	if _, err := s.settled(ctx, hash, "in sync"); err != nil {
		return "", err
	}
	if vm, err = s.database(ctx); err == nil && (vm.CPUs != 4 || !vm.On) {
		err = fmt.Errorf("shop-db has %d CPUs, on: %v", vm.CPUs, vm.On)
	}
	return "vCenter says     shop-db has 4 CPUs, on", err
}

// served is the spec once HTTPS is served.
func (s *stage) served() string {
	const http = `{ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIpv4: "0.0.0.0/0"},`
	return strings.Replace(s.spec, http, http+"\n\t\t\t\t"+strings.ReplaceAll(http, "80", "443"), 1)
}

func (s *stage) breach(ctx context.Context) (string, error) {
	bad := strings.Replace(strings.Replace(s.spec, "numCPUs:   2", "numCPUs:   4", 1), `fromPort: 80, toPort: 80,`, `fromPort: 22, toPort: 22,`, 1)
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
	hash, err := s.push(ctx, "Take that back", strings.Replace(s.served(), "numCPUs:   2", "numCPUs:   4", 1))
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
	err = s.until(ctx, 2*time.Minute, "the push is fetched and the cloud looked at", func(context.Context) error {
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
		if !strings.HasPrefix(c.Action, "Describe") && c.Action != "GetCallerIdentity" && !strings.HasPrefix(c.Action, "Get") && !strings.HasPrefix(c.Action, "List") {
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
		{"DescribeInstances", "reservationSet", "instance"},
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
	id            string
	rules, egress []string
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
	return group{id: items[0].Get("groupId"), rules: rulesOf(items[0], "ipPermissions"), egress: rulesOf(items[0], "ipPermissionsEgress")}, nil
}

func rulesOf(g *moto.Node, way string) []string {
	var out []string
	for _, p := range g.All(way, "item") {
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
