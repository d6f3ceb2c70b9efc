package engine_test

import (
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestForbidden tries the rules on made-up files.
func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		file   string
		imp    string
		clause string // the package clause; the folder's name when empty
		want   string // part of the one complaint; "" for none
	}{
		{"down", "engine/plan/a.go", "isobar.dev/engine/resource", "", ""},
		{"two floors down", "engine/web/a.go", "isobar.dev/engine/diag", "", ""},
		{"up", "engine/plan/a.go", "isobar.dev/engine/apply", "", "upwards from floor 2 to 5"},
		{"up by a test", "engine/plan/a_test.go", "isobar.dev/engine/apply", "", "upwards"},
		{"sideways", "engine/apply/a.go", "isobar.dev/engine/observe", "", "sideways on floor 5"},
		{"floor 0 sideways", "engine/diag/a.go", "isobar.dev/engine/resource", "", "sideways on floor 0"},
		{"adapter to adapter", "engine/store/a.go", "isobar.dev/engine/git", "", "adapters never"},
		{"adapter to provider", "engine/chat/a.go", "isobar.dev/providers/aws", "", "adapters never"},
		{"external test of itself", "engine/plan/a_test.go", "isobar.dev/engine/plan", "plan_test", ""},
		{"itself", "engine/plan/a.go", "isobar.dev/engine/plan", "", "sideways"},
		{"program", "engine/web/a.go", "isobar.dev/cmd/isobar", "", "nobody imports a program"},
		{"demo by a test", "engine/web/a_test.go", "isobar.dev/cmd/demo", "", "nobody imports a program"},
		{"unknown target", "engine/web/a.go", "isobar.dev/engine/cellar", "", "not in the floor table"},
		{"unknown package", "engine/cellar/a.go", "fmt", "", "engine/cellar is not in the floor table"},
		{"root package", "a.go", "fmt", "isobar", "is not in the floor table"},
		{"prefix is not the package", "engine/planner/a.go", "fmt", "", "is not in the floor table"},
		{"lab by the daemon", "engine/reconcile/a.go", "isobar.dev/engine/lab/moto", "", "lab is for tests"},
		{"lab by a program", "cmd/isobar/a.go", "isobar.dev/engine/lab/gitd", "", "lab is for tests"},
		{"lab by a test", "providers/aws/a_test.go", "isobar.dev/engine/lab/moto", "", ""},
		{"lab by the demo", "cmd/demo/a.go", "isobar.dev/engine/lab/moto", "", ""},
		{"lab knows the engine", "engine/lab/moto/a.go", "isobar.dev/engine/resource", "", "must not know isobar"},
		{"suite by a test", "providers/fake/a_test.go", "isobar.dev/engine/provider/providertest", "", ""},
		{"suite by code", "providers/fake/a.go", "isobar.dev/engine/provider/providertest", "", "suite is for tests"},
		{"suite of its package", "engine/store/storetest/a.go", "isobar.dev/engine/store", "", ""},
		{"suite of another", "engine/store/storetest/a.go", "isobar.dev/engine/git", "", "adapters never"},
		{"CUE by its owner", "engine/spec/a.go", "cuelang.org/go/cue", "", ""},
		{"CUE", "engine/plan/a.go", "cuelang.org/go/cue", "", "only engine/spec may"},
		{"CUE by the generator", "cmd/gen/a.go", "cuelang.org/go/cue", "", "only engine/spec may"},
		{"CUE by a test", "engine/policy/a_test.go", "cuelang.org/go/cue", "", "only engine/spec may"},
		{"OPA", "engine/reconcile/a.go", "github.com/open-policy-agent/opa/v1/rego", "", "only engine/policy may"},
		{"go-git", "engine/spec/a.go", "github.com/go-git/go-git/v5", "", "only engine/git may"},
		{"fsnotify", "cmd/isobar/a.go", "github.com/fsnotify/fsnotify", "", "only engine/git may"},
		{"Slack", "engine/web/a.go", "github.com/slack-go/slack", "", "only engine/chat may"},
		{"AWS", "providers/fake/a.go", "github.com/aws/aws-sdk-go-v2/aws", "", "only providers/aws may"},
		{"SQL", "engine/web/a.go", "database/sql", "", "only engine/store"},
		{"SQL driver package", "engine/web/a.go", "database/sql/driver", "", "only engine/store"},
		{"SQLite", "cmd/isobar/a.go", "modernc.org/sqlite", "", "only engine/store"},
		{"similar path", "engine/web/a.go", "database/sqlite", "", ""},
		{"clock's context in the core", "engine/plan/a.go", "context", "", "a pure package"},
		{"randomness in the core", "engine/ledger/a.go", "math/rand/v2", "", "a pure package"},
		{"goroutines in the core", "engine/view/a.go", "sync", "", "a pure package"},
		{"files in a test of the core", "engine/view/a_test.go", "os", "", ""},
		{"library on floor 0", "engine/resource/a.go", "github.com/google/uuid", "", "standard library alone"},
		{"library in a test on floor 0", "engine/resource/a_test.go", "pgregory.net/rapid", "", ""},
		{"banned folder", "engine/util/a.go", "fmt", "", `"util" is no name`},
		{"banned clause", "engine/web/a.go", "fmt", "helpers", `"helpers" is no name`},
		{"banned clause of a test", "engine/web/a_test.go", "fmt", "common_test", `"common" is no name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, file := "", c.file
			if i := strings.LastIndex(file, "/"); i >= 0 {
				dir = file[:i]
			}
			clause := c.clause
			if clause == "" {
				clause = dir[strings.LastIndex(dir, "/")+1:]
			}
			f := source{path: file, pkg: dir, name: clause, test: strings.HasSuffix(file, "_test.go"), imports: []string{c.imp}}
			wrong := judge(f)
			switch {
			case c.want == "" && len(wrong) > 0:
				t.Errorf("complains: %v", wrong)
			case c.want != "" && !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, c.want) }):
				t.Errorf("want a complaint with %q, got %v", c.want, wrong)
			}
		})
	}
}

// TestFunctionRules tries the rules for functions on made-up code.
func TestFunctionRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		want       int
	}{
		{"init", "func init() {}", 1},
		{"method named init", "type T int\nfunc (T) init() {}", 0},
		{"four and a context", "func f(ctx context.Context, a, b int, c, d string) {}", 0},
		{"four and a test", "func f(t *testing.T, a, b, c, d int) {}", 0},
		{"another's Context", "func f(c gin.Context, a, b, d, e int) {}", 1},
		{"five", "func f(a, b int, c, d, e string) {}", 1},
		{"five unnamed", "func f(int, int, int, int, int) {}", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fset := token.NewFileSet()
			tree, err := parser.ParseFile(fset, "a.go", "package a\n"+c.code, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := judgeCode("a.go", fset, tree); len(got) != c.want {
				t.Errorf("want %d complaints, got %v", c.want, got)
			}
		})
	}
}

// TestTwinRules tries the rules for kinds on made-up tables.
func TestTwinRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		schemas, table map[string]string
		want           int
	}{
		{"pair", map[string]string{"vpc": "vpc.cue"}, map[string]string{"vpc": "vpc.go"}, 0},
		{"schema alone", map[string]string{"vpc": "vpc.cue"}, nil, 1},
		{"code alone", nil, map[string]string{"vpc": "vpc.go"}, 1},
		{"schema in another's file", map[string]string{"vpc": "net.cue"}, map[string]string{"vpc": "vpc.go"}, 1},
		{"code in another's file", map[string]string{"vpc": "vpc.cue"}, map[string]string{"vpc": "net.go"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := twins("p", c.schemas, c.table); len(got) != c.want {
				t.Errorf("want %d complaints, got %v", c.want, got)
			}
		})
	}
}
