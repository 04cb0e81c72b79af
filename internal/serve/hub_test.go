package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/class"
	"github.com/labrun/labrun/internal/jupyterhub"
	"github.com/labrun/labrun/internal/run"
)

// fakeHub is a JupyterHub and its proxy: whoever comes is logged in as the user that the cookie
// «as» names. cmd/labrun has a test with the real one.
type fakeHub struct {
	*httptest.Server
	site     string // where the site is, below the proxy
	mu       sync.Mutex
	down     bool
	tokens   map[string]string // users by token
	activity []string
}

// newFakeHub serves a site as the server of ann.
func newFakeHub(t *testing.T, change ...func(*Options)) (*fakeHub, *site) {
	t.Helper()
	return fakeHubWith(t, "/user/ann/", jupyterhub.Read, change...)
}

// fakeHubWith serves a site at a prefix, which reads the hub's contract as it does.
func fakeHubWith(
	t *testing.T, prefix string, read func(func(string) string) (*jupyterhub.Contract, error), change ...func(*Options),
) (*fakeHub, *site) {
	t.Helper()
	h := &fakeHub{tokens: map[string]string{}}
	var to *url.URL
	mux := http.NewServeMux()
	mux.HandleFunc("/hub/api/", h.api)
	mux.Handle(prefix, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", to.Host, r.In.Host
		r.Out.Header["X-Forwarded-Proto"] = r.In.Header["X-Forwarded-Proto"] // as where another proxy is before the hub's
	}})
	h.Server = httptest.NewServer(mux)
	h.site = h.URL + prefix
	t.Cleanup(h.Close)
	contract, err := read(func(name string) string {
		return map[string]string{
			"JUPYTERHUB_USER": "ann", "JUPYTERHUB_SERVICE_NAME": "class", "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann", "JUPYTERHUB_API_TOKEN": "own",
			"JUPYTERHUB_API_URL": h.URL + "/hub/api", "JUPYTERHUB_BASE_URL": "/", "JUPYTERHUB_ACTIVITY_INTERVAL": "0.01",
			"JUPYTERHUB_ACTIVITY_URL":   h.URL + "/hub/api/users/ann/activity",
			"JUPYTERHUB_SERVICE_PREFIX": prefix, "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1" + prefix,
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	contract.Version = "3.0.0"
	x := newSite(t, append(change, func(o *Options) { o.Hub = contract })...)
	to, _ = url.Parse(x.at)
	return h, x
}

func (h *fakeHub) api(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		http.Error(w, "", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/hub/api/oauth2/authorize":
		as, err := r.Cookie("as")
		if err != nil {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+url.Values{
			"state": {r.FormValue("state")}, "code": {as.Value + " " + r.FormValue("code_challenge")},
		}.Encode(), http.StatusFound)
	case "/hub/api/oauth2/token":
		user, _, _ := strings.Cut(r.FormValue("code"), " ")
		token := fmt.Sprintf("token-%d-of-%s", len(h.tokens), user)
		h.tokens[token] = user
		json.NewEncoder(w).Encode(map[string]string{"access_token": token, "token_type": "Bearer"})
	case "/hub/api/user":
		user, known := h.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "token ")]
		if !known {
			http.Error(w, "{}", http.StatusForbidden)
			return
		}
		scopes := map[string][]string{
			"ann": {"access:servers!server=ann/"}, "teacher": {"access:servers", "access:services!service=class"},
		}[user]
		json.NewEncoder(w).Encode(map[string]any{"name": user, "scopes": scopes})
	case "/hub/api/users/ann/activity":
		h.activity = append(h.activity, r.Header.Get("Authorization"))
	default:
		http.NotFound(w, r)
	}
}

