package store_test

import (
	"context"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store/storetest"
)

// contextOf is the context of a process that has no test.
func contextOf() context.Context { return context.Background() }

func vpc(name string) resource.Address {
	return resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: name}
}

// made gives the two events of an object's making.
func made(name, token string) []ledger.Event {
	rec := ledger.Record{
		ID: resource.ID("vpc-" + token), Scope: "aws/1/eu", Schema: "1",
		Applied: resource.Map{"cidrBlock": resource.String("10.0.0.0/16"), "tags": resource.Map{"Name": resource.String(name)}},
		Outs:    resource.Map{"id": resource.String("vpc-" + token)},
	}
	want := rec
	want.ID = ""
	at := time.UnixMilli(1_800_000_000_000)
	return []ledger.Event{
		{
			At: at, Run: "r", Address: vpc(name), Token: token, Type: ledger.Intended,
			Intent: &ledger.Intent{Step: "s", Op: ledger.Create, Record: want},
		},
		{At: at, Run: "r", Address: vpc(name), Token: token, Type: ledger.Done, Record: &rec},
	}
}

func sameState(t storetest.Failer, got, want *ledger.State) {
	t.Helper()
	storetest.SameState(t, got, want)
}
