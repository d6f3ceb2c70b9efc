package aws

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// session is one account and region. It is immutable once open, and never
// put into an interface: see sealed.
type session struct {
	account, region, partition string

	ec2   *ec2.Client
	s3    *s3.Client
	ssm   *ssm.Client
	index *resourcegroupstaggingapi.Client // of tags, over all services
	kinds map[string]*kind
	now   func() time.Time
}

// open loads credentials and asks once whose they are. The settings are
// region, credentials, profile and accountId; a region may also come from the environment
// or the profile, as everywhere in AWS.
func open(ctx context.Context, c provider.Config) (provider.Session, error) {
	cfg, err := load(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &session{region: cfg.Region, ec2: ec2.NewFromConfig(cfg), index: resourcegroupstaggingapi.NewFromConfig(cfg), kinds: map[string]*kind{}}
	s.ssm = ssm.NewFromConfig(cfg)
	s.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Another endpoint need not have a host name for each bucket.
		o.UsePathStyle = o.BaseEndpoint != nil
	})
	s.now = time.Now //nolint:forbidigo // when AWS was asked is for this edge to say
	for _, k := range kinds() {
		s.kinds[k.Name] = k
	}
	id, err := reading(ctx, func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
		return sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	})
	if err != nil {
		return nil, err
	}
	s.account = aws.ToString(id.Account)
	if want := c.Settings.Text("accountId"); want != "" && want != s.account {
		return nil, &resource.Failure{Class: resource.Denied, Op: "sts:GetCallerIdentity", Message: fmt.Sprintf(
			"the credentials belong to account %s, the spec wants %s: choose other credentials (profile) or mend accountId", s.account, want)}
	}
	s.partition = "aws"
	if parts := strings.SplitN(aws.ToString(id.Arn), ":", 3); len(parts) == 3 {
		s.partition = parts[1]
	}
	return seal(s), nil
}

func load(ctx context.Context, c provider.Config) (aws.Config, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithLogger(logging.Nop{}), // else the SDK writes to standard error; what goes wrong comes back as an error
	}
	if r := c.Settings.Text("region"); r != "" {
		opts = append(opts, config.WithRegion(r))
	}
	if err := exclusive(c); err != nil {
		return aws.Config{}, err
	}
	opts = append(opts, chosen(c)...)
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return cfg, &resource.Failure{Class: resource.Denied, Op: "aws:LoadConfig", Message: rootCause(err), Err: err}
	}
	if cfg.Region == "" {
		return cfg, invalid("aws:LoadConfig", `no region is set: write providers: aws: region: "eu-west-1" in the environment`)
	}
	// The client is set after loading: with AWS_CA_BUNDLE in the environment,
	// loading refuses one that is given to it.
	base := cfg.HTTPClient
	if c.HTTP != nil {
		base = c.HTTP
	} else if b, ok := base.(*awshttp.BuildableClient); ok || base == nil {
		if b == nil {
			b = awshttp.NewBuildableClient()
		}
		base = &http.Client{Transport: provider.FenceTransport(b.GetTransport()), CheckRedirect: noRedirect}
	}
	base = patient(base)
	cfg.HTTPClient = watched{base}
	cfg.APIOptions = append(cfg.APIOptions, answered)
	assumed(&cfg, base, c)
	return cfg, nil
}

// patient bounds how long a client waits for an answer, under a ctx that says so.
func patient(base aws.HTTPClient) aws.HTTPClient {
	c, ok := base.(*http.Client)
	if !ok {
		return base
	}
	out := *c
	if out.Transport == nil {
		out.Transport = http.DefaultTransport
	}
	out.Transport = provider.PatientTransport(out.Transport)
	return &out
}

// noRedirect leaves a redirect to the SDK, which knows no AWS API that needs
// one: a signed request must not wander.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call is what is known of one call while it runs.
type call struct {
	mutates bool
	sent    atomic.Bool // the SDK handed the request to the HTTP client
}

type callKey struct{}

// watched tells a call when its request leaves the SDK.
type watched struct{ base aws.HTTPClient }

