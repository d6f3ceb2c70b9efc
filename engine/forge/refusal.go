package forge

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"isobar.dev/engine/resource"
)

// aMinute is how long to wait after a limit that says no time. GitHub's rule:
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
const aMinute = time.Minute

// maxWords is how many bytes of a forge's own words go into a message.
const maxWords = 300

// refusal classifies an answer of 400 or more. The secret that was sent is taken
// out of the forge's words.
func refusal(in *http.Response, body []byte, secret string, now time.Time) *resource.Failure {
	f := &resource.Failure{Code: strconv.Itoa(in.StatusCode), RequestID: requestID(in.Header)}
	said := words(body, secret)
	f.After = retryAfter(in.Header, now)
	switch {
	case limited(in, said):
		f.Class, f.Message = resource.Throttled, "the forge asks to wait"
		if f.After == 0 {
			f.After = resetIn(in.Header, now)
		}
		if f.After == 0 {
			f.After = aMinute
		}
	case in.StatusCode == http.StatusUnauthorized:
		f.Class, f.Message = resource.Denied, "the forge refuses the token: it is wrong, has expired or was revoked; give a new one"
	case in.StatusCode == http.StatusForbidden, in.StatusCode == http.StatusLocked:
		f.Class, f.Message = resource.Denied, "the forge does not let the token do this"
		// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
		if needs := plain(in.Header.Get("X-Accepted-Github-Permissions")); needs != "" {
			f.Message += ": it needs " + needs
		}
	case in.StatusCode == http.StatusNotFound, in.StatusCode == http.StatusGone:
		f.Class, f.Message = resource.NotFound, "not there, or the token may not see it"
	case in.StatusCode == http.StatusConflict:
		f.Class, f.Message = resource.Conflict, "the forge is at odds with this just now"
	case in.StatusCode == http.StatusRequestTimeout, in.StatusCode >= 500:
		f.Class, f.Message = effectOf(in.Request.Method).lost(), "the forge is ill"
	default:
		f.Class, f.Message = resource.Invalid, "the forge refuses the request"
	}
	if said != "" {
		f.Message += " (" + said + ")"
	}
	return f
}

// limited reports whether an answer is about a rate limit. GitHub gives 403 as
// well as 429, for its primary and its secondary limits:
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
// GitLab gives 429: https://docs.gitlab.com/security/rate_limits/
func limited(in *http.Response, said string) bool {
	switch in.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		said = strings.ToLower(said)
		return in.Header.Get("X-Ratelimit-Remaining") == "0" || in.Header.Get("Retry-After") != "" ||
			strings.Contains(said, "secondary rate limit") || strings.Contains(said, "abuse detection")
	}
	return false
}

// spent is how long to keep quiet after an answer that used up the last call.
func spent(in *http.Response, now time.Time) time.Duration {
	if in.Header.Get("X-Ratelimit-Remaining") == "0" || in.Header.Get("Ratelimit-Remaining") == "0" {
		return resetIn(in.Header, now)
	}
	return 0
}

// retryAfter reads Retry-After, seconds or a date (RFC 9110 §10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if s, err := strconv.Atoi(text); err == nil && s > 0 {
		return time.Duration(min(s, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return until(at, h, now)
	}
	return 0
}

// resetIn reads when a limit's window ends, seconds since 1970: GitHub's
// X-RateLimit-Reset, GitLab's RateLimit-Reset.
func resetIn(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"X-Ratelimit-Reset", "Ratelimit-Reset"} {
		if s, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil && s > 0 {
			return until(time.Unix(s, 0), h, now)
		}
	}
	return 0
}

// until counts by the forge's own clock where it tells it, and stays within a day.
func until(at time.Time, h http.Header, now time.Time) time.Duration {
	if d, err := http.ParseTime(h.Get("Date")); err == nil {
		now = d
	}
	return min(max(at.Sub(now), 0), 24*time.Hour)
}

func requestID(h http.Header) string {
	for _, name := range []string{"X-Github-Request-Id", "X-Request-Id"} {
		if id := h.Get(name); id != "" {
			return plain(id)
		}
	}
	return ""
}

// words finds what a forge says in the body of a refusal: GitHub's message with
// its errors, GitLab's message (text or object) or error, Gitea's message.
func words(body []byte, secret string) string {
	var said struct {
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var parts []string
	for _, raw := range []json.RawMessage{said.Message, said.Error, said.Errors} {
		var text string
		switch {
		case len(raw) == 0, string(raw) == "null", string(raw) == "[]":
			continue
		case json.Unmarshal(raw, &text) != nil:
			text = string(raw)
		}
		parts = append(parts, text)
	}
	text := strings.Join(parts, ": ")
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "(secret)")
	}
	return plain(text)
}

// plain makes text one short line.
func plain(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}
