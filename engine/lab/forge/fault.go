package forge

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way of answering badly.
type FaultKind string

// The kinds.
const (
	Lost      FaultKind = "lost"      // done, the answer lost
	Ill       FaultKind = "ill"       // 502, nothing done
	Primary   FaultKind = "primary"   // the limit of calls an hour is used up; nothing done
	Secondary FaultKind = "secondary" // GitHub's limit on bursts; 429 elsewhere; nothing done
	Forbidden FaultKind = "forbidden" // 403
	Refused   FaultKind = "refused"   // 422
	Echo      FaultKind = "echo"      // 400 with the request's credential in the message
)

// Fault is played to requests that fit.
type Fault struct {
	Kind   FaultKind
	Method string        // "" fits all
	Path   string        // part of the path; "" fits all
	Times  int           // how often; 0 is once
	After  time.Duration // for limits: when to try again; 0 says nothing of it

	credential string
}

// Break adds a fault. Faults are played in the order of their coming.
func (s *Server) Break(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// fault takes the one that a request meets, or nil.
func (s *Server) fault(r *http.Request) *Fault {
	for i := range s.faults {
		f := &s.faults[i]
		if f.Times == 0 || f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.EscapedPath(), f.Path) {
			continue
		}
		f.Times--
		out := *f
		out.credential = r.Header.Get("Authorization") + r.Header.Get("Private-Token")
		return &out
	}
	return nil
}

// answer plays a fault.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
// https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
func (f *Fault) answer(face Face, w http.ResponseWriter, now time.Time) {
	h := w.Header()
	seconds := strconv.Itoa(int(f.After / time.Second))
	at := strconv.FormatInt(now.Add(f.After).Unix(), 10)
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	switch f.Kind {
	case Ill:
		w.WriteHeader(http.StatusBadGateway)
		return
	case Forbidden:
		h.Set("X-Accepted-Github-Permissions", "pull_requests=write")
		reply(w, http.StatusForbidden, map[string]string{"message": "Resource not accessible by integration"})
		return
	case Echo:
		reply(w, http.StatusBadRequest, map[string]string{"message": "what is " + f.credential})
		return
	case Refused:
		reply(w, http.StatusUnprocessableEntity, map[string]string{"message": "Validation Failed"})
		return
	case Lost, Primary, Secondary:
	}
	switch {
	case face == GitHub && f.Kind == Primary:
		h.Set("X-Ratelimit-Limit", "5000")
		h.Set("X-Ratelimit-Remaining", "0")
		h.Set("X-Ratelimit-Reset", at)
		reply(w, http.StatusForbidden, map[string]string{"message": "API rate limit exceeded for user ID 1."})
	case face == GitHub:
		if f.After > 0 {
			h.Set("Retry-After", seconds)
		}
		reply(w, http.StatusForbidden, map[string]string{
			"message":           "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
			"documentation_url": "https://docs.github.com/rest/overview/resources-in-the-rest-api#secondary-rate-limits",
		})
	case face == GitLab && f.Kind == Primary:
		h.Set("Ratelimit-Remaining", "0")
		h.Set("Ratelimit-Reset", at)
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte("Retry later\n"))
	default:
		if f.After > 0 {
			h.Set("Retry-After", seconds)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// limits puts what is left of the limit on good answers.
func (s *Server) limits(w http.ResponseWriter, now time.Time) {
	reset := strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	switch s.opts.Face {
	case GitHub:
		w.Header().Set("X-Ratelimit-Limit", "5000")
		w.Header().Set("X-Ratelimit-Remaining", "4999")
		w.Header().Set("X-Ratelimit-Reset", reset)
	case GitLab:
		w.Header().Set("Ratelimit-Limit", "2000")
		w.Header().Set("Ratelimit-Remaining", "1999")
		w.Header().Set("Ratelimit-Reset", reset)
	case Gitea:
	}
}
