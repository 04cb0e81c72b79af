package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lan"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/run"
)

// The test's program is also the labrun that a server starts: it is given the folders first.
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "labrun" {
		os.Exit(playRun(os.Args[2], os.Args[3], os.Args[4:]))
	}
	os.Exit(m.Run())
}

// labFile is a mission for the tests, and one that the host's consent is needed for.
const labFile = `mission(title = "A lab", api = 1)

def first():
    """First"""
    say("1")

def second():
    """Second"""
    say("2")

step(first)
step(second)
`

func load(ctx context.Context, name, language string) (*mission.Mission, error) {
	return mission.LoadFile(ctx, name, mission.Options{Language: language})
}

// fakeLab is a run without machines of QEMU: its one machine's guest is played by the test.
type fakeLab struct {
	file    string
	folder  string
	server  *attach.Server
	events  event.Log
	command func(ctx context.Context, word, text string, number int) error

	mu      sync.Mutex
	console *console.Console
	guest   net.Conn
	changed chan struct{}
	typed   chan string
	stopped chan struct{}
	once    sync.Once
}

// openLab opens a run's door in a session's folder.
func openLab(sessions, name, file string) (*fakeLab, error) {
	l := &fakeLab{
		file: file, folder: filepath.Join(sessions, name), changed: make(chan struct{}),
		typed: make(chan string, 100), stopped: make(chan struct{}),
	}
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(l.folder+".lock", nil, 0o600); err != nil {
		return nil, err
	}
	var err error
	l.server, err = attach.Serve(l.folder, l)
	return l, err
}

func (l *fakeLab) close() {
	l.events.Close()
	l.server.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.console != nil {
		l.guest.Close()
		l.console.Close()
	}
	os.RemoveAll(l.folder)
	os.Remove(l.folder + ".lock")
}

func (l *fakeLab) Names() []string                          { return []string{"debian"} }
func (l *fakeLab) Interactive() bool                        { return true }
func (l *fakeLab) Events() *event.Log                       { return &l.events }
func (l *fakeLab) Stop()                                    { l.once.Do(func() { close(l.stopped) }) }
func (l *fakeLab) PowerOn(context.Context, string) error    { return attach.ErrNotYet }
func (l *fakeLab) Resize(context.Context, string, int, int) {}

// Drawing has one network, which nothing crosses.
func (l *fakeLab) Drawing() (attach.Drawing, <-chan struct{}) {
	return attach.Drawing{Networks: []string{"lan"}}, nil
}

func (l *fakeLab) Packets(ctx context.Context, _ string, _ func([]lan.Packet, uint64) error) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (l *fakeLab) Capture(string) (io.ReadCloser, error) {
	return nil, errors.New("nothing has crossed it")
}

func (l *fakeLab) Status() attach.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return attach.Status{PID: os.Getpid(), Mission: l.file, Title: "A lab", Guided: true, Started: started,
		Machines: []attach.MachineStatus{{Name: "debian", On: l.console != nil}}}
}

var started = time.Now()

func (l *fakeLab) Command(ctx context.Context, word, text string, number int) error {
	if l.command == nil {
		return attach.ErrNoStudent
	}
	return l.command(ctx, word, text, number)
}

