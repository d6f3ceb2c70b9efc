package secret

import (
	"fmt"
	"strings"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// maxSize is the most that a source may hold, in bytes: more than any field
// takes, far less than would hurt.
const maxSize = 64 << 10

// trouble is why a source can't be read, without the secret's name.
func trouble(mend, format string, args ...any) *provider.SecretError {
	return &provider.SecretError{What: fmt.Sprintf(format, args...), Mend: mend}
}

// source reads what a source holds, as it is.
func (k *Keeper) source(src resource.SecretSource) (string, *provider.SecretError) {
	var text string
	var wrong *provider.SecretError
	switch {
	case src.Env != "":
		text, wrong = k.env(src.Env)
	case src.File != "":
		text, wrong = k.file(src.File)
	default:
		return "", trouble("bind it to env or file", "it is bound to no source")
	}
	if wrong == nil && text == "" {
		wrong = trouble("put the value there", "%s is empty", where(src))
	}
	return text, wrong
}

// where names a source for people.
func where(src resource.SecretSource) string {
	if src.Env != "" {
		return "the environment variable " + src.Env
	}
	return "the file " + src.File
}

func (k *Keeper) env(name string) (string, *provider.SecretError) {
	if !k.opts.Allow.env(name) {
		mend := "no environment variable may be read here: allow some with --secret-env PREFIX"
		if p := k.opts.Allow.EnvPrefixes; len(p) > 0 {
			mend = "name it " + strings.Join(p, "… or ") + "…, or allow its beginning with --secret-env PREFIX"
		}
		return "", trouble(mend, "environments may not read the environment variable %s", name)
	}
	text, ok := k.opts.LookupEnv(name)
	switch {
	case !ok:
		return "", trouble("set it for the isobar process", "the environment variable %s is not set", name)
	case len(text) > maxSize:
		return "", tooLarge("the environment variable " + name)
	}
	return text, nil
}

func tooLarge(what string) *provider.SecretError {
	return trouble("keep the secret itself there, and nothing else", "%s holds more than %d KiB", what, maxSize>>10)
}
