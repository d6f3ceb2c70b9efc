package store

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/riverqueue/river/rivertype"
)

// TestRiverWarns: what River calls an error is a warning, whatever the logger was
// given besides; its daily work is not told, and a fault of our own stays an error.
func TestRiverWarns(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	river := slog.New(warnings{log.Handler()})
	river.With("a", 1).WithGroup("g").Error("lost", "err", "gone")
	river.Warn("slow")
	river.Info("fetched")
	(&logged{log}).HandleError(t.Context(), &rivertype.JobRow{ID: 7}, errors.New("broken"))
	for said, want := range map[string]int{
		`level=WARN msg=lost a=1 g.err=gone`: 1, `level=WARN msg=slow`: 1, "fetched": 0,
		`level=ERROR msg="a job failed" job=7`: 1, "level=ERROR": 1,
	} {
		if n := strings.Count(out.String(), said); n != want {
			t.Errorf("%q is said %d times, want %d:\n%s", said, n, want, &out)
		}
	}
}