// Do implements aws.HTTPClient.
func (w watched) Do(r *http.Request) (*http.Response, error) {
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		c.sent.Store(true)
	}
	return w.base.Do(r)
}

// reading makes one reading call and classifies its error.
func reading[O any](ctx context.Context, f func(context.Context) (O, error)) (O, error) {
	return calling(ctx, &call{}, f)
}

// mutating makes one mutating call and classifies its error.
func mutating[O any](ctx context.Context, f func(context.Context) (O, error)) (O, error) {
	return calling(ctx, &call{mutates: true}, f)
}

func calling[O any](ctx context.Context, c *call, f func(context.Context) (O, error)) (O, error) {
	out, err := f(context.WithValue(ctx, callKey{}, c))
	return out, classify(err, c)
}

// send makes one mutating call whose answer says nothing of use. P is the
// service's options.
func send[I, O, P any](ctx context.Context, op func(context.Context, *I, ...func(*P)) (*O, error), in *I) error {
	_, err := mutating(ctx, func(ctx context.Context) (*O, error) { return op(ctx, in) })
	return err
}

// Scope implements provider.Session.
func (s *session) Scope() string { return name + "/" + s.account + "/" + s.region }

// Create implements provider.Session.
func (s *session) Create(ctx context.Context, want resource.Object, m resource.Mark) (provider.Progress, error) {
	k, err := s.made(want.Address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	obj, err := k.create(ctx, s, want, creationTags(want, m), m.Token)
	if err != nil {
		return provider.Progress{}, err
	}
	obj.Address = want.Address
	if k.rereads && obj.Mark.Token != m.Token {
		return provider.Progress{Object: obj, Dropped: true}, nil
	}
	obj.Mark = m
	return k.progress(provider.OpCreate, "", obj, want), nil
}

// Update implements provider.Session.
func (s *session) Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (provider.Progress, error) {
	k, err := s.made(want.Address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	aspect, err := aspectOf(k, changes)
	if err != nil {
		return provider.Progress{}, err
	}
	if err := s.stillThere(ctx, k, live.ID); err != nil {
		return provider.Progress{}, err
	}
	var tags []resource.Change
	fields := map[string]bool{}
	for _, c := range changes {
		switch {
		case len(c.Path) == 0:
		case c.Path[0] == "tags":
			tags = append(tags, c)
		default:
			fields[c.Path[0]] = true
		}
	}
	ch := change{aspect: aspect, live: live, want: want, fields: fields, left: resource.Map{}}
	if k.refuses != nil {
		if err := k.refuses(ctx, s, ch); err != nil {
			return provider.Progress{}, err
		}
	}
	obj := resource.Object{Address: want.Address, ID: live.ID, Mark: live.Mark}
	if len(tags) > 0 {
		set, gone := tagChanges(tags)
		if err := s.retag(ctx, k, live, set, gone); err != nil {
			return provider.Progress{}, err
		}
	}
	if len(fields) == 0 {
		return provider.Progress{Object: obj}, nil
	}
	if err := k.update(ctx, s, ch); err != nil {
		obj.Fields = ch.left
		return provider.Progress{Object: obj}, err
	}
	return k.progress(provider.OpUpdate, aspect, obj, want), nil
}

// Delete implements provider.Session.
func (s *session) Delete(ctx context.Context, live, applied resource.Object) (provider.Progress, error) {
	address := live.Address
	if address.IsZero() {
		address = applied.Address
	}
	k, err := s.made(address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	obj := resource.Object{Address: address, ID: live.ID}
	switch err = k.remove(ctx, s, live, applied); {
	case err == nil:
		return k.progress(provider.OpDelete, "", obj, applied), nil
	case resource.ClassOf(err) == resource.NotFound:
		err = nil
	}
	return provider.Progress{Object: obj}, err
}

// Rehearse implements provider.Session.
func (s *session) Rehearse(ctx context.Context, want resource.Object) error {
	k, err := s.made(want.Address.Kind)
	if err != nil || k.rehearse == nil {
		return err
	}
	return k.rehearse(ctx, s, want)
}

// Mark implements provider.Session.
func (s *session) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	k, err := s.made(live.Address.Kind)
	if err != nil {
		return err
	}
	if err := s.stillThere(ctx, k, live.ID); err != nil {
		return err
	}
	if m == nil {
		return s.retag(ctx, k, live, nil, markKeys())
	}
	if e := live.Mark.Estate; e != "" && e != m.Estate {
		return &resource.Failure{Class: resource.Conflict, Op: "aws:Mark", Message: fmt.Sprintf(
			"%s carries the mark of another estate (%s): release it there first", live.ID, e)}
	}
	return s.retag(ctx, k, live, m.Tags(), nil)
}

// stillThere gives NotFound for an object of a kind with tombstones that has
// come to its end.
func (s *session) stillThere(ctx context.Context, k *kind, id resource.ID) error {
	if !k.tombs {
		return nil
	}
	got, err := k.list(ctx, s, []types.Filter{filter(k.idFilter, string(id))})
	if err == nil && !slices.ContainsFunc(got, func(o resource.Object) bool { return o.Fields != nil }) {
		err = notSeen(k.Name, string(id))
	}
	return err
}

// replayWithin is how long after an intent a create is sent again with its
// token. Later the mark tells for sure, and how long EC2 honours a token
// beyond a day is not documented.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
const replayWithin = time.Hour

// Find implements provider.Session: it looks by mark, or by name for what
// bears our mark; a kind whose create takes a token is then created again
// under the same token.
func (s *session) Find(ctx context.Context, in provider.Intent) (provider.Progress, error) {
	k, err := s.made(in.Want.Address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	by := resource.Selector{Token: in.Mark.Token}
	if k.natural != nil {
		by = resource.Selector{IDs: []resource.ID{k.natural(in.Want)}}
	}
	a := s.Read(ctx, []resource.Want{{Kind: k.Name, By: by, Aspects: []string{""}}})[0]
	if k.natural == nil && len(a.Objects) > 1 {
		return provider.Progress{}, provider.Undecided("aws:Find", a.Objects)
	}
	if len(a.Objects) > 0 && a.Objects[0].Mark.Token == in.Mark.Token {
		obj := a.Objects[0]
		obj.Address = in.Want.Address
		return k.progress(provider.OpCreate, "", obj, in.Want), nil
	}
	if a.Err != nil {
		return provider.Progress{}, a.Err
	}
	if k.Settle != provider.SettleToken || in.LookOnly || s.now().Sub(in.Since) > replayWithin {
		return provider.Progress{}, nil
	}
	return s.Create(ctx, in.Want, in.Mark)
}

// made gives a kind whose objects can be made and changed.
func (s *session) made(n string) (*kind, error) {
	k, err := s.kind(n)
	if err == nil && k.lookUp != nil {
		err = &resource.Failure{Class: resource.Bug, Op: "aws", Message: fmt.Sprintf("an %s is looked up, never made or changed", n)}
	}
	return k, err
}

func (s *session) kind(n string) (*kind, error) {
	if k := s.kinds[n]; k != nil {
		return k, nil
	}
	return nil, &resource.Failure{Class: resource.Bug, Op: "aws", Message: fmt.Sprintf("there is no kind %q", n)}
}

// arn gives an EC2 object's Amazon resource name, which not every answer has.
func (s *session) arn(what string, owner, id *string) resource.String {
	account := aws.ToString(owner)
	if account == "" {
		account = s.account
	}
	return resource.String("arn:" + s.partition + ":ec2:" + s.region + ":" + account + ":" + what + "/" + aws.ToString(id))
}

// creationTags is the mark and the user's tags, for the creating call.
func creationTags(want resource.Object, m resource.Mark) map[string]string {
	all := m.Tags()
	if all == nil {
		all = map[string]string{}
	}
	if user, ok := want.Fields["tags"].(resource.Map); ok {
		for key := range user {
			all[key] = user.Text(key)
		}
	}
	return all
}
