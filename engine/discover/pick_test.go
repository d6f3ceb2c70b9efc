package discover_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/discover"
	"isobar.dev/engine/resource"
)

func str(s string) resource.Value { return resource.String(s) }

func named(name string) resource.Value { return resource.Map{"Name": str(name)} }

// estate is what an account shows: two networks, of which one has everything.
func estate() map[string][]resource.Object {
	rule := func(group string) resource.List {
		return resource.List{resource.Map{"ipProtocol": str("-1"), "referencedGroupId": str(group)}}
	}
	return map[string][]resource.Object{
		"vpc": {
			{ID: "vpc-1", Fields: resource.Map{"tags": named("main"), "defaultSecurityGroupId": str("sg-d"), "mainRouteTableId": str("rtb-m")}},
			{ID: "vpc-2", Fields: resource.Map{}, Given: "it is the region's default VPC"},
		},
		"subnet": {
			{ID: "subnet-1", Fields: resource.Map{"vpcId": str("vpc-1"), "tags": resource.Map{"Name": str("a/1"), "team": str("web")}}},
			{ID: "subnet-2", Fields: resource.Map{"vpcId": str("vpc-2")}},
		},
		"security_group": {
			{ID: "sg-1", Fields: resource.Map{"vpcId": str("vpc-1"), "groupName": str("web")}},
			{ID: "sg-2", Fields: resource.Map{"vpcId": str("vpc-2"), "groupName": str("web"), "ingress": rule("sg-1")}},
			{ID: "sg-d", Fields: resource.Map{"vpcId": str("vpc-1"), "groupName": str("default")}},
		},
		"route_table": {{ID: "rtb-m", Fields: resource.Map{"vpcId": str("vpc-1")}}},
		"instance": {
			{ID: "i-1", Fields: resource.Map{"subnetId": str("subnet-1"), "rootVolumeId": str("vol-r"), "securityGroupIds": resource.List{str("sg-1")}, "tags": resource.Map{"Name": str("web-1"), "team": str("web")}}},
			{ID: "i-2", Fields: resource.Map{"subnetId": str("subnet-2"), "tags": named("web-2")}},
		},
		"volume": {
			{ID: "vol-1", Fields: resource.Map{"attachment": resource.Map{"instanceId": str("i-1")}}},
			{ID: "vol-2", Fields: resource.Map{}},
			{ID: "vol-r", Fields: resource.Map{"attachment": resource.Map{"instanceId": str("i-1")}, "tags": resource.Map{"team": str("web")}}},
		},
	}
}

// seen answers wants from an estate.
func seen(wants []resource.Want, in map[string][]resource.Object) []discover.Seen {
	var out []discover.Seen
	for _, w := range wants {
		s := discover.Seen{Want: w}
		for _, o := range in[w.Kind] {
			if w.By.All || string(o.ID) == w.By.Named {
				s.Answer.Objects = append(s.Answer.Objects, o)
			}
		}
		out = append(out, s)
	}
	return out
}

// TestPick pins what each way of asking means, and what is left out of it.
func TestPick(t *testing.T) {
	t.Parallel()
	kinds := kinds(t)
	for text, want := range map[string]string{
		"aws:vpc=vpc-1":      "i-1 rtb-m(it is part of aws.vpc vpc-1) sg-1 sg-d(it is part of aws.vpc vpc-1) subnet-1 vol-1 vol-r(it is part of aws.instance i-1) vpc-1",
		"aws:vpc=vpc-2":      "i-2 sg-2 subnet-2 vpc-2",
		"aws:instance=i-1":   "i-1 vol-1 vol-r(it is part of aws.instance i-1)",
		"aws:id=sg-d":        "sg-d",
		"aws:id=vol-r":       "vol-r",
		"aws:name=web*":      "i-1 i-2 sg-1 sg-2",
		"aws:name=a*":        "subnet-1",
		"aws:name=vol-?":     "vol-1 vol-2 vol-r(it is part of aws.instance i-1)",
		"aws:tag:team=web":   "i-1 subnet-1 vol-r(it is part of aws.instance i-1)",
		"aws:tag:team=*":     "i-1 subnet-1 vol-r(it is part of aws.instance i-1)",
		"aws:tag:team=W*":    "",
		"aws:volume=vol-2":   "vol-2",
		"aws:name=[w]eb-1":   "i-1",
		"aws:tag:Name=a/*":   "subnet-1",
		"aws:tag:absent=*":   "",
		"aws:name=vpc-2":     "vpc-2(it is the region's default VPC)",
		"aws:bucket=nothing": "!aws shows no aws.bucket nothing",
	} {
		a, err := discover.ParseAsk(text)
		if err != nil {
			t.Fatal(err)
		}
		wants, err := a.Wants("aws", kinds)
		if err != nil {
			t.Fatal(err)
		}
		found, err := a.Pick("aws", kinds, seen(wants, estate()))
		var got []string
		for _, f := range found {
			word := f.ID
			if f.Left != "" {
				word += "(" + f.Left + ")"
			}
			got = append(got, word)
			if f.By != text || f.Alias != "aws" {
				t.Errorf("%s: %+v", text, f)
			}
		}
		slices.Sort(got)
		if err != nil {
			got = []string{"!" + err.Error()}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is %s, want %s", text, strings.Join(got, " "), want)
		}
	}
}

// TestFailedLists never lets a list that failed pass for one without objects.
func TestFailedLists(t *testing.T) {
	t.Parallel()
	kinds := kinds(t)
	denied := errors.New("denied")
	for text, want := range map[string]string{
		"aws:name=x":      "bucket instance internet_gateway key_pair route_table security_group subnet volume vpc",
		"aws:vpc=vpc-1":   "instance internet_gateway route_table security_group subnet volume vpc vpc",
		"aws:id=vpc-9":    "bucket instance internet_gateway key_pair route_table security_group subnet volume vpc",
		"aws:id=i-answer": "", // one kind knows it, and the others need not
	} {
		a, _ := discover.ParseAsk(text)
		wants, _ := a.Wants("aws", kinds)
		answers := seen(wants, nil)
		for i := range answers {
			if text == "aws:id=i-answer" && answers[i].Want.Kind == "instance" {
				answers[i].Answer.Objects = []resource.Object{{ID: "i-answer", Fields: resource.Map{}}}
				continue
			}
			answers[i].Answer.Err = denied
		}
		found, err := a.Pick("aws", kinds, answers)
		var got []string
		for _, f := range found {
			if strings.HasPrefix(f.Left, "could not be read") {
				got = append(got, strings.TrimPrefix(f.Type, "aws."))
			}
		}
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s leaves out %s, %v", text, strings.Join(got, " "), err)
		}
	}
}

// TestMerge keeps what one ask wants though another leaves it out.
func TestMerge(t *testing.T) {
	t.Parallel()
	got := discover.Merge(
		[]discover.Found{{Type: "aws.vpc", ID: "v", By: "1", Left: "no"}, {Type: "aws.vpc", ID: "w", By: "1"}},
		[]discover.Found{{Type: "aws.vpc", ID: "v", By: "2"}, {Type: "aws.vpc", ID: "w", By: "2", Left: "no"}, {Type: "aws.subnet", ID: "v", By: "2"}},
	)
	if len(got) != 3 || got[0].By != "2" || got[1].By != "1" || got[0].Left+got[1].Left != "" {
		t.Errorf("%+v", got)
	}
}
