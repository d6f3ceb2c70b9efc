package main

import (
	"fmt"
	"strings"

	"isobar.dev/engine/lab/vcsim"
)

// crashResources is how many resources crashEstate has.
const crashResources = 20

// crashEstate is the estate of the long form: 15 resources on AWS and 5 on
// vSphere, in mode auto for a daemon.
func crashEstate(s *site, image string) string {
	return strings.NewReplacer("SITE", s.name, "REGION", crashRegion, "VCENTER", s.vsURL, "IMAGE", image,
		"DATASTORE", vcsim.Datastore, "POOL", vcsim.Pool, "NETWORK", vcsim.Network, "KEY", crashKey).Replace(`package crash

import "isobar.dev/schemas"

schemas.#Environment

name: "crash"
mode: "auto"
providers: {
	aws: region: "REGION"
	vsphere: {url: "VCENTER", insecure: true}
}
policy: packs: []

aws: {
	vpc: main: {cidrBlock: "10.20.0.0/16", enableDnsHostnames: true, tags: Name: "main"}
	subnet: [N=string]: {vpcId: aws.vpc.main.#out.id, tags: Name: N}
	subnet: {
		a: {cidrBlock: "10.20.1.0/24", availabilityZone: "REGIONa"}
		b: {cidrBlock: "10.20.2.0/24", availabilityZone: "REGIONb"}
		c: {cidrBlock: "10.20.3.0/24", availabilityZone: "REGIONc"}
	}
	internet_gateway: main: {vpcId: aws.vpc.main.#out.id, tags: Name: "main"}
	route_table: public: {
		vpcId: aws.vpc.main.#out.id
		routes: [{destinationCidrBlock: "0.0.0.0/0", gatewayId: aws.internet_gateway.main.#out.id}]
		subnetIds: [aws.subnet.a.#out.id, aws.subnet.b.#out.id]
		tags: Name: "public"
	}
	security_group: {
		web: {
			groupName: "web"
			vpcId:     aws.vpc.main.#out.id
			ingress: [{ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIpv4: "0.0.0.0/0"}]
			egress: [{ipProtocol: "tcp", fromPort: 6379, toPort: 6379, referencedGroupId: aws.security_group.cache.#out.id}]
			tags: Name: "web"
		}
		cache: {
			groupName: "cache"
			vpcId:     aws.vpc.main.#out.id
			ingress: [{ipProtocol: "tcp", fromPort: 6379, toPort: 6379, referencedGroupId: aws.security_group.web.#out.id}]
			tags: Name: "cache"
		}
	}
	key_pair: ops: {keyName: "ops", publicKeyMaterial: "KEY", tags: Name: "ops"}
	instance: [N=string]: {
		imageId:      "IMAGE"
		instanceType: "t3.micro"
		keyName:      aws.key_pair.ops.#out.keyName
		tags: Name: N
	}
	instance: {
		web: {subnetId: aws.subnet.a.#out.id, securityGroupIds: [aws.security_group.web.#out.id]}
		worker: {subnetId: aws.subnet.b.#out.id, securityGroupIds: [aws.security_group.cache.#out.id]}
	}
	volume: [N=string]: {size: 8, tags: Name: N}
	volume: {
		data: {availabilityZone: "REGIONa", attachment: {instanceId: aws.instance.web.#out.id, device: "/dev/sdf"}}
		logs: {availabilityZone: "REGIONb", attachment: {instanceId: aws.instance.worker.#out.id, device: "/dev/sdf"}}
	}
	bucket: {
		backups: {bucket: "SITE-backups", versioning: status: "Enabled", tags: Name: "backups"}
		assets: {bucket: "SITE-assets", tags: Name: "assets"}
	}
}

vsphere: {
	folder: shop: name:        "SITE"
	resource_pool: shop: {name: "SITE", parent: "POOL"}
	vm: [N=string]: {
		name:         "SITE-\(N)"
		folder:       vsphere.folder.shop.#out.path
		resourcePool: vsphere.resource_pool.shop.#out.path
		datastore:    "DATASTORE"
		memoryMB:     32
		disks: "scsi0:0": capacityMB: 16
		networks: ethernet0: network: "NETWORK"
	}
	vm: {
		db: annotation: "backs up to \(aws.bucket.backups.#out.id)"
		mail: {}
		files: {}
	}
}
`)
}

const crashKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"

