package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// unsteady are the parts of isobar's output that differ from run to run, and
// what stands for them in scripts. Where one was replaced, the columns of its
// line are drawn together, since their widths depend on it; JSON keeps its
// indentation.
var unsteady = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\(request [0-9A-Za-z]{40,}\)`), "(request ID)"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{40}\b`), "COMMIT"},
	{regexp.MustCompile(`\b(vpc|subnet|sg|sgr|igw|rtb|rtbassoc|acl|dopt|i|vol|key)-[0-9a-f]{17}\b`), "$1-ID"},
	{regexp.MustCompile(`\b(group|resgroup)-\d+\b`), "$1-ID"},
	{regexp.MustCompile(`\b[0-9a-f]{4}-[0-9a-f]{4}\b`), "PLAN"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`^(\d+ +TIME +\S+ +(?:run|word on an object|policy|cancel|resume|approval|approval used|store copied|store restored) +)\S+`), "${1}WHO"},
	{regexp.MustCompile(`\.before-\d{8}T\d{6}Z`), ".before-TIME"},
	{regexp.MustCompile(`\b\d+ kB\b`), "N kB"},
	{regexp.MustCompile(`("bytes": )\d+`), "${1}0"},
	{regexp.MustCompile(`\bprocess \d+ on [^,]+, since`), "process PID on HOST, since"},
	{regexp.MustCompile(`(\d+ m )?\b\d+(\.\d+)? m?s\b`), "T s"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d UTC\b`), "HH:MM:SS UTC"},
	{regexp.MustCompile(`since \d{4}-\d\d-\d\d \d\d:\d\d UTC`), "since TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d UTC\b`), "HH:MM UTC"},
	{regexp.MustCompile(`\bretry \d+\b`), "retry N"},
	{regexp.MustCompile(`isobar wrote it \d+ \w+ ago`), "isobar wrote it SOME TIME ago"},
	{regexp.MustCompile(`("(read_ms|took_ms|checked|started|took)": )[0-9.e-]+`), "${1}0"},
	{regexp.MustCompile(`("(actor|by)": ")[^"]*`), "${1}WHO"},
	{regexp.MustCompile(`\b((approved|rejected|confirmed|requested) by )[^\s,"]+`), "${1}WHO"},
	{regexp.MustCompile(`\b(cancelled by )[^\s,":]+(:|"|$)`), "${1}WHO$2"},
	{regexp.MustCompile(`@ [0-9a-f]{7}\b`), "@ COMMIT"},
	{regexp.MustCompile("` at `[0-9a-f]{7}`"), "` at `COMMIT`"},
	{regexp.MustCompile(`(?m)^(\S+ +(?:\S+ +)?(?:approve|auto|observe|–) +)[0-9a-f]{7}\b`), "${1}COMMIT"},
	{regexp.MustCompile(`\b[0-9a-f]{7} stays in force`), "COMMIT stays in force"},
	{regexp.MustCompile(`\bcommit [0-9a-f]{7}\b`), "commit COMMIT"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+/estate\.git`), "127.0.0.1:PORT/estate.git"},
	{regexp.MustCompile(`(UUID  \S+ +(?:\S+ +)?)[0-9a-f]{7}\b`), "${1}COMMIT"},
	{regexp.MustCompile(`^isobar \S+ \(go\S+, \S+\)`), "isobar VERSION (GO, PLATFORM)"},
	{regexp.MustCompile(`\bdev-[0-9a-f]{7}\b`), "VERSION"},
	{regexp.MustCompile(`\.schemas/ \(\d+ files`), ".schemas/ (N files"},
}

var (
	columns = regexp.MustCompile(`(\S) {2,}`)
	heads   = regexp.MustCompile(`^(RUN|ENVIRONMENT|ROW|ADDRESS) `)
)

// settle replaces what is unsteady in a line.
func settle(line string) string {
	was := line
	for _, u := range unsteady {
		line = u.what.ReplaceAllString(line, u.as)
	}
	if line != was || heads.MatchString(line) {
		line = columns.ReplaceAllString(line, "$1  ")
	}
	return line
}

// steady passes text on, line by line, settled.
type steady struct {
	to, tee io.Writer

	mu  sync.Mutex
	buf []byte
}

func (s *steady) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf, b...)
	for {
		i := bytes.IndexByte(s.buf, '\n')
		if i < 0 {
			return len(b), nil
		}
		s.put(string(s.buf[:i+1]))
		s.buf = s.buf[i+1:]
	}
}

func (s *steady) put(line string) {
	line = settle(line)
	_, _ = io.WriteString(s.to, line) // a script that looks away
	if s.tee != nil {
		_, _ = io.WriteString(s.tee, line)
	}
}

func (s *steady) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buf) > 0 {
		s.put(string(s.buf))
		s.buf = nil
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plan 604a-a677 · 7 calls to make, 3 reads made in 2.8 s":      "plan PLAN · 7 calls to make, 3 reads made in T s",
		"run 01a20d50-f673-7aa4-aeba-f056196d043c":                     "run UUID",
		" -  aws.vpc/main            delete  vpc-dfbb89aab1ed3e8f6":    " -  aws.vpc/main  delete  vpc-ID",
		"  10.0.0.0/16 overlaps 10.0.1.0/24   kept":                    "  10.0.0.0/16 overlaps 10.0.1.0/24   kept",
		"held: process 12 on box, since 2026-11-24T11:14:00Z":          "held: process PID on HOST, since TIME",
		"prod         approve  3f2a91c  waiting     1      8 s ago  4": "prod  approve  COMMIT  waiting  1  T s ago  4",
		`    "took_ms": 12,`: `    "took_ms": 0,`,
	} {
		if got := settle(in); got != want {
			t.Errorf("settle(%q) = %q, want %q", in, got, want)
		}
	}
	if strings.Contains(settle("dev-abcdef1"), "abcdef1") {
		t.Error("the version is kept")
	}
}
