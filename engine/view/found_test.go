package view

import (
	"encoding/json"
	"testing"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	s := &Search{Env: "prod", Aspects: 1, File: "environments/prod/imported.cue", CUE: "package prod\n", Found: []Found{
		{Kind: "aws_iam_role", ID: "a|b", By: "aws_iam_role.\x1b[2Jx", Left: "isobar has no kind for it"},
		{Address: "aws.vpc/main", Kind: "aws.vpc", ID: "vpc-1", By: "aws:all"},
		{Kind: "aws.bucket", By: "aws:all", Left: "could not be read: denied"},
		{Address: "aws.subnet/a", Kind: "aws.subnet", ID: "subnet-1", By: "aws:all"},
	}}
	const text = `prod  found 2 objects to adopt, 2 left out, 1 is an aspect of others

ADDRESS       ID        FOUND BY               LEFT OUT
aws.subnet/a  subnet-1  aws:all
aws.vpc/main  vpc-1     aws:all
aws.bucket    –         aws:all                could not be read: denied
aws_iam_role  a|b       aws_iam_role.\x1b[2Jx  isobar has no kind for it
`
	if got := s.Text(Page{}); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	const markdown = "### isobar import · prod · 2 objects to adopt, 2 left out, 1 is an aspect of others\n\n" +
		"| address | id | found by | left out |\n|---|---|---|---|\n" +
		"| `aws.subnet/a` | `subnet-1` | `aws:all` |  |\n| `aws.vpc/main` | `vpc-1` | `aws:all` |  |\n" +
		"| `aws.bucket` |  | `aws:all` | could not be read\\:\u200b denied |\n" +
		"| `aws_iam_role` | `a\\|b` | `aws_iam_role.\\x1b[2Jx` | isobar has no kind for it |\n"
	if got := s.Markdown(); got != markdown {
		t.Errorf("got\n%s\nwant\n%s", got, markdown)
	}
	var back struct {
		Schema int `json:"schema_version"`
		Search
	}
	if err := json.Unmarshal(s.JSON(), &back); err != nil || back.Schema != SchemaVersion || len(back.Found) != 4 || back.Found[0].Address != "aws.subnet/a" || back.File != s.File {
		t.Errorf("%+v, %v", back, err)
	}
	empty := &Search{Env: "prod"}
	if got := empty.Text(Page{}); got != "prod  found nothing to adopt\n" {
		t.Errorf("%q", got)
	}
}
