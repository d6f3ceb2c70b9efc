package store

import (
	"encoding/json"
	"strings"
	"time"
)

// Pull is what is kept of a pull request.
type Pull struct {
	Repo    string // as the server's file calls the repository
	Number  int    // from 1
	Open    bool
	Updated time.Time
	Body    json.RawMessage // engine/preview's own, JSON
}

// Delivery is what a forge told of a repository.
type Delivery struct {
	N     int64 // rises; given by the store, never twice
	Repo  string
	ID    string // the forge's, the same when it delivers again
	Event string
	Pull  int    // the pull request that it is about, 0 for none
	Ref   string // the branch or tag that it is about, "" for none
	At    time.Time
}

// longestID is how many bytes a delivery's id may have: forges send UUIDs, and an
// index of PostgreSQL takes no more than some 2,700 bytes.
const longestID = 255

// leaseOfPulls begins the names of the leases under which a repository's pull
// requests are worked on.
const leaseOfPulls = "pulls/"

// LeaseOfPulls names the lease under which a repository's pull requests are worked
// on. It is no environment's.
func LeaseOfPulls(repo string) string { return leaseOfPulls + repo }

// ofNoEnvironment reports whether a lease is on something else than an environment:
// nobody waits in an inbox for what its owner left undone.
func ofNoEnvironment(lease string) bool {
	return strings.HasPrefix(lease, "/") || strings.HasPrefix(lease, leaseOfPulls)
}

func (p Pull) check() error {
	if p.Repo == "" || p.Number < 1 {
		return errorf(ErrRefused, "a pull request wants a repository and a number")
	}
	return check("a pull request of "+p.Repo, p.Body)
}

func (p Pull) normal() Pull {
	p.Updated, p.Body = whole(p.Updated), own(p.Body)
	return p
}

// check looks at a delivery as it is kept.
func (d Delivery) check() error {
	if d.Repo == "" || d.ID == "" {
		return errorf(ErrRefused, "a delivery wants a repository and an id")
	}
	if len(d.ID) > longestID {
		return errorf(ErrRefused, "a delivery's id has up to %d bytes", longestID)
	}
	return nil
}

// normal is the delivery as it is kept: its texts come from outside.
func (d Delivery) normal() Delivery {
	d.ID, d.Event, d.Ref, d.At = text(d.ID), text(d.Event), text(d.Ref), whole(d.At)
	return d
}
