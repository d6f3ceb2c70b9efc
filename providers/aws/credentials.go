package aws

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// keptKey is how long a key is used before its sources are read again.
const keptKey = time.Minute

// chosen gives what credentials of a server's file and the settings say of
// where AWS's own are looked for.
func chosen(c provider.Config) []func(*config.LoadOptions) error {
	profile := c.Settings.Text("profile")
	if c.Credentials == nil {
		if profile == "" {
			return nil
		}
		return []func(*config.LoadOptions) error{config.WithSharedConfigProfile(profile)}
	}
	switch {
	case c.Credentials.Secrets["accessKeyId"] != nil:
		return []func(*config.LoadOptions) error{config.WithCredentialsProvider(key{c.Credentials})}
	case c.Credentials.Settings["profile"] != "":
		return []func(*config.LoadOptions) error{config.WithSharedConfigProfile(c.Credentials.Settings["profile"])}
	}
	return nil
}

// key is a key whose parts are read again as they are renewed.
type key struct{ from *provider.Credentials }

// Retrieve implements aws.CredentialsProvider.
func (k key) Retrieve(context.Context) (aws.Credentials, error) {
	out := aws.Credentials{Source: "isobar", CanExpire: true}
	for name, into := range map[string]*string{
		"accessKeyId": &out.AccessKeyID, "secretAccessKey": &out.SecretAccessKey, "sessionToken": &out.SessionToken,
	} {
		v, err := k.from.Secret(name)
		if err != nil {
			return aws.Credentials{}, err
		}
		*into = v
	}
	//nolint:forbidigo // the SDK asks its own clock whether they have expired
	out.Expires = time.Now().Add(keptKey)
	return out, nil
}

// assumed puts the role that the credentials name over those that were loaded.
// Its calls go through client, so that none of them counts as a call under way.
func assumed(cfg *aws.Config, client aws.HTTPClient, c provider.Config) {
	if c.Credentials == nil || c.Credentials.Settings["roleArn"] == "" {
		return
	}
	base := cfg.Copy()
	base.HTTPClient = client
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(base), c.Credentials.Settings["roleArn"],
		func(o *stscreds.AssumeRoleOptions) {
			session := "isobar-" + cmp.Or(c.Estate, "import")
			o.RoleSessionName = session[:min(len(session), 64)] // STS takes no more
			if id := c.Credentials.Settings["externalId"]; id != "" {
				o.ExternalID = aws.String(id)
			}
		}))
}

// exclusive refuses settings that name two sorts of credentials.
func exclusive(c provider.Config) error {
	if c.Settings.Text("credentials") == "" || c.Settings.Text("profile") == "" {
		return nil
	}
	return &resource.Failure{Class: resource.Invalid, Op: "aws:LoadConfig", Message: "credentials and profile exclude each other: keep one of them"}
}
