package forge

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type object = map[string]any

// reply writes JSON.
func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// say writes a refusal.
func (s *Server) say(w http.ResponseWriter, status int, message string) {
	reply(w, status, object{"message": message})
}

// tagged writes a readable answer with its entity tag, or 304 to whoever has it.
func (s *Server) tagged(w http.ResponseWriter, r *http.Request, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if s.opts.Face != Gitea {
		tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(text))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text)
}

// page writes one page of a list, with links to its neighbours:
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
// https://docs.gitlab.com/api/rest/#pagination
// https://docs.gitea.com/development/api-usage#pagination
func (s *Server) page(w http.ResponseWriter, r *http.Request, all []object) {
	q := r.URL.Query()
	size, limit, name := 30, 100, "per_page"
	switch s.opts.Face {
	case GitLab:
		size = 20
	case Gitea:
		size, limit, name = 30, 50, "limit"
	case GitHub:
	}
	if n, err := strconv.Atoi(q.Get(name)); err == nil && n > 0 {
		size = n
	}
	if s.opts.Page > 0 {
		limit = s.opts.Page
	}
	size = min(size, limit)
	n, err := strconv.Atoi(q.Get("page"))
	if err != nil || n < 1 {
		n = 1
	}
	last := max(1, (len(all)+size-1)/size)
	var links []string
	link := func(rel string, to int) {
		u := url.URL{Scheme: "http", Host: s.addr, Path: r.URL.Path, RawPath: r.URL.RawPath}
		to2 := r.URL.Query()
		to2.Set("page", strconv.Itoa(to))
		u.RawQuery = to2.Encode()
		links = append(links, fmt.Sprintf(`<%s>; rel="%s"`, u.String(), rel))
	}
	if n > 1 {
		link("prev", n-1)
	}
	if n < last {
		link("next", n+1)
		link("last", last)
	}
	if len(links) > 0 {
		w.Header().Set("Link", strings.Join(links, ", "))
	}
	if s.opts.Face == GitLab {
		w.Header().Set("X-Page", strconv.Itoa(n))
		w.Header().Set("X-Per-Page", strconv.Itoa(size))
		w.Header().Set("X-Next-Page", "")
		if n < last {
			w.Header().Set("X-Next-Page", strconv.Itoa(n+1))
		}
	}
	from := min((n-1)*size, len(all))
	out := all[from:min(from+size, len(all))]
	if out == nil {
		out = []object{}
	}
	s.tagged(w, r, out)
}

// decode reads a request's JSON.
func decode(r *http.Request, into any) bool {
	return json.NewDecoder(http.MaxBytesReader(nil, r.Body, 8<<20)).Decode(into) == nil
}

func number(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil {
		return 0
	}
	return n
}
