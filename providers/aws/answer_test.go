package aws_test

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/resource"
)

// strangers are successes that AWS never gives: of a login page, a proxy, another
// service, and of a connection that was cut where it looked whole.
func strangers() map[string]fault.Fault {
	ids := http.Header{"X-Amz-Request-Id": {"1"}, "X-Amzn-Requestid": {"1"}, "Content-Type": {"text/html; charset=utf-8"}}
	return map[string]fault.Fault{
		"nothing":         {Status: http.StatusOK},
		"a page":          {Status: http.StatusOK, Body: "<html><body>hello</body></html>", Header: http.Header{"Content-Type": {"text/html"}}},
		"an object":       {Status: http.StatusOK, Body: "{}"},
		"words":           {Status: http.StatusOK, Body: "it works"},
		"no content":      {Status: http.StatusNoContent},
		"a page with ids": {Status: http.StatusOK, Body: "<html/>", Header: ids},
		"an id alone":     {Status: http.StatusOK, Body: "{}", Header: ids},
		"another answer":  {Status: http.StatusOK, Body: `<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId></DescribeRegionsResponse>`, Header: ids},
		"half an answer":  {Status: http.StatusOK, Body: `<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>`},
	}
}

// TestStrangersAnswerIsNotBelieved: of no call that reads, a success which AWS did
// not give makes anything gone or other than it is.
func TestStrangersAnswerIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ap-southeast-2")
	wants := r.everything(t)
	r.proxy.Forget()
	before := r.Read(t.Context(), wants)
	var actions []string
	for _, c := range r.proxy.Calls() {
		actions = append(actions, c.Action)
	}
	slices.Sort(actions)
	actions = slices.Compact(actions)
	for _, must := range []string{
		"DescribeVpcs", "DescribeVpcAttribute", "DescribeSubnets", "DescribeInternetGateways", "DescribeRouteTables", "DescribeSecurityGroups",
		"DescribeInstances", "DescribeInstanceAttribute", "DescribeVolumes", "DescribeKeyPairs", "DescribeImages", "GetParameters",
		"ListBuckets", "GetBucketVersioning", "GetBucketEncryption", "GetPublicAccessBlock", "GetBucketPolicy",
		"GetBucketLifecycleConfiguration",
	} {
		if !slices.Contains(actions, must) {
			t.Errorf("%s is not asked: of %v", must, actions)
		}
	}
	for i, a := range before {
		if a.Err != nil || len(a.Objects) == 0 {
			t.Fatalf("%s: %d objects, %v", wants[i].Kind, len(a.Objects), a.Err)
		}
	}
	for _, action := range actions {
		for what, f := range strangers() {
			if strings.HasPrefix(f.Body, "<"+action) {
				f.Body = "<" + action + "Response>" // half of its own
			}
			remove := r.proxy.Inject(fault.Rule{Action: action, Do: f})
			after := r.Read(t.Context(), wants)
			remove()
			struck := false
			for i, a := range after {
				var told *resource.Failure
				if errors.As(a.Err, &told) {
					struck = true
					if told.Class != resource.Transient || !strings.Contains(told.Message, "what answered is not AWS") {
						t.Errorf("%s answered with %s: %s: %v", action, what, told.Class, a.Err)
					}
					continue
				}
				if n, was := len(a.Objects), len(before[i].Objects); n != was {
					t.Errorf("%s answered with %s: %d of %d objects of %s, and no error", action, what, n, was, wants[i].Kind)
					continue
				}
				for j, o := range a.Objects {
					for field, was := range before[i].Objects[j].Fields {
						if _, unread := o.Fields[field].(resource.Unread); unread {
							struck = true
						} else if !reflect.DeepEqual(o.Fields[field], was) {
							t.Errorf("%s answered with %s: %s of %s is %v and was %v", action, what, field, o.ID, o.Fields[field], was)
						}
					}
				}
			}
			if !struck && action != "GetResources" { // what the index of tags does not say is read one by one
				t.Errorf("%s answered with %s: nothing is unread", action, what)
			}
		}
	}
}

// everything makes an object of each kind with each aspect, and gives what reads
// them all.
func (r *rig) everything(t *testing.T) []resource.Want {
	t.Helper()
	m := r.machine(t, nil)
	v := r.vpc(t)
	zone := resource.String(r.region + "a")
	ids := map[string]resource.ID{
		"vpc": v.ID, "instance": m.ID,
		"subnet":           r.create(t, "subnet", resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String("10.0.1.0/24"), "availabilityZone": zone}).ID,
		"internet_gateway": r.create(t, "internet_gateway", resource.Map{}).ID,
		"route_table":      r.create(t, "route_table", resource.Map{"vpcId": str(v.ID)}).ID,
		"security_group":   r.create(t, "security_group", resource.Map{"vpcId": str(v.ID), "groupName": resource.String("web"), "description": resource.String("web")}).ID,
		"key_pair":         r.create(t, "key_pair", resource.Map{"keyName": resource.String("k-" + r.estate), "publicKeyMaterial": publicKey(t)}).ID,
		"volume":           r.create(t, "volume", resource.Map{"availabilityZone": zone, "size": resource.Int(1), "volumeType": resource.String("gp3")}).ID,
		"bucket":           r.bucket(t, nil).ID,
	}
	var out []resource.Want
	for kind, id := range ids {
		out = append(out, resource.Want{Kind: kind, By: resource.Selector{IDs: []resource.ID{id}}})
	}
	r.put(t, parameter, r.image(t).(resource.String))
	return append(out,
		resource.Want{Kind: "ami", By: resource.Selector{Lookup: resource.Map{"ssmParameter": resource.String(parameter)}}},
		resource.Want{Kind: "instance", By: resource.Selector{Estate: r.estate}},
		resource.Want{Kind: "bucket", By: resource.Selector{Estate: r.estate}},
	)
}

// TestStrangersAnswerToAChange: whether it was made is not known.
func TestStrangersAnswerToAChange(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ap-southeast-2")
	v := r.vpc(t)
	b := r.bucket(t, nil)
	for what, f := range strangers() {
		if f.Header.Get("X-Amz-Request-Id") == "1" {
			continue // S3 answers a change with its ids alone
		}
		for action, change := range map[string]func() error{
			"CreateVpc": func() error {
				a := address("vpc")
				_, err := r.Create(t.Context(), resource.Object{Address: a, Fields: resource.Map{"cidrBlock": resource.String("10.9.0.0/16")}}, r.mark(a))
				return err
			},
			"DeleteVpc":    func() error { _, err := r.Delete(t.Context(), v, v); return err },
			"CreateTags":   func() error { m := v.Mark; return r.Mark(t.Context(), v, &m) },
			"DeleteBucket": func() error { _, err := r.Delete(t.Context(), b, b); return err },
		} {
			remove := r.proxy.Inject(fault.Rule{Action: action, Do: f})
			err := change()
			remove()
			if resource.ClassOf(err) != resource.UnknownOutcome || !strings.Contains(err.Error(), "what answered is not AWS (status 20") {
				t.Errorf("%s answered with %s: %s: %v", action, what, resource.ClassOf(err), err)
			}
		}
	}
}
