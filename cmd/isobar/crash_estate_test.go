package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"isobar.dev/engine/lab/vcsim"
)

const (
	// crashHybrid is the estate of the long form: 15 resources on AWS and 5 on
	// vSphere, in mode auto for a daemon.
	crashHybrid = "hybrid.cue"
	// crashChain is the estate of the short form: resources of both clouds that
	// each wait for the one before, so that one request is under way at a time,
	// and what was done shows at once.
	crashChain = "chain.cue"
	// crashTerraform is the part of crashHybrid on AWS as Terraform has it.
	crashTerraform = "main.tf"
)

// crashResources is how many resources crashHybrid has.
const crashResources = 20

const crashKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"

// estate is a text of testdata/crash for a site.
func (l *crashLab) estate(t *testing.T, s *site, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "crash", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("SITE", s.name, "REGION", crashRegion, "VCENTER", s.vsURL, "IMAGE", l.image,
		"DATASTORE", vcsim.Datastore, "POOL", vcsim.Pool, "NETWORK", vcsim.Network, "KEY", crashKey).Replace(string(text))
}