func (h *fakeHub) changes(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// comes opens ann's server in the browser of somebody.
func (h *fakeHub) comes(x *site, who string) (*browser, *http.Response) {
	x.t.Helper()
	jar, _ := cookiejar.New(nil)
	at, _ := url.Parse(h.URL)
	jar.SetCookies(at, []*http.Cookie{{Name: "as", Value: who, Path: "/"}})
	b := &browser{&http.Client{Jar: jar}, x, h.site}
	return b, b.get("?language=en")
}

// In a JupyterHub the hub says who comes in: the student, teachers to look on, and nobody else;
// no key does.
func TestInAHub(t *testing.T) {
	h, x := newFakeHub(t)
	lab := x.runs("lab")
	m, err := load(t.Context(), x.mission("lab"), "")
	if err != nil {
		t.Fatal(err)
	}
	progress, err := run.OpenProgress(x.State, m)
	if err != nil {
		t.Fatal(err)
	}
	defer progress.Close()
	ann, r := h.comes(x, "ann")
	if text := body(r); r.StatusCode != http.StatusOK || !strings.Contains(text, "the page") || r.Request.URL.RawQuery != "language=en" {
		t.Fatalf("ann gets %s %q at %s", r.Status, text, r.Request.URL)
	}
	if got := r.Header.Get("X-JupyterHub-Version"); got != "3.0.0" {
		t.Errorf("the hub is told of version %q", got)
	}
	if home := ann.home(); home.Readonly || home.Hub != "/hub/home" {
		t.Errorf("ann's home: %+v", home)
	}
	lab.on()
	conn := ann.opens("api/sessions/lab/consoles/debian")
	if err := conn.Write(t.Context(), websocket.MessageBinary, []byte("iw")); err != nil {
		t.Fatal(err)
	}
	if got := <-lab.typed; got != "w" {
		t.Errorf("ann types %q", got)
	}
	if r := ann.do("POST", "api/stop", `{"session": "lab"}`, "Origin", "http://evil.example"); r.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page gets %s", r.Status)
	}

	bob, r := h.comes(x, "bob")
	if text := body(r); r.StatusCode != http.StatusForbidden || !strings.Contains(text, "somebody else") {
		t.Errorf("bob gets %s %q", r.Status, text)
	}
	if r := bob.get("api/home"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("bob's home: %s", r.Status)
	}
	if code := bob.closes(bob.opens("api/sessions/lab/guide")); code != closeLogin {
		t.Errorf("bob's guide is closed with %d", code)
	}
	if _, r := x.visits(h.URL+"/user/ann/", "key="+x.Secret); strings.Contains(body(r), "the page") {
		t.Error("the key lets in")
	}

	teacher, r := h.comes(x, "teacher")
	if r.StatusCode != http.StatusOK {
		t.Fatalf("the teacher gets %s", r.Status)
	}
	if home := teacher.home(); !home.Readonly || len(home.Missions) == 0 {
		t.Errorf("the teacher's home: %+v", home)
	}
	if r := teacher.do("POST", "api/stop", `{"session": "lab"}`, "Origin", h.URL); r.StatusCode != http.StatusForbidden {
		t.Errorf("the teacher stops it: %s", r.Status)
	}

	// A program with a token of ann's.
	h.changes(func() { h.tokens["script"] = "ann" })
	nobody := &browser{&http.Client{}, x, h.URL + "/user/ann/"}
	if r := nobody.get("api/home", "Authorization", "token script"); r.StatusCode != http.StatusOK {
		t.Errorf("a program with a token gets %s", r.Status)
	}
	if r := nobody.get("api/home", "Authorization", "token wrong"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program with a wrong token gets %s", r.Status)
	}

	// A link for watching lets in whoever has it.
	var link struct{ URL string }
	json.Unmarshal([]byte(body(ann.get("api/watch?session=lab"))), &link)
	jar, _ := cookiejar.New(nil)
	guest := &browser{&http.Client{Jar: jar}, x, h.URL + "/user/ann/"}
	if r := guest.get(link.URL); r.StatusCode != http.StatusOK || !guest.home().Readonly {
		t.Errorf("who has a link gets %s", r.Status)
	}
}

