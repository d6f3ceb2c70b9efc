package aws_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

const testKey = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// tlsOnly is a bucket's policy.
var tlsOnly = resource.Map{
	"Version": resource.String("2012-10-17"),
	"Statement": resource.List{resource.Map{
		"Sid": resource.String("Tls"), "Effect": resource.String("Deny"),
		"Principal": resource.Map{"AWS": resource.List{resource.String("*")}},
		"Action":    resource.List{resource.String("s3:*")},
		"Resource":  resource.List{resource.String("arn:aws:s3:::x"), resource.String("arn:aws:s3:::x/*")},
		"Condition": resource.Map{"Bool": resource.Map{"aws:SecureTransport": resource.List{resource.String("false")}}},
	}},
}

// blocks is a public access block: lists and the policy.
func blocks(acls, policy bool) resource.Map {
	return resource.Map{
		"blockPublicAcls": resource.Bool(acls), "ignorePublicAcls": resource.Bool(acls),
		"blockPublicPolicy": resource.Bool(policy), "restrictPublicBuckets": resource.Bool(policy),
	}
}

// store is S3 behind isobar's back.
func (r *rig) store(t *testing.T) *s3.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(r.region))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	cfg.HTTPClient = client
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// bucket makes a bucket and gives it as it reads back.
func (r *rig) bucket(t *testing.T, more resource.Map) resource.Object {
	t.Helper()
	return r.one(t, "bucket", r.create(t, "bucket", merge(resource.Map{"bucket": bucketName()}, more)).ID)
}

// fill puts versions and delete markers into a bucket, three an object.
func fill(t *testing.T, c *s3.Client, id string, objects int) {
	t.Helper()
	_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &id, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		key := fmt.Sprintf("a %03d&<é>", i)
		for range 2 {
			if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &id, Key: &key, Body: bytes.NewReader([]byte("x"))}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &id, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
}

// A bucket that holds something stays unless forceDestroy was applied; then
// all versions and delete markers go first. A delete that broke off goes on.
func TestFullBucketStaysUnlessForced(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	c := r.store(t)
	fill(t, c, string(o.ID), 3)
	for _, applied := range []resource.Object{{}, {Fields: resource.Map{"forceDestroy": resource.Bool(false)}}} {
		_, err := r.Delete(t.Context(), o, applied)
		class(t, err, resource.Denied, "BucketNotEmpty")
		if !strings.Contains(err.Error(), "forceDestroy: true") {
			t.Errorf("the refusal gives no way out: %v", err)
		}
	}
	if n := r.proxy.Count("DeleteObjects"); n != 0 {
		t.Fatalf("%d deletes of objects without leave", n)
	}
	forced := resource.Object{Fields: resource.Map{"forceDestroy": resource.Bool(true)}}
	r.proxy.Inject(fault.Rule{Action: "DeleteObjects", Times: 1, Do: fault.LoseAnswer()})
	_, err := r.Delete(t.Context(), o, forced)
	class(t, err, resource.UnknownOutcome, "")
	for range 2 {
		if _, err := r.Delete(t.Context(), o, forced); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.read(t, "bucket", resource.Selector{IDs: []resource.ID{o.ID}}); len(got) != 0 {
		t.Fatalf("it is still there: %+v", got)
	}
}

// A bucket of more objects than a page holds is emptied page by page.
func TestBucketIsEmptiedByPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	c := r.store(t)
	var g errgroup.Group
	g.SetLimit(4)
	for i := range 1001 {
		g.Go(func() error {
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: sdk.String(string(o.ID)), Key: sdk.String(fmt.Sprint(i)), Body: bytes.NewReader(nil)})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), o, resource.Object{Fields: resource.Map{"forceDestroy": resource.Bool(true)}}); err != nil {
		t.Fatal(err)
	}
	if n := r.proxy.Count("DeleteObjects"); n != 2 {
		t.Errorf("%d calls deleted 1,001 objects, want 2", n)
	}
}

