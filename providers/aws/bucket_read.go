package aws

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/resource"
)

const (
	// maxTagValues is how many values one tag filter of GetResources takes, and
	// maxTagPage its largest page.
	// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
	maxTagValues, maxTagPage = 20, 100
	// maxBucketPage is the largest page of ListBuckets.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
	maxBucketPage = 10000
)

// seekBuckets answers a query.
//
// S3 lists names alone and tells tags a bucket a call, so what bears a mark is
// asked of the index of tags, 100 buckets a call. The index trails S3 by a
// time that nobody names, and shows what is deleted, so ListBuckets, a call for
// 10,000 names, says what is there. Fifty buckets cost two calls in all.
//
// What is asked for by name and did not come with a mark, be it too young for
// the index, is asked of S3 itself, a call a bucket: GetBucketTagging tells its
// tags and that it is there. So does apply before it touches anything.
func seekBuckets(ctx context.Context, s *session, q query) ([]resource.Object, error) {
	switch q.way {
	case byIDs:
		return s.bucketsByName(ctx, q.values)
	case byFilter:
		return nil, invalid("aws:Read", "buckets cannot be looked up by a filter: name them")
	}
	key := map[string]string{byEstate: resource.MarkEstate, byTokens: resource.MarkToken}[q.way] // "" for all
	tags, err := s.taggedBuckets(ctx, key, q.values)
	if err != nil || len(tags) == 0 && key != "" {
		return nil, err
	}
	names, err := s.bucketNames(ctx)
	var out []resource.Object
	for _, id := range names {
		if of, ok := tags[id]; ok || key == "" {
			out = append(out, s.bucketObject(id, of))
		}
	}
	return out, err
}

// taggedBuckets gives the tags of the region's buckets that bear one of the
// values under key; of all that have tags where key is "".
func (s *session) taggedBuckets(ctx context.Context, key string, values []string) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	prefix := s.bucketARN("")
	ask := func(filters []tagging.TagFilter) error {
		in := &resourcegroupstaggingapi.GetResourcesInput{
			ResourceTypeFilters: []string{"s3:bucket"}, TagFilters: filters, ResourcesPerPage: aws.Int32(maxTagPage),
		}
		return pages(ctx, s.index.GetResources, in, &in.PaginationToken, func(page *resourcegroupstaggingapi.GetResourcesOutput) *string {
			for i := range page.ResourceTagMappingList {
				r := &page.ResourceTagMappingList[i]
				id, ok := strings.CutPrefix(aws.ToString(r.ResourceARN), prefix)
				if !ok {
					continue
				}
				out[id] = map[string]string{}
				for _, t := range r.Tags {
					out[id][aws.ToString(t.Key)] = aws.ToString(t.Value)
				}
			}
			return page.PaginationToken
		})
	}
	if key == "" {
		return out, ask(nil)
	}
	for part := range slices.Chunk(values, maxTagValues) {
		if err := ask([]tagging.TagFilter{{Key: aws.String(key), Values: part}}); err != nil {
			return out, err
		}
	}
	return out, nil
}

// bucketNames gives the names of the account's buckets in the region.
func (s *session) bucketNames(ctx context.Context) ([]string, error) {
	var out []string
	in := &s3.ListBucketsInput{BucketRegion: aws.String(s.region), MaxBuckets: aws.Int32(maxBucketPage)}
	err := pages(ctx, s.s3.ListBuckets, in, &in.ContinuationToken, func(page *s3.ListBucketsOutput) *string {
		for i := range page.Buckets {
			out = append(out, aws.ToString(page.Buckets[i].Name))
		}
		return page.ContinuationToken
	})
	return out, err
}

// bucketsByName asks S3 for each bucket.
func (s *session) bucketsByName(ctx context.Context, ids []string) ([]resource.Object, error) {
	found, errs := make([]*resource.Object, len(ids)), make([]error, len(ids))
	var g errgroup.Group
	g.SetLimit(readers)
	for i, id := range ids {
		g.Go(func() error {
			tags, err := s.bucketTags(ctx, id)
			switch {
			case err == nil:
				o := s.bucketObject(id, tags)
				found[i] = &o
			case resource.ClassOf(err) != resource.NotFound:
				errs[i] = s.notHere(err, id)
			}
			return nil
		})
	}
	_ = g.Wait() // errors are kept apart
	var out []resource.Object
	for _, o := range found {
		if o != nil {
			out = append(out, *o)
		}
	}
	return out, cmp.Or(errs...)
}

// bucketTags gives a bucket's tags, NotFound where there is no bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
func (s *session) bucketTags(ctx context.Context, id string) (map[string]string, error) {
	got, err := reading(ctx, func(ctx context.Context) (*s3.GetBucketTaggingOutput, error) {
		return s.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String(id), ExpectedBucketOwner: &s.account})
	})
	out := map[string]string{}
	if err := ignore(err, "NoSuchTagSet"); err != nil || got == nil {
		return out, err
	}
	for _, t := range got.TagSet {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out, nil
}

// elsewhere reports whether S3 says that a bucket lives in another region.
func elsewhere(err error) bool {
	switch codeOf(err) {
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return true
	}
	return false
}

// notHere puts into words why a bucket's name leads to none that can be read.
func (s *session) notHere(err error, id string) error {
	switch {
	case elsewhere(err):
		return because(err, resource.Invalid, "the bucket "+id+" is not in "+s.region+": use a provider of its own region")
	case resource.ClassOf(err) == resource.Denied && !expired(codeOf(err)):
		return because(err, resource.Denied, "the bucket "+id+" may not be read (s3:GetBucketTagging), or belongs to another account")
	}
	return err
}
