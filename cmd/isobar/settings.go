package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/secret"
	"isobar.dev/engine/signer"
	"isobar.dev/engine/spec"
)

// settings are a server's file as it was read, or what the flags of serve say
// in its place.
type settings struct {
	spec.Server
	name string // as the person wrote it; "" where there is no file
	dir  string // its directory, from which relative paths are taken
}

// configName is the file that --config or ISOBAR_CONFIG names, or "".
func (a *app) configName() string { return cmp.Or(a.config, os.Getenv("ISOBAR_CONFIG")) }

// readSettings reads and checks a server's file. The zero settings stand for none.
func (a *app) readSettings(ctx context.Context) (*settings, error) {
	name := a.configName()
	if name == "" {
		return &settings{}, nil
	}
	data, err := os.ReadFile(name) //nolint:gosec // the file that a person named
	if err != nil {
		return nil, errorf(diag.ServerFile, "name another file with --config or ISOBAR_CONFIG", "the server's file can't be read: %v", plainly(name, err))
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	loader, err := spec.New(spec.Options{Env: childEnv()})
	if err != nil {
		return nil, err
	}
	s := &settings{name: name, dir: filepath.Dir(abs)}
	if s.Server, err = loader.Server(ctx, name, data); err != nil {
		return nil, err
	}
	return s, s.addresses().Err()
}

// addresses finds what Git can't make of the repositories' addresses.
func (s *settings) addresses() diag.List {
	var out diag.List
	for i := range s.Repos {
		r := &s.Repos[i]
		var wrong *git.Error
		if errors.As(git.Check(s.url(*r)), &wrong) {
			f := wrong.Finding()
			f.Where, f.Message = diag.Place{File: s.name, Line: r.At.Line, Col: 0}, "repos."+r.Name+".url: "+f.Message
			out = append(out, f)
		}
	}
	return out.Sorted()
}

// path takes a relative path from the file's directory.
func (s *settings) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

// url is a repository's address; a relative path is taken from the file's
// directory.
func (s *settings) url(r spec.ServerRepo) string {
	if s.name != "" && (strings.HasPrefix(r.URL, "./") || strings.HasPrefix(r.URL, "../")) {
		return s.path(r.URL)
	}
	return r.URL
}

// allowance is what environments may read as secrets. Relative directories are
// taken from the file's own; those of flags stay for settled to see to.
func (s *settings) allowance() secret.Allowance {
	out := secret.Default()
	if s.Secrets.Env != nil {
		out.EnvPrefixes = s.Secrets.Env
	}
	if s.Secrets.Dirs == nil {
		return out
	}
	out.Dirs = nil
	for _, d := range s.Secrets.Dirs {
		if s.name != "" {
			d = s.path(d)
		}
		out.Dirs = append(out.Dirs, d)
	}
	return out
}

// exposed reports whether environments may read a source of the server's own.
func (s *settings) exposed(from resource.SecretSource) bool {
	allowed := s.allowance()
	if from.Env != "" {
		return slices.ContainsFunc(allowed.EnvPrefixes, func(p string) bool { return strings.HasPrefix(from.Env, p) })
	}
	return slices.ContainsFunc(allowed.Dirs, func(dir string) bool {
		rel, err := filepath.Rel(dir, s.path(from.File))
		return err == nil && filepath.IsLocal(rel)
	})
}

// place is where the file says that the store is; a relative path is taken from
// the file's directory.
func (s *settings) place() (place, error) {
	p, err := placeOf(s.Store)
	if err == nil && !p.shared() {
		p.file = s.path(p.file)
		p.beside = p.file
	}
	return p, err
}

// profile gives the credentials of a name, or nil.
func (s *settings) profile(name string) *provider.Credentials {
	c, ok := s.Credentials[name]
	if !ok {
		return nil
	}
	out := &provider.Credentials{
		Name: name, Provider: c.Provider, Settings: c.Settings, Secrets: map[string]func() (string, error){}, Version: fmt.Sprintf("%+v %s", c, s.dir),
	}
	for field, from := range c.Secrets {
		out.Secrets[field] = s.reader(from)
	}
	return out
}

// may says which credentials the environments of a repository may use: those
// that it was granted; with no grant the server's own, and with credentials in
// the file none.
func (s *settings) may(r spec.ServerRepo) func(profile string) error {
	return func(profile string) error {
		switch {
		case r.Credentials == nil && len(s.Credentials) == 0, slices.Contains(r.Credentials, cmp.Or(profile, spec.ServerOwn)):
			return nil
		case profile == "":
			return fmt.Errorf("repository %s may not use what the server itself has: name credentials under providers, "+
				"or add %q to repos: %s: credentials in the server's file", r.Name, spec.ServerOwn, r.Name)
		}
		return fmt.Errorf("repository %s may not use the credentials %s: add them to repos: %s: credentials in the server's file, or name others", r.Name, profile, r.Name)
	}
}

// unreadSigners tells, as warnings, what is wrong with the keys of those whose signature
// counts.
func (s *settings) unreadSigners() (out diag.List) {
	for _, r := range s.Repos {
		files := s.signers(r)
		if files == nil {
			continue
		}
		_, err := signer.Read(*files)
		if err == nil {
			continue
		}
		for _, f := range findings(err) {
			f.Severity, f.Subject = diag.Warning, "repos."+r.Name+".requireSigned"
			out = append(out, f)
		}
	}
	return out
}

// trusted looks at the files of host keys and of authorities: no server is talked to
// without one.
func (s *settings) trusted() diag.List {
	var out diag.List
	for _, r := range s.Repos {
		for _, named := range []struct{ field, file string }{{"ca", r.CA}, {"ssh.knownHosts", r.KnownHosts}} {
			if named.file == "" {
				continue
			}
			f, err := os.Open(s.path(named.file))
			if err == nil {
				_ = f.Close() // it was only read
				continue
			}
			out = append(out, diag.Finding{
				Severity: diag.Warning, Code: diag.ServerSource, Where: diag.Place{File: s.name}, Subject: "repos." + r.Name + "." + named.field,
				Message: plainly(named.file, err).Error(), Mend: "no server is trusted without it; it is read again at each fetch",
			})
		}
	}
	return out
}

// sources looks at every source of a secret: what can't be read now, and what
// others can read; and at what forges are spoken to with beside them.
func (s *settings) sources() diag.List {
	all := map[string]resource.SecretSource{}
	for _, r := range s.Repos {
		all["repos."+r.Name+".auth.token"] = r.Token
		all["repos."+r.Name+".ssh.key"] = resource.SecretSource{File: r.Key}
		all["repos."+r.Name+".ssh.passphrase"] = r.Passphrase
		if f := r.Forge; f != nil {
			all["repos."+r.Name+".forge.token"] = f.Token
			all["repos."+r.Name+".forge.app.key"] = f.App.Key
			for i, from := range f.Secrets {
				all[fmt.Sprintf("repos.%s.forge.webhook.secrets.%d", r.Name, i)] = from
			}
		}
	}
	for name, c := range s.Credentials {
		for field, from := range c.Secrets {
			all["credentials."+name+"."+c.Provider+"."+field] = from
		}
	}
	if s.Slack != nil {
		all["slack.token"] = s.Slack.Token
	}
	out := slices.Concat(s.forges(), s.unreadSigners(), s.trusted())
	for _, what := range slices.Sorted(maps.Keys(all)) {
		from := all[what]
		read := s.reader(from)
		if read == nil {
			continue
		}
		f := diag.Finding{Severity: diag.Warning, Where: diag.Place{File: s.name}, Subject: what}
		if s.exposed(from) {
			f.Code, f.Message, f.Mend = diag.ServerExposed, "every environment may read "+cmp.Or(from.Env, from.File), "move it, or narrow secrets"
			out = append(out, f)
		}
		if _, err := read(); err != nil {
			f.Code, f.Message, f.Mend = diag.ServerSource, err.Error(), "it is read again each time it is needed"
			out = append(out, f)
			continue
		}
		if info, err := os.Stat(s.path(from.File)); from.File != "" && err == nil && info.Mode().Perm()&0o007 != 0 {
			f.Code, f.Message, f.Mend = diag.ServerOpenFile, "everybody on this machine can get at "+from.File, "chmod o= "+from.File
			out = append(out, f)
		}
	}
	return out
}
