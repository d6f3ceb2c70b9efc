package aws_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/resource"
)

// parameter is one that holds an image's id.
const parameter = "/images/web"

// put sets a parameter of Systems Manager.
func (r *rig) put(t *testing.T, name string, value resource.String) {
	t.Helper()
	_, err := r.ssm.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: sdk.String(name), Value: sdk.String(string(value)), Type: ssmtypes.ParameterTypeString, Overwrite: sdk.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func byFilter(name string) resource.Map {
	return resource.Map{
		"owners":  resource.List{resource.String("self"), resource.String("amazon")},
		"filters": resource.Map{"name": resource.List{resource.String(name)}},
	}
}

// ask looks images up in one read, and gives for each its id or what is wrong.
func (r *rig) ask(t *testing.T, asks ...resource.Map) []string {
	t.Helper()
	wants := make([]resource.Want, len(asks))
	for i, f := range asks {
		wants[i] = resource.Want{Kind: "ami", By: resource.Selector{Lookup: f}}
	}
	out := make([]string, len(asks))
	for i, a := range r.Read(t.Context(), wants) {
		switch {
		case a.Err != nil:
			out[i] = string(resource.ClassOf(a.Err)) + ": " + a.Err.Error()
		case len(a.Objects) == 1:
			out[i] = string(a.Objects[0].ID)
		}
	}
	return out
}

// publish makes images of the account's own, oldest first.
func (r *rig) publish(t *testing.T, name string, n int) []string {
	t.Helper()
	v := r.vpc(t)
	sub := r.create(t, "subnet", resource.Map{"vpcId": str(v.ID), "cidrBlock": resource.String("10.0.1.0/24")})
	run, err := r.raw.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: sdk.String(string(r.image(t).(resource.String))), InstanceType: "t3.micro", MinCount: sdk.Int32(1), MaxCount: sdk.Int32(1), SubnetId: ptr(sub.ID),
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range n {
		img, err := r.raw.CreateImage(t.Context(), &ec2.CreateImageInput{InstanceId: run.Instances[0].InstanceId, Name: sdk.String(fmt.Sprintf("%s-%d", name, i))})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, *img.ImageId)
	}
	return out
}

// TestParametersAreReadInBatches: 23 parameters cost three calls, and the images
// that they name one more.
func TestParametersAreReadInBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	img := r.image(t).(resource.String)
	var asks []resource.Map
	for i := range 23 {
		n := fmt.Sprintf("/batch/%02d", i)
		r.put(t, n, img)
		asks = append(asks, resource.Map{"ssmParameter": resource.String(n)})
	}
	r.proxy.Forget()
	for i, got := range r.ask(t, append(asks, asks...)...) {
		if got != string(img) {
			t.Errorf("lookup %d gives %s", i, got)
		}
	}
	if a, b, all := r.proxy.Count("GetParameters"), r.proxy.Count("DescribeImages"), r.proxy.Count(""); a != 3 || b != 1 || all != 4 {
		t.Errorf("it took %d GetParameters, %d DescribeImages, %d calls", a, b, all)
	}
}

// TestNewestImage: of those that fit the one that was created last is taken;
// versions of a parameter are told apart; what is missing is named.
func TestNewestImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-3")
	ids := r.publish(t, "golden", 3)
	out, err := r.raw.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: ids})
	if err != nil || len(out.Images) != 3 {
		t.Fatalf("%d images, %v", len(out.Images), err)
	}
	newest := slices.MaxFunc(out.Images, func(a, b types.Image) int {
		return strings.Compare(*a.CreationDate+*a.ImageId, *b.CreationDate+*b.ImageId)
	})
	r.put(t, "/golden", resource.String(ids[0]))
	r.put(t, "/golden", resource.String(ids[1]))
	r.put(t, "/text", "swordfish")
	r.put(t, "/foreign", "ami-00000000000000000")
	got := r.ask(t, byFilter("golden-*"), byFilter("golden-1"), byFilter("golden-7"),
		resource.Map{"ssmParameter": resource.String("/golden:2")}, resource.Map{"ssmParameter": resource.String("/golden:1")},
		resource.Map{"ssmParameter": resource.String("/text")}, resource.Map{"ssmParameter": resource.String("/foreign")},
		resource.Map{"ssmParameter": resource.String("/none")})
	want := []string{
		*newest.ImageId, ids[1], "not_found: ec2:DescribeImages: there are no images of amazon, self in eu-west-3 with name golden-7",
		ids[1], ids[0],
		"not_found: ssm:GetParameters: the parameter /text in eu-west-3 holds no image's id: name one that does, such as …/image_id",
		"not_found: ec2:DescribeImages: the parameter /foreign in eu-west-3 names ami-00000000000000000, which is not available to account 123456789012",
		"not_found: ssm:GetParameters: the parameter /none in eu-west-3 does not exist",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("lookup %d gives\n%s, want\n%s", i, got[i], want[i])
		}
	}
}

// TestDeniedParameterIsTold: AWS refuses a batch for one of its names, so the
// others are asked again by themselves.
func TestDeniedParameterIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-central-1")
	img := r.image(t).(resource.String)
	r.put(t, "/mine", img)
	r.put(t, "/theirs", img)
	r.proxy.Inject(fault.Rule{Action: "GetParameters", Times: 1, Do: fault.Refuse(http.StatusBadRequest, "AccessDeniedException", "not authorized")})
	mine, theirs := resource.Map{"ssmParameter": resource.String("/mine")}, resource.Map{"ssmParameter": resource.String("/theirs")}
	if got := r.ask(t, mine, theirs); got[0] != string(img) || got[1] != string(img) {
		t.Errorf("after one refusal: %q", got)
	}
	r.proxy.Inject(fault.Rule{Action: "GetParameters", Do: fault.Refuse(http.StatusBadRequest, "AccessDeniedException", "not authorized")})
	want := "denied: ssm:GetParameters: AccessDeniedException: the parameter /mine in eu-central-1 could not be read: not authorized"
	if got := r.ask(t, mine)[0]; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := r.ask(t, byFilter("*"))[0]; !strings.HasPrefix(got, "ami-") {
		t.Errorf("images by filter: %s", got)
	}
}
