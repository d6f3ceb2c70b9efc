package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"isobar.dev/engine/resource"
)

// The fields of lifecycle rules.
const (
	fieldExpiration      = "expiration"
	fieldTransitions     = "transitions"
	fieldOldExpiration   = "noncurrentVersionExpiration"
	fieldOldTransitions  = "noncurrentVersionTransitions"
	fieldAbort           = "abortIncompleteMultipartUpload"
	fieldNoncurrentDays  = "noncurrentDays"
	fieldNewerNoncurrent = "newerNoncurrentVersions"
	fieldDaysAfterStart  = "daysAfterInitiation"
	fieldExpiredMarker   = "expiredObjectDeleteMarker"
	fieldStorageClass    = "storageClass"
	fieldLargerThan      = "objectSizeGreaterThan"
	fieldSmallerThan     = "objectSizeLessThan"
	fieldDays, fieldDate = "days", "date"
	fieldFilter          = "filter"
	fieldPrefix          = "prefix"
	fieldID, fieldStatus = "id", "status"
)

func (s *session) lifecycleOf(ctx context.Context, id *string) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	return reading(ctx, func(ctx context.Context) (*s3.GetBucketLifecycleConfigurationOutput, error) {
		return s.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: id, ExpectedBucketOwner: &s.account})
	})
}

func readLifecycle(ctx context.Context, s *session, id *string) (resource.Value, error) {
	got, err := s.lifecycleOf(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make(resource.List, len(got.Rules))
	for i := range got.Rules {
		out[i] = lifecycleValue(&got.Rules[i])
	}
	return out, nil
}

// writeLifecycle sets all rules, or deletes them. Below which size no object
// changes its class is no rule, and is kept as it is.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
func writeLifecycle(ctx context.Context, s *session, id *string, ch change) error {
	rules := structs(ch.want.Fields[fieldLifecycle])
	if len(rules) == 0 {
		return send(ctx, s.s3.DeleteBucketLifecycle, &s3.DeleteBucketLifecycleInput{Bucket: id, ExpectedBucketOwner: &s.account})
	}
	in := &s3.PutBucketLifecycleConfigurationInput{
		Bucket: id, ExpectedBucketOwner: &s.account, LifecycleConfiguration: &types.BucketLifecycleConfiguration{},
	}
	for _, r := range rules {
		rule := lifecycleRule(r)
		if !acts(&rule) {
			return invalid("s3:PutBucketLifecycleConfiguration", "the lifecycle rule "+r.Text(fieldID)+
				" does nothing: give it an expiration, a transition, or one of the other actions")
		}
		in.LifecycleConfiguration.Rules = append(in.LifecycleConfiguration.Rules, rule)
	}
	now, err := s.lifecycleOf(ctx, id)
	if err := ignore(err, "NoSuchLifecycleConfiguration"); err != nil {
		return err
	}
	if now != nil {
		in.TransitionDefaultMinimumObjectSize = now.TransitionDefaultMinimumObjectSize
	}
	return send(ctx, s.s3.PutBucketLifecycleConfiguration, in)
}

func acts(r *types.LifecycleRule) bool {
	return r.Expiration != nil || len(r.Transitions) > 0 || r.NoncurrentVersionExpiration != nil ||
		len(r.NoncurrentVersionTransitions) > 0 || r.AbortIncompleteMultipartUpload != nil
}

// lifecycleRule gives a rule in S3's form.
func lifecycleRule(m resource.Map) types.LifecycleRule {
	r := types.LifecycleRule{ID: optional(m, fieldID), Status: types.ExpirationStatus(m.Text(fieldStatus)), Filter: lifecycleFilter(m)}
	if e, ok := m[fieldExpiration].(resource.Map); ok {
		r.Expiration = &types.LifecycleExpiration{Days: optionalInt(e, fieldDays), Date: day(e)}
		if boolOr(e, fieldExpiredMarker, false) {
			r.Expiration.ExpiredObjectDeleteMarker = aws.Bool(true)
		}
	}
	for _, t := range structs(m[fieldTransitions]) {
		r.Transitions = append(r.Transitions, types.Transition{
			Days: optionalInt(t, fieldDays), Date: day(t), StorageClass: types.TransitionStorageClass(t.Text(fieldStorageClass)),
		})
	}
	if e, ok := m[fieldOldExpiration].(resource.Map); ok {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{
			NoncurrentDays: optionalInt(e, fieldNoncurrentDays), NewerNoncurrentVersions: optionalInt(e, fieldNewerNoncurrent),
		}
	}
	for _, t := range structs(m[fieldOldTransitions]) {
		r.NoncurrentVersionTransitions = append(r.NoncurrentVersionTransitions, types.NoncurrentVersionTransition{
			NoncurrentDays: optionalInt(t, fieldNoncurrentDays), NewerNoncurrentVersions: optionalInt(t, fieldNewerNoncurrent),
			StorageClass: types.TransitionStorageClass(t.Text(fieldStorageClass)),
		})
	}
	if e, ok := m[fieldAbort].(resource.Map); ok {
		r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: optionalInt(e, fieldDaysAfterStart)}
	}
	return r
}