// An object that S3 keeps stops the delete with S3's own words.
func TestLockedObjectIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	fill(t, r.store(t), string(o.ID), 1)
	r.proxy.Inject(fault.Rule{Action: "DeleteObjects", Times: 1, Do: fault.Fault{
		Status: http.StatusOK, Header: http.Header{"X-Amz-Request-Id": {"1"}}, Body: `<DeleteResult><Error><Key>a 000</Key><Code>AccessDenied</Code><Message>Access Denied because object protected by object lock.</Message></Error></DeleteResult>`,
	}})
	forced := resource.Object{Fields: resource.Map{"forceDestroy": resource.Bool(true)}}
	_, err := r.Delete(t.Context(), o, forced)
	class(t, err, resource.Denied, "AccessDenied")
	if !strings.Contains(err.Error(), `"a 000"`) || !strings.Contains(err.Error(), "object lock") {
		t.Errorf("told %v", err)
	}
	if _, err := r.Delete(t.Context(), o, forced); err != nil {
		t.Fatal(err)
	}
}

// A name that is taken is told with its way out, and a bucket of ours that
// somebody else made is not taken over: also in us-east-1, where S3 calls its
// create a success.
func TestBucketNameIsTaken(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"eu-west-2", "us-east-1"} {
		r := newRig(t, region)
		name := string(bucketName().(resource.String))
		in := &s3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}}
		if region == "us-east-1" {
			in.CreateBucketConfiguration = nil
		}
		if _, err := r.store(t).CreateBucket(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		a := address("bucket")
		want := resource.Object{Address: a, Fields: resource.Map{"bucket": resource.String(name)}}
		_, err := r.Create(t.Context(), want, r.mark(a))
		class(t, err, resource.Invalid, "BucketAlreadyOwnedByYou")
		if !strings.Contains(err.Error(), "isobar import") || r.proxy.Count("CreateBucket") != 0 {
			t.Errorf("%s: told %v after %d creates", region, err, r.proxy.Count("CreateBucket"))
		}
		want.Fields = resource.Map{"bucket": bucketName()}
		r.proxy.Inject(fault.Rule{Action: "CreateBucket", Times: 1, Do: fault.Refuse(http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available.")})
		_, err = r.Create(t.Context(), want, r.mark(a))
		class(t, err, resource.Invalid, "BucketAlreadyExists")
		if !strings.Contains(err.Error(), "choose another one") {
			t.Errorf("%s: told %v", region, err)
		}
		m := r.mark(a)
		for range 2 { // the same create again is the bucket that it made
			p, err := r.Create(t.Context(), want, m)
			if err != nil || string(p.Object.ID) != want.Fields.Text("bucket") {
				t.Fatalf("%s: %+v %v", region, p, err)
			}
		}
		if n := r.proxy.Count("CreateBucket"); n != 2 {
			t.Errorf("%s: %d creates, of which one was refused", region, n)
		}
	}
}

// A bucket of another account is told as somebody else's, though its tags can be
// read; so is one that may not be looked at, where the create would not tell.
func TestBucketOfAnotherAccount(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"eu-west-2", "us-east-1"} {
		r := newRig(t, region)
		name := string(bucketName().(resource.String))
		location := "<CreateBucketConfiguration><LocationConstraint>" + region + "</LocationConstraint></CreateBucketConfiguration>"
		if region == "us-east-1" {
			location = ""
		}
		if _, err := cloud.In("100000000001").S3(t.Context(), region, http.MethodPut, "/"+name, location); err != nil {
			t.Fatal(err)
		}
		a := address("bucket")
		for _, denied := range []bool{false, true} {
			if denied {
				r.proxy.Inject(fault.Rule{Action: "GetBucketTagging", Times: 1, Do: fault.Refuse(http.StatusForbidden, "AccessDenied", "Access Denied")})
			}
			_, err := r.Create(t.Context(), resource.Object{Address: a, Fields: resource.Map{"bucket": resource.String(name)}}, r.mark(a))
			class(t, err, resource.Invalid, "BucketAlreadyExists")
			if !strings.Contains(err.Error(), "belongs to somebody else") {
				t.Errorf("%s, denied %v: told %v", region, denied, err)
			}
		}
	}
}

// A store may show the tags of a bucket's predecessor: they are no mark of the
// new one.
func TestBucketMadeAnewForgetsItsPredecessor(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	plain := &http.Client{Transport: provider.FenceTransport(&http.Transport{DisableKeepAlives: true})}
	r.Session = r.open(t, r.estate, plain) // the proxy mends tags as AWS has them
	name := bucketName()
	old := r.create(t, "bucket", resource.Map{"bucket": name})
	m := r.mark(old.Address)
	if err := r.Mark(t.Context(), old, &m); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), old, old); err != nil {
		t.Fatal(err)
	}
	a := address("bucket")
	p, err := r.Create(t.Context(), resource.Object{Address: a, Fields: resource.Map{"bucket": name}}, r.mark(a))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Dropped || !p.Object.Mark.IsZero() {
		t.Fatalf("the new one bears %+v (dropped %v)", p.Object.Mark, p.Dropped)
	}
	m = r.mark(a)
	if err := r.Mark(t.Context(), p.Object, &m); err != nil {
		t.Fatal(err)
	}
	if got := r.one(t, "bucket", p.Object.ID).Mark; got != m {
		t.Errorf("it bears %+v, want %+v", got, m)
	}
}

