terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                  = "REGION"
  s3_use_path_style       = true
  skip_metadata_api_check = true
}

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
