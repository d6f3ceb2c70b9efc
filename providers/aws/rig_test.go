package aws_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/aws"
)

// cloud is the one server of this test binary. Tests keep apart by estate,
// and by region where they list everything.
var cloud *moto.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "isobar-aws")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover directory fails nothing
	if cloud, err = moto.Start(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, kv := range cloud.Env() {
		k, v, _ := strings.Cut(kv, "=")
		if err := os.Setenv(k, v); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	cloud.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// rig is a session that speaks through a fault proxy of its own.
type rig struct {
	provider.Session
	proxy  *fault.Proxy
	estate string
	region string
	raw    *ec2.Client // the cloud behind isobar's back
	ssm    *ssm.Client // and its parameters
}

func newRig(t *testing.T, region string) *rig {
	t.Helper()
	p, err := fault.Start(t.Context(), cloud.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := p.Client(provider.FenceTransport)
	behind := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() { closeIdle(client); closeIdle(behind); p.Close() })
	r := &rig{proxy: p, region: region, estate: "estate-" + uuid.NewString()}
	r.Session = r.open(t, r.estate, client)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region))
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = behind
	r.raw, r.ssm = ec2.NewFromConfig(cfg), ssm.NewFromConfig(cfg)
	p.Forget()
	return r
}

func (r *rig) open(t *testing.T, estate string, client *http.Client) provider.Session {
	t.Helper()
	s, err := aws.Type().Open(t.Context(), provider.Config{
		Alias: "aws", Estate: estate, HTTP: client,
		Settings: resource.Map{"region": resource.String(r.region)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// closeIdle reaches the transport below the fence, which knows no idle
// connections itself.
func closeIdle(c *http.Client) {
	c.CloseIdleConnections()
}

func (r *rig) mark(a resource.Address) resource.Mark {
	return resource.Mark{Estate: r.estate, Env: a.Env, Address: a, Token: uuid.Must(uuid.NewV7()).String()}
}

func address(kind string) resource.Address {
	return resource.Address{Env: "prod", Provider: "aws", Kind: kind, Name: "x" + uuid.NewString()[:8]}
}

// create makes an object with its fields without aspects.
func (r *rig) create(t *testing.T, kind string, fields resource.Map) resource.Object {
	t.Helper()
	a := address(kind)
	p, err := r.Create(t.Context(), resource.Object{Address: a, Fields: fields}, r.mark(a))
	if err != nil {
		t.Fatal(err)
	}
	return p.Object
}

// vpc makes a VPC.
func (r *rig) vpc(t *testing.T) resource.Object {
	t.Helper()
	return r.create(t, "vpc", resource.Map{"cidrBlock": resource.String("10.0.0.0/16")})
}

// image gives some machine image of the region.
func (r *rig) image(t *testing.T) resource.Value {
	t.Helper()
	out, err := r.raw.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	if err != nil || len(out.Images) == 0 {
		t.Fatalf("no image: %v", err)
	}
	for _, i := range out.Images {
		if sdk.ToString(i.RootDeviceName) != "" {
			return resource.String(*i.ImageId)
		}
	}
	t.Fatal("no image has a root device")
	return nil
}

func (r *rig) read(t *testing.T, kind string, by resource.Selector) []resource.Object {
	t.Helper()
	a := r.Read(t.Context(), []resource.Want{{Kind: kind, By: by}})[0]
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	return a.Objects
}

func (r *rig) one(t *testing.T, kind string, id resource.ID) resource.Object {
	t.Helper()
	got := r.read(t, kind, resource.Selector{IDs: []resource.ID{id}})
	if len(got) != 1 {
		t.Fatalf("%s %s: %d objects", kind, id, len(got))
	}
	got[0].Address = resource.Address{Env: "prod", Provider: "aws", Kind: kind, Name: "main"}
	return got[0]
}

// change sends one field's change.
func (r *rig) change(t *testing.T, live resource.Object, field string, after resource.Value) error {
	t.Helper()
	want := live
	want.Fields = resource.Map{}
	for k, v := range live.Fields {
		want.Fields[k] = v
	}
	if want.Fields[field] = after; after == nil {
		delete(want.Fields, field)
	}
	_, err := r.Update(t.Context(), live, want, []resource.Change{{Path: resource.Path{field}, Before: live.Fields[field], After: after}})
	return err
}

func str(id resource.ID) resource.Value { return resource.String(id) }

func ptr(id resource.ID) *string { return sdk.String(string(id)) }
