package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	kindAMI        = "ami"
	fieldParameter = "ssmParameter"
	fieldOwners    = "owners"
	fieldFilters   = "filters"

	// maxParameters is how many names one GetParameters takes.
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
	maxParameters = 10
)

// ami is the kind aws.ami, which is looked up: what a parameter of Systems
// Manager names, or the newest image that filters let through.
func ami() *kind {
	return &kind{
		Kind:   provider.Kind{Name: kindAMI, IDs: provider.ReachRegion, Service: serviceEC2, Origin: provider.OriginLookedUp, Unmarked: true},
		lookUp: lookUpImages,
	}
}

// lookUpImages answers lookups in their order: all parameters in batches, the
// images that they name in one list, and a list for each distinct set of
// filters.
func lookUpImages(ctx context.Context, s *session, asks []resource.Map) []resource.Answer {
	out := make([]resource.Answer, len(asks))
	byFilters := map[string][]int{}
	var named []int
	for i, f := range asks {
		if f.Text(fieldParameter) != "" {
			named = append(named, i)
		} else {
			key := string(resource.Encode(f))
			byFilters[key] = append(byFilters[key], i)
		}
	}
	var g errgroup.Group
	g.SetLimit(readers)
	if len(named) > 0 {
		g.Go(func() error {
			s.imagesByParameter(ctx, asks, named, out)
			return nil
		})
	}
	for _, key := range slices.Sorted(maps.Keys(byFilters)) {
		g.Go(func() error {
			a := s.imageByFilters(ctx, asks[byFilters[key][0]])
			for _, i := range byFilters[key] {
				out[i] = a
			}
			return nil
		})
	}
	_ = g.Wait() // errors are answers
	return out
}

// imageByFilters finds the newest image that a lookup's owners and filters let
// through. One that AWS marks as deprecated is passed over, as everywhere where
// images are listed.
func (s *session) imageByFilters(ctx context.Context, f resource.Map) resource.Answer {
	in := &ec2.DescribeImagesInput{Owners: slices.Sorted(maps.Keys(texts(f[fieldOwners]))), MaxResults: aws.Int32(maxPage)}
	fs, _ := f[fieldFilters].(resource.Map)
	for _, n := range fs.Keys() {
		in.Filters = append(in.Filters, types.Filter{Name: aws.String(n), Values: slices.Sorted(maps.Keys(texts(fs[n])))})
	}
	var newest *types.Image
	err := s.images(ctx, in, func(v *types.Image) {
		if newest == nil || newer(v, newest) {
			newest = v
		}
	})
	what := fmt.Sprintf("images of %s in %s with %s", strings.Join(in.Owners, ", "), s.region, filterWords(in.Filters))
	switch {
	case err != nil:
		return resource.Answer{Err: whileReading(what, err)}
	case newest == nil:
		return resource.Answer{Err: nothing("ec2:DescribeImages", "there are no "+what)}
	}
	return resource.Answer{Objects: []resource.Object{imageObject(newest)}}
}

func filterWords(fs []types.Filter) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = aws.ToString(f.Name) + " " + strings.Join(f.Values, " or ")
	}
	return strings.Join(parts, ", ")
}

// newer reports whether a was created after b. Creation dates are ISO 8601 in
// UTC, so that they sort as text; ids tell those of one second apart for good.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html
func newer(a, b *types.Image) bool {
	return cmp.Or(cmp.Compare(aws.ToString(a.CreationDate), aws.ToString(b.CreationDate)), cmp.Compare(aws.ToString(a.ImageId), aws.ToString(b.ImageId))) > 0
}

// images lists what can be started from, all pages.
func (s *session) images(ctx context.Context, in *ec2.DescribeImagesInput, take func(*types.Image)) error {
	return pages(ctx, s.ec2.DescribeImages, in, &in.NextToken, func(page *ec2.DescribeImagesOutput) *string {
		for i := range page.Images {
			if v := &page.Images[i]; v.State == types.ImageStateAvailable {
				take(v)
			}
		}
		return page.NextToken
	})
}

func imageObject(v *types.Image) resource.Object {
	f := resource.Map{}
	text(f, "name", v.Name)
	text(f, "architecture", aws.String(string(v.Architecture)))
	text(f, "ownerId", v.OwnerId)
	text(f, "rootDeviceName", v.RootDeviceName)
	return resource.Object{ID: resource.ID(aws.ToString(v.ImageId)), Fields: f}
}

var imageID = regexp.MustCompile(`^ami-[0-9a-f]{8,17}$`)

