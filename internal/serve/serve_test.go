package serve

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/run"
)

// A browser that knows the secret gets a cookie for it, and with that the page; the secret
// does not stay in its address.
func TestComingIn(t *testing.T) {
	x := newSite(t)
	b, r := x.visits(x.at+"/", "key="+x.Secret)
	if text := body(r); r.StatusCode != 200 || !strings.Contains(text, "the page") || r.Request.URL.RawQuery != "" {
		t.Errorf("%s %q at %s", r.Status, text, r.Request.URL)
	}
	if got := body(b.get("npm/x/x.mjs")); got != "library" {
		t.Errorf("the library is %q", got)
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	outside, _ := x.visits(x.at+"/", "")
	outside.CheckRedirect = b.CheckRedirect
	r = outside.get("?key=" + x.Secret)
	if got := r.Header.Get("Location"); !strings.HasPrefix(got, "./at-") || !strings.HasSuffix(got, "/?key="+x.Secret) ||
		len(r.Cookies()) > 0 {
		t.Errorf("on this computer it is sent to %q with %v", got, r.Cookies())
	}
	r = b.get("?key=" + x.Secret)
	if got := r.Header.Get("Location"); got != "./" {
		t.Errorf("redirected to %q", got)
	}
	c := r.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "" || c.Secure ||
		strings.Contains(c.Value, x.Secret) || c.Name != "labrun-"+x.port {
		t.Errorf("the cookie: %v", c)
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer",
	} {
		if got := r.Header.Get(header); !strings.Contains(got, want) {
			t.Errorf("%s: %q", header, got)
		}
	}
}

// Whoever does not know the secret is told how to get in, and gets nothing else.
func TestNobodyComesInWithoutTheSecret(t *testing.T) {
	x := newSite(t)
	x.runs("lab")
	for _, query := range []string{"", "key=", "key=wrong", "key=" + x.Secret[:5], "watch=", "watch=lab.x.y", "watch=.",
		"watch=lab." + url.QueryEscape(x.sign("watch", "other"))} {
		b, r := x.visits(x.at+"/", query)
		text := body(r)
		if r.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "labrun serve") ||
			strings.Contains(text, "refresh") {
			t.Errorf("%q: %s %s", query, r.Status, text)
		}
		for _, path := range []string{"api/home", "api/watch?session=lab"} {
			if r := b.get(path); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %s", path, r.Status)
			}
		}
		for _, path := range []string{"api/start", "api/stop"} {
			if r := b.post(path, "{}"); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %s", path, r.Status)
			}
		}
		for _, path := range []string{"api/sessions/lab/guide"} {
			if code := b.closes(b.opens(path)); code != closeLogin {
				t.Errorf("%s: closed with %d", path, code)
			}
		}
	}
	// Nor does somebody with a cookie that nobody signed.
	b, _ := x.visits(x.at+"/", "")
	for _, value := range []string{"", "!!", "a!!" + x.Secret, "a!!" + x.sign("cookie", "b", ""), x.Secret} {
		if r := b.get("api/home", "Cookie", "labrun-"+x.port+"="+value); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("cookie %q: %s", value, r.Status)
		}
	}
	// A page that another site led to has no cookie yet, and comes back by itself.
	text := body(b.get("", "Sec-Fetch-Site", "cross-site"))
	if !strings.Contains(text, `http-equiv="refresh" content="0;url=./"`) {
		t.Errorf("it does not come back: %s", text)
	}
	if text := body(b.get("", "Accept-Language", "zh-TW,zh;q=0.9")); !strings.Contains(text, "鑰匙") {
		t.Errorf("it speaks no Chinese: %s", text)
	}
}

