package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
	"go.yaml.in/yaml/v3"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/web"
)

// hub is a JupyterHub with the configuration of deploy/jupyterhub, run by the user who runs the tests.
type hub struct {
	t         *testing.T
	folder    string            // all that the class has
	port      int               // where browsers come
	at        string            // the same as an address, without a slash at the end
	passwords map[string]string // by ID
	process   *exec.Cmd
	said      *buffer
	over      chan struct{}
}

// hubToken lets the test ask the hub's API.
const hubToken = "the-test's-own-token-for-the-hub"

// opensHub starts a hub for students, and for the teacher lee.
func opensHub(t *testing.T, cache string, students ...string) *hub {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	if missing := web.Missing(); missing != "" {
		t.Fatal("`make web` gets what the page needs: ", missing)
	}
	for _, program := range []string{"jupyterhub", "configurable-http-proxy"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: `labrun doctor --mend test` installs it", program)
		}
	}
	deploy, err := filepath.Abs("../../deploy/jupyterhub")
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, folder: t.TempDir(), port: freePort(t), passwords: map[string]string{}}
	h.at = fmt.Sprintf("http://127.0.0.1:%d/os", h.port)
	if err := os.Symlink(cache, filepath.Join(h.folder, "cache")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{students, {"--teacher", "lee"}} {
		out, err := exec.Command(filepath.Join(deploy, "students"), append([]string{filepath.Join(h.folder, "students")}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			name, password, _ := strings.Cut(strings.TrimSpace(line), ",")
			h.passwords[name] = password
		}
	}
	config := fmt.Sprintf(`
load_subconfig(%q)
c.JupyterHub.bind_url = "%s/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:%d"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:%d"
c.JupyterHub.active_server_limit = 0
c.Spawner.poll_interval = 1
c.JupyterHub.services[0]["url"] = "http://127.0.0.1:%d"
c.JupyterHub.services += [{"name": "test", "api_token": %q}]
c.JupyterHub.load_roles += [{"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "admin:server_state"]}]
`, filepath.Join(deploy, "jupyterhub_config.py"), h.at, freePort(t), freePort(t), freePort(t), hubToken)
	if err := os.WriteFile(filepath.Join(h.folder, "config.py"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	h.start()
	return h
}

// start starts the hub, perhaps once more, and waits until it answers through its proxy.
func (h *hub) start() {
	h.t.Helper()
	h.said, h.over = &buffer{}, make(chan struct{})
	h.process = exec.Command("jupyterhub", "-f", filepath.Join(h.folder, "config.py"))
	h.process.Env = append(os.Environ(), "LABRUN_CLASS_FOLDER="+h.folder, "HOME="+h.folder)
	h.process.Dir = h.folder
	h.process.Stdout, h.process.Stderr = h.said, h.said
	h.process.WaitDelay = time.Second // a proxy that was left holds its output open
	if err := h.process.Start(); err != nil {
		h.t.Fatal(err)
	}
	over := h.over
	process := h.process
	go func() {
		process.Wait()
		close(over)
	}()
	h.until("the hub runs", func() bool {
		select {
		case <-over:
			h.t.Fatal("the hub has ended: ", h.said.String())
		default:
		}
		return strings.Contains(h.said.String(), "JupyterHub is now running")
	})
}

// until waits until something holds.
func (h *hub) until(what string, holds func() bool) {
	h.t.Helper()
	h.waits(h.t, what, holds)
}

// waits is until for one of several tests.
func (h *hub) waits(t *testing.T, what string, holds func() bool) {
	t.Helper()
	eventually(t, patience, holds, func() string {
		log, _ := os.ReadFile(filepath.Join(h.folder, "hub", "servers.log"))
		return fmt.Sprintf("not in time: %s; the hub says:\n%s\nthe servers say:\n%s", what, h.said, log)
	})
}

// close ends the hub, the proxy, and all servers with their labs.
func (h *hub) close() {
	pids := map[string]int{}
	for name := range h.passwords {
		pids[name] = h.server(name)
	}
	h.process.Process.Signal(syscall.SIGTERM)
	<-h.over
	if pid := h.proxy(); pid > 0 { // of a hub that was killed
		syscall.Kill(pid, syscall.SIGTERM)
	}
	for name, pid := range pids {
		if pid > 0 {
			syscall.Kill(pid, syscall.SIGTERM)
			h.until("the server of "+name+" ends", func() bool { return syscall.Kill(pid, 0) != nil })
		}
	}
	for _, run := range h.runs() {
		h.t.Errorf("%s of %s goes on", run.Session(), run.Student)
		attach.Stop(context.Background(), run.Folder)
	}
}

// kill ends the hub as a power cut would; its proxy goes on.
func (h *hub) kill() {
	h.t.Helper()
	h.process.Process.Kill()
	<-h.over
}

// proxy is the proxy's process; 0: it is not known.
func (h *hub) proxy() int {
	text, _ := os.ReadFile(filepath.Join(h.folder, "hub", "proxy.pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// runs are all runs of the class.
func (h *hub) runs() []attach.Found {
	return attach.Find(context.Background(), filepath.Join(h.folder, "cache", "sessions"))
}

// asks asks the hub's API.
func (h *hub) asks(method, path string) (status int, answer []byte) {
	h.t.Helper()
	r, err := http.NewRequest(method, h.at+"/hub/api"+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "token "+hubToken)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	answer, _ = io.ReadAll(response.Body)
	return response.StatusCode, answer
}

// server is the process of a student's server; 0: there is none.
func (h *hub) server(name string) int {
	h.t.Helper()
	_, answer := h.asks("GET", "/users/"+name)
	var user struct {
		Servers map[string]struct {
			State struct{ PID int }
		}
	}
	json.Unmarshal(answer, &user)
	return user.Servers[""].State.PID
}

// stops has the hub stop a student's server, as its page does, and waits for that.
func (h *hub) stops(name string) {
	h.t.Helper()
	pid := h.server(name)
	if status, answer := h.asks("DELETE", "/users/"+name+"/server"); status != http.StatusAccepted && status != http.StatusNoContent {
		h.t.Fatalf("stop the server of %s: %d %s", name, status, answer)
	}
	h.until("the server of "+name+" is stopped", func() bool { return h.server(name) == 0 && syscall.Kill(pid, 0) != nil })
}

// pupil is a student without a browser, who is logged in.
type pupil struct {
	*http.Client
	t     *testing.T
	h     *hub
	name  string
	tasks sync.WaitGroup
}

// visit asks for an address below the hub's, and tells where that has led.
func (p *pupil) visit(path string) (at string, status int, text string) {
	p.t.Helper()
	r, err := p.Get(p.h.at + path)
	if err != nil { // the proxy is started anew
		return "", 0, ""
	}
	defer r.Body.Close()
	data, _ := io.ReadAll(r.Body)
	return r.Request.URL.Path, r.StatusCode, string(data)
}

// logsIn logs a student in by the hub's form.
func (h *hub) logsIn(t *testing.T, name string) *pupil {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	p := &pupil{Client: &http.Client{Jar: jar}, t: t, h: h, name: name}
	t.Cleanup(p.tasks.Wait)
	form := url.Values{"username": {name}, "password": {h.passwords[name]}}
	if _, status, text := p.visit("/hub/login"); status != http.StatusOK {
		t.Fatalf("the hub's form: %d %s", status, text)
	}
	at, _ := url.Parse(h.at + "/hub/")
	for _, cookie := range jar.Cookies(at) {
		if cookie.Name == "_xsrf" { // JupyterHub 4.1 and later
			form.Set("_xsrf", cookie.Value)
		}
	}
	r, err := p.PostForm(h.at+"/hub/login", form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusForbidden {
		t.Fatalf("%s is not let in", name)
	}
	return p
}

// comes waits until a student has their server, which the hub starts if need be.
func (p *pupil) comes() {
	p.t.Helper()
	asked := time.Time{}
	p.h.waits(p.t, p.name+" has a server", func() bool {
		at, status, text := p.visit("/user/" + p.name + "/")
		if status == http.StatusOK && strings.HasSuffix(p.h.at+at, "/user/"+p.name+"/") && strings.Contains(text, "<title>labrun") {
			return true
		}
		if time.Since(asked) > 5*time.Second { // one that ends just now is not started again meanwhile
			asked = time.Now()
			p.visit("/hub/spawn")
		}
		return false
	})
}

// home is the first mission in a student's list, and how many there are.
func (p *pupil) home() (first struct {
	Done    int
	Session string
}, all int) {
	p.t.Helper()
	_, status, text := p.visit("/user/" + p.name + "/api/home")
	var home struct {
		Missions []struct {
			Done    int
			Session string
		}
	}
	if err := json.Unmarshal([]byte(text), &home); err != nil || len(home.Missions) == 0 {
		p.t.Fatalf("the list of %s: %d %s", p.name, status, text)
	}
	return home.Missions[0], len(home.Missions)
}

// starts starts the first week, or finds that it runs, and returns its session.
func (p *pupil) starts() string {
	p.t.Helper()
	r, err := p.Post(p.h.at+"/user/"+p.name+"/api/start", "application/json", bytes.NewReader([]byte(`{"mission": "week1", "language": "en"}`)))
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	var started struct{ Session, Error string }
	if json.NewDecoder(r.Body).Decode(&started); started.Session == "" {
		p.t.Fatalf("%s starts the first week: %s %s", p.name, r.Status, started.Error)
	}
	return started.Session
}

// TestAClassInJupyterHub: Debian's JupyterHub and proxy, with deploy/jupyterhub's configuration. A student plays in a browser,
// another one beside it, a teacher looks on; nobody else sees a lab. The hub, the proxy and the servers are killed, stopped and
// started anew meanwhile, and nothing is lost.
func TestAClassInJupyterHub(t *testing.T) {
	h := opensHub(t, ownCache(t), "ann", "ben")
	browser := chromium(t)
	ann := open(t, browser, "ann", h.at+"/hub/login", 1280, 800)
	ann.logsIn(h)
	ann.sees(`[data-mission="week1"]`, "Your First Week in OS Journey")
	ann.sees(`[data-do="hub"]`)
	ann.click(`[data-mission="week1"] [data-do="start"]`)
	ann.step("1", "A bubble within a bubble")
	ann.sees("#answer")
	ann.answers("2")
	ann.askedFor("boot", "Switch on router7")
	ann.types("router7", "")
	ann.reads("router7", "activate this console")
	ann.types("router7", "")
	ann.askedFor("send", "ip a")
	ann.types("router7", "ip a")
	ann.step("3", "Launch the two servers")

	ben := h.logsIn(t, "ben")
	ben.comes()
	if first, _ := ben.home(); first.Done > 0 || first.Session != "" {
		t.Errorf("ben's first mission is %+v", first)
	}
	lesson := ben.follows(ben.starts())
	lesson.says("answer", "2", lesson.at(1, "ask"))
	router7 := lesson.bootsTheRouter()
	h.keepsApart(ben)

	lee := open(t, browser, "lee", h.at+"/hub/login?next=/os/user/ann/", 1280, 800)
	lee.logsIn(h)
	lee.click(`form [type="submit"]`) // the hub asks whether ann's server may know who she is
	lee.sees(`[data-mission="week1"] [data-do="start"]`, "Open")
	lee.click(`[data-mission="week1"] [data-do="start"]`)
	lee.click(`[data-tab="router7"]`)
	lee.reads("router7", "lan0")
	if value[bool](lee, `document.querySelector("#now [data-word], #now [data-do=type], #now [data-do=enter]") !== null`) {
		lee.fail("the teacher may do something in ann's lab")
	}
	lee.do(chromedp.Navigate(h.at + "/services/class/"))
	lee.sees(`[data-student="ben"]`, "3. Launch the two servers", "at work")
	lee.click(`[data-student="ann"] a`)
	lee.click(`[data-tab="router7"]`)
	lee.reads("router7", "lan0")
	lee.do(chromedp.NavigateBack())
	lee.sees(`[data-figure="students"]`, "2")
	value[bool](lee, `window.before = true`)

	h.kill() // its proxy goes on, until the next one starts another
	ann.types("router7", "echo without a $((1+1)) hub")
	ann.reads("router7", "without a 2 hub")
	h.start()
	ann.until("a connection", `document.querySelector("#connection").dataset.state === "open"`)
	ann.goesOn("after the hub")
	lee.until("the class, which was started anew with the hub", `!window.before && document.querySelector("[data-student=ben]") !== null`)
	pid := h.proxy()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("another proxy", func() bool { return h.proxy() != pid })
	ann.goesOn("after the proxy")
	if n := strings.Count(ann.console("router7"), "without a 2 hub"); n != 1 {
		t.Errorf("the console shows %d times what it showed before", n)
	}

	// The hub stops ann's server, as she can by its page: what she has done is kept.
	h.stops("ann")
	for _, run := range h.runs() {
		if run.Student == "ann" {
			t.Error("ann's lab goes on after her server was stopped")
		}
	}
	ann.do(chromedp.Navigate(h.at + "/hub/spawn"))
	ann.sees(`[data-mission="week1"]`, "2 of 8")
	ann.click(`[data-mission="week1"] [data-do="start"]`)
	ann.step("3", "Launch the two servers")
	ann.askedFor("boot", "Switch on debian")

	// Ben's is killed: his lab goes on, and the next one finds it.
	before := lesson.session
	if err := syscall.Kill(h.server("ben"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("the hub notices", func() bool { return h.server("ben") == 0 })
	ben.comes()
	if first, _ := ben.home(); first.Done != 2 || first.Session != before {
		t.Errorf("ben's first mission is %+v", first)
	}
	lesson.until("ben's guide comes back", func() bool { return lesson.lost > 0 && lesson.conn != nil && lesson.step == 3 })
	router7.goesOn("after his server")
	h.stops("ben") // with the lab that another server has started
}

// keepsApart checks that one student comes nowhere near another's lab.
func (h *hub) keepsApart(ben *pupil) {
	h.t.Helper()
	session := ""
	for _, run := range h.runs() {
		if run.Student == "ann" {
			session = run.Session()
		}
	}
	if session == "" {
		h.t.Fatal("ann has no run")
	}
	if at, status, _ := ben.visit("/user/ann/"); status != http.StatusForbidden {
		h.t.Errorf("ben visits ann: %s, %d", at, status)
	}
	if _, status, _ := ben.visit("/user/ann/api/home"); status != http.StatusUnauthorized {
		h.t.Errorf("ben asks for ann's list: %d", status)
	}
	if at, status, _ := ben.visit("/services/class/"); status != http.StatusForbidden {
		h.t.Errorf("ben visits the class: %s, %d", at, status)
	}
	if _, status, _ := ben.visit("/services/class/api/class"); status != http.StatusUnauthorized {
		h.t.Errorf("ben asks how the class does: %d", status)
	}
	for path, want := range map[string]websocket.StatusCode{"/user/ann/": 4401, "/user/ben/": 4404} {
		conn, err := ben.dials(h.t.Context(), path+"api/sessions/"+session+"/guide")
		if err == nil {
			_, _, err = conn.Read(h.t.Context())
		}
		if got := websocket.CloseStatus(err); got != want {
			h.t.Errorf("ben's websocket to %s: %v", path, err)
		}
	}
}

// logsIn logs in by the hub's form, in a page.
func (p *tab) logsIn(h *hub) {
	p.t.Helper()
	p.click("#username_input")
	p.press(p.name)
	p.click("#password_input")
	p.press(h.passwords[p.name] + "\r")
}

// goesOn waits until the page's console is there. What is typed before the page notices that its connection is gone is lost,
// as a student sees.
func (p *tab) goesOn(when string) {
	p.t.Helper()
	for said := false; !said; said = strings.Contains(p.console("router7"), "\n"+when+" 42") {
		p.until("a console", `document.querySelector('[data-console="router7"]').dataset.state === "open"`)
		p.types("router7", "echo "+when+" $((40+2))")
		for again := time.Now().Add(10 * time.Second); time.Now().Before(again) && !strings.Contains(p.console("router7"), "\n"+when+" 42"); {
			time.Sleep(30 * time.Millisecond)
		}
	}
}

// What docs/class.md has a teacher type is a script that a shell can read, and what it installs is there. hub_fresh_measure_test.go
// carries it out.
func TestTheClassesDocument(t *testing.T) {
	for _, heading := range []string{"## From nothing to a class in an hour", "## Who sees what", "### In a hub"} {
		for _, commands := range commandsBelow(t, heading) {
			if said, err := exec.Command("bash", "-n", "-c", commands).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", heading, err, said)
			}
			for _, file := range regexp.MustCompile(`deploy/[\w./-]+`).FindAllString(commands, -1) {
				if _, err := os.Stat("../../" + file); err != nil {
					t.Errorf("%s: %v", heading, err)
				}
			}
		}
	}
}

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// commandsBelow are the blocks of commands below a heading of docs/class.md.
func commandsBelow(t *testing.T, heading string) (blocks []string) {
	t.Helper()
	document, err := os.ReadFile("../../docs/class.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), heading+"\n")
	section, _, _ = strings.Cut(section, "\n##")
	for _, block := range shellBlock.FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/class.md has no commands below %q", heading)
	}
	return blocks
}

// The values for Kubernetes, which nobody has run, start labrun as it can be started: it gets as far as to miss the hub.
func TestKubernetesStartsLabrun(t *testing.T) {
	text, err := os.ReadFile("../../deploy/jupyterhub/kubernetes/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Singleuser struct{ Cmd []string }
	}
	if err := yaml.Unmarshal(text, &values); err != nil || len(values.Singleuser.Cmd) == 0 {
		t.Fatalf("%v: %+v", err, values)
	}
	said, err := exec.Command(values.Singleuser.Cmd[0], values.Singleuser.Cmd[1:]...).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "JUPYTERHUB_USER is not set") {
		t.Errorf("%q: %v: %s", values.Singleuser.Cmd, err, said)
	}
	if file, err := os.ReadFile("../../deploy/jupyterhub/kubernetes/Dockerfile"); err != nil || !strings.Contains(string(file),
		`CMD ["`+strings.Join(values.Singleuser.Cmd, `", "`)+`"]`) {
		t.Errorf("the Dockerfile starts something else (%v)", err)
	}
}