// imagesByParameter answers the lookups asks[i], i in named, by what their
// parameters hold.
func (s *session) imagesByParameter(ctx context.Context, asks []resource.Map, named []int, out []resource.Answer) {
	names := make([]string, len(named))
	for j, i := range named {
		names[j] = asks[i].Text(fieldParameter)
	}
	slices.Sort(names)
	values, errs := s.parameters(ctx, slices.Compact(names))
	var ids []string
	for _, v := range values {
		if imageID.MatchString(v) {
			ids = append(ids, v)
		}
	}
	slices.Sort(ids)
	images, err := s.imagesByID(ctx, slices.Compact(ids))
	for _, i := range named {
		n := asks[i].Text(fieldParameter)
		what := fmt.Sprintf("the parameter %s in %s", n, s.region)
		v, known := values[n]
		found, there := images[v]
		switch { // what a parameter holds may be a secret: it is not told
		case errs[n] != nil:
			out[i].Err = whileReading(what, errs[n])
		case !known:
			out[i].Err = nothing("ssm:GetParameters", what+" does not exist")
		case !imageID.MatchString(v):
			out[i].Err = nothing("ssm:GetParameters", what+" holds no image's id: name one that does, such as …/image_id")
		case there:
			out[i].Objects = []resource.Object{found}
		case err != nil:
			out[i].Err = whileReading("the image that "+what+" names", err)
		default:
			out[i].Err = nothing("ec2:DescribeImages", what+" names "+v+", which is not available to account "+s.account)
		}
	}
}

// imagesByID lists images by their ids, deprecated ones too: they were chosen.
func (s *session) imagesByID(ctx context.Context, ids []string) (map[string]resource.Object, error) {
	out := map[string]resource.Object{}
	for part := range slices.Chunk(ids, maxFilterValues) {
		in := &ec2.DescribeImagesInput{Filters: []types.Filter{filter("image-id", part...)}, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(maxPage)}
		if err := s.images(ctx, in, func(v *types.Image) { out[aws.ToString(v.ImageId)] = imageObject(v) }); err != nil {
			return out, err
		}
	}
	return out, nil
}

// parameters reads parameters by name, a batch a call. One that may not be read
// makes AWS refuse its whole batch, which is then asked name by name.
func (s *session) parameters(ctx context.Context, names []string) (values map[string]string, errs map[string]error) {
	values, errs = map[string]string{}, map[string]error{}
	var mu sync.Mutex
	ask := func(part []string) error {
		got, err := reading(ctx, func(ctx context.Context) (*ssm.GetParametersOutput, error) {
			return s.ssm.GetParameters(ctx, &ssm.GetParametersInput{Names: part})
		})
		mu.Lock()
		defer mu.Unlock()
		for _, n := range part {
			errs[n] = err
		}
		if err != nil {
			return err
		}
		for i := range got.Parameters {
			for _, n := range spellings(&got.Parameters[i]) {
				values[n] = aws.ToString(got.Parameters[i].Value)
			}
		}
		return nil
	}
	var g errgroup.Group
	g.SetLimit(readers)
	for part := range slices.Chunk(names, maxParameters) {
		g.Go(func() error {
			if err := ask(part); resource.ClassOf(err) == resource.Denied && len(part) > 1 {
				for _, n := range part {
					_ = ask([]string{n}) // kept in errs
				}
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in errs
	return values, errs
}

// spellings are the names under which a parameter may have been asked for: its
// name or Amazon resource name, with the version or label that was asked for
// behind it. Where none was, the answer is the newest version's.
func spellings(p *ssmtypes.Parameter) []string {
	selector := aws.ToString(p.Selector)
	selector = selector[strings.LastIndex(selector, ":")+1:]
	var out []string
	for _, n := range []string{aws.ToString(p.Name), aws.ToString(p.ARN)} {
		if selector == "" {
			out = append(out, n)
		} else {
			out = append(out, n+":"+selector)
		}
		out = append(out, fmt.Sprintf("%s:%d", n, p.Version))
	}
	return out
}

// nothing says that a lookup found nothing, in words for people.
func nothing(op, message string) error {
	return &resource.Failure{Class: resource.NotFound, Op: op, Message: message}
}

// whileReading says of a failed read what it was to tell. An absence of what
// the read needs is none of what it looks for.
func whileReading(what string, err error) error {
	var f *resource.Failure
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Message = what + " could not be read: " + f.Message
	if told.Class == resource.NotFound {
		told.Class = resource.Invalid
	}
	return &told
}

// lookUp answers the lookups among wants on a kind that is looked up.
func (s *session) lookUp(ctx context.Context, k *kind, wants []resource.Want, at time.Time) []resource.Answer {
	asks := make([]resource.Map, len(wants))
	for i, w := range wants {
		asks[i] = w.By.Lookup
	}
	out := k.lookUp(ctx, s, asks)
	for i := range out {
		out[i].At = at
		if asks[i] == nil {
			out[i] = resource.Answer{At: at, Err: &resource.Failure{Class: resource.Bug, Op: "aws:Read", Message: "an " + k.Name + " is read by a lookup alone"}}
		}
	}
	return out
}
