// Package registrytest is for tests only: a registry as the OCI's distribution specification has
// it, in the test's own process, that keeps what is pushed in memory. It can ask for a
// login, and be made to lie.
package registrytest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Registry is a registry that runs until the end of a test.
type Registry struct {
	Host string // and its port

	mu        sync.Mutex
	answer    http.HandlerFunc
	login     string            // NAME:PASSWORD, as basic authentication has it; empty: nobody is asked
	content   map[string]string // by «REPOSITORY/blobs/sha256:…» and «REPOSITORY/manifests/TAG-OR-DIGEST»
	mediaType map[string]string
	log       []string
}

// token is what a login is given.
const token = "a-token"

// New starts an empty registry.
func New(t testing.TB) *Registry {
	r := &Registry{content: map[string]string{}, mediaType: map[string]string{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Lie has another answer every request from now on; it may call [Registry.Serve]. Nil ends that.
func (r *Registry) Lie(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// Login has it ask everybody for a name and a password from now on.
func (r *Registry) Login(name, password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.login = name + ":" + password
}

// Log returns the requests so far, «GET course/box/blobs/sha256:…», and forgets them.
func (r *Registry) Log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.log
	r.log = nil
	return log
}

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.log = append(r.log, req.Method+" "+strings.TrimPrefix(req.URL.Path, "/v2/"))
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
		return
	}
	r.Serve(w, req)
}

// Serve answers a request as a registry does.
func (r *Registry) Serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, password, _ := req.BasicAuth()
	if req.URL.Path == "/token" {
		if name+":"+password != r.login {
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"token":%q}`, token)
		return
	}
	if r.login != "" && req.Header.Get("Authorization") != "Bearer "+token {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, r.Host))
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		return
	}
	key := strings.TrimPrefix(req.URL.Path, "/v2/")
	switch {
	case req.Method == http.MethodPost:
		w.Header().Set("Location", req.URL.Path+"1")
		w.WriteHeader(http.StatusAccepted)
	case req.Method == http.MethodPut:
		r.put(w, req, key)
	default:
		text, ok := r.content[key]
		if !ok {
			http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", r.mediaType[key])
		w.Header().Set("Docker-Content-Digest", Digest(text))
		w.Header().Set("ETag", `"`+Digest(text)+`"`)
		http.ServeContent(w, req, "", time.Time{}, strings.NewReader(text))
	}
}

func (r *Registry) put(w http.ResponseWriter, req *http.Request, key string) {
	var text bytes.Buffer
	if _, err := io.Copy(&text, req.Body); err != nil {
		return // who sends it has gone
	}
	sum := Digest(text.String())
	folder := key[:strings.LastIndex(key, "/")+1]
	if upload, ok := strings.CutSuffix(folder, "uploads/"); ok {
		if req.URL.Query().Get("digest") != sum {
			http.Error(w, `{"errors":[{"code":"DIGEST_INVALID"}]}`, http.StatusBadRequest)
			return
		}
		folder, key = upload, upload+sum
	}
	for _, key := range []string{key, folder + sum} {
		r.content[key], r.mediaType[key] = text.String(), req.Header.Get("Content-Type")
	}
	w.WriteHeader(http.StatusCreated)
}

// Digest is how a registry calls a content.
func Digest(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }
