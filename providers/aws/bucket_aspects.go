package aws

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/resource"
)

const (
	fieldVersioning = "versioning"
	fieldEncryption = "encryption"
	fieldBlock      = "publicAccessBlock"
	fieldPolicy     = "policy"
	fieldLifecycle  = "lifecycleRules"

	aspectLifecycle = "lifecycle"
)

// bucketPart is a setting of a bucket that has calls of its own to read and to
// write it.
type bucketPart struct {
	field, aspect string
	absent        string // the code with which S3 says that it is not set
	// read gives its value; nil where it is not set.
	read func(ctx context.Context, s *session, id *string) (resource.Value, error)
	// write brings it to what ch wants.
	write func(ctx context.Context, s *session, id *string, ch change) error
}

func bucketParts() []bucketPart {
	return []bucketPart{
		{field: fieldVersioning, aspect: fieldVersioning, read: readVersioning, write: writeVersioning},
		{
			field: fieldEncryption, aspect: fieldEncryption, absent: "ServerSideEncryptionConfigurationNotFoundError",
			read: readEncryption, write: writeEncryption,
		},
		{field: fieldBlock, aspect: fieldBlock, absent: "NoSuchPublicAccessBlockConfiguration", read: readAccessBlock, write: writeAccessBlock},
		{field: fieldPolicy, aspect: fieldPolicy, absent: "NoSuchBucketPolicy", read: readPolicy, write: writePolicy},
		{field: fieldLifecycle, aspect: aspectLifecycle, absent: "NoSuchLifecycleConfiguration", read: readLifecycle, write: writeLifecycle},
	}
}

// updateBucket changes one aspect. The bare one holds nothing but what isobar
// alone knows.
func updateBucket(ctx context.Context, s *session, ch change) error {
	for _, p := range bucketParts() {
		if p.aspect == ch.aspect {
			return p.write(ctx, s, aws.String(string(ch.live.ID)), ch)
		}
	}
	return nil
}

// enrichBuckets reads the aspects that are asked for, a call each. One that
// may not be read, or that nobody asked for, is Unread.
func enrichBuckets(ctx context.Context, s *session, objs []resource.Object, asks map[resource.ID]aspects) ([]resource.Object, error) {
	parts := bucketParts()
	type answer struct {
		value resource.Value
		gone  bool
		err   error
	}
	got := make([]answer, len(objs)*len(parts))
	var g errgroup.Group
	g.SetLimit(readers)
	for i, o := range objs {
		for j, p := range parts {
			a := &got[i*len(parts)+j]
			if !asks[o.ID].has(p.aspect) {
				a.value = resource.Unread{Why: notAsked}
				continue
			}
			g.Go(func() error {
				v, err := p.read(ctx, s, aws.String(string(o.ID)))
				switch class := resource.ClassOf(err); {
				case err == nil:
					a.value = v
				case p.absent != "" && codeOf(err) == p.absent:
					a.value = unset(p.field)
				case class == resource.NotFound:
					a.gone = true // deleted since it was listed
				case class == resource.Denied:
					a.value = resource.Unread{Why: err.Error()}
				default:
					a.value, a.err = resource.Unread{Why: err.Error()}, err
				}
				return nil
			})
		}
	}
	_ = g.Wait() // errors are kept apart
	var kept []resource.Object
	var failed error
	for i, o := range objs {
		mine := got[i*len(parts) : (i+1)*len(parts)]
		for j, a := range mine {
			if a.value != nil {
				o.Fields[parts[j].field] = a.value
			}
			failed = cmp.Or(failed, a.err)
		}
		if !slices.ContainsFunc(mine, func(a answer) bool { return a.gone }) {
			kept = append(kept, o)
		}
	}
	return kept, failed
}

// unset is the value of a field that S3 says is not set.
func unset(field string) resource.Value {
	if field == fieldBlock {
		return accessBlock(&types.PublicAccessBlockConfiguration{}) // nothing is refused
	}
	return nil
}

func readVersioning(ctx context.Context, s *session, id *string) (resource.Value, error) {
	got, err := reading(ctx, func(ctx context.Context) (*s3.GetBucketVersioningOutput, error) {
		return s.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: id, ExpectedBucketOwner: &s.account})
	})
	if err != nil || got.Status == "" {
		return nil, err // "" of a bucket that never had versions
	}
	return resource.Map{"status": resource.String(got.Status)}, nil
}

