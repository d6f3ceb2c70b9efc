package moto_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"isobar.dev/engine/lab/moto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStartAnswersAndEnds(t *testing.T) {
	t.Parallel()
	s, err := moto.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(),
		strings.NewReader("Action=DescribeVpcs&Version=2016-11-15"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=lab/20260101/eu-west-1/ec2/aws4_request")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(body), "<DescribeVpcsResponse") {
		t.Fatalf("DescribeVpcs answered %q, %v", body, err)
	}
	s.Close()
	if req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(), http.NoBody); err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("it still answers after Close")
	}
}

func TestEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := moto.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	s.Close() // returns only once the process is gone
}

func TestEnvNamesNoProfileOfTheUser(t *testing.T) {
	t.Parallel()
	s, err := moto.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	env := strings.Join(s.Env(), "\n")
	for _, want := range []string{"AWS_ENDPOINT_URL=" + s.URL(), "AWS_ACCESS_KEY_ID=", "AWS_CONFIG_FILE="} {
		if !strings.Contains(env, want) {
			t.Errorf("Env lacks %s", want)
		}
	}
}

func TestNothingToRunSaysWhatToType(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := moto.Start(t.Context(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "pip install 'moto[server]==") {
		t.Fatalf("got %v, want the command to type", err)
	}
}