// Another server with the same secret lets the same browsers in.
func TestCookiesOutliveTheServer(t *testing.T) {
	folder := t.TempDir()
	first, err := Secret(folder)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "serve.secret")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if again, err := Secret(folder); again != first || err != nil {
		t.Errorf("%q, then %q, %v", first, again, err)
	}
	os.Chmod(file, 0o644) // somebody may have read it
	if other, err := Secret(folder); other == first || err != nil {
		t.Errorf("still %q, %v", other, err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}

// The server answers to its own names, and to those that it was given.
func TestOtherNamesAreRefused(t *testing.T) {
	lab, _ := url.Parse("https://lab.example.org/os/")
	x := newSite(t, func(o *Options) { o.Origins = []*url.URL{lab} })
	x.runs("lab")
	b := x.student()
	for host, want := range map[string]int{
		"localhost:1234": 200, "127.0.0.1": 200, "[::1]:80": 200, "lab.example.org": 200, "LAB.example.org": 200,
		"lab.example.org:443": 200,
		"evil.example":        403, "lab.example.org.evil.example": 403,
		"lab.example.org:8443": 403, "localhost.evil.example": 403,
	} {
		r := b.get("page/main.js", "Host", host)
		text := body(r)
		if r.StatusCode != want || want == 403 && !strings.Contains(text, "--origin https://"+host) {
			t.Errorf("%s: %s %s", host, r.Status, text)
		}
	}
	if r := b.get("?key="+x.Secret, "Host", "evil.example"); r.StatusCode != 403 {
		t.Errorf("the secret by another name: %s", r.Status)
	}
	for origin, want := range map[string]int{
		x.at: 404, "https://lab.example.org": 404,
		"http://lab.example.org": 403, "https://evil.example": 403, "null": 403, "http://127.0.0.1:1": 403,
		"http://localhost:" + x.port: 403,
	} {
		r := b.do("POST", "api/stop", `{"session":"none"}`, "Origin", origin)
		text := body(r)
		if r.StatusCode != want || want == 403 && (origin != "null") != strings.Contains(text, "--origin "+origin) {
			t.Errorf("%s: %s %s", origin, r.Status, text)
		}
		conn, r, err := b.dial("api/sessions/lab/guide", "Origin", origin)
		if want == 403 && (err == nil || r.StatusCode != 403) || want != 403 && err != nil {
			t.Errorf("%s: a websocket: %v", origin, err)
		}
		if err == nil {
			conn.CloseNow()
		}
	}
	policy := b.get("").Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'self' https://lab.example.org") {
		t.Errorf("frames: %s", policy)
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c := b.get("?key="+x.Secret, "Host", "lab.example.org").Cookies()[0]; !c.Secure {
		t.Error("the cookie of a page by https is not for https only")
	}
}

// The list tells how far the student is, where a mission runs, and what cannot be started.
func TestHome(t *testing.T) {
	x := newSite(t)
	m, err := load(t.Context(), x.mission("lab"), "")
	if err != nil {
		t.Fatal(err)
	}
	progress, err := run.OpenProgress(x.State, m)
	if err != nil {
		t.Fatal(err)
	}
	defer progress.Close() // by whoever leads the student, meanwhile
	progress.Steps = append(progress.Steps, guideDone("first"))
	if err := progress.Save(); err != nil {
		t.Fatal(err)
	}
	x.runs("lab-2")
	h := x.student().home()
	if h.Version != "v1" || h.Language != "en" || h.Readonly || len(h.Languages) < 2 {
		t.Errorf("%+v", h)
	}
	got := h.Missions[0]
	if got.Title != "A lab" || got.Steps != 2 || got.Done != 1 || got.Finished || got.Session != "lab-2" ||
		got.Refused != "" {
		t.Errorf("the lab: %+v", got)
	}
	if got := h.Missions[1].Refused; !strings.Contains(got, "--allow host") {
		t.Errorf("the host's: %q", got)
	}
	if got := h.Missions[3].Refused; !strings.Contains(got, "cannot be loaded") {
		t.Errorf("the mistaken one: %q", got)
	}
	if r := x.student().get("phrases/zh-TW.json"); !strings.Contains(body(r), "進入這個實驗需要鑰匙") {
		t.Error("no phrases")
	}
}

// Whatever a proxy puts before the path, and whether it takes it away again, the page is
// there, and its cookie is for there alone.
func TestPrefixes(t *testing.T) {
	x := newSite(t)
	x.runs("lab")
	for _, prefix := range []string{"/", "/os/", "/user/ann/", "/user/page/proxy/8017/", "/api/home/"} {
		for _, stripped := range []bool{false, true} {
			at, cookies := x.proxied(prefix, stripped)
			b, r := x.visits(at, "key="+x.Secret)
			if text := body(r); !strings.Contains(text, "the page") || place.ReplaceAllString(r.Request.URL.String(), "/") != at {
				t.Errorf("%s: %s %q at %s", prefix, r.Status, text, r.Request.URL)
				continue
			}
			if got := body(b.get("page/main.js")); got != "main" {
				t.Errorf("%s: main.js is %q", prefix, got)
			}
			b.home()
			b.opens("api/sessions/lab/guide").CloseNow()
			u, _ := url.Parse(at)
			if got := b.Jar.Cookies(u); len(got) > 0 { // a server at another port could ask for them
				t.Errorf("%s: outside of its own place the browser sends %v", prefix, got)
			}
			u.Path = "/another/"
			if prefix != "/" && (len(b.Jar.Cookies(u)) > 0 || len(cookies()) == 0) {
				t.Errorf("%s: %v, elsewhere %v", prefix, cookies(), b.Jar.Cookies(u))
			}
		}
	}
}

// Other users of this computer see with which address the browser was started. It lets in
// nobody but the server's own user; they lack the secret.
func TestAnotherUserOfTheComputer(t *testing.T) {
	asks := func(x *site) string {
		t.Helper()
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(x.at, "http://"))
		c := exec.CommandContext(t.Context(), "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/$0 &&
			printf 'GET /?key=%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && head -n 1 <&3`, port, x.Opening())
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	x := newSite(t)
	if got := asks(x); !strings.Contains(got, "303") {
		t.Errorf("this user gets %s", got)
	}
	w := httptest.NewRecorder()
	x.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/?key="+x.Opening(), nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("who is not known gets %d", w.Code)
	}
	others := newSite(t, func(o *Options) { o.Owner++ })
	if got := asks(others); !strings.Contains(got, "401") {
		t.Errorf("another user gets %s", got)
	}
}
