package main

import "testing"

// What a person is told to type next has no password that stood in what they
// typed: it ends in logs and comments.
func TestNextCommandsHideCredentials(t *testing.T) {
	t.Parallel()
	for repo, want := range map[string]string{
		"":                                     " --rev main",
		"infra":                                " --repo infra --rev main",
		"git@host:team/infra.git":              " --repo git@host:team/infra.git --rev main",
		"ssh://git@host:22/infra":              " --repo ssh://git@host:22/infra --rev main",
		"https://host/infra.git":               " --repo https://host/infra.git --rev main",
		"https://bot:hunter2@host/infra.git":   " --repo https://host/infra.git --rev main",
		"http://hunter2@127.0.0.1:1/infra.git": " --repo http://127.0.0.1:1/infra.git --rev main",
		"HTTPS://bot:hunter2@host/infra.git":   " --repo https://host/infra.git --rev main",
	} {
		if got := (&app{repo: repo, rev: "main"}).sourceArgs(); got != want {
			t.Errorf("%s: %q, want %q", repo, got, want)
		}
	}
}
