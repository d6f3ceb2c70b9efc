package provider

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// Credentials are what a server's file says under a name: how to prove to one
// provider who we are. Fields are named as in that file's schema.
type Credentials struct {
	Name     string            // "prod-aws"
	Provider string            // "aws"
	Settings map[string]string // what is no secret: a profile, a role
	// Secrets are read each time they are needed, so that they can be renewed.
	// Their errors name the source and never hold a value.
	Secrets map[string]func() (string, error)
	Version string // differs where Settings or the secrets' sources do
}

// Secret reads one of the secrets, "" where the name has none. Its error is a
// *resource.Failure.
func (c *Credentials) Secret(name string) (string, error) {
	read := c.Secrets[name]
	if read == nil {
		return "", nil
	}
	v, err := read()
	if err != nil {
		return "", &resource.Failure{Class: resource.Denied, Op: c.Provider + ":Credentials", Message: fmt.Sprintf("credentials %s: %s: %v", c.Name, name, err), Err: err}
	}
	return v, nil
}
