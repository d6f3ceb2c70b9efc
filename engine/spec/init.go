package spec

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Written is a file that Init wrote, by its name relative to the repository.
type Written struct {
	Name  string
	Added bool // lines were added to a file that was there
}

// Init writes a new repository into dir: a CUE module with a copy of the
// schemas, isobar.cue with a random estate id read from rnd, a small
// environment dev and an example policy with its test. It returns what it wrote, sorted by
// name. A .gitignore that is there, as forges put one into new repositories,
// gets the lines that it lacks. Where any other of these files exists already
// it writes nothing and returns an error that names it.
func Init(dir string, rnd io.Reader) ([]Written, error) {
	var id [10]byte
	if _, err := io.ReadFull(rnd, id[:]); err != nil {
		return nil, fmt.Errorf("no random estate id: %w", err)
	}
	files, err := schemaFiles()
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		moduleFile:                 initModule,
		localFile:                  "// Editors and cue vet find isobar's schemas here, without a registry.\n" + localModule,
		estateFile:                 fmt.Sprintf(initEstate, hex.EncodeToString(id[:])),
		"environments/dev/dev.cue": initEnvironment,
		"policies/name_tag.rego":   initPolicy,
		initTestFile:               initTest,
		ignoreFile:                 initIgnore,
	} {
		files[name] = []byte(text)
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range append([]string{estateFile}, names...) { // the file that people know comes first
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case name != ignoreFile || !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s exists already: init writes into a new repository; remove it, or choose another directory", name)
		}
	}
	var out []Written
	for _, name := range names {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return nil, err
		}
		err := writeNew(full, files[name])
		added := false
		if name == ignoreFile && errors.Is(err, fs.ErrExist) {
			added, err = addLines(full, initIgnore)
			if !added && err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Written{name, added})
	}
	return out, nil
}

// addLines adds to a file the lines of text that it lacks, all but comments;
// added is false where it has them all.
func addLines(name, text string) (added bool, err error) {
	old, err := os.ReadFile(name) //nolint:gosec // in the directory that a person named
	if err != nil {
		return false, err
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(old)) {
		have[strings.TrimSpace(line)] = true
	}
	var b strings.Builder
	lacks := false
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); have[line] {
			continue
		}
		lacks = lacks || !strings.HasPrefix(line, "#")
		b.WriteString(line + "\n")
	}
	if !lacks {
		return false, nil
	}
	gap := ""
	if len(old) > 0 && old[len(old)-1] != '\n' {
		gap = "\n"
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0) //nolint:gosec // as above
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(gap + b.String())
	return true, errors.Join(err, f.Close())
}

// writeNew never writes over a file that came in between.
func writeNew(name string, data []byte) error {
	//nolint:gosec // the directory is the one that a person named
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

const initModule = `module: "estate.example/infrastructure@v0"
language: version: "v0.17.0"
source: kind: "git"
deps: "isobar.dev/schemas@v0": v: "v0.1.0"
`

const initEstate = `package isobar

import "isobar.dev/schemas"

schemas.#Estate

// Who owns what isobar makes: it rides on every object. Never change it.
estate: %q

// observe reports, approve waits for a person, auto applies.
mode: "approve"
`

const initEnvironment = `package dev

import "isobar.dev/schemas"

schemas.#Environment

name: "dev"
providers: aws: region: "eu-west-1"

_owner: "platform"

aws: {
	vpc: main: {
		cidrBlock:          "10.0.0.0/16"
		enableDnsHostnames: true
		tags: {Name: "dev", Owner: _owner}
	}

	subnet: app: {
		vpcId:     aws.vpc.main.#out.id
		cidrBlock: "10.0.1.0/24"
		tags: {Name: "dev-app", Owner: _owner}
	}

	security_group: web: {
		vpcId:       aws.vpc.main.#out.id
		description: "HTTPS from within the VPC"
		ingress: [{
			ipProtocol: "tcp"
			fromPort:   443
			toPort:     443
			cidrIpv4:   "10.0.0.0/16"
		}]
		tags: {Name: "dev-web", Owner: _owner}
	}
}
`

const initPolicy = `# Rules of this repository, beside isobar's own. A deny stops a plan, a warn is
# shown with it. Try them with: isobar policy test
package main

import data.isobar.plan

# METADATA
# title: No Name tag
# custom: {id: OWN-001, mend: "add it, e.g. tags: Name: \"shop\""}
warn_name contains {"msg": msg, "address": rc.address, "path": "tags"} if {
	some rc in plan.living
	plan.takes_tags(rc.type)
	not rc.change.after.tags.Name
	not rc.change.after_unknown.tags
	msg := "it has no Name tag"
}
`

const ignoreFile = ".gitignore"

const initIgnore = `# isobar's local store
/.isobar/
*.sock
`

const initTestFile = "policies/name_tag_test.rego"

// initTest shows what a rule sees of a plan: as much of it as the rule asks for.
const initTest = `# isobar policy test runs this. What a rule sees has the shape of Terraform's plan,
# with isobar's own words beside it; a test gives as much of it as its rule asks for.
package main

made(after) := {
	"resource_changes": [{
		"address": "aws_vpc.main",
		"type": "aws_vpc",
		"change": {"actions": ["create"], "before": null, "after": after, "after_unknown": {}},
	}],
	"isobar": {"environment": "dev", "kinds": {"aws_vpc": {"fields": ["cidr_block", "tags"]}}},
}

test_no_name_is_warned_of if {
	found := warn_name with input as made({"cidr_block": "10.0.0.0/16"})
	{d.address | some d in found} == {"aws_vpc.main"}
}

test_a_name_is_fine if {
	found := warn_name with input as made({"tags": {"Name": "main"}})
	count(found) == 0
}
`
