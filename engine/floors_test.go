package engine_test

import (
	"fmt"
	"slices"
	"strings"
)

const module = "isobar.dev/"

// room is one package's place in the house.
type room struct {
	floor int
	sort  sort
}

// sort tells the rooms apart that the floor alone does not.
type sort int

const (
	plain sort = iota
	pure       // no context, clock, randomness, logger, goroutine or I/O
	suite      // a conformance suite of the package above it: for tests alone
	lab        // real peers on loopback: for tests and the demo alone
	leaf       // a program, or a package that holds nothing: imported by nobody
)

// house is the floor table. A package that is not in it fails the test, so a
// new package starts with a line here.
func house() map[string]room {
	return map[string]room{
		"engine/resource":              {0, pure},
		"engine/resource/resourcetest": {0, suite},
		"engine/diag":                  {0, pure},
		"engine/ledger":                {1, pure},
		"engine/spelling":              {1, pure},
		"engine/linemerge":             {1, pure},
		"engine/plan":                  {2, pure},
		"engine/review":                {2, pure},
		"engine/view":                  {3, pure},
		"engine/cycle":                 {3, pure},
		"engine/discover":              {3, pure},
		"engine/provider":              {3, plain},
		"engine/provider/providertest": {3, suite},
		"schemas":                      {3, plain},
		"policies":                     {3, plain},
		"examples":                     {3, plain},
		"engine/spec":                  {4, plain},
		"engine/policy":                {4, plain},
		"engine/git":                   {4, plain},
		"engine/store":                 {4, plain},
		"engine/store/migrations":      {4, plain},
		"engine/store/storetest":       {4, suite},
		"engine/forge":                 {4, plain},
		"engine/chat":                  {4, plain},
		"engine/secret":                {4, plain},
		"engine/signer":                {4, plain},
		"providers/aws":                {4, plain},
		"providers/fake":               {4, plain},
		"providers/vsphere":            {4, plain},
		"engine/observe":               {5, plain},
		"engine/apply":                 {5, plain},
		"engine/reconcile":             {6, plain},
		"engine/preview":               {7, plain},
		"engine/web":                   {7, plain},
		"providers/all":                {8, plain},
		"cmd/isobar":                   {9, leaf},
		"cmd/demo":                     {9, leaf},
		"cmd/gen":                      {9, leaf},
		"engine":                       {9, leaf},
		"engine/lab/fault":             {0, lab},
		"engine/lab/forge":             {0, lab},
		"engine/lab/gitd":              {0, lab},
		"engine/lab/moto":              {0, lab},
		"engine/lab/postgres":          {0, lab},
		"engine/lab/slack":             {0, lab},
		"engine/lab/vcsim":             {0, lab},
	}
}

// owners says who alone may import a foreign module, by its path's beginning.
func owners() map[string][]string {
	return map[string][]string{
		"cuelang.org/go":                      {"engine/spec"},
		"github.com/open-policy-agent/opa":    {"engine/policy"},
		"github.com/go-git":                   {"engine/git"},
		"github.com/fsnotify/fsnotify":        {"engine/git"},
		"github.com/slack-go/slack":           {"engine/chat"},
		"github.com/aws":                      {"providers/aws"},
		"database/sql":                        {"engine/store", "engine/store/storetest"},
		"modernc.org/sqlite":                  {"engine/store", "engine/store/storetest"},
		"github.com/pressly/goose":            {"engine/store"},
		"github.com/jackc/pgx":                {"engine/store", "engine/lab/postgres"},
		"github.com/riverqueue/river":         {"engine/store"},
		"github.com/prometheus/client_golang": {"engine/web"},
		"github.com/spf13":                    {"cmd/isobar"},
		"github.com/google/go-github":         {"engine/forge"},
		"code.gitea.io/sdk":                   {"engine/forge"},
		"gitlab.com/gitlab-org/api/client-go": {"engine/forge"},
		"github.com/golang-jwt":               {"engine/forge"},
		"github.com/bluekeyes/go-gitdiff":     {"engine/forge"},
		"github.com/hiddeco/sshsig":           {"engine/signer"},
		"github.com/ProtonMail/go-crypto":     {"engine/signer"},
		"github.com/vmware/govmomi":           {"providers/vsphere", "engine/lab/vcsim"},
	}
}

// source is what the rules need to know of one file.
type source struct {
	path    string // from the repository's root
	pkg     string // its folder
	name    string // its package clause
	test    bool
	imports []string
}

// judge gives what is wrong with a file's place and imports.
func judge(f source) []string {
	var wrong []string
	complain := func(format string, args ...any) {
		wrong = append(wrong, f.path+": "+fmt.Sprintf(format, args...))
	}
	for part := range strings.SplitSeq(f.pkg+"/"+strings.TrimSuffix(f.name, "_test"), "/") {
		if slices.Contains(bannedNames(), part) {
			complain("%q is no name for a package: name it for what it owns", part)
		}
	}
	self, ok := house()[f.pkg]
	if !ok {
		complain("package %s is not in the floor table", f.pkg)
		return wrong
	}
	for _, imp := range f.imports {
		if why := forbidden(f, self, imp); why != "" {
			complain("imports %s: %s", imp, why)
		}
	}
	return wrong
}

// forbidden says why a file may not import imp, or gives "".
func forbidden(f source, self room, imp string) string {
	to, inside := strings.CutPrefix(imp, module)
	if !inside {
		return foreign(f, self, imp)
	}
	target, ok := house()[to]
	if !ok {
		return "not in the floor table"
	}
	if f.test && to == f.pkg {
		return ""
	}
	switch target.sort {
	case leaf:
		return "nobody imports a program"
	case lab:
		if f.test || f.pkg == "cmd/demo" {
			return ""
		}
		return "the lab is for tests and cmd/demo alone"
	case suite:
		if f.test {
			return ""
		}
		return "a conformance suite is for tests alone"
	case plain, pure:
	}
	if self.sort == lab && !f.test {
		return "a peer of the lab must not know isobar"
	}
	if self.sort == suite && strings.HasPrefix(f.pkg, to+"/") {
		return ""
	}
	switch {
	case target.floor < self.floor:
		return ""
	case target.floor == self.floor && target.floor == 4:
		return "adapters never import each other"
	case target.floor == self.floor:
		return fmt.Sprintf("sideways on floor %d", self.floor)
	}
	return fmt.Sprintf("upwards from floor %d to %d", self.floor, target.floor)
}

// foreign is forbidden for an import from outside the module.
func foreign(f source, self room, imp string) string {
	for prefix, who := range owners() {
		if (imp == prefix || strings.HasPrefix(imp, prefix+"/")) && !slices.Contains(who, f.pkg) {
			return fmt.Sprintf("only %s may", strings.Join(who, ", "))
		}
	}
	if f.test || self.sort != pure {
		return ""
	}
	if slices.Contains(impureImports(), imp) {
		return "a pure package has no context, clock, randomness, logger, goroutine or I/O"
	}
	if first, _, _ := strings.Cut(imp, "/"); self.floor == 0 && strings.Contains(first, ".") {
		return "floor 0 imports the standard library alone"
	}
	return ""
}

func bannedNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "models", "misc", "shared", "types"}
}

func impureImports() []string {
	return []string{
		"context", "crypto/rand", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2",
		"net", "net/http", "os", "os/exec", "os/signal", "sync", "sync/atomic", "syscall",
	}
}
