package aws

import (
	"testing"
)

// Each kind says which API throttles its calls: what EC2 refuses must not slow
// buckets down.
func TestKindsNameTheirService(t *testing.T) {
	t.Parallel()
	typ := Type()
	for _, k := range typ.Kinds {
		want := "ec2"
		if k.Name == "bucket" {
			want = "s3"
		}
		if got := typ.Service(k.Name); got != want {
			t.Errorf("%s is of %q, want %q", k.Name, got, want)
		}
	}
	if got := typ.Service(""); got != "" {
		t.Errorf("reads of several kinds are of %q", got)
	}
}
