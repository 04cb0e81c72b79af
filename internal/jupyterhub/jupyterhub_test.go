package jupyterhub

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// environment is a spawner's, of JupyterHub 3.0.
func environment() map[string]string {
	return map[string]string{
		"JUPYTERHUB_USER": "ann", "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann", "JUPYTERHUB_API_TOKEN": "own",
		"JUPYTERHUB_API_URL": "http://127.0.0.1:8081/os/hub/api", "JUPYTERHUB_BASE_URL": "/os/",
		"JUPYTERHUB_SERVICE_PREFIX": "/os/user/ann/", "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:4567/os/user/ann/",
		"JUPYTERHUB_OAUTH_CALLBACK_URL":  "/os/user/ann/oauth_callback",
		"JUPYTERHUB_OAUTH_ACCESS_SCOPES": `["access:servers!server=ann/", "access:servers!user=ann"]`,
		"JUPYTERHUB_ACTIVITY_URL":        "http://127.0.0.1:8081/os/hub/api/users/ann/activity",
	}
}

func read(t *testing.T, env map[string]string) *Contract {
	t.Helper()
	c, err := Read(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRead(t *testing.T) {
	c := read(t, environment())
	if c.Listen != "127.0.0.1:4567" || c.Prefix != "/os/user/ann/" || c.Home != "/os/hub/home" || c.Every() != usualActivity {
		t.Errorf("%+v", c)
	}
	at, err := url.Parse(c.Authorize("state", NewVerifier()))
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	if at.Path != "/os/hub/api/oauth2/authorize" || q.Get("client_id") != "jupyterhub-user-ann" || q.Get("response_type") != "code" ||
		q.Get("redirect_uri") != "/os/user/ann/oauth_callback" || q.Get("state") != "state" || q.Get("code_challenge") == "" {
		t.Errorf("a browser is sent to %s", at)
	}
	for name, test := range map[string]struct{ value, want string }{
		"JUPYTERHUB_USER":                {"", "JUPYTERHUB_USER is not set"},
		"JUPYTERHUB_SERVICE_URL":         {"nonsense", "is no address to listen at"},
		"JUPYTERHUB_SSL_CERTFILE":        {"x", "internal_ssl"},
		"JUPYTERHUB_ACTIVITY_INTERVAL":   {"often", "is no number of seconds"},
		"JUPYTERHUB_OAUTH_ACCESS_SCOPES": {"{", "JUPYTERHUB_OAUTH_ACCESS_SCOPES"},
	} {
		env := environment()
		env[name] = test.value
		if _, err := Read(func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s=%q: %v", name, test.value, err)
		}
	}
	env := environment()
	env["JUPYTERHUB_ACTIVITY_INTERVAL"], env["JUPYTERHUB_HOST"] = "90", "https://hub.example.org"
	env["JUPYTERHUB_SERVICE_URL"] = "http://0.0.0.0/os/user/ann/"
	if c := read(t, env); c.Every() != 90*time.Second || c.Home != "https://hub.example.org/os/hub/home" || c.Listen != "0.0.0.0:80" {
		t.Errorf("%+v", c)
	}
}

// A service is told the same as a server, but for whose it is, and has no activity.
func TestReadService(t *testing.T) {
	env := environment()
	for _, name := range []string{"JUPYTERHUB_USER", "JUPYTERHUB_ACTIVITY_URL", "JUPYTERHUB_OAUTH_ACCESS_SCOPES"} {
		delete(env, name)
	}
	env["JUPYTERHUB_SERVICE_NAME"] = "class"
	env["JUPYTERHUB_SERVICE_PREFIX"] = "/os/services/class/"
	c, err := ReadService(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "" || c.Prefix != "/os/services/class/" || !c.lets([]string{"access:services!service=class"}) ||
		c.lets([]string{"access:servers", "access:services!service=other"}) || c.Active(t.Context(), time.Now()) != nil {
		t.Errorf("%+v", c)
	}
	if _, err := Read(func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), "JUPYTERHUB_USER is not set") {
		t.Errorf("as a server: %v", err)
	}
	delete(env, "JUPYTERHUB_SERVICE_NAME")
	if _, err := ReadService(func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), "JUPYTERHUB_SERVICE_NAME is not set") {
		t.Errorf("as nothing: %v", err)
	}
}

func TestLets(t *testing.T) {
	c := read(t, environment())
	for scope, want := range map[string]bool{
		"access:servers!server=ann/": true, "access:servers!user=ann": true, "access:servers": true,
		"access:servers!server=bob/": false, "access:servers!user=bob": false, "read:users": false,
	} {
		if got := c.lets([]string{"self", scope}); got != want {
			t.Errorf("%s: %v", scope, got)
		}
	}
}

// The hub is asked as its API's documentation says, and what it says is told apart.
func TestTheHubIsAsked(t *testing.T) {
	status, body, asked := http.StatusOK, "", ""
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + string(said)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	defer hub.Close()
	env := environment()
	env["JUPYTERHUB_API_URL"] = hub.URL + "/os/hub/api"
	env["JUPYTERHUB_ACTIVITY_URL"] = hub.URL + "/os/hub/api/users/ann/activity"
	c := read(t, env)

	body = `{"version": "3.0.0"}`
	if err := c.Meet(t.Context()); err != nil || c.Version != "3.0.0" || asked != "GET /os/hub/api/ token own " {
		t.Errorf("%v %q %q", err, c.Version, asked)
	}
	body = `{"name": "ann", "scopes": ["access:servers!server=ann/"]}`
	if name, err := c.Who(t.Context(), "hers"); err != nil || name != "ann" || asked != "GET /os/hub/api/user token hers " {
		t.Errorf("%q %v %q", name, err, asked)
	}
	body = `{"name": "bob", "scopes": ["read:users"]}`
	if _, err := c.Who(t.Context(), "his"); !errors.Is(err, ErrNotLetIn) {
		t.Error(err)
	}
	status, body = http.StatusForbidden, `{"status": 403}`
	if _, err := c.Who(t.Context(), "old"); !errors.Is(err, ErrNotLetIn) {
		t.Error(err)
	}
	status, body = http.StatusServiceUnavailable, ""
	if _, err := c.Who(t.Context(), "hers"); err == nil || errors.Is(err, ErrNotLetIn) {
		t.Error(err)
	}
	if _, err := c.Token(t.Context(), "code", "verifier"); err == nil || errors.Is(err, ErrNotLetIn) {
		t.Error(err)
	}
	status, body = http.StatusOK, `{"access_token": "hers", "token_type": "Bearer"}`
	if token, err := c.Token(t.Context(), "code", "verifier"); err != nil || token != "hers" ||
		!strings.Contains(asked, "client_secret=own") || !strings.Contains(asked, "code_verifier=verifier") {
		t.Errorf("%q %v %q", token, err, asked)
	}
	status, body = http.StatusBadRequest, `{"error": "invalid_grant"}`
	if _, err := c.Token(t.Context(), "code", "verifier"); !errors.Is(err, ErrNotLetIn) {
		t.Error(err)
	}
	status, body = http.StatusOK, ""
	last := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := c.Active(t.Context(), last); err != nil || !strings.HasSuffix(asked,
		`token own {"last_activity":"2026-02-03T04:05:06Z","servers":{"":{"last_activity":"2026-02-03T04:05:06Z"}}}`) {
		t.Errorf("%v %q", err, asked)
	}
}
