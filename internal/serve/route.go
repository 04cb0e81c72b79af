package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/pc"
)

// kind is how a route is asked for.
type kind int

const (
	open   kind = iota // GET, by anybody
	look               // GET
	act                // POST, by a student
	socket             // a websocket
)

// routes are what can be asked for below the page, by the end of the path.
var routes = []struct {
	kind    kind
	end     *regexp.Regexp
	handler func(s *Server, w http.ResponseWriter, r *http.Request, v visitor, names []string)
}{
	{open, end(`phrases/languages\.json`), (*Server).languages},
	{open, end(`phrases/([^/]+)\.json`), (*Server).phrases},
	{open, end(`oauth_callback`), (*Server).fromHub},
	{look, end(`api/home`), (*Server).home},
	{look, end(`api/class`), (*Server).overview},
	{look, end(`api/class/similar`), (*Server).similar},
	{look, end(`api/watch`), (*Server).watch},
	{act, end(`api/start`), (*Server).start},
	{act, end(`api/stop`), (*Server).stop},
	{socket, end(`api/sessions/([^/]+)/guide`), (*Server).guide},
	{socket, end(`api/sessions/([^/]+)/consoles/([^/]+(?:/[^/]+)?)`), (*Server).console},
	{socket, end(`api/sessions/([^/]+)/screens/([^/]+)`), (*Server).screen},
	{socket, end(`api/sessions/([^/]+)/network`), (*Server).network},
	{socket, end(`api/sessions/([^/]+)/places/([^/]+)`), (*Server).place},
	{look, end(`states/([0-9a-f]+\.state)`), (*Server).state},
	{look, end(`api/sessions/([^/]+)/capture`), (*Server).capture},
}

func end(pattern string) *regexp.Regexp { return regexp.MustCompile(`/` + pattern + `$`) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.protect(w.Header(), "", "")
	if s.Hub != nil {
		s.greetHub(w.Header())
	} else if refusal := s.wrongHost(r); refusal != "" { // a hub's cookies are for its own name
		http.Error(w, refusal, http.StatusForbidden)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/") {
		s.index(w, r)
		return
	}
	for _, route := range routes {
		names := route.end.FindStringSubmatch(r.URL.Path)
		if names == nil {
			continue
		}
		if method := map[kind]string{open: "GET", look: "GET", act: "POST", socket: "GET"}[route.kind]; r.Method != method {
			w.Header().Set("Allow", method)
			http.Error(w, "this is asked for by "+method, http.StatusMethodNotAllowed)
			return
		}
		if route.kind == act || route.kind == socket {
			if refusal := s.wrongOrigin(r); refusal != "" {
				s.refuse(w, http.StatusForbidden, refusal)
				return
			}
		}
		v, known := s.visitor(r)
		switch {
		case route.kind == open:
			route.handler(s, w, r, v, names[1:])
		case !known && route.kind == socket:
			s.turnAway(w, r, closeLogin, "log in again")
		case !known:
			closed := "serve closed"
			if s.Hub != nil {
				closed = "page hub login title"
			}
			s.refuse(w, http.StatusUnauthorized, s.say(r, closed))
		case route.kind == act && !v.student:
			s.refuse(w, http.StatusForbidden, s.say(r, "serve watching"))
		case route.kind == act:
			s.atWork(v)
			fallthrough
		default:
			route.handler(s, w, r, v, names[1:])
		}
		return
	}
	s.static(w, r)
}

// refuse answers with a sentence.
func (s *Server) refuse(w http.ResponseWriter, status int, sentence string) {
	s.answer(w, status, map[string]string{"error": sentence})
}

// answer answers with JSON.
func (s *Server) answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value) // who hung up has no more use for it
}

// longestBody bounds what is posted.
const longestBody = 16 << 10

// read reads what was posted; if that is no such JSON, it answers so and returns false.
func (s *Server) read(w http.ResponseWriter, r *http.Request, value any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestBody)).Decode(value); err != nil {
		s.refuse(w, http.StatusBadRequest, fmt.Sprintf("read the request: %v", err))
		return false
	}
	return true
}

// contentTypes are those of the page's files: the system's own table may have others, and
// browsers are told not to guess.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".png": "image/png", ".woff2": "font/woff2",
	".wasm": "application/wasm", ".bin": "application/octet-stream",
}

// emulating are the files in which v86 runs, which makes WebAssembly, and workers of its
// own, as it goes. No other part of the page may do that.
var emulating = []string{"page/machine.html", "page/resident.js"}

// static sends one of the page's files. They are open: anybody can have them with labrun.
func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	name, data := s.file(r.URL.Path)
	switch {
	case data == nil || contentTypes[path.Ext(name)] == "":
		http.Error(w, "there is nothing here", http.StatusNotFound)
	case r.Method != "GET" && r.Method != "HEAD":
		http.Error(w, "this is asked for by GET", http.StatusMethodNotAllowed)
	default:
		if slices.Contains(emulating, name) {
			s.protect(w.Header(), "'wasm-unsafe-eval'", "blob:")
		}
		s.send(w, r, name, data)
	}
}

// file finds the page's file that a path ends in; nil if there is none.
func (s *Server) file(path string) (name string, data []byte) {
	if strings.HasSuffix(path, "/machine.html") && !strings.HasSuffix(path, "/page/machine.html") {
		path = "/page/machine.html" // whose addresses are relative to the folder above
	}
	for at := range path {
		rest := path[at:]
		if name, ok := strings.CutPrefix(rest, "/bios/"); ok {
			if data, err := pc.BIOS(name); err == nil {
				return rest[1:], data
			}
		}
		if !strings.HasPrefix(rest, "/page/") && !strings.HasPrefix(rest, "/npm/") {
			continue
		}
		if data, err := fs.ReadFile(s.Page, rest[1:]); err == nil {
			return rest[1:], data
		}
	}
	return "", nil
}

// send sends a file, which a browser keeps as long as it is the same.
func (s *Server) send(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}