// crashChain is the estate of the short form: resources of both clouds that each
// wait for the one before, so that one request is under way at a time, and what
// was done shows at once.
func crashChain(s *site) string {
	return strings.NewReplacer("SITE", s.name, "REGION", crashRegion, "VCENTER", s.vsURL, "DATASTORE", vcsim.Datastore, "NETWORK", vcsim.Network).Replace(`package crash

import "isobar.dev/schemas"

schemas.#Environment

name: "crash"
providers: {
	aws: region: "REGION"
	vsphere: {url: "VCENTER", insecure: true}
}
policy: packs: []

aws: vpc: main: {cidrBlock: "10.21.0.0/16", tags: Name: "main"}
aws: subnet: a: {cidrBlock: "10.21.1.0/24", availabilityZone: "REGIONa", vpcId: aws.vpc.main.#out.id, tags: Name: "a"}
vsphere: vm: db: {
	name:       "SITE-db"
	annotation: "beside \(aws.subnet.a.#out.id)"
	datastore:  "DATASTORE"
	memoryMB:   32
	disks: "scsi0:0": capacityMB: 16
	networks: ethernet0: network: "NETWORK"
}
aws: security_group: web: {vpcId: aws.vpc.main.#out.id, groupName: "web", tags: machine: vsphere.vm.db.#out.id}
`)
}

// crashTerraform is the part of crashEstate on AWS as Terraform has it.
func crashTerraform(s *site, image string) string {
	var w strings.Builder
	fmt.Fprintf(&w, `terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                  = %q
  s3_use_path_style       = true
  skip_metadata_api_check = true
}
`, crashRegion)
	w.WriteString(strings.NewReplacer("SITE", s.name, "REGION", crashRegion, "IMAGE", image, "KEY", crashKey).Replace(`
resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
}
resource "aws_subnet" "s" {
  for_each          = { a = 1, b = 2, c = 3 }
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.20.${each.value}.0/24"
  availability_zone = "REGION${each.key}"
  tags              = { Name = each.key }
}
resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "main" }
}
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
  tags = { Name = "public" }
}
resource "aws_route_table_association" "public" {
  for_each       = toset(["a", "b"])
  subnet_id      = aws_subnet.s[each.key].id
  route_table_id = aws_route_table.public.id
}
resource "aws_security_group" "g" {
  for_each = toset(["web", "cache"])
  name     = each.key
  vpc_id   = aws_vpc.main.id
  tags     = { Name = each.key }
}
resource "aws_vpc_security_group_ingress_rule" "web" {
  security_group_id = aws_security_group.g["web"].id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}
resource "aws_vpc_security_group_ingress_rule" "cache" {
  security_group_id            = aws_security_group.g["cache"].id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.g["web"].id
}
resource "aws_vpc_security_group_egress_rule" "web" {
  security_group_id            = aws_security_group.g["web"].id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.g["cache"].id
}
resource "aws_key_pair" "ops" {
  key_name   = "ops"
  public_key = "KEY"
  tags       = { Name = "ops" }
}
resource "aws_instance" "i" {
  for_each               = { web = ["a", "web"], worker = ["b", "cache"] }
  ami                    = "IMAGE"
  instance_type          = "t3.micro"
  key_name               = aws_key_pair.ops.key_name
  subnet_id              = aws_subnet.s[each.value[0]].id
  vpc_security_group_ids = [aws_security_group.g[each.value[1]].id]
  tags                   = { Name = each.key }
}
resource "aws_ebs_volume" "v" {
  for_each          = { data = "a", logs = "b" }
  availability_zone = "REGION${each.value}"
  size              = 8
  type              = "gp3"
  encrypted         = true
  tags              = { Name = each.key }
}
resource "aws_volume_attachment" "v" {
  for_each    = { data = "web", logs = "worker" }
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.v[each.key].id
  instance_id = aws_instance.i[each.value].id
}
resource "aws_s3_bucket" "b" {
  for_each = toset(["backups", "assets"])
  bucket   = "SITE-${each.key}"
  tags     = { Name = each.key }
}
resource "aws_s3_bucket_versioning" "backups" {
  bucket = aws_s3_bucket.b["backups"].id
  versioning_configuration {
    status = "Enabled"
  }
}
resource "aws_s3_bucket_public_access_block" "b" {
  for_each                = aws_s3_bucket.b
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
`))
	return w.String()
}