func (l *fakeLab) Await(ctx context.Context, _ string, other *console.Console, wait bool) (*console.Console, error) {
	for {
		l.mu.Lock()
		c, changed := l.console, l.changed
		l.mu.Unlock()
		if c == other {
			c = nil
		}
		if c != nil || !wait {
			return c, ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// on switches the machine on: it has a new console.
func (l *fakeLab) on() {
	near, far := net.Pipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guest = far
	l.console = console.New(near, console.Options{
		Name: "debian", Prompts: console.Prompts{Shell: regexp.MustCompile(`^# $`)}, History: 8 << 20,
	})
	close(l.changed)
	l.changed = make(chan struct{})
	go func() {
		keys := make([]byte, 100)
		for {
			n, err := far.Read(keys)
			if err != nil {
				return
			}
			l.typed <- string(keys[:n])
		}
	}()
}

// playRun is `labrun --guide --headless … -- MISSION`: it holds the progress, and has a
// door until it is stopped. What it was given is in its events.
func playRun(sessions, state string, args []string) int {
	name := args[len(args)-1]
	if strings.Contains(name, "broken") {
		fmt.Fprintln(os.Stderr, "getting ready\nlabrun: there is no room for \x1b[31mthat")
		return 4
	}
	m, err := load(context.Background(), name, "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	progress, err := run.OpenProgress(state, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer progress.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	session := strings.TrimSuffix(filepath.Base(name), ".star")
	l, err := openLab(sessions, session, name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	defer l.close()
	l.events.Emit(event.Notice{Text: strings.Join(args, " ")})
	select {
	case <-signals:
	case <-l.stopped:
	}
	return 0
}

// site is a server under test.
type site struct {
	*Server
	t     *testing.T
	at    string // its URL, without the secret
	end   func()
	mu    sync.Mutex
	told  []string
	files string // a folder for missions
}

// newSite serves with two missions, lab.star and host.star.
func newSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	return serveIn(t, t.TempDir(), change...)
}

// serveIn serves what is in a folder, as a server does that is started anew.
func serveIn(t *testing.T, root string, change ...func(*Options)) *site {
	t.Helper()
	x := &site{t: t, files: filepath.Join(root, "missions")}
	o := Options{
		Page: fstest.MapFS{
			"page/index.html": {Data: []byte("<title>the page</title>")},
			"page/main.js":    {Data: []byte("main")},
			"npm/x/x.mjs":     {Data: []byte("library")},
		},
		Secret: "the-secret-of-this-test", Version: "v1", Language: "en", Load: load,
		State: filepath.Join(root, "state"), Sessions: filepath.Join(root, "sessions"),
		Tell: func(format string, args ...any) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.told = append(x.told, fmt.Sprintf(format, args...))
		},
	}
	for name, text := range map[string]string{
		"lab.star": labFile, "host.star": strings.Replace(labFile, "api = 1", `api = 1, needs = ["host"]`, 1),
		"broken.star": labFile, "mistake.star": "mission(",
	} {
		file := filepath.Join(x.files, name)
		os.MkdirAll(x.files, 0o700)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lab", "host", "broken", "mistake"} {
		o.Missions = append(o.Missions, x.mission(name))
	}
	o.Command = []string{os.Args[0], "labrun", o.Sessions, o.State}
	for _, f := range change {
		f(&o)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	x.Server, x.at = New(o, port), "http://127.0.0.1:"+port
	x.pace = pace{ping: 10 * time.Millisecond, pong: time.Minute, status: 5 * time.Millisecond, look: 5 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- x.Serve(ctx, listener) }()
	x.end = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(x.end)
	return x
}

func (x *site) mission(name string) string { return filepath.Join(x.files, name+".star") }

// runs opens the door of a run of lab.star, whose student is led by this process.
func (x *site) runs(name string) *fakeLab {
	x.t.Helper()
	l, err := openLab(x.Sessions, name, x.mission("lab"))
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(l.close)
	return l
}

// browser is somebody's.
type browser struct {
	*http.Client
	x    *site
	base string // the page's URL as the browser sees it
}

// visits opens the page below a prefix with a query, such as "key=…".
func (x *site) visits(base, query string) (*browser, *http.Response) {
	x.t.Helper()
	jar, _ := cookiejar.New(nil)
	b := &browser{&http.Client{Jar: jar}, x, base}
	return b, b.get("?" + query)
}

// student is a browser that was let in.
func (x *site) student() *browser {
	x.t.Helper()
	b, r := x.visits(x.at+"/", "key="+x.Secret)
	if r.StatusCode != http.StatusOK {
		x.t.Fatalf("the student gets %s", r.Status)
	}
	return b
}

// watcher is a browser that was given a link to a run.
func (x *site) watcher(session string) *browser {
	x.t.Helper()
	var link struct{ URL string }
	if r := x.student().get("api/watch?session=" + session); r.StatusCode != http.StatusOK {
		x.t.Fatal(r.Status, body(r))
	} else {
		json.Unmarshal([]byte(body(r)), &link)
	}
	b, r := x.visits(x.at+"/", strings.TrimPrefix(link.URL, "?"))
	if r.StatusCode != http.StatusOK {
		x.t.Fatal(r.Status, body(r))
	}
	return b
}

func (b *browser) do(method, path, text string, header ...string) *http.Response {
	b.x.t.Helper()
	q, err := http.NewRequestWithContext(b.x.t.Context(), method, b.base+path, strings.NewReader(text))
	if err != nil {
		b.x.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			q.Host = header[i+1]
		}
	}
	r, err := b.Do(q)
	if err != nil {
		b.x.t.Fatal(err)
	}
	b.x.t.Cleanup(func() { r.Body.Close() })
	return r
}

func (b *browser) get(path string, header ...string) *http.Response {
	b.x.t.Helper()
	return b.do("GET", path, "", header...)
}

// post posts JSON from the page's own origin.
func (b *browser) post(path, text string) *http.Response {
	b.x.t.Helper()
	return b.do("POST", path, text, "Origin", b.x.at)
}

func body(r *http.Response) string {
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

// dial opens a websocket.
func (b *browser) dial(path string, header ...string) (*websocket.Conn, *http.Response, error) {
	b.x.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	options := &websocket.DialOptions{HTTPClient: b.Client, HTTPHeader: h}
	conn, r, err := websocket.Dial(b.x.t.Context(), b.base+path, options)
	if err == nil {
		b.x.t.Cleanup(func() { conn.CloseNow() })
		conn.SetReadLimit(8 << 20)
	}
	return conn, r, err
}

// opens is dial where that has to succeed.
func (b *browser) opens(path string) *websocket.Conn {
	b.x.t.Helper()
	conn, _, err := b.dial(path)
	if err != nil {
		b.x.t.Fatal(err)
	}
	return conn
}

// closes reads until the websocket is closed, and tells how.
func (b *browser) closes(conn *websocket.Conn) websocket.StatusCode {
	for {
		if _, _, err := conn.Read(b.x.t.Context()); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func (b *browser) home() (h struct {
	Version, Language, Missing string
	Readonly                   bool
	Languages                  []languageName
	Missions                   []listed
}) {
	b.x.t.Helper()
	r := b.get("api/home")
	if err := json.Unmarshal([]byte(body(r)), &h); err != nil || r.StatusCode != http.StatusOK {
		b.x.t.Fatal(r.Status, err)
	}
	return h
}

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
		if r.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "labrun serve") || strings.Contains(text, "refresh") {
			t.Errorf("%q: %s %s", query, r.Status, text)
		}
		for _, path := range []string{"api/home", "api/phrases", "api/watch?session=lab"} {
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
		"evil.example": 403, "lab.example.org.evil.example": 403, "lab.example.org:8443": 403, "localhost.evil.example": 403,
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
		if r.StatusCode != want || want == 403 && origin != "null" && !strings.Contains(text, "--origin "+origin) {
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
	if r := x.student().get("api/phrases?language=zh-TW"); !strings.Contains(body(r), "進入這個實驗需要鑰匙") {
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
			if text := body(r); !strings.Contains(text, "the page") || r.Request.URL.String() != at {
				t.Errorf("%s: %s %q at %s", prefix, r.Status, text, r.Request.URL)
				continue
			}
			if got := body(b.get("page/main.js")); got != "main" {
				t.Errorf("%s: main.js is %q", prefix, got)
			}
			b.home()
			b.opens("api/sessions/lab/guide").CloseNow()
			u, _ := url.Parse(at)
			u.Path = "/another/"
			if prefix != "/" && (len(b.Jar.Cookies(u)) > 0 || len(cookies()) == 0) {
				t.Errorf("%s: %v, elsewhere %v", prefix, cookies(), b.Jar.Cookies(u))
			}
		}
	}
}

// foundRun is a run's door.
func (x *site) foundRun(session string) attach.Found {
	x.t.Helper()
	run, err := attach.At(x.t.Context(), filepath.Join(x.Sessions, session))
	if err != nil {
		x.t.Fatal(err)
	}
	return run
}

// Other users of this computer see with which address the browser was started. It lets in
// nobody but the server's own user; they lack the secret.
func TestAnotherUserOfTheComputer(t *testing.T) {
	x := newSite(t)
	asks := func(user *syscall.SysProcAttr) string {
		t.Helper()
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(x.at, "http://"))
		c := exec.CommandContext(t.Context(), "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/$0 &&
			printf 'GET /?key=%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && head -n 1 <&3`, port, x.Opening())
		c.Dir, c.SysProcAttr = "/", user
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := asks(nil); !strings.Contains(got, "303") {
		t.Errorf("this user gets %s", got)
	}
	w := httptest.NewRecorder()
	x.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/?key="+x.Opening(), nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("who is not known gets %d", w.Code)
	}
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	if got := asks(&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}); !strings.Contains(got, "401") {
		t.Errorf("another user gets %s", got)
	}
}
