package aws

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const (
	kindKeyPair    = "key_pair"
	fieldKeyName   = "keyName"
	fieldPublicKey = "publicKeyMaterial"
	fieldPrint     = "keyFingerprint"
)

// keyPair is the kind aws.key_pair. ImportKeyPair takes no client token, and
// nothing but the tags of a key pair can be changed.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html
func keyPair() *kind {
	return &kind{
		Kind: provider.Kind{
			Name: kindKeyPair, IDs: provider.ReachRegion, Settle: provider.SettleMark, Lag: ec2Lag, Service: serviceEC2,
			Origin: provider.OriginCreated,
		},
		idFilter: "key-pair-id",
		byName:   "key-name",
		fields:   map[string]string{"tags": ""},
		list:     listKeyPairs,
		create:   importKeyPair,
		remove:   removeKeyPair,
		tombs:    true,
	}
}

// removeKeyPair deletes a key pair under the name that its id has now: EC2
// answers a delete of what is not there with success.
func removeKeyPair(ctx context.Context, s *session, live, _ resource.Object) error {
	now, err := listKeyPairs(ctx, s, []types.Filter{filter("key-pair-id", string(live.ID))})
	if err != nil || len(now) == 0 {
		return err
	}
	return send(ctx, s.ec2.DeleteKeyPair, &ec2.DeleteKeyPairInput{KeyName: optional(now[0].Fields, fieldKeyName)})
}

// listKeyPairs makes one call: DescribeKeyPairs has no pages.
func listKeyPairs(ctx context.Context, s *session, fs []types.Filter) ([]resource.Object, error) {
	got, err := reading(ctx, func(ctx context.Context) (*ec2.DescribeKeyPairsOutput, error) {
		return s.ec2.DescribeKeyPairs(ctx, &ec2.DescribeKeyPairsInput{Filters: fs, IncludePublicKey: aws.Bool(true)})
	})
	if err != nil {
		return nil, err
	}
	out := make([]resource.Object, 0, len(got.KeyPairs))
	for i := range got.KeyPairs {
		k := &got.KeyPairs[i]
		f := resource.Map{"arn": s.arn("key-pair", nil, k.KeyPairId)}
		text(f, fieldKeyName, k.KeyName)
		text(f, fieldPrint, k.KeyFingerprint)
		text(f, fieldPublicKey, aws.String(bareKey(aws.ToString(k.PublicKey))))
		out = append(out, withTags(resource.Object{ID: resource.ID(aws.ToString(k.KeyPairId)), Fields: f}, kindKeyPair, k.Tags))
	}
	return out, nil
}

// bareKey takes the comment off a public key in OpenSSH's form (sshd(8),
// AUTHORIZED_KEYS FILE FORMAT): EC2 puts the key pair's name in its place.
func bareKey(line string) string {
	parts := strings.Fields(line)
	return strings.Join(parts[:min(2, len(parts))], " ")
}

func importKeyPair(ctx context.Context, s *session, want resource.Object, tags map[string]string, _ string) (resource.Object, error) {
	out, err := mutating(ctx, func(ctx context.Context) (*ec2.ImportKeyPairOutput, error) {
		return s.ec2.ImportKeyPair(ctx, &ec2.ImportKeyPairInput{
			KeyName:           optional(want.Fields, fieldKeyName),
			PublicKeyMaterial: []byte(want.Fields.Text(fieldPublicKey)), TagSpecifications: specifications(kindKeyPair, tags),
		})
	})
	if err != nil {
		return resource.Object{}, err
	}
	if out.KeyPairId == nil {
		return resource.Object{}, emptyAnswer("ec2:ImportKeyPair")
	}
	f := resource.Map{"arn": s.arn("key-pair", nil, out.KeyPairId)}
	text(f, fieldKeyName, out.KeyName)
	text(f, fieldPrint, out.KeyFingerprint)
	text(f, fieldPublicKey, optional(want.Fields, fieldPublicKey))
	return withTags(resource.Object{ID: resource.ID(*out.KeyPairId), Fields: f}, kindKeyPair, out.Tags), nil
}
