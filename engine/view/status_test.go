package view

import (
	"strings"
	"testing"
)

// TestRepositoryColumn: where environments are of several repositories, tables
// say whose each is.
func TestRepositoryColumn(t *testing.T) {
	t.Parallel()
	rows, runs := status(), runLines()
	for _, text := range []string{StatusText(Overview{Environments: rows}, Page{}), RunsText(runs, Page{})} {
		if strings.Contains(text, "REPOSITORY") {
			t.Errorf("one repository is named:\n%s", text)
		}
	}
	for i := range rows {
		rows[i].Repo = []string{"shop", "shop", "base"}[i]
	}
	for i := range runs {
		runs[i].Repo = []string{"shop", "base"}[i]
	}
	for text, want := range map[string]string{
		StatusText(Overview{Environments: rows}, Page{}): "lab          base        observe",
		RunsText(runs, Page{}):                           "r-11  staging      base        3f2a91c",
	} {
		if !strings.Contains(text, want) || !strings.Contains(text, "ENVIRONMENT  REPOSITORY") {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}