// Credentials that have expired are told as that, and not as a bucket that may
// not be read.
func TestBucketAndExpiredCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	r.proxy.Inject(fault.Rule{Action: "GetBucketTagging", Do: fault.Refuse(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")})
	ans := r.Read(t.Context(), []resource.Want{{Kind: "bucket", By: resource.Selector{IDs: []resource.ID{o.ID}}}})[0]
	class(t, ans.Err, resource.Denied, "ExpiredToken")
	if !strings.Contains(ans.Err.Error(), "renew them") {
		t.Errorf("told %v", ans.Err)
	}
	_, err := r.Create(t.Context(), resource.Object{Address: address("bucket"), Fields: resource.Map{"bucket": bucketName()}}, r.mark(o.Address))
	class(t, err, resource.Denied, "ExpiredToken")
	if n := r.proxy.Count("CreateBucket"); n != 1 { // the first bucket's own
		t.Errorf("%d creates", n)
	}
}

// Each setting that is taken out of the spec goes back to S3's own, and its
// drift is seen before.
func TestBucketSettingsGoAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	if got := o.Fields["publicAccessBlock"]; !resource.Equal(got, blocks(false, false)) {
		t.Errorf("no block reads as %s", resource.Encode(got))
	}
	old := merge(rule("id", "old", "status", "Enabled"), resource.Map{"expiration": rule("days", 9)})
	for _, c := range []struct {
		field       string
		value, gone resource.Value
	}{
		{"versioning", rule("status", "Enabled"), rule("status", "Suspended")},
		{"encryption", rule("sseAlgorithm", "aws:kms"), nil},
		{"policy", tlsOnly, nil},
		{"lifecycleRules", resource.List{old}, nil},
	} {
		if err := r.change(t, r.one(t, "bucket", o.ID), c.field, c.value); err != nil {
			t.Fatal(err)
		}
		if live := r.one(t, "bucket", o.ID); live.Fields[c.field] == nil {
			t.Errorf("%s does not read back", c.field)
		}
		for range 2 {
			if err := r.change(t, r.one(t, "bucket", o.ID), c.field, nil); err != nil {
				t.Fatal(err)
			}
		}
		if live := r.one(t, "bucket", o.ID).Fields[c.field]; !resource.Equal(live, c.gone) {
			t.Errorf("%s without a wish reads %s", c.field, resource.Encode(live))
		}
	}
	err := r.change(t, o, "lifecycleRules", resource.List{rule("id", "idle", "status", "Enabled")})
	class(t, err, resource.Invalid, "")
	if !strings.Contains(err.Error(), "idle") {
		t.Errorf("told %v", err)
	}
}

// What a bucket's encryption has beside what is wanted stays.
func TestEncryptionKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	set := func(kv resource.Map) resource.Map {
		t.Helper()
		if err := r.change(t, r.one(t, "bucket", o.ID), "encryption", kv); err != nil {
			t.Fatal(err)
		}
		m, _ := r.one(t, "bucket", o.ID).Fields["encryption"].(resource.Map)
		return m
	}
	set(merge(rule("sseAlgorithm", "aws:kms", "kmsMasterKeyId", testKey), resource.Map{"bucketKeyEnabled": resource.Bool(true)}))
	if got := set(rule("sseAlgorithm", "aws:kms")); got.Text("kmsMasterKeyId") != testKey || got["bucketKeyEnabled"] != resource.Bool(true) {
		t.Errorf("the key was lost: %s", resource.Encode(got))
	}
	if got := set(rule("sseAlgorithm", "aws:kms:dsse")); got.Text("kmsMasterKeyId") != testKey {
		t.Errorf("the key is lost with the number of layers: %s", resource.Encode(got))
	}
	if got := set(rule("sseAlgorithm", "AES256")); got["kmsMasterKeyId"] != nil {
		t.Errorf("a key of KMS stays with another algorithm: %s", resource.Encode(got))
	}
}

