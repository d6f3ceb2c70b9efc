package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/lab/moto"
)

// The estate of the AWS benchmark: 300 objects, 75 rules, 75 attachments, and
// 50 access blocks, which are an aspect of their buckets here.
const (
	benchVPCs      = 5
	benchSubnets   = 20 // 4 a VPC
	benchGroups    = 25 // 5 a VPC
	benchRules     = 3  // a group
	benchInstances = 125
	benchVolumes   = 75 // attached to as many instances
	benchBuckets   = 50
	benchRegion    = "eu-west-1"
)

// BenchmarkDriftCheckAWS is one look for drift at about 500 mixed resources on
// moto that finds none; beside it, where terraform and its AWS provider can be had,
// one by Terraform
// at the very same objects, which it took into its state by import.
func BenchmarkDriftCheckAWS(b *testing.B) {
	cloud, err := moto.Start(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cloud.Close)
	proxy, err := fault.Start(b.Context(), cloud.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(proxy.Close)
	asked := func() int {
		n := proxy.Count("")
		proxy.Forget()
		return n
	}
	images, err := cloud.EC2(b.Context(), benchRegion, "DescribeImages", map[string]string{"Owner.1": "amazon"})
	if err != nil {
		b.Fatal(err)
	}
	image := images.Get("imagesSet", "item", "imageId")
	bin := shipped(b)
	env := append(cloud.Env(), "AWS_ENDPOINT_URL="+proxy.URL(), "AWS_REGION="+benchRegion, "HOME="+b.TempDir(), "CI=1")
	dir := newBenchRepo(b, bin, env, benchEstate(image))
	must(b, env, dir, bin, "apply", "bench", "--auto-approve")
	b.Run("isobar", func(b *testing.B) {
		median(b, func() cost { return measured(b, env, dir, bin, "plan", "bench", "--detailed-exitcode") }, asked)
	})
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		b.Log("terraform is not on PATH: only isobar's side was run")
		return
	}
	text := benchTerraform(image) + benchImports(b, cloud)
	b.Run("terraform", func(b *testing.B) {
		work := b.TempDir()
		if err := os.WriteFile(filepath.Join(work, "main.tf"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		if c := measured(b, env, work, terraform, "init", "-input=false", "-no-color"); c.code != 0 {
			b.Skipf("terraform finds no AWS provider, so only isobar's side was run: exit code %d\n%s", c.code, c.out)
		}
		must(b, env, work, terraform, "apply", "-input=false", "-no-color", "-auto-approve")

		median(b, func() cost {
			return measured(b, env, work, terraform, "plan", "-input=false", "-no-color", "-detailed-exitcode", "-lock=false")
		}, asked)
	})
}

// benchEstate is the estate as isobar has it.
func benchEstate(image string) string {
	var w strings.Builder
	fmt.Fprintf(&w, "package bench\n\nimport \"isobar.dev/schemas\"\n\nschemas.#Environment\n\nname: \"bench\"\nproviders: aws: region: %q\naws: {\n", benchRegion)
	lines(&w, benchVPCs, "\tvpc: v%d: cidrBlock: \"10.%d.0.0/16\"", func(i int) []any { return []any{i, i} })
	lines(&w, benchSubnets, "\tsubnet: s%d: {vpcId: aws.vpc.v%d.#out.id, cidrBlock: \"10.%d.%d.0/24\", availabilityZone: \"%sa\"}",
		func(i int) []any { return []any{i, i % benchVPCs, i % benchVPCs, i / benchVPCs, benchRegion} })
	for i := range benchGroups {
		fmt.Fprintf(&w, "\tsecurity_group: g%d: {vpcId: aws.vpc.v%d.#out.id, ingress: [\n", i, i%benchVPCs)
		lines(&w, benchRules, "\t\t{ipProtocol: \"tcp\", fromPort: %[1]d, toPort: %[1]d, cidrIpv4: \"10.0.0.0/8\"},", func(j int) []any { return []any{8000 + j} })
		w.WriteString("\t]}\n")
	}
	lines(&w, benchInstances, "\tinstance: i%d: {imageId: %q, instanceType: \"t3.micro\", subnetId: aws.subnet.s%d.#out.id, securityGroupIds: [aws.security_group.g%d.#out.id]}",
		func(i int) []any { return []any{i, image, i % benchSubnets, i % benchVPCs} })
	lines(&w, benchVolumes, "\tvolume: d%[1]d: {availabilityZone: \"%[2]sa\", size: 8, attachment: {instanceId: aws.instance.i%[1]d.#out.id, device: \"/dev/sdf\"}}",
		func(i int) []any { return []any{i, benchRegion} })
	lines(&w, benchBuckets, "\tbucket: b%[1]d: bucket: \"isobar-bench-%[1]d\"", func(i int) []any { return []any{i} })
	w.WriteString("}\n")
	return w.String()
}

// benchTerraform is the same estate as Terraform has it. What the two tools
// leave to AWS or set by default beyond it is left alone.
func benchTerraform(image string) string {
	return fmt.Sprintf(`terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                      = %q
  s3_use_path_style           = true
  skip_metadata_api_check     = true
  ignore_tags { key_prefixes = ["isobar:"] }
}
resource "aws_vpc" "v" {
  count      = %d
  cidr_block = "10.${count.index}.0.0/16"
}
resource "aws_subnet" "s" {
  count             = %d
  vpc_id            = aws_vpc.v[count.index %% %[2]d].id
  cidr_block        = "10.${count.index %% %[2]d}.${floor(count.index / %[2]d)}.0/24"
  availability_zone = "%[1]sa"
}
resource "aws_security_group" "g" {
  count       = %[4]d
  name        = "bench-g${count.index}"
  description = "Managed by isobar"
  vpc_id      = aws_vpc.v[count.index %% %[2]d].id
  lifecycle { ignore_changes = [ingress, egress, revoke_rules_on_delete] }
}
resource "aws_vpc_security_group_ingress_rule" "r" {
  count             = %[5]d
  security_group_id = aws_security_group.g[floor(count.index / %[6]d)].id
  ip_protocol       = "tcp"
  from_port         = 8000 + count.index %% %[6]d
  to_port           = 8000 + count.index %% %[6]d
  cidr_ipv4         = "10.0.0.0/8"
}
resource "aws_instance" "i" {
  count                  = %[7]d
  ami                    = %[8]q
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.s[count.index %% %[3]d].id
  vpc_security_group_ids = [aws_security_group.g[count.index %% %[2]d].id]
  lifecycle { ignore_changes = [user_data_replace_on_change] }
}
resource "aws_ebs_volume" "d" {
  count             = %[9]d
  availability_zone = "%[1]sa"
  size              = 8
  type              = "gp3"
  encrypted         = true
}
resource "aws_volume_attachment" "a" {
  count       = %[9]d
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.d[count.index].id
  instance_id = aws_instance.i[count.index].id
}
resource "aws_s3_bucket" "b" {
  count  = %[10]d
  bucket = "isobar-bench-${count.index}"
  lifecycle { ignore_changes = [force_destroy] }
}
resource "aws_s3_bucket_public_access_block" "b" {
  count                   = %[10]d
  bucket                  = aws_s3_bucket.b[count.index].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
`, benchRegion, benchVPCs, benchSubnets, benchGroups, benchGroups*benchRules, benchRules, benchInstances, image, benchVolumes, benchBuckets)
}

// benchImports tells Terraform the ids of what isobar made.
func benchImports(b *testing.B, cloud *moto.Server) string {
	b.Helper()
	ids := map[string]string{}
	take := func(action string, params map[string]string, path []string, name, id func(*moto.Node) string) {
		b.Helper()
		out, err := cloud.EC2(b.Context(), benchRegion, action, params)
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range out.All(path...) {
			if k := name(n); k != "" {
				ids[k] = id(n)
			}
		}
	}
	// A root volume bears its instance's mark: the prefix of an id tells them apart.
	tfs := map[string][2]string{
		"vpc/v": {"aws_vpc.v", "vpc-"}, "subnet/s": {"aws_subnet.s", "subnet-"}, "security_group/g": {"aws_security_group.g", "sg-"},
		"instance/i": {"aws_instance.i", "i-"}, "volume/d": {"aws_ebs_volume.d", "vol-"},
	}
	take("DescribeTags", map[string]string{"Filter.1.Name": "key", "Filter.1.Value.1": "isobar:address"}, []string{"tagSet", "item"},
		func(n *moto.Node) string {
			local, ok := strings.CutPrefix(n.Get("value"), "bench/aws.")
			digits := strings.TrimLeft(local, "abcdefghijklmnopqrstuvwxyz_/")
			to := tfs[strings.TrimSuffix(local, digits)]
			if !ok || to[0] == "" || !strings.HasPrefix(n.Get("resourceId"), to[1]) {
				return ""
			}
			return to[0] + "[" + digits + "]"
		}, func(n *moto.Node) string { return n.Get("resourceId") })
	rules := map[string]int{}
	groups := map[string]string{}
	for k, id := range ids {
		groups[id] = k
	}
	take("DescribeSecurityGroupRules", nil, []string{"securityGroupRuleSet", "item"}, func(n *moto.Node) string {
		var g int
		if _, err := fmt.Sscanf(groups[n.Get("groupId")], "aws_security_group.g[%d]", &g); err != nil || n.Get("isEgress") == "true" {
			return ""
		}
		var port int
		_, _ = fmt.Sscan(n.Get("fromPort"), &port)
		rules[n.Get("groupId")]++
		return fmt.Sprintf("aws_vpc_security_group_ingress_rule.r[%d]", g*benchRules+port-8000)
	}, func(n *moto.Node) string { return n.Get("securityGroupRuleId") })
	for i := range benchVolumes {
		ids[fmt.Sprintf("aws_volume_attachment.a[%d]", i)] = fmt.Sprintf("/dev/sdf:%s:%s",
			ids[fmt.Sprintf("aws_ebs_volume.d[%d]", i)], ids[fmt.Sprintf("aws_instance.i[%d]", i)])
	}
	for i := range benchBuckets {
		name := fmt.Sprintf("isobar-bench-%d", i)
		ids[fmt.Sprintf("aws_s3_bucket.b[%d]", i)], ids[fmt.Sprintf("aws_s3_bucket_public_access_block.b[%d]", i)] = name, name
	}
	want := benchVPCs + benchSubnets + benchGroups*(1+benchRules) + benchInstances + 2*benchVolumes + 2*benchBuckets
	if len(ids) != want {
		b.Fatalf("%d objects to import, want %d", len(ids), want)
	}
	var w strings.Builder
	for _, k := range slices.Sorted(maps.Keys(ids)) {
		fmt.Fprintf(&w, "import {\n  to = %s\n  id = %q\n}\n", k, ids[k])
	}
	return w.String()
}
