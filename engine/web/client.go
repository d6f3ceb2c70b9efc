package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"isobar.dev/engine/view"
)

// Client talks to a daemon's control socket. Safe for concurrent use.
type Client struct{ http *http.Client }

// ErrNoDaemon says that nothing answers on the socket.
var ErrNoDaemon = errors.New("no isobar daemon answers")

// NewClient gives a client of the socket at path.
func NewClient(path string) *Client {
	var d net.Dialer
	return &Client{http: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}},
	}}
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

// Approve approves the plan that waits under digest.
func (c *Client) Approve(ctx context.Context, env, digest, by string) (VerdictAnswer, error) {
	return c.verdict(ctx, "approve", digest, VerdictRequest{env, by})
}

// Reject rejects the plan that waits under digest.
func (c *Client) Reject(ctx context.Context, env, digest, by string) (VerdictAnswer, error) {
	return c.verdict(ctx, "reject", digest, VerdictRequest{env, by})
}

func (c *Client) verdict(ctx context.Context, word, digest string, req VerdictRequest) (VerdictAnswer, error) {
	var out VerdictAnswer
	err := c.call(ctx, http.MethodPost, "/api/v1/plans/"+url.PathEscape(digest)+"/"+word, req, &out)
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

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://isobar"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return fmt.Errorf("%w on %s: %w", ErrNoDaemon, op.Addr, op.Err)
		}
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // a body that was read
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		var p Problem
		if json.Unmarshal(data, &p) == nil && p.Error != "" {
			return errors.New(p.Error)
		}
		return fmt.Errorf("the daemon answered %s", resp.Status)
	}
	return json.Unmarshal(data, out)
}
