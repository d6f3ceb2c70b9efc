package aws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"pgregory.net/rapid"

	"isobar.dev/engine/resource"
)

// A lifecycle rule as specs write it is the same after S3 has had it.
func TestLifecycleRulesReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := func(label string) resource.Value { return resource.Int(rapid.IntRange(1, 1<<30).Draw(t, label)) }
		class := func() resource.Value {
			return resource.String(rapid.SampledFrom([]string{"GLACIER", "STANDARD_IA"}).Draw(t, "class"))
		}
		maybe := func(m resource.Map, field string, v func() resource.Value) {
			if rapid.Bool().Draw(t, field) {
				m[field] = v()
			}
		}
		times := func() resource.Map {
			if rapid.Bool().Draw(t, "date") {
				d := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "day"), 0).UTC()
				return resource.Map{fieldDate: resource.String(d.Format(time.DateOnly))}
			}
			return resource.Map{fieldDays: n("days")}
		}
		r := resource.Map{fieldID: resource.String("r"), fieldStatus: resource.String("Enabled")}
		maybe(r, fieldFilter, func() resource.Value {
			f := resource.Map{fieldPrefix: resource.String("p")}
			maybe(f, fieldLargerThan, func() resource.Value { return n("larger") })
			maybe(f, fieldSmallerThan, func() resource.Value { return n("smaller") })
			maybe(f, "tags", func() resource.Value {
				return resource.Map{"a": resource.String("1"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"): resource.String("2")}
			})
			if len(f) > 1 && rapid.Bool().Draw(t, "bare") {
				delete(f, fieldPrefix)
			}
			return f
		})
		maybe(r, fieldExpiration, func() resource.Value {
			if rapid.Bool().Draw(t, "marker") {
				return resource.Map{fieldExpiredMarker: resource.Bool(true)}
			}
			return times()
		})
		maybe(r, fieldTransitions, func() resource.Value {
			m := times()
			m[fieldStorageClass] = class()
			return resource.List{m}
		})
		maybe(r, fieldOldExpiration, func() resource.Value {
			m := resource.Map{fieldNoncurrentDays: n("days")}
			maybe(m, fieldNewerNoncurrent, func() resource.Value { return n("newer") })
			return m
		})
		maybe(r, fieldOldTransitions, func() resource.Value {
			return resource.List{resource.Map{fieldNoncurrentDays: resource.Int(0), fieldStorageClass: class()}}
		})
		maybe(r, fieldAbort, func() resource.Value { return resource.Map{fieldDaysAfterStart: n("days")} })
		rule := lifecycleRule(r)
		if got := lifecycleValue(&rule); !resource.Equal(got, r) {
			t.Fatalf("%s reads back as %s", resource.Encode(r), resource.Encode(got))
		}
		if f := rule.Filter; f.And != nil && (f.Prefix != nil || f.Tag != nil) {
			t.Fatalf("a filter of two forms: %+v", f)
		}
	})
}

// A rule from before there were filters has its prefix beside them.
func TestOldLifecyclePrefix(t *testing.T) {
	t.Parallel()
	rule := types.LifecycleRule{ID: aws.String("r"), Status: types.ExpirationStatusEnabled}
	rule.Prefix = aws.String("old/") //nolint:staticcheck // S3 still gives it for such rules
	got := lifecycleValue(&rule)
	want := resource.Map{
		fieldID: resource.String("r"), fieldStatus: resource.String("Enabled"),
		fieldFilter: resource.Map{fieldPrefix: resource.String("old/")},
	}
	if !resource.Equal(got, want) {
		t.Errorf("it reads as %s", resource.Encode(got))
	}
}
