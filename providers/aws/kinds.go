package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// name is the provider's name, the first part of its kinds' full names.
const name = "aws"

// ec2Lag is how long EC2's reads may trail a write: its guide on eventual
// consistency advises to repeat a describe with growing pauses for up to about
// five minutes.
// https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
const ec2Lag = 5 * time.Minute

// The services that throttle apart.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
const (
	serviceEC2 = "ec2"
	serviceS3  = "s3"
)

// kind is what the session needs to know to drive one kind. Every func is safe
// for concurrent use; errors are as the SDK gives them, classified by the
// session.
type kind struct {
	provider.Kind
	fields map[string]string // the fields that can change in place, with their aspects

	// Objects of EC2 are found by its filters.
	idFilter string // the Describe filter that takes ids
	byName   string // the Describe filter that takes the name by which people know an object; "" where there is none
	// list describes what the filters let through, all pages. Beside an error
	// it gives what came before it. An object without Fields is a tombstone.
	list func(ctx context.Context, s *session, filters []types.Filter) ([]resource.Object, error)
	// seek finds the objects of a kind outside EC2 and retag changes their
	// tags, which carry the mark; both are nil for EC2's.
	seek  func(ctx context.Context, s *session, q query) ([]resource.Object, error)
	retag func(ctx context.Context, s *session, id resource.ID, set map[string]string, gone []string) error

	// lookUp answers lookups by their fields, in their order; nil for kinds that
	// are made. A kind with it has no other func.
	lookUp func(ctx context.Context, s *session, asks []resource.Map) []resource.Answer

	// enrich reads what the list does not carry into objs' own Fields, as far
	// as aspects ask; nil for none. It gives the objects that are still there.
	enrich func(ctx context.Context, s *session, objs []resource.Object, asks map[resource.ID]aspects) ([]resource.Object, error)

	// rehearse says by reads why create would be refused; nil where nobody looks.
	rehearse func(ctx context.Context, s *session, want resource.Object) error
	// create makes one object; tags are its own and its mark.
	create func(ctx context.Context, s *session, want resource.Object, tags map[string]string, token string) (resource.Object, error)
	// refuses gives why AWS would refuse an update when half of it is done, before
	// any of it is sent; nil for none.
	refuses func(ctx context.Context, s *session, ch change) error
	// update brings the changed fields of one aspect from live to want; those
	// of the aspect "" without the tags, which the session sees to.
	update func(ctx context.Context, s *session, ch change) error
	// remove deletes live; applied is what the ledger holds of it.
	remove func(ctx context.Context, s *session, live, applied resource.Object) error
	work   *work // nil where every call is finished with its answer

	// natural gives the id that a SettleNatural kind's object has by its name;
	// nil for other kinds.
	natural func(want resource.Object) resource.ID

	// tombs says that calls may be answered with success after an object's end,
	// so that a change looks first.
	tombs bool
	// rereads says that create gives the object as read back with its tags,
	// since some peers drop those of the creating call.
	rereads bool
	// parts names what else carries an object's tags and mark; nil for none.
	parts func(live resource.Object) []resource.ID
}

// change is one aspect's update.
type change struct {
	aspect     string
	live, want resource.Object
	fields     map[string]bool // the top-level fields that differ
	// left takes what an update that fails leaves otherwise than it found it,
	// beside what it was to change.
	left resource.Map
}

// kinds is the package's table of kinds, sorted by name. A new kind is a file
// of its own and one line here. (slices.SortFunc would lead to the session's
// clients: see sealed.)
func kinds() []*kind {
	return []*kind{
		ami(),
		bucket(),
		instance(),
		internetGateway(),
		keyPair(),
		routeTable(),
		securityGroup(),
		subnet(),
		volume(),
		vpc(),
	}
}

// Type is the provider, for the list of all providers.
func Type() provider.Type {
	ks := kinds()
	t := provider.Type{Name: name, Open: open, Kinds: make([]provider.Kind, len(ks))}
	for i, k := range ks {
		t.Kinds[i] = k.Kind
	}
	return t
}

// aspects is a set of aspects that must be read; all of them where every.
type aspects struct {
	every bool
	named map[string]bool
}

func aspectsOf(names []string) aspects {
	a := aspects{every: names == nil, named: make(map[string]bool, len(names))}
	for _, n := range names {
		a.named[n] = true
	}
	return a
}

func (a aspects) has(n string) bool { return a.every || a.named[n] }

func (a aspects) with(b aspects) aspects {
	out := aspects{every: a.every || b.every, named: map[string]bool{}}
	for _, m := range []map[string]bool{a.named, b.named} {
		for n := range m {
			out.named[n] = true
		}
	}
	return out
}
