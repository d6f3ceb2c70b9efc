package aws

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	kindBucket  = "bucket"
	fieldBucket = "bucket"
	fieldForce  = "forceDestroy"
)

// bucketLag is how long reads may trail a write. S3's objects are strongly
// consistent, but the settings of a bucket and the list of all buckets are
// only in the end, and so is the index of tags; none names a time, so it is
// EC2's.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
const bucketLag = ec2Lag

// bucket is the kind aws.bucket. A bucket's name is its id, unique among all
// accounts, so a lost create is settled by the name and the mark on it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func bucket() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindBucket, IDs: provider.ReachWorld, Settle: provider.SettleNatural, Lag: bucketLag, Service: serviceS3,
			Origin: provider.OriginCreated,
		},
		fields: map[string]string{
			"tags": "", fieldForce: "", fieldVersioning: fieldVersioning, fieldEncryption: fieldEncryption,
			fieldBlock: fieldBlock, fieldPolicy: fieldPolicy, fieldLifecycle: aspectLifecycle,
		},
		seek:    seekBuckets,
		enrich:  enrichBuckets,
		retag:   retagBucket,
		natural: func(want resource.Object) resource.ID { return resource.ID(want.Fields.Text(fieldBucket)) },
		create:  createBucket,
		update:  updateBucket,
		remove:  removeBucket,
		rereads: true,
	}
}

func (s *session) bucketObject(id string, tags map[string]string) resource.Object {
	f := resource.Map{
		fieldBucket: resource.String(id), "arn": resource.String(s.bucketARN(id)),
		"regionalDomainName": resource.String(id + ".s3." + s.region + "." + dnsSuffix(s.partition)),
	}
	return marked(resource.Object{ID: resource.ID(id), Fields: f}, kindBucket, tags)
}

func (s *session) bucketARN(id string) string { return "arn:" + s.partition + ":s3:::" + id }

// dnsSuffix is the domain of a partition's endpoints.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
func dnsSuffix(partition string) string {
	switch partition {
	case "aws-cn":
		return "amazonaws.com.cn"
	case "aws-eusc":
		return "amazonaws.eu"
	}
	return "amazonaws.com"
}

// createBucket makes a bucket under a name that nobody has. It looks first:
// in us-east-1 S3 answers the create of a bucket that the account has already
// with success. It looks once more afterwards: not every store that speaks S3's
// API takes the tags of a create, and one that is made anew may show those of
// its predecessor.
func createBucket(ctx context.Context, s *session, want resource.Object, tags map[string]string, token string) (resource.Object, error) {
	id := want.Fields.Text(fieldBucket)
	if id == "" {
		return resource.Object{}, invalid("s3:CreateBucket", "a bucket needs a name: set bucket")
	}
	switch have, err := s.bucketTags(ctx, id); {
	case err == nil && have[resource.MarkToken] == token && token != "":
		return s.bucketObject(id, have), nil // this create, made before
	case elsewhere(err): // the create tells whose
	case err == nil, resource.ClassOf(err) == resource.Denied && !expired(codeOf(err)):
		if err := s.nameTaken(ctx, id, err); err != nil {
			return resource.Object{}, err
		}
	case resource.ClassOf(err) != resource.NotFound:
		return resource.Object{}, s.notHere(err, id)
	}
	in := &s3.CreateBucketInput{Bucket: aws.String(id), CreateBucketConfiguration: &types.CreateBucketConfiguration{Tags: s3Tags(tags)}}
	if s.region != lenient { // which has no location constraint
		in.CreateBucketConfiguration.LocationConstraint = types.BucketLocationConstraint(s.region)
	}
	switch err := send(ctx, s.s3.CreateBucket, in); codeOf(err) {
	case "":
		if err != nil {
			return resource.Object{}, err
		}
	case "BucketAlreadyOwnedByYou":
		return resource.Object{}, ownedByYou(id)
	case "BucketAlreadyExists":
		return resource.Object{}, somebodys(err, id)
	default:
		return resource.Object{}, err
	}
	if have, err := s.bucketTags(ctx, id); err == nil {
		tags = have
		if s.region != lenient && have[resource.MarkToken] != token { // the bucket is new: no mark on it is its own
			maps.DeleteFunc(tags, func(k, _ string) bool { return slices.Contains(markKeys(), k) })
		}
	}
	return s.bucketObject(id, tags), nil
}

// lenient is the region in which S3 answers the create of a bucket that the
// account has already with success.
const lenient = "us-east-1"

// nameTaken says whose the bucket is that a look at its tags met, whatever that
// came to; nil where the create tells. S3 shows tags to the owner whom the call
// names, and other stores that speak its API may show them to anybody: the
// account's own buckets are those that it lists.
func (s *session) nameTaken(ctx context.Context, id string, seen error) error {
	if seen != nil && s.region != lenient {
		return nil
	}
	own, err := s.owns(ctx, id)
	switch {
	case own, err != nil && seen == nil:
		return ownedByYou(id)
	case err != nil:
		return s.notHere(seen, id)
	case s.region != lenient:
		return nil
	}
	return somebodys(&resource.Failure{Op: "s3:CreateBucket", Code: "BucketAlreadyExists"}, id)
}

// owns reports whether a bucket is among those of the account, in any region.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
func (s *session) owns(ctx context.Context, id string) (bool, error) {
	found := false
	in := &s3.ListBucketsInput{Prefix: &id, MaxBuckets: aws.Int32(maxBucketPage)}
	err := pages(ctx, s.s3.ListBuckets, in, &in.ContinuationToken, func(page *s3.ListBucketsOutput) *string {
		for i := range page.Buckets {
			found = found || aws.ToString(page.Buckets[i].Name) == id
		}
		return page.ContinuationToken
	})
	return found, err
}

func somebodys(err error, id string) error {
	return because(err, resource.Invalid,
		"the name "+id+" belongs to somebody else: bucket names are unique among all AWS accounts, so choose another one")
}

func ownedByYou(id string) error {
	return &resource.Failure{
		// No conflict that another try gets over: people decide.
		Class: resource.Invalid, Op: "s3:CreateBucket", Code: "BucketAlreadyOwnedByYou",
		Message: "the bucket " + id + " is there already, in this account: bring it under isobar with isobar import, or choose another name",
	}
}

// because gives a failure another class and message; code and request id stay.
func because(err error, class resource.Class, message string) error {
	f := resource.Failure{}
	if was, ok := err.(*resource.Failure); ok { //nolint:errorlint // classify gives it unwrapped
		f = *was
	}
	f.Class, f.Message = class, message
	return &f
}

// retagBucket changes some of a bucket's tags. S3 takes them only whole, so
// what is there is read just before; Amazon's own stay among them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
func retagBucket(ctx context.Context, s *session, id resource.ID, set map[string]string, gone []string) error {
	if len(set)+len(gone) == 0 {
		return nil
	}
	have, err := s.bucketTags(ctx, string(id))
	if err != nil {
		return err
	}
	next := maps.Clone(have)
	maps.Copy(next, set)
	for _, k := range gone {
		delete(next, k)
	}
	switch {
	case maps.Equal(have, next):
		return nil
	case len(next) == 0:
		return send(ctx, s.s3.DeleteBucketTagging, &s3.DeleteBucketTaggingInput{Bucket: aws.String(string(id)), ExpectedBucketOwner: &s.account})
	}
	return send(ctx, s.s3.PutBucketTagging, &s3.PutBucketTaggingInput{
		Bucket: aws.String(string(id)), ExpectedBucketOwner: &s.account, Tagging: &types.Tagging{TagSet: s3Tags(next)},
	})
}

func s3Tags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return out
}