// A public policy waits for the block that refuses it to be lifted.
func TestBlockIsLiftedBeforeAPublicPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	if err := r.change(t, o, "publicAccessBlock", blocks(true, true)); err != nil {
		t.Fatal(err)
	}
	live := r.one(t, "bucket", o.ID)
	want := live
	want.Fields = merge(live.Fields, resource.Map{"publicAccessBlock": blocks(true, false), "policy": tlsOnly})
	r.proxy.Forget()
	if _, err := r.Update(t.Context(), live, want, []resource.Change{{Path: resource.Path{"policy"}, After: tlsOnly}}); err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, c := range r.proxy.Calls() {
		calls = append(calls, c.Action)
	}
	if got := strings.Join(calls, " "); got != "PutPublicAccessBlock PutBucketPolicy" {
		t.Errorf("calls: %s", got)
	}
}

// One aspect that may not be read leaves the rest of the bucket usable, and
// none is read that nobody asked for.
func TestBucketAspectsCostACallEach(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-north-1")
	var ids []resource.ID
	for range 5 {
		ids = append(ids, r.bucket(t, nil).ID)
	}
	for _, c := range []struct {
		aspects []string
		most    int
	}{{[]string{""}, 2}, {[]string{"", "publicAccessBlock"}, 2 + 5}, {nil, 2 + 5*5}} {
		r.proxy.Forget()
		got := r.Read(t.Context(), []resource.Want{
			{Kind: "bucket", By: resource.Selector{Estate: r.estate}, Aspects: c.aspects},
			{Kind: "bucket", By: resource.Selector{IDs: ids}, Aspects: c.aspects},
		})
		if got[0].Err != nil || len(got[0].Objects) != 5 || len(got[1].Objects) != 5 || r.proxy.Count("") > c.most {
			t.Errorf("aspects %v: %d objects, %v in %d requests, want at most %d", c.aspects, len(got[0].Objects), got[0].Err, r.proxy.Count(""), c.most)
		}
	}
	r.proxy.Forget()
	got := r.Read(t.Context(), []resource.Want{ // as an environment asks of which one bucket has a policy
		{Kind: "bucket", By: resource.Selector{Estate: r.estate}, Aspects: []string{""}},
		{Kind: "bucket", By: resource.Selector{IDs: ids[:1]}, Aspects: []string{"", "policy"}},
		{Kind: "bucket", By: resource.Selector{IDs: ids[1:]}, Aspects: []string{""}},
	})
	if n := r.proxy.Count("GetBucketPolicy"); n != 1 || r.proxy.Count("") != 3 || len(got[2].Objects) != 4 {
		t.Errorf("one bucket's policy is read by %d calls of %d", n, r.proxy.Count(""))
	}
	r.proxy.Inject(fault.Rule{Action: "GetBucketPolicy", Times: 1, Do: fault.Refuse(http.StatusForbidden, "AccessDenied", "Access Denied")})
	o := r.one(t, "bucket", ids[0])
	if u, ok := o.Fields["policy"].(resource.Unread); !ok || !strings.Contains(u.Why, "GetBucketPolicy") {
		t.Errorf("the policy is %v", o.Fields["policy"])
	}
	if o.Fields["publicAccessBlock"] == nil || o.Mark.IsZero() {
		t.Errorf("the rest is lost: %+v", o)
	}
}

// The index of tags is late and tells of what is gone: a bucket that is asked
// for by name is read from S3, and one that S3 does not list is not there.
func TestTagIndexIsNotTrusted(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ap-south-1")
	r.read(t, "bucket", resource.Selector{Estate: r.estate}) // an empty index
	o := r.bucket(t, nil)
	stale := fault.Rule{Action: "GetResources", Times: 1, Do: fault.Fault{Stale: true}}
	r.proxy.Inject(stale)
	got := r.Read(t.Context(), []resource.Want{
		{Kind: "bucket", By: resource.Selector{Estate: r.estate}}, {Kind: "bucket", By: resource.Selector{IDs: []resource.ID{o.ID}}},
	})
	if len(got[0].Objects) != 1 || len(got[1].Objects) != 1 || got[1].Objects[0].Mark.IsZero() {
		t.Fatalf("a young bucket: %+v", got)
	}
	r.read(t, "bucket", resource.Selector{Estate: r.estate})
	if _, err := r.Delete(t.Context(), o, o); err != nil {
		t.Fatal(err)
	}
	r.proxy.Inject(stale)
	if got := r.read(t, "bucket", resource.Selector{Estate: r.estate}); len(got) != 0 {
		t.Fatalf("a deleted bucket: %+v", got)
	}
}

