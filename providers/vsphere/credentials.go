package vsphere

import (
	"os"
	"strings"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// credentials gives user and password for a login: those of the server's file
// that the settings name, read anew, else those of the process.
func (s *session) credentials() (user, password string, err error) {
	if s.own == nil {
		if user, password = variables(); user == "" {
			err = denied("no credentials for the vCenter: set GOVC_USERNAME and GOVC_PASSWORD in isobar's environment, " +
				"or name credentials of the server's file")
		}
		return user, password, err
	}
	if user, err = s.own.Secret("user"); err != nil {
		return "", "", err
	}
	password, err = s.own.Secret("password")
	return user, password, err
}

// variables are the standard ones that vSphere's tools read, by tool: govc and
// Terraform's provider.
func variables() (user, password string) {
	//nolint:forbidigo // credentials come from the process's own variables, never from a spec
	env := os.Getenv
	for _, v := range [][2]string{{"GOVC_USERNAME", "GOVC_PASSWORD"}, {"VSPHERE_USER", "VSPHERE_PASSWORD"}} {
		if user = env(v[0]); user != "" {
			return user, env(v[1])
		}
	}
	return "", ""
}

// meant refuses to send credentials of the server's file to another vCenter
// than the one that they are for, or to one that shows any certificate.
func meant(c provider.Config) error {
	if c.Credentials == nil {
		return nil
	}
	if want := c.Credentials.Settings["url"]; plain(want) != plain(c.Settings.Text("url")) {
		return denied("the credentials " + c.Credentials.Name + " are for " + want + ", and providers name " + c.Settings.Text("url"))
	}
	if insecure, _ := c.Settings["insecure"].(resource.Bool); bool(insecure) && c.Credentials.Settings["insecure"] != "true" {
		return denied("the credentials " + c.Credentials.Name + " are not sent to a vCenter that shows any certificate: take insecure away, " +
			"or allow it in the server's file")
	}
	return nil
}

// plain is a vCenter's address in one form.
func plain(url string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/sdk"), "/"))
}

func denied(message string) error {
	return &resource.Failure{Class: resource.Denied, Op: "vim:Login", Message: message}
}
