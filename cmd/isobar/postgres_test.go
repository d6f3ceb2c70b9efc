package main

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/postgres"
)

// pgKey finds the scripts' PostgreSQL server, which the first one starts that
// needs it.
type pgKey struct{}

type pgStage struct {
	start sync.Once
	sure  error
	made  int
	mu    sync.Mutex
	*postgres.Server
}

func newPostgres(t *testing.T) *pgStage {
	t.Helper()
	p := &pgStage{}
	t.Cleanup(func() {
		if p.Server != nil {
			p.Close()
		}
	})
	return p
}

// postgres VAR makes an empty schema, whose URL becomes a variable.
func postgresLab(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(pgKey{}).(*pgStage)
	p.start.Do(func() { p.Server, p.sure = postgres.Start(context.Background()) })
	ts.Check(p.sure)
	p.mu.Lock()
	p.made++
	name := fmt.Sprintf("script_%d", p.made)
	p.mu.Unlock()
	url, err := p.Schema(context.Background(), name)
	ts.Check(err)
	ts.Setenv(args[0], url)
}
