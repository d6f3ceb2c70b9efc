package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"isobar.dev/engine/resource"
)

// removeBucket deletes a bucket. One that holds something is emptied first
// where that was applied (forceDestroy), and else refused.
func removeBucket(ctx context.Context, s *session, live, applied resource.Object) error {
	remove := func() error {
		return send(ctx, s.s3.DeleteBucket, &s3.DeleteBucketInput{Bucket: aws.String(string(live.ID)), ExpectedBucketOwner: &s.account})
	}
	err := remove()
	if codeOf(err) != "BucketNotEmpty" {
		return err
	}
	if !boolOr(applied.Fields, fieldForce, false) {
		return because(err, resource.Denied, "the bucket "+string(live.ID)+
			" holds objects, and they would be lost: empty it, old versions too, and go on (forceDestroy: true lets isobar do so where it was applied "+
			"while the bucket was still wanted by that name); or let go of it: isobar forget "+live.Address.Env+" "+live.Address.Local())
	}
	if err := s.emptyBucket(ctx, string(live.ID)); err != nil {
		return err
	}
	return remove()
}

// maxDeletes is how many objects DeleteObjects takes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
const maxDeletes = 1000

// emptyBucket deletes all versions and delete markers, page by page. What has begun goes on at the next try: the list starts anew
// each time.
func (s *session) emptyBucket(ctx context.Context, id string) error {
	looking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	gone := 0
	for {
		page, err := reading(looking, func(ctx context.Context) (*s3.ListObjectVersionsOutput, error) {
			return s.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &id, ExpectedBucketOwner: &s.account})
		})
		if err != nil && errors.Is(looking.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
			return stillEmptying(id, gone)
		}
		if err != nil {
			return err
		}
		objects := versionsOf(page)
		if len(objects) == 0 {
			return nil
		}
		for part := range slices.Chunk(objects, maxDeletes) {
			if err := s.deleteVersions(ctx, id, part); err != nil {
				return err
			}
			gone += len(part)
		}
		if looking.Err() != nil {
			return stillEmptying(id, gone)
		}
	}
}

func stillEmptying(id string, gone int) error {
	return &resource.Failure{Class: resource.Conflict, Op: "s3:DeleteObjects", Message: fmt.Sprintf(
		"the bucket %s is not empty yet (objects deleted so far: %d): the next try goes on", id, gone)}
}

func versionsOf(page *s3.ListObjectVersionsOutput) []types.ObjectIdentifier {
	out := make([]types.ObjectIdentifier, 0, len(page.Versions)+len(page.DeleteMarkers))
	for i := range page.Versions {
		out = append(out, types.ObjectIdentifier{Key: page.Versions[i].Key, VersionId: page.Versions[i].VersionId})
	}
	for i := range page.DeleteMarkers {
		out = append(out, types.ObjectIdentifier{Key: page.DeleteMarkers[i].Key, VersionId: page.DeleteMarkers[i].VersionId})
	}
	return out
}

// deleteVersions deletes some versions. The answer is a success even where S3
// refused each of them, as it does under an object lock.
func (s *session) deleteVersions(ctx context.Context, id string, objects []types.ObjectIdentifier) error {
	out, err := mutating(ctx, func(ctx context.Context) (*s3.DeleteObjectsOutput, error) {
		return s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &id, ExpectedBucketOwner: &s.account, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
	})
	if err != nil || len(out.Errors) == 0 {
		return err
	}
	e := out.Errors[0]
	code := aws.ToString(e.Code)
	return &resource.Failure{
		Class: classOfCode(code, 0, true), Op: "s3:DeleteObjects", Code: code,
		Message: fmt.Sprintf("the bucket %s holds what could not be deleted, %q%s: %s",
			id, aws.ToString(e.Key), besides(len(out.Errors)-1), strings.TrimSpace(aws.ToString(e.Message))),
	}
}

// besides says that there are more than the one that is named.
func besides(more int) string {
	if more == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", more)
}
