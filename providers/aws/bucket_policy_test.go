package aws

import (
	"encoding/json"
	"testing"

	"isobar.dev/engine/resource"
)

// Whatever S3 gives as a policy is understood or refused, and what was
// understood reads the same when it is written and read again.
func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::x/*"}]}`,
		`{"Id":"p","Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["b","a","a"],"Service":"logs"},"NotAction":[],"NotResource":["r"],` +
			`"Condition":{"NumericLessThan":{"s3:max-keys":10},"Bool":{"k":[true,"x"]},"Null":"odd"}}}`,
		`{"Statement":[1]}`, `{"Statement":[]}`, `[]`, `null`, `{"Statement":null,"Version":1.5}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		p, err := parsePolicy(doc)
		if err != nil {
			return
		}
		text, err := json.Marshal(plain(p))
		if err != nil {
			t.Fatalf("%s: %v", resource.Encode(p), err)
		}
		again, err := parsePolicy(string(text))
		if err != nil || !resource.Equal(p, again) {
			t.Fatalf("%s reads as %s, then as %s, %v", doc, resource.Encode(p), resource.Encode(again), err)
		}
	})
}
