package main

import (
	"bytes"
	"os"
	"testing"
)

// TestLinked: the program, which this test is a part of, holds the calls of EC2
// and Systems Manager that isobar makes, and not the thousands that it does not.
// One type that leads to a client and is put into an interface brings them back,
// and with them a quarter of the program: providers/aws/sealed.go.
func TestLinked(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	const sdk = "github.com/aws/aws-sdk-go-v2/service/"
	for call, want := range map[string]bool{
		"ec2.(*Client).DescribeVpcs": true, "ec2.(*Client).CreateFleet": false,
		"ssm.(*Client).GetParameters": true, "ssm.(*Client).DescribeActivations": false,
	} {
		if got := bytes.Contains(program, []byte("\x00"+sdk+call+"\x00")); got != want {
			t.Errorf("linked %s: %t, want %t", call, got, want)
		}
	}
}