// Tags of others stay when ours change, Amazon's own too.
func TestBucketTagsOfOthersStay(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, resource.Map{"tags": tags("team", "x")})
	c := r.store(t)
	now, err := c.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: sdk.String(string(o.ID))})
	if err != nil {
		t.Fatal(err)
	}
	theirs := append(now.TagSet, types.Tag{Key: sdk.String("theirs"), Value: sdk.String("1")})
	_, err = c.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{Bucket: sdk.String(string(o.ID)), Tagging: &types.Tagging{TagSet: theirs}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.change(t, o, "tags", tags("team", "y")); err != nil {
		t.Fatal(err)
	}
	live := r.one(t, "bucket", o.ID)
	if got := live.Fields["tags"]; !resource.Equal(got, tags("team", "y", "theirs", "1")) || live.Mark != o.Mark {
		t.Errorf("tags %s, mark %+v", resource.Encode(got), live.Mark)
	}
}

// However S3 spells a policy, it reads as specs write it.
func TestPolicySpellings(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	o := r.bucket(t, nil)
	c := r.store(t)
	for _, doc := range []string{
		`{"Version":"2012-10-17","Statement":{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::x/*","arn:aws:s3:::x"],"Condition":{"Bool":{"aws:SecureTransport":false}}}}`,
		`{"Statement":[{"Resource":["arn:aws:s3:::x","arn:aws:s3:::x/*","arn:aws:s3:::x"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}},"Action":["s3:*"],"Principal":{"AWS":"*"},"Effect":"Deny","Sid":"Tls"}],"Version":"2012-10-17"}`,
	} {
		if !json.Valid([]byte(doc)) {
			t.Fatal(doc)
		}
		if _, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: sdk.String(string(o.ID)), Policy: &doc}); err != nil {
			t.Fatal(err)
		}
		if got := r.one(t, "bucket", o.ID).Fields["policy"]; !resource.Equal(got, tlsOnly) {
			t.Errorf("%s reads as %s", doc, resource.Encode(got))
		}
	}
	// What specs have no word for means what they have one for.
	doc := `{"Statement":{"Sid":"","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::x"}}`
	if _, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: sdk.String(string(o.ID)), Policy: &doc}); err != nil {
		t.Fatal(err)
	}
	got, _ := r.one(t, "bucket", o.ID).Fields["policy"].(resource.Map)
	st, _ := got["Statement"].(resource.List)
	if len(st) != 1 || got.Text("Version") != "2008-10-17" || st[0].(resource.Map)["Sid"] != nil {
		t.Errorf("%s reads as %s", doc, resource.Encode(got))
	}
}

// A store that drops the tags of a create is told apart from S3, which takes
// them: moto_server is one.
func TestDroppedTagsAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, "eu-west-2")
	direct := &http.Client{Transport: provider.FenceTransport(&http.Transport{})}
	t.Cleanup(func() { closeIdle(direct) })
	for _, c := range []struct {
		session provider.Session
		dropped bool
	}{{r.Session, false}, {r.open(t, r.estate, direct), true}} {
		a := address("bucket")
		m := r.mark(a)
		want := resource.Object{Address: a, Fields: resource.Map{"bucket": bucketName(), "tags": tags("team", "x")}}
		r.proxy.Forget()
		p, err := c.session.Create(t.Context(), want, m)
		if err != nil || p.Dropped != c.dropped || p.Object.Mark.IsZero() != c.dropped || (p.Object.Fields["tags"] == nil) != c.dropped {
			t.Fatalf("%+v %v", p, err)
		}
		if n := r.proxy.Count("PutBucketTagging"); n != 0 {
			t.Errorf("the create puts tags by %d calls of its own", n)
		}
		if err := c.session.Mark(t.Context(), p.Object, &m); err != nil {
			t.Fatal(err)
		}
		if n := r.proxy.Count("PutBucketTagging"); n != 0 {
			t.Errorf("a mark that is there is put again by %d calls", n)
		}
		if got := r.one(t, "bucket", p.Object.ID); got.Mark != m {
			t.Errorf("it bears %+v", got.Mark)
		}
	}
}
