package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Client talks to a daemon's control socket. Safe for concurrent use.
type Client struct {
	http    *http.Client
	patient *http.Client // for what takes as long as it takes
}

// Refused is what a daemon says of a store that does not do as it was asked.
type Refused struct{ Finding diag.Finding }

func (r *Refused) Error() string { return r.Finding.Message }

// ErrNoDaemon says that nothing answers on the socket.
var ErrNoDaemon = errors.New("no isobar daemon answers")

// NewClient gives a client of the socket at path.
func NewClient(path string) *Client {
	var d net.Dialer
	way := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}}
	return &Client{http: &http.Client{Timeout: 30 * time.Second, Transport: way}, patient: &http.Client{Transport: way}}
}

// Environments gives the status of every environment.
func (c *Client) Environments(ctx context.Context) ([]view.Status, error) {
	var out []view.Status
	err := c.call(ctx, http.MethodGet, "/api/v1/environments", nil, &out)
	for i := range out {
		out[i].Checked = time.Duration(out[i].Seconds * float64(time.Second))
	}
	return out, err
}

// Runs lists runs, newest first; env "" is every environment.
func (c *Client) Runs(ctx context.Context, env string, limit int) ([]view.RunLine, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if env != "" {
		q.Set("env", env)
	}
	var out []view.RunLine
	err := c.call(ctx, http.MethodGet, "/api/v1/runs?"+q.Encode(), nil, &out)
	for i := range out {
		out[i].Ago = time.Duration(out[i].Seconds * float64(time.Second))
		out[i].Took = time.Duration(out[i].Lasted * float64(time.Second))
	}
	return out, err
}

// Run gives one run by its id or the beginning of it.
func (c *Client) Run(ctx context.Context, id string) (RunAnswer, error) {
	var out RunAnswer
	err := c.call(ctx, http.MethodGet, "/api/v1/runs/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Plan gives the plan that was kept under a digest, or under the beginning of one.
func (c *Client) Plan(ctx context.Context, digest string) (view.PlanJSON, error) {
	var out view.PlanJSON
	err := c.call(ctx, http.MethodGet, "/api/v1/plans/"+url.PathEscape(digest), nil, &out)
	return out, err
}

// Verdict approves or rejects the plan that waits under digest; env may be "".
func (c *Client) Verdict(ctx context.Context, env, digest, by string, v store.Verdict) (VerdictAnswer, error) {
	var out VerdictAnswer
	err := c.call(ctx, http.MethodPost, "/api/v1/plans/"+url.PathEscape(digest)+"/"+string(v), VerdictRequest{env, by}, &out)
	return out, err
}

// Look makes the daemon look at an environment now.
func (c *Client) Look(ctx context.Context, env string) error {
	return c.call(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(env)+"/look", struct{}{}, &struct{}{})
}

// Refresh makes the daemon ask an environment's lookups anew: those at the
// addresses, or all of them where there are none.
func (c *Client) Refresh(ctx context.Context, env string, lookups []string) error {
	return c.call(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(env)+"/refresh", RefreshRequest{lookups}, &struct{}{})
}

// AuditLog gives rows of the audit log, in order.
func (c *Client) AuditLog(ctx context.Context, f store.AuditFilter) ([]view.AuditLine, error) {
	q := url.Values{"env": {f.Env}, "limit": {strconv.Itoa(f.Limit)}}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	var out []view.AuditLine
	err := c.call(ctx, http.MethodGet, "/api/v1/audit?"+q.Encode(), nil, &out)
	return out, err
}

// VerifyAudit has the daemon prove its audit log, as store.AuditLog says.
func (c *Client) VerifyAudit(ctx context.Context, known string) (store.Proof, error) {
	var out store.Proof
	resp, err := c.send(ctx, c.patient, request{http.MethodGet, "/api/v1/audit/proof?" + url.Values{"last": {known}}.Encode(), nil})
	if err != nil {
		return out, err
	}
	return out, decode(resp, &out)
}

// Info sums the daemon's store up.
func (c *Client) Info(ctx context.Context) (store.Info, error) {
	var out store.Info
	err := c.call(ctx, http.MethodGet, "/api/v1/store", nil, &out)
	return out, err
}

// Backup writes a copy of the daemon's store to a new file, which only its owner
// may read.
func (c *Client) Backup(ctx context.Context, file, by string) error {
	resp, err := c.send(ctx, c.patient, request{http.MethodPost, "/api/v1/store/backup", BackupRequest{by}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()                                               //nolint:errcheck // a body that was read
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // where a person wants it
	if err != nil {
		return err
	}
	n, err := io.Copy(f, resp.Body)
	if err == nil && n != resp.ContentLength {
		err = fmt.Errorf("%d of %d bytes came", n, resp.ContentLength)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// request is what is asked of the daemon.
type request struct {
	method, path string
	in           any // nil for no body
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, c.http, request{method, path, in})
	if err != nil {
		return err
	}
	return decode(resp, out)
}

// decode reads an answer in JSON.
func decode(resp *http.Response, out any) error {
	defer resp.Body.Close() //nolint:errcheck // a body that was read
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

// maxAnswer bounds an answer in JSON, in bytes.
const maxAnswer = 64 << 20

// send asks, and gives an answer that is no error.
func (c *Client) send(ctx context.Context, by *http.Client, r request) (*http.Response, error) {
	var body io.Reader
	if r.in != nil {
		b, err := json.Marshal(r.in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, "http://isobar"+r.path, body)
	if err != nil {
		return nil, err
	}
	resp, err := by.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" && errors.Is(op.Err, fs.ErrPermission) {
			return nil, op.Err // there is one, perhaps, and it is somebody else's
		}
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, fmt.Errorf("%w on %s: %w", ErrNoDaemon, op.Addr, op.Err)
		}
		return nil, err
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // a body that was read
	var p Problem
	if json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&p) == nil && p.Error != "" {
		if p.Finding != nil {
			return nil, &Refused{*p.Finding}
		}
		return nil, errors.New(p.Error)
	}
	return nil, fmt.Errorf("the daemon answered %s", resp.Status)
}
