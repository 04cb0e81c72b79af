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
	"os"
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
	"github.com/labrun/labrun/internal/pc"
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
	student string // who plays; guarded by mu
	server  *attach.Server
	events  event.Log
	command func(ctx context.Context, word, text string, number int) error

	mu      sync.Mutex
	console *console.Console
	guest   net.Conn
	changed chan struct{}
	screens chan net.Conn // QEMU's ends of the screen's viewers; nil: the machine has none
	typed   chan string
	sizes   chan string
	stopped chan struct{}
	once    sync.Once
}

// openLab opens a run's door in a session's folder.
func openLab(sessions, name, file string) (*fakeLab, error) {
	l := &fakeLab{
		file: file, folder: filepath.Join(sessions, name), changed: make(chan struct{}),
		typed: make(chan string, 100), sizes: make(chan string, 100),
		stopped: make(chan struct{}),
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

func (l *fakeLab) Names() []string                                 { return []string{"debian"} }
func (l *fakeLab) Consoles() []string                              { return l.Names() }
func (l *fakeLab) Interactive(string) bool                         { return true }
func (l *fakeLab) Events() *event.Log                              { return &l.events }
func (l *fakeLab) Stop()                                           { l.once.Do(func() { close(l.stopped) }) }
func (l *fakeLab) PowerOn(context.Context, string) error           { return attach.ErrNotYet }
func (l *fakeLab) Hold(context.Context, string, attach.Page) error { return nil }
func (l *fakeLab) Resize(_ context.Context, _ string, columns, rows int) {
	l.sizes <- fmt.Sprintf("%dx%d", columns, rows)
}

// Drawing has two networks, which nothing crosses while somebody looks.
func (l *fakeLab) Drawing() (attach.Drawing, <-chan struct{}) {
	return attach.Drawing{Networks: []string{"lan", "wan"}}, make(chan struct{})
}

func (l *fakeLab) Packets(ctx context.Context, _ string, _ func([]lan.Packet, uint64) error) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// captured is what crossed the network lan.
const captured = "what crossed"

func (l *fakeLab) Invited() bool { return false }

func (l *fakeLab) Capture(network string) (io.ReadCloser, error) {
	if network != "lan" {
		return nil, errors.New("nothing has crossed it")
	}
	return io.NopCloser(strings.NewReader(captured)), nil
}

func (l *fakeLab) Status() attach.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return attach.Status{PID: os.Getpid(), Mission: l.file, Title: "A lab", Guided: true, Student: l.student, Started: started,
		Machines: []attach.MachineStatus{{Name: "debian", On: l.console != nil, Screen: l.screens != nil}}}
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

func (l *fakeLab) Screen(ctx context.Context, machine string) (attach.Display, error) {
	if l.screens == nil {
		return attach.Display{}, attach.ErrNoScreen
	}
	c, err := l.Await(ctx, machine, nil, true)
	if err != nil {
		return attach.Display{}, err
	}
	ours, theirs := net.Pipe()
	l.screens <- theirs
	return attach.Display{RFB: ours, Console: c, Press: func(_ context.Context, press func() error) error { return press() }, Touched: func() {}}, nil
}

// on switches the machine on: it has a new console.
func (l *fakeLab) on() {
	near, far := net.Pipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.console != nil {
		l.guest.Close()
		l.console.Close()
	}
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
		Secret: "the-secret-of-this-test", Version: "v1", Language: "en", Load: load, Owner: os.Getuid(),
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
	r := b.get("?" + query)
	if r.StatusCode == http.StatusOK { // it was let in, perhaps at a place of its own
		b.base = r.Request.URL.String()
	}
	return b, r
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
	b, r := x.visits(x.at+"/", strings.TrimPrefix(link.URL, "../?"))
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
	Version, Language, Missing, Hub, Student string
	Readonly                                 bool
	Languages                                []pc.LanguageName
	Missions                                 []listed
}) {
	b.x.t.Helper()
	r := b.get("api/home")
	if err := json.Unmarshal([]byte(body(r)), &h); err != nil || r.StatusCode != http.StatusOK {
		b.x.t.Fatal(r.Status, err)
	}
	return h
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