// writeVersioning turns versions on or suspends them; once on, there is no way
// back to none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
func writeVersioning(ctx context.Context, s *session, id *string, ch change) error {
	want, _ := ch.want.Fields[fieldVersioning].(resource.Map)
	status := types.BucketVersioningStatus(cmp.Or(want.Text("status"), string(types.BucketVersioningStatusSuspended)))
	return send(ctx, s.s3.PutBucketVersioning, &s3.PutBucketVersioningInput{
		Bucket: id, ExpectedBucketOwner: &s.account, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
}

// encryptionOf gives the one rule of a bucket's encryption.
func (s *session) encryptionOf(ctx context.Context, id *string) (types.ServerSideEncryptionRule, error) {
	got, err := reading(ctx, func(ctx context.Context) (*s3.GetBucketEncryptionOutput, error) {
		return s.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: id, ExpectedBucketOwner: &s.account})
	})
	if err != nil || got.ServerSideEncryptionConfiguration == nil || len(got.ServerSideEncryptionConfiguration.Rules) == 0 {
		return types.ServerSideEncryptionRule{}, err
	}
	return got.ServerSideEncryptionConfiguration.Rules[0], nil
}

func readEncryption(ctx context.Context, s *session, id *string) (resource.Value, error) {
	rule, err := s.encryptionOf(ctx, id)
	if err != nil || rule.ApplyServerSideEncryptionByDefault == nil {
		return nil, err
	}
	m := resource.Map{"bucketKeyEnabled": resource.Bool(aws.ToBool(rule.BucketKeyEnabled))}
	text(m, "sseAlgorithm", aws.String(string(rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm)))
	text(m, "kmsMasterKeyId", rule.ApplyServerSideEncryptionByDefault.KMSMasterKeyID)
	return m, nil
}

// writeEncryption changes what is wanted of a bucket's encryption and keeps
// the rest of it; a key goes with an algorithm that has none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
func writeEncryption(ctx context.Context, s *session, id *string, ch change) error {
	want, _ := ch.want.Fields[fieldEncryption].(resource.Map)
	if len(want) == 0 {
		return send(ctx, s.s3.DeleteBucketEncryption, &s3.DeleteBucketEncryptionInput{Bucket: id, ExpectedBucketOwner: &s.account})
	}
	rule, err := s.encryptionOf(ctx, id)
	if err := ignore(err, "ServerSideEncryptionConfigurationNotFoundError"); err != nil {
		return err
	}
	next := types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryption(want.Text("sseAlgorithm"))}
	if was := rule.ApplyServerSideEncryptionByDefault; was != nil && (was.SSEAlgorithm == next.SSEAlgorithm || ofKMS(was) && ofKMS(&next)) {
		next.KMSMasterKeyID = was.KMSMasterKeyID
	}
	if key := optional(want, "kmsMasterKeyId"); key != nil {
		next.KMSMasterKeyID = key
	}
	rule.ApplyServerSideEncryptionByDefault = &next
	rule.BucketKeyEnabled = aws.Bool(boolOr(want, "bucketKeyEnabled", aws.ToBool(rule.BucketKeyEnabled)))
	return send(ctx, s.s3.PutBucketEncryption, &s3.PutBucketEncryptionInput{
		Bucket: id, ExpectedBucketOwner: &s.account,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{rule}},
	})
}

// ofKMS reports whether a default encrypts with a key of KMS.
func ofKMS(d *types.ServerSideEncryptionByDefault) bool {
	return d.SSEAlgorithm == types.ServerSideEncryptionAwsKms || d.SSEAlgorithm == types.ServerSideEncryptionAwsKmsDsse
}

func readAccessBlock(ctx context.Context, s *session, id *string) (resource.Value, error) {
	got, err := reading(ctx, func(ctx context.Context) (*s3.GetPublicAccessBlockOutput, error) {
		return s.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: id, ExpectedBucketOwner: &s.account})
	})
	if err != nil {
		return nil, err
	}
	b := got.PublicAccessBlockConfiguration
	if b == nil {
		b = &types.PublicAccessBlockConfiguration{}
	}
	return accessBlock(b), nil
}

func accessBlock(b *types.PublicAccessBlockConfiguration) resource.Value {
	return resource.Map{
		"blockPublicAcls": resource.Bool(aws.ToBool(b.BlockPublicAcls)), "blockPublicPolicy": resource.Bool(aws.ToBool(b.BlockPublicPolicy)),
		"ignorePublicAcls": resource.Bool(aws.ToBool(b.IgnorePublicAcls)), "restrictPublicBuckets": resource.Bool(aws.ToBool(b.RestrictPublicBuckets)),
	}
}

func writeAccessBlock(ctx context.Context, s *session, id *string, ch change) error {
	want, _ := ch.want.Fields[fieldBlock].(resource.Map)
	flag := func(field string) *bool { return aws.Bool(boolOr(want, field, true)) }
	return send(ctx, s.s3.PutPublicAccessBlock, &s3.PutPublicAccessBlockInput{
		Bucket: id, ExpectedBucketOwner: &s.account,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: flag("blockPublicAcls"), BlockPublicPolicy: flag("blockPublicPolicy"),
			IgnorePublicAcls: flag("ignorePublicAcls"), RestrictPublicBuckets: flag("restrictPublicBuckets"),
		},
	})
}
