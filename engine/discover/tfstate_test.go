package discover_test

import (
	"fmt"
	"strings"
	"testing"

	"isobar.dev/engine/discover"
)

const state = `{"version": 4, "terraform_version": "1.11.4", "resources": [
 {"mode": "data", "type": "aws_vpc", "name": "d", "provider": "provider[\"h/x/aws\"]", "instances": [{"attributes": {"id": "vpc-0"}}]},
 {"mode": "managed", "type": "aws_vpc", "name": "main", "provider": "provider[\"h/x/aws\"]",
  "instances": [{"attributes": {"id": "vpc-1", "arn": "arn:aws:ec2:eu-west-1:1:vpc/vpc-1"}}]},
 {"module": "module.net[\"a\"].module.sub", "mode": "managed", "type": "aws_subnet", "name": "s", "provider": "module.net.provider[\"h/x/aws\"].west",
  "instances": [{"index_key": "x y", "attributes": {"id": "subnet-1"}}, {"index_key": "z", "attributes": {"id": 7}}]},
 {"mode": "managed", "type": "aws_volume_attachment", "name": "a", "provider": "provider[\"h/x/aws\"]", "instances": [{"attributes": {"id": "vai-1"}}]},
 {"mode": "managed", "type": "aws_s3_bucket_versioning", "name": "a", "provider": "provider[\"h/x/aws\"]", "instances": [{"attributes": {}}, {"attributes": {}}]},
 {"mode": "managed", "type": "aws_instance", "name": "w", "provider": "provider[\"h/x/aws\"]",
  "instances": [{"index_key": 0, "attributes": {"id": "i-1"}}, {"index_key": 1, "attributes": {"id": "i-2"}}, {"index_key": 1, "deposed": "0a", "attributes": {"id": "i-3"}}]},
 {"mode": "managed", "type": "aws_security_group", "name": "g", "provider": "provider[\"h/x/aws\"]", "instances": [{"index_key": 0, "attributes": {"id": "sg-1", "region": "us-east-1"}}]},
 {"mode": "managed", "type": "vsphere_virtual_machine", "name": "db", "provider": "provider[\"h/x/vsphere\"]",
  "instances": [{"attributes": {"id": "4210-uuid", "moid": "vm-12", "extra_config": {"guestinfo.userdata": "planted-word"}}}]},
 {"mode": "managed", "type": "random_pet", "name": "p", "provider": "provider[\"h/x/random\"]", "instances": [{"attributes": {"id": "pet"}}]}]}`

func TestReadState(t *testing.T) {
	t.Parallel()
	kinds := kinds(t)
	got, err := discover.ReadState([]byte(state), kinds)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range got.Found {
		fmt.Fprintln(&b, f.Type, f.ID, f.Alias, f.Region, f.By, f.Base, f.Left)
	}
	const want = `aws.instance i-1 aws  aws_instance.w[0] w-0 
aws.instance i-2 aws  aws_instance.w[1] w-1 
aws.instance i-3 aws  aws_instance.w[1] w-1 Terraform has replaced it and not deleted it yet
aws.security_group sg-1 aws us-east-1 aws_security_group.g[0] g 
aws.subnet  aws.west  module.net["a"].module.sub.aws_subnet.s["z"] net-a-sub-s-z the state has no id of it
aws.subnet subnet-1 aws.west  module.net["a"].module.sub.aws_subnet.s["x y"] net-a-sub-s-x y 
aws.vpc vpc-1 aws eu-west-1 aws_vpc.main main 
random_pet pet random  random_pet.p p isobar has no kind for it
vsphere.vm vm-12 vsphere  vsphere_virtual_machine.db db 
`
	if b.String() != want || got.Aspects != 3 {
		t.Errorf("%d aspects, and\n%s\nwant\n%s", got.Aspects, b.String(), want)
	}
	for text, part := range map[string]string{
		"": "no Terraform state", "[]": "no Terraform state", "{}": "no Terraform state", `{"version": 3}`: "format 3",
		`{"encrypted_data": "x", "version": 4}`: "encrypted", `{"version": 4, "resources": "planted-word"}`: "no Terraform state",
	} {
		if _, err := discover.ReadState([]byte(text), kinds); err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzReadState(f *testing.F) {
	f.Add([]byte(state))
	f.Add([]byte(`{"version":4,"resources":[{"mode":"managed","type":"aws_vpc","instances":[{}]}]}`))
	kinds := kinds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := discover.ReadState(data, kinds)
		if err != nil {
			return
		}
		for _, found := range got.Found {
			if found.Left == "" && (kinds[found.Type] == nil || found.ID == "") {
				t.Fatalf("%+v can't be adopted", found)
			}
		}
	})
}
