package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
)

// editor speaks with a real `labrun lsp`.
type editor struct {
	*jrpc2.Client
	t       *testing.T
	process *exec.Cmd
	folder  string
	err     buffer

	mu        sync.Mutex
	news      *sync.Cond
	published map[string]published // by file, the last word about it
}

type published struct {
	Version     int
	Diagnostics []struct {
		Range    spanOfText
		Severity int
		Code     string
		Source   string
		Message  string
		Tags     []int
	}
}

type spanOfText struct {
	Start, End struct{ Line, Character int }
}

func (s spanOfText) String() string {
	return fmt.Sprintf("%d:%d-%d:%d", s.Start.Line, s.Start.Character, s.End.Line, s.End.Character)
}

// startLSP starts labrun in a folder of these files; each name has its text after
// it.
func startLSP(t *testing.T, namesAndTexts ...string) *editor {
	t.Helper()
	e := &editor{t: t, folder: t.TempDir(), published: map[string]published{}}
	e.news = sync.NewCond(&e.mu)
	for i := 0; i < len(namesAndTexts); i += 2 {
		path := filepath.Join(e.folder, namesAndTexts[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(namesAndTexts[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	e.process = exec.CommandContext(ctx, "labrun", "lsp", "--stdio")
	e.process.Stderr = &e.err
	in, err := e.process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	e.Client = jrpc2.NewClient(channel.LSP(out, in), &jrpc2.ClientOptions{OnNotify: e.notified})
	t.Cleanup(func() {
		e.Client.Close()
		e.process.Wait() // most tests end it themselves
	})
	return e
}

func (e *editor) notified(req *jrpc2.Request) {
	var p struct {
		URI string
		published
	}
	if err := req.UnmarshalParams(&p); err != nil || req.Method() != "textDocument/publishDiagnostics" {
		e.t.Errorf("labrun sends %s: %s (%v)", req.Method(), req.ParamString(), err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.published[p.URI] = p.published
	e.news.Broadcast()
}

func (e *editor) uri(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.Join(e.folder, name)}).String()
}

// ask sends a request and returns what comes back, as compact JSON.
func (e *editor) ask(method string, params any) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	answer, err := e.Call(ctx, method, params)
	if err != nil {
		return "error: " + err.Error()
	}
	return answer.ResultString()
}

func (e *editor) tell(method string, params any) {
	e.t.Helper()
	if err := e.Notify(e.t.Context(), method, params); err != nil {
		e.t.Fatal(err)
	}
}

type object = map[string]any

func (e *editor) initialize() {
	e.t.Helper()
	answer := e.ask("initialize", object{"processId": os.Getpid(), "rootUri": e.uri(""), "capabilities": object{"textDocument": object{
		"signatureHelp": object{"signatureInformation": object{"parameterInformation": object{"labelOffsetSupport": true}}}}}})
	for _, want := range []string{`"positionEncoding":"utf-16"`, `"change":1`, `"hoverProvider":true`, `"name":"labrun"`} {
		if !strings.Contains(answer, want) {
			e.t.Fatalf("initialize answers %s, want %s in it", answer, want)
		}
	}
	e.tell("initialized", object{})
}

func (e *editor) open(name, text string, version int) {
	e.t.Helper()
	e.tell("textDocument/didOpen", object{"textDocument": object{"uri": e.uri(name), "languageId": "starlark", "version": version, "text": text}})
}

func (e *editor) change(name, text string, version int) {
	e.t.Helper()
	e.tell("textDocument/didChange", object{"textDocument": object{"uri": e.uri(name), "version": version}, "contentChanges": []object{{"text": text}}})
}

// diagnosed waits for the diagnostics of a version of a file to be these, a line
// each.
func (e *editor) diagnosed(name string, version int, want string) {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	got := ""
	late := time.AfterFunc(patience, func() { e.mu.Lock(); defer e.mu.Unlock(); e.news.Broadcast() })
	defer late.Stop()
	for began := time.Now(); time.Since(began) < patience; e.news.Wait() {
		p, ok := e.published[e.uri(name)]
		got = ""
		for _, d := range p.Diagnostics {
			got += fmt.Sprintf("%v %d %s: %s\n", d.Range, d.Severity, d.Code, d.Message)
		}
		if ok && p.Version == version && got == want {
			return
		}
	}
	e.t.Fatalf("the diagnostics of %s are\n%swant, in version %d\n%s", name, got, version, want)
}

// at is a position, in UTF-16 code units, in a request.
func (e *editor) at(name string, line, character int) object {
	return object{"textDocument": object{"uri": e.uri(name)}, "position": object{"line": line, "character": character}}
}

// leave ends the conversation as the protocol has it, without closing the pipe.
func (e *editor) leave() {
	e.t.Helper()
	if got := e.ask("shutdown", nil); got != "null" {
		e.t.Errorf("shutdown answers %s, want null", got)
	}
	if got := e.ask("textDocument/hover", e.at("lab.star", 0, 0)); !strings.Contains(got, "after shutdown comes exit") {
		e.t.Errorf("after shutdown, hover answers %s", got)
	}
	e.tell("exit", nil)
	e.ends(0)
}

func (e *editor) ends(want int) {
	e.t.Helper()
	e.process.Wait()
	if got := e.process.ProcessState.ExitCode(); got != want {
		e.t.Errorf("exit code %d, want %d; it said %s", got, want, e.err.String())
	}
}

const lspLab = `mission(title = "第一週", api = 1)
lan = network("lan")
alpine = machine("alpine", nics = [lan])

def work():
    """你好，世界

    Look around.
    """
    boot(alpine)
    login(alpine)
    send(alpine, "echo 😀你好")
    assert_contains(alpine, "你好", hint = "Look.")

step(work)
`

func TestLSP(t *testing.T) {
	e := startLSP(t, "lab.star", lspLab, "parts/net.star", "# 網路\n你 = 1\ndef reach(m):\n    \"\"\"Reach it.\"\"\"\n")
	e.initialize()
	e.open("lab.star", lspLab, 1)
	e.diagnosed("lab.star", 1, "")

	// Half-typed, with characters before it that take two units of UTF-16, or one.
	typed := strings.Replace(lspLab, `"echo 😀你好")`, `"😀你" + alpine.`, 1)
	e.change("lab.star", typed, 2)
	e.diagnosed("lab.star", 2, "14:0-14:4 1 syntax: got identifier, want ',': a comma is missing here, or a bracket above is not closed\n")
	// The line is «    send(alpine, "😀你" + alpine.».
	answer := e.ask("textDocument/completion", e.at("lab.star", 11, 32))
	if !strings.Contains(answer, `"label":"name"`) || !strings.Contains(answer, `"range":{"start":{"line":11,"character":32},"end":{"line":11,"character":32}}`) {
		t.Errorf("completion answers %s", answer)
	}

	wrong := strings.Replace(lspLab, `"echo 😀你好")`, `"😀你" + alpine.nam, entre = True)`, 1)
	wrong = strings.Replace(wrong, `, hint = "Look."`, "", 1)
	e.change("lab.star", wrong, 3)
	e.diagnosed("lab.star", 3, "11:32-11:35 1 unknown-field: a machine has no .nam (did you mean name?): there are name, image\n"+
		"11:37-11:42 1 wrong-argument: send: no parameter is called \"entre\" (did you mean enter?): it is send(on, text, enter = True)\n"+
		"12:4-12:19 2 no-hint: assert_contains has no hint: add hint = \"…\": what to type or to look at\n")

	e.change("lab.star", lspLab, 4)
	e.diagnosed("lab.star", 4, "")
	for _, test := range []struct {
		method     string
		line, char int
		want       []string
	}{
		{"textDocument/hover", 11, 5, []string{`send(on, text, enter = True)`, `"range":{"start":{"line":11,"character":4},"end":{"line":11,"character":8}}`}},
		{"textDocument/hover", 12, 37, []string{"`hint` (string)"}},
		{"textDocument/hover", 3, 0, []string{"null"}},
		{"textDocument/signatureHelp", 11, 20, []string{`"label":"send(on, text, enter = True)"`, `"activeParameter":1`, `"label":[9,13]`}},
		{"textDocument/signatureHelp", 3, 0, []string{"null"}},
		{"textDocument/definition", 11, 12, []string{`lab.star"`, `"range":{"start":{"line":2,"character":0},"end":{"line":2,"character":6}}`}},
		{"textDocument/definition", 11, 5, []string{"null"}},
		{"textDocument/completion", 3, 0, []string{`"label":"boot"`, `"label":"alpine"`, `"newText":"work"`}},
		{"textDocument/completion", 2, 18, []string{`"label":"debian"`, `"range":{"start":{"line":2,"character":18},"end":{"line":2,"character":24}}`}},
		{"textDocument/documentSymbol", 0, 0, []string{`"name":"你好，世界"`, `"detail":"work"`, `"name":"alpine"`}},
	} {
		answer := e.ask(test.method, e.at("lab.star", test.line, test.char))
		for _, want := range test.want {
			if !strings.Contains(answer, want) {
				t.Errorf("%s at %d:%d answers %s, want %s in it", test.method, test.line, test.char, answer, want)
			}
		}
	}
	e.leave()
	if e.err.String() != "" {
		t.Errorf("stderr has %s", e.err.String())
	}
}

// Names of other files, as they are in the editor and not on the disk.
func TestLSPWithSeveralFiles(t *testing.T) {
	lab := "load(\"./parts/net.star\", \"reach\")\n" + strings.Replace(lspLab, "login(alpine)", "reach(alpine)", 1)
	e := startLSP(t, "lab.star", lab, "parts/net.star", "load(\"../lan.star\", \"x\")\ndef reach(m):\n    login(m)\n", "lan.star", "x = 1\n")
	e.initialize()
	e.open("lab.star", lab, 1)
	e.diagnosed("lab.star", 1, "")
	if answer := e.ask("textDocument/definition", e.at("lab.star", 11, 6)); !strings.Contains(answer, "parts/net.star") || !strings.Contains(answer, `"start":{"line":1,"character":4}`) {
		t.Errorf("reach is defined at %s", answer)
	}
	if answer := e.ask("textDocument/completion", e.at("lab.star", 0, 6)); !strings.Contains(answer, `"label":"./parts/net.star"`) {
		t.Errorf("what can be loaded is %s", answer)
	}
	if answer := e.ask("textDocument/completion", e.at("lab.star", 0, 26)); !strings.Contains(answer, `"label":"reach"`) {
		t.Errorf("names of the file are %s", answer)
	}
	// A part may load files of the workspace; what it exports is used elsewhere.
	const net = "# 😀😀\nload(\"../lan.star\", \"x\")\ny = \"😀\"; \ndef reach(m, n):\n    login(m)\n    say(str(x))\n"
	e.open("parts/net.star", net, 7)
	e.diagnosed("parts/net.star", 7, "")
	e.diagnosed("lab.star", 1, "11:4-11:9 1 wrong-argument: reach: n is missing: it is reach(m, n)\n")
	if answer := e.ask("textDocument/definition", e.at("lab.star", 11, 6)); !strings.Contains(answer, `"start":{"line":3,"character":4}`) {
		t.Errorf("reach is defined at %s", answer)
	}
	e.tell("textDocument/didClose", object{"textDocument": object{"uri": e.uri("parts/net.star")}})
	e.diagnosed("lab.star", 1, "")
	// A link elsewhere means the mission where it lies.
	if err := os.Symlink("../lab.star", filepath.Join(e.folder, "parts", "link.star")); err != nil {
		t.Fatal(err)
	}
	e.open("parts/link.star", lab, 1)
	e.diagnosed("parts/link.star", 1, "")
	e.leave()
}

// What only loading finds out is told when a mission is opened or saved.
func TestLSPLoadsMissions(t *testing.T) {
	e := startLSP(t)
	e.initialize()
	wrong := strings.Replace(lspLab, `machine("alpine", nics`, `machine("alpine", memory = 1, nics`, 1)
	if err := os.WriteFile(filepath.Join(e.folder, "lab.star"), []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	e.open("lab.star", wrong, 1)
	const tooSmall = "2:16-2:16 1 load: machine: memory = 1: want MiB from 32 to 65536\n"
	e.diagnosed("lab.star", 1, tooSmall)
	e.change("lab.star", wrong+"\n", 2)
	e.diagnosed("lab.star", 2, "")
	e.tell("textDocument/didSave", object{"textDocument": object{"uri": e.uri("lab.star")}})
	e.diagnosed("lab.star", 2, tooSmall)
	e.leave()
}

// The images.lock of a mission's folder counts as it does when the mission is run.
func TestLSPKnowsTheFoldersLock(t *testing.T) {
	lock := "version = 1\n[images.own]\nsummary = \"x\"\nmemory = 16\ncpus = 1\ndisplay = \"vga\"\noriginal = \"x\"\n"
	own := strings.Replace(lspLab, `machine("alpine", nics`, `machine("own", nics`, 1)
	e := startLSP(t, "with/images.lock", lock, "with/lab.star", own, "without/lab.star", own, "broken/images.lock", "version = 2", "broken/lab.star", lspLab)
	e.initialize()
	e.open("with/lab.star", own, 1)
	e.diagnosed("with/lab.star", 1, "")
	e.open("broken/lab.star", lspLab, 1)
	e.diagnosed("broken/lab.star", 1, "")
	e.open("without/lab.star", own, 1)
	e.mu.Lock()
	for len(e.published[e.uri("without/lab.star")].Diagnostics) == 0 {
		e.news.Wait()
	}
	if found := e.published[e.uri("without/lab.star")].Diagnostics[0]; !strings.Contains(found.Message, `image "own" is not in images.lock`) {
		t.Errorf("without the lock: %+v", found)
	}
	e.mu.Unlock()
	e.leave()
}

// Requests that make no sense are refused, and the server lives on.
func TestLSPRefuses(t *testing.T) {
	e := startLSP(t)
	if got := e.ask("textDocument/hover", e.at("lab.star", 0, 0)); !strings.Contains(got, "-32002") {
		t.Errorf("before initialize, hover answers %s, want the code -32002", got)
	}
	e.initialize()
	e.tell("$/setTrace", object{"value": "off"})
	e.tell("textDocument/didChange", object{"textDocument": object{"uri": e.uri("other.star"), "version": 2}, "contentChanges": []object{{"text": "x"}}})
	for _, c := range []struct {
		method string
		params any
		want   string
	}{
		{"initialize", object{}, "it is done already"},
		{"textDocument/rename", object{}, "-32601"},
		{"textDocument/hover", object{"position": "here"}, "error"},
		{"textDocument/hover", e.at("other.star", 0, 0), "null"},
		{"textDocument/completion", object{"textDocument": object{"uri": "untitled:Untitled-1"}}, "null"},
	} {
		if got := e.ask(c.method, c.params); !strings.Contains(got, c.want) {
			t.Errorf("%s answers %s, want %s", c.method, got, c.want)
		}
	}
	e.tell("textDocument/didOpen", object{"textDocument": object{"uri": "untitled:Untitled-1", "version": 1, "text": lspLab}})
	for _, place := range [][2]int{{11, 5}, {99, 99}, {-1, -1}, {0, 1 << 40}} {
		for _, method := range []string{"hover", "completion", "definition", "signatureHelp", "documentSymbol"} {
			got := e.ask("textDocument/"+method, object{"textDocument": object{"uri": "untitled:Untitled-1"}, "position": object{"line": place[0], "character": place[1]}})
			if strings.HasPrefix(got, "error") {
				t.Errorf("%s at %v answers %s", method, place, got)
			}
		}
	}
	e.leave()
}

// The editor may go without a word.
func TestLSPEndsWithItsEditor(t *testing.T) {
	e := startLSP(t)
	e.initialize()
	e.tell("exit", nil)
	e.ends(1)

	e = startLSP(t)
	e.initialize()
	e.Client.Close()
	e.ends(1)

	e = startLSP(t)
	e.initialize()
	e.process.Process.Signal(os.Interrupt)
	e.ends(130)
}

// Whatever comes in, nothing but messages goes out.
func TestLSPSpeaksNothingElse(t *testing.T) {
	for name, input := range map[string]string{
		"no message":   "hello\n",
		"no JSON":      "Content-Length: 5\r\n\r\nhello",
		"half a one":   "Content-Length: 50\r\n\r\n{}",
		"no length":    "X: 1\r\n\r\n{}",
		"nothing":      "",
		"another type": "Content-Type: application/vscode-jsonrpc; charset=utf8\r\nContent-Length: 46\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"method":"initialize"}`,
		"a script's print": message(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`) +
			message(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///nowhere/lab.star","version":1,"text":"mission(title = \"a\", api = 1)\nprint(\"shout\")\n"}}}`),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			lsp := exec.CommandContext(ctx, "labrun", "lsp")
			lsp.Stdin = strings.NewReader(input)
			out, err := lsp.Output()
			if ctx.Err() != nil || err == nil {
				t.Errorf("it ends with %v (%v), want an error", err, ctx.Err())
			}
			messages := channel.LSP(bytes.NewReader(out), nil)
			for {
				data, err := messages.Recv()
				if err == io.EOF {
					break
				}
				if err != nil || !json.Valid(data) {
					t.Fatalf("stdout has %q (%v)", out, err)
				}
			}
		})
	}
}

func message(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
