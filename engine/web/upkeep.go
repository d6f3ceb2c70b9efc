package web

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"isobar.dev/engine/store"
)

// auditFilter reads a query: env, since (RFC 3339) and limit.
func auditFilter(q url.Values) (store.AuditFilter, error) {
	f := store.AuditFilter{Env: q.Get("env")}
	var err error
	if text := q.Get("limit"); text != "" {
		f.Limit, err = strconv.Atoi(text)
	}
	if text := q.Get("since"); err == nil && text != "" {
		f.Since, err = time.Parse(time.RFC3339Nano, text)
	}
	return f, err
}

func (a *API) audit(w http.ResponseWriter, r *http.Request) {
	f, err := auditFilter(r.URL.Query())
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, Problem{Error: "since is a time such as 2026-11-24T10:00:00Z, limit a number"})
		return
	}
	rows, err := a.Records.AuditRows(r.Context(), f)
	if err != nil {
		refuse(w, err)
		return
	}
	lines, err := AuditLines(r.Context(), a.Records, rows)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, lines)
}

// patient takes the limit off a request that may take long, which its reader
// has set: the answer is the reader's to wait for.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a writer without deadlines has none to take off
}

func (a *API) proof(w http.ResponseWriter, r *http.Request) {
	patient(w)
	p, err := a.Records.VerifyAudit(r.Context(), r.URL.Query().Get("last"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, p)
}

func (a *API) info(w http.ResponseWriter, r *http.Request) {
	info, err := a.Records.Info(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, info)
}

// BackupRequest is the body of POST /api/v1/store/backup. The answer is the
// copy.
type BackupRequest struct {
	By string `json:"by"`
}

// backup sends a copy of the store as it is at one moment. It goes through a
// file beside the store: where the daemon may write, whoever asks.
func (a *API) backup(w http.ResponseWriter, r *http.Request) {
	var req BackupRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil || req.By == "" {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, Problem{Error: `the body must be JSON such as {"by": "mei"}: it says who asks`})
		return
	}
	patient(w)
	f, err := a.spool(r, req.By)
	if err != nil {
		refuse(w, err)
		return
	}
	defer f.Close() //nolint:errcheck // it was only read, and is gone from its directory
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.sqlite3")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_, _ = io.Copy(w, f) // a reader that got less than the length knows
}

// spool makes the copy, and gives it as a file without a name. That it was made
// is on record in it, too.
func (a *API) spool(r *http.Request, by string) (*os.File, error) {
	a.spooling.Lock()
	defer a.spooling.Unlock()
	err := os.Remove(a.Spool)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := a.Records.Audit(r.Context(), store.AuditEntry{At: a.Now(), Kind: "store copied", Actor: by}); err != nil {
		return nil, err
	}
	if err := a.Records.Copy(r.Context(), a.Spool); err != nil {
		return nil, err
	}
	f, err := os.Open(a.Spool)
	return f, errors.Join(err, os.Remove(a.Spool))
}