// day is midnight in UTC of a rule's date, as S3 wants it.
func day(m resource.Map) *time.Time {
	t, err := time.Parse(time.DateOnly, m.Text(fieldDate))
	if err != nil {
		return nil // not set: the schema takes no other form
	}
	return &t
}

// lifecycleFilter gives a rule's filter: S3 has one form for one condition and
// another for several. An empty prefix is every object.
func lifecycleFilter(m resource.Map) *types.LifecycleRuleFilter {
	f, _ := m[fieldFilter].(resource.Map)
	user, _ := f["tags"].(resource.Map)
	all := make(map[string]string, len(user))
	for k := range user {
		all[k] = user.Text(k)
	}
	and := types.LifecycleRuleAndOperator{
		Prefix: optional(f, fieldPrefix), Tags: s3Tags(all),
		ObjectSizeGreaterThan: optionalLong(f, fieldLargerThan), ObjectSizeLessThan: optionalLong(f, fieldSmallerThan),
	}
	conditions := len(and.Tags)
	for _, set := range []bool{and.Prefix != nil, and.ObjectSizeGreaterThan != nil, and.ObjectSizeLessThan != nil} {
		if set {
			conditions++
		}
	}
	switch {
	case conditions == 0:
		return &types.LifecycleRuleFilter{Prefix: aws.String("")}
	case conditions > 1:
		return &types.LifecycleRuleFilter{And: &and}
	case len(and.Tags) == 1:
		return &types.LifecycleRuleFilter{Tag: &and.Tags[0]}
	}
	return &types.LifecycleRuleFilter{Prefix: and.Prefix, ObjectSizeGreaterThan: and.ObjectSizeGreaterThan, ObjectSizeLessThan: and.ObjectSizeLessThan}
}

func optionalLong(f resource.Map, field string) *int64 {
	if n, ok := f[field].(resource.Int); ok {
		return aws.Int64(int64(n))
	}
	return nil
}

// lifecycleValue gives a rule of S3's as specs write it.
func lifecycleValue(r *types.LifecycleRule) resource.Value {
	m := resource.Map{}
	text(m, fieldID, r.ID)
	text(m, fieldStatus, aws.String(string(r.Status)))
	if f := filterValue(r); len(f) > 0 {
		m[fieldFilter] = f
	}
	if e := r.Expiration; e != nil {
		v := timing(e.Days, e.Date)
		if aws.ToBool(e.ExpiredObjectDeleteMarker) {
			v[fieldExpiredMarker] = resource.Bool(true)
		}
		m[fieldExpiration] = v
	}
	var moves, oldMoves resource.List
	for _, t := range r.Transitions {
		v := timing(t.Days, t.Date)
		text(v, fieldStorageClass, aws.String(string(t.StorageClass)))
		moves = append(moves, v)
	}
	for _, t := range r.NoncurrentVersionTransitions {
		v := resource.Map{}
		long(v, fieldNoncurrentDays, t.NoncurrentDays)
		long(v, fieldNewerNoncurrent, t.NewerNoncurrentVersions)
		text(v, fieldStorageClass, aws.String(string(t.StorageClass)))
		oldMoves = append(oldMoves, v)
	}
	if moves != nil {
		m[fieldTransitions] = resource.Sorted(moves)
	}
	if oldMoves != nil {
		m[fieldOldTransitions] = resource.Sorted(oldMoves)
	}
	if e := r.NoncurrentVersionExpiration; e != nil {
		v := resource.Map{}
		long(v, fieldNoncurrentDays, e.NoncurrentDays)
		long(v, fieldNewerNoncurrent, e.NewerNoncurrentVersions)
		m[fieldOldExpiration] = v
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		v := resource.Map{}
		long(v, fieldDaysAfterStart, a.DaysAfterInitiation)
		m[fieldAbort] = v
	}
	return m
}

func timing(days *int32, date *time.Time) resource.Map {
	m := resource.Map{}
	long(m, fieldDays, days)
	if date != nil {
		m[fieldDate] = resource.String(date.UTC().Format(time.DateOnly))
	}
	return m
}

// long sets a number that is there; zero is one.
func long[N int32 | int64](m resource.Map, field string, n *N) {
	if n != nil {
		m[field] = resource.Int(*n)
	}
}

// filterValue gives a rule's filter; a prefix beside it is the form of rules
// from before there were filters.
func filterValue(r *types.LifecycleRule) resource.Map {
	m, user := resource.Map{}, resource.Map{}
	text(m, fieldPrefix, r.Prefix) //nolint:staticcheck // S3 still gives it for such rules
	f := r.Filter
	if f == nil {
		return m
	}
	and := f.And
	if and == nil {
		and = &types.LifecycleRuleAndOperator{Prefix: f.Prefix, ObjectSizeGreaterThan: f.ObjectSizeGreaterThan, ObjectSizeLessThan: f.ObjectSizeLessThan}
		if f.Tag != nil {
			and.Tags = []types.Tag{*f.Tag}
		}
	}
	text(m, fieldPrefix, and.Prefix)
	long(m, fieldLargerThan, and.ObjectSizeGreaterThan)
	long(m, fieldSmallerThan, and.ObjectSizeLessThan)
	for _, t := range and.Tags {
		user[aws.ToString(t.Key)] = resource.String(aws.ToString(t.Value))
	}
	if len(user) > 0 {
		m["tags"] = user
	}
	return m
}
