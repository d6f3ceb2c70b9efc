package main

import (
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

// TestReportKeepsWhatWasSo shows a kept report as it was told: a step that
// found the world as wanted says so.
func TestReportKeepsWhatWasSo(t *testing.T) {
	t.Parallel()
	addr, err := resource.ParseAddress("prod/aws.subnet/a")
	if err != nil {
		t.Fatal(err)
	}
	told := view.Run{ID: "r-1", Env: "prod", State: view.Applied, Changes: 1, Drift: -1, Steps: []view.Step{
		{ID: "create", Address: addr, Op: ledger.Create, State: view.StepDone},
		{ID: "update", Address: addr, Op: ledger.Update, Aspect: "mapPublicIpOnLaunch", State: view.StepDone, Same: true},
	}}
	var kept web.RunAnswer
	kept.Report = told.JSON()
	shown, err := reported(kept)
	if err != nil {
		t.Fatal(err)
	}
	got := shown.Text(view.Page{})
	if got != told.Text(view.Page{}) || !strings.Contains(got, "mapPublicIpOnLaunch was so already") {
		t.Fatalf("it was told as\n%s\nand is shown as\n%s", told.Text(view.Page{}), got)
	}
}