// A class's page is a service of the hub's: teachers come in, and nobody else; no key does.
func TestAClassInAHub(t *testing.T) {
	folder := t.TempDir()
	store, err := class.OpenStore(t.Context(), filepath.Join(folder, "class.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	its, err := class.New(t.Context(), class.Options{Store: store, Folder: folder, Keep: time.Hour, Now: time.Now, Tell: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer its.Close()
	h, x := fakeHubWith(t, "/services/class/", jupyterhub.ReadService, func(o *Options) { o.Class = its })
	teacher, r := h.comes(x, "teacher")
	if text := body(r); r.StatusCode != http.StatusOK || !strings.Contains(text, "the page") {
		t.Fatalf("the teacher gets %s %q", r.Status, text)
	}
	if r := teacher.get("api/class"); r.StatusCode != http.StatusOK {
		t.Errorf("the teacher's class: %s", r.Status)
	}
	if r := teacher.do("POST", "api/start", `{"mission": "lab"}`, "Origin", h.URL); r.StatusCode != http.StatusForbidden {
		t.Errorf("the teacher starts a lab: %s", r.Status)
	}
	ann, r := h.comes(x, "ann")
	if text := body(r); r.StatusCode != http.StatusForbidden || !strings.Contains(text, "for teachers") {
		t.Errorf("ann gets %s %q", r.Status, text)
	}
	if r := ann.get("?key=" + x.Secret); r.StatusCode != http.StatusForbidden {
		t.Errorf("ann gets %s with a key", r.Status)
	}
	for _, what := range []string{"api/class", "api/class/similar?mission=lab", "api/home"} {
		if r := ann.get(what); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("ann asks for %s: %s", what, r.Status)
		}
	}
}

// What the hub has said holds while it is down, until it says something else.
func TestTheHubsWordHolds(t *testing.T) {
	h, x := newFakeHub(t)
	ann, _ := h.comes(x, "ann")
	h.changes(func() { h.down = true })
	x.forgets(trust + time.Second)
	if r := ann.get("api/home"); r.StatusCode != http.StatusOK {
		t.Errorf("while the hub is down: %s", r.Status)
	}
	h.changes(func() { h.down = false; clear(h.tokens) })
	x.forgets(trust + time.Second)
	if r := ann.get("api/home"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after she logged out: %s", r.Status)
	}
	if r := ann.get(""); r.StatusCode != http.StatusOK {
		t.Errorf("she is logged in again without a word: %s", r.Status)
	}
	h.changes(func() { h.down = true })
	x.forgets(longTrust + time.Second)
	if r := ann.get("api/home"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("when the hub has been down for long: %s", r.Status)
	}
}

// forgets has time pass for what is known of guests.
func (x *site) forgets(passed time.Duration) {
	x.guests.mu.Lock()
	defer x.guests.mu.Unlock()
	for _, g := range x.guests.by {
		g.mu.Lock()
		g.asked, g.heard = g.asked.Add(-passed), g.heard.Add(-passed)
		g.mu.Unlock()
	}
}

// A browser comes back from the hub only if it was sent there from here, and only to here.
func TestComingBackFromTheHub(t *testing.T) {
	h, x := newFakeHub(t)
	b := &browser{&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, x, h.URL + "/user/ann/"}
	for _, query := range []string{"", "?state=x&code=ann", "?state=" + strings.Repeat("A", 26) + "&code=ann"} {
		if r := b.get("oauth_callback" + query); r.StatusCode != http.StatusBadRequest || len(r.Cookies()) > 0 {
			t.Errorf("%q: %s, %v", query, r.Status, r.Cookies())
		}
	}
	sent := b.get("?language=en")
	to, err := sent.Location()
	if err != nil || to.Path != "/hub/api/oauth2/authorize" {
		t.Fatal(to, err)
	}
	login := sent.Cookies()[0]
	if login.Path != "/user/ann/" || !login.HttpOnly || login.SameSite != http.SameSiteLaxMode || login.Secure {
		t.Errorf("the login's cookie: %v", login)
	}
	back := "oauth_callback?code=ann&state=" + to.Query().Get("state")
	if r := b.get(back, "Cookie", login.Name+"="+login.Value, "X-Forwarded-Proto", "https"); r.Header.Get("Location") != "/user/ann/?language=en" ||
		len(r.Cookies()) != 2 || !r.Cookies()[1].Secure {
		t.Errorf("back from the hub it goes to %q with %v", r.Header.Get("Location"), r.Cookies())
	}
	h.changes(func() { h.down = true })
	if r := b.get(back, "Cookie", login.Name+"="+login.Value); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while the hub is down: %s", r.Status)
	}
}

// The hub is told when somebody was at work, and a server that nobody uses ends.
func TestActivity(t *testing.T) {
	h, x := newFakeHub(t)
	told := func() (n int) {
		h.changes(func() { n = len(h.activity) })
		return n
	}
	for told() == 0 {
		time.Sleep(time.Millisecond)
	}
	ann, _ := h.comes(x, "ann")
	before := told()
	for told() == before {
		ann.get("")
	}
	if h.activity[0] != "token own" {
		t.Errorf("it is told with %q", h.activity[0])
	}

	said := make(chan string, 1)
	_, x = newFakeHub(t, func(o *Options) {
		o.Idle = 50 * time.Millisecond
		o.Tell = func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }
	})
	if got := <-said; !strings.Contains(got, "nobody has been at work here for 50ms") {
		t.Errorf("it says %q", got)
	}
	for {
		r, err := http.Get(x.at)
		if err != nil {
			break // it has ended by itself
		}
		r.Body.Close()
	}
}
