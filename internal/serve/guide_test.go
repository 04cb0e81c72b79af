package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/event"
)

// heard is what comes from a websocket of JSON.
type heard struct {
	messages chan map[string]any
	code     websocket.StatusCode // when messages is closed
}

func readSocket(conn *websocket.Conn) *heard {
	h := &heard{messages: make(chan map[string]any, 1000)}
	go func() {
		defer close(h.messages)
		for {
			_, message, err := conn.Read(context.Background())
			if err != nil {
				h.code = websocket.CloseStatus(err)
				return
			}
			var m map[string]any
			json.Unmarshal(message, &m)
			h.messages <- m
		}
	}()
	return h
}

// until is the next event of a kind.
func (h *heard) until(t *testing.T, kind string) map[string]any {
	t.Helper()
	for m := range h.messages {
		if m["event"] == kind {
			return m
		}
	}
	t.Fatalf("closed with %d before there was a %s", h.code, kind)
	return nil
}

// closed is how it was closed.
func (h *heard) closed() websocket.StatusCode {
	for range h.messages {
	}
	return h.code
}

func say(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// A page gets all that has happened and what happens, with HTML where there is Markdown,
// and says its student's words, each answered by itself.
func TestGuide(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	waiting := make(chan struct{})
	l.command = func(ctx context.Context, word, text string, number int) error {
		switch {
		case word == "hint" && number == 3:
			return nil
		case word == "answer":
			select {
			case <-waiting:
				return errors.New("not " + text)
			case <-ctx.Done():
			}
		}
		return errors.New("not now")
	}
	l.events.Emit(event.StepStarted{Index: 1, Narration: "Go *on*"})
	l.events.Emit(event.Instructed{Number: 3, Goal: "`ls`", Say: "Type:"})
	l.events.Emit(event.Hinted{Text: "**so**"})
	l.events.Emit(event.Instructed{Number: 4, Say: "Type *this*:"})
	l.events.Emit(event.Hinted{Text: "**so**"})
	l.events.Emit(event.Told{Text: "_a_", Markdown: true})
	l.events.Emit(event.Told{Text: "_b_"})
	l.events.Emit(event.Said{Text: "_c_"})
	conn := x.student().opens("api/sessions/lab/guide")
	h := readSocket(conn)
	if m := h.until(t, "session"); m["session"] != "lab" || m["readonly"] != false || len(m["machines"].([]any)) != 1 {
		t.Errorf("%v", m)
	}
	for _, want := range []struct{ event, field, html string }{
		{"step_started", "narration_html", "<p>Go <em>on</em></p>\n"},
		{"instructed", "goal_html", "<p><code>ls</code></p>\n"},
		{"hinted", "text_html", "<p><strong>so</strong></p>\n"}, {"instructed", "goal_html", ""}, {"hinted", "text_html", ""},
		{"told", "text_html", "<p><em>a</em></p>\n"}, {"told", "text_html", ""}, {"said", "text_html", "<p><em>c</em></p>\n"},
	} {
		if got, _ := h.until(t, want.event)[want.field].(string); got != want.html {
			t.Errorf("%s is %q, want %q", want.event, got, want.html)
		}
	}
	say(t, conn, `{"id":1,"word":"answer","text":"so"}`)
	say(t, conn, `{"id":2,"word":"hint","for":3}`)
	if m := h.until(t, "reply"); m["id"] != 2.0 || m["refused"] != nil {
		t.Errorf("%v", m)
	}
	close(waiting)
	if m := h.until(t, "reply"); m["id"] != 1.0 || m["refused"] != "not so" {
		t.Errorf("%v", m)
	}
	say(t, conn, `{"id":3,"word":"rm -rf"}`)
	if m := h.until(t, "reply"); m["refused"] == nil {
		t.Errorf("%v", m)
	}
	l.on()
	for m := h.until(t, "status"); ; m = h.until(t, "status") {
		if machine := m["machines"].([]any)[0].(map[string]any); machine["on"] == true {
			break
		}
	}
	l.events.Close()
	if got := h.closed(); got != closeOver {
		t.Errorf("closed with %d", got)
	}
}

// What a hostile mission says is text in the page.
func TestHostileTexts(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	for _, text := range []string{
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
		"[a](JaVaScRiPt&colon;alert(1))",
		"[a](data:text/html,<script>alert(1)</script>)", "![a](https://evil.example/x.png)", "\x1b]0;title\x07 \u202egpj.exe",
		"<a href='javascript:alert(1)'>a</a>", "```\"><script>\nalert(1)\n```", "<javascript:alert(1)>",
		"a <!-- --><svg/onload=alert(1)>",
		"</p></div><iframe srcdoc='<script>alert(1)</script>'>", "[x]: javascript:alert(1)\n\n[x]",
	} {
		l.events.Emit(event.Told{Text: text, Markdown: true})
	}
	l.events.Close()
	h := readSocket(x.student().opens("api/sessions/lab/guide"))
	for m := range h.messages {
		html, _ := m["text_html"].(string)
		if m["event"] != "told" {
			continue
		}
		if html == "" {
			t.Errorf("%v", m)
		}
		for _, bad := range []string{"<script", "<img", "<svg", "<iframe", "href=\"javascript", "href=\"data", "\x1b",
			"\u202e", " onerror=\"", "<a href='"} {
			if strings.Contains(strings.ToLower(html), bad) {
				t.Errorf("%q became %q", m["text"], html)
			}
		}
	}
}

// Somebody with a link looks at that one run, and does nothing.
func TestWatching(t *testing.T) {
	x := newSite(t)
	l, other := x.runs("lab"), x.runs("other")
	l.command = func(context.Context, string, string, int) error {
		t.Error("the watcher was heard")
		return nil
	}
	b := x.watcher("lab")
	h := b.home()
	if !h.Readonly {
		t.Errorf("%+v", h)
	}
	conn := b.opens("api/sessions/lab/guide")
	events := readSocket(conn)
	if m := events.until(t, "session"); m["readonly"] != true {
		t.Errorf("%v", m)
	}
	say(t, conn, `{"id":1,"word":"hint"}`)
	if m := events.until(t, "reply"); !strings.Contains(m["refused"].(string), "watching") {
		t.Errorf("%v", m)
	}
	for path, text := range map[string]string{
		"api/start": `{"mission":"` + x.mission("lab") + `"}`, "api/stop": `{"session":"lab"}`,
	} {
		if r := b.post(path, text); r.StatusCode != 403 || !strings.Contains(body(r), "watching") {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	if r := b.get("api/watch?session=lab"); r.StatusCode != 403 {
		t.Errorf("a link for others: %s", r.Status)
	}
	if code := b.closes(b.opens("api/sessions/other/guide")); code != closeNotFound {
		t.Errorf("another run: %d", code)
	}
	_ = other
	// A student who tries the link stays one.
	s := x.student()
	token := x.watchToken(runName(b.x.foundRun("lab")))
	s.get("?watch=" + url.QueryEscape(token))
	if s.home().Readonly {
		t.Error("the student only watches now")
	}
}

// No name leads to what is no session.
func TestGuessedSessions(t *testing.T) {
	x := newSite(t)
	x.runs("lab")
	b := x.student()
	for _, name := range []string{"lab-3", "..", "%2e%2e%2fsessions%2flab", "lab%2f", "lab%00", ".", "LAB", "lab.lock",
		"-", "lab--2"} {
		conn, r, err := b.dial("api/sessions/" + name + "/guide")
		if err != nil {
			if r == nil || r.StatusCode != 404 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if code := b.closes(conn); code != closeNotFound {
			t.Errorf("%s: closed with %d", name, code)
		}
	}
}

// A browser has so many websockets, and says so much in one message, and no more.
func TestTooMuch(t *testing.T) {
	x := newSite(t)
	x.pace = usualPace // of very many
	l := x.runs("lab")
	l.command = func(ctx context.Context, _, _ string, _ int) error {
		<-ctx.Done()
		return ctx.Err()
	}
	b := x.student()
	conn := b.opens("api/sessions/lab/guide")
	say(t, conn, `{"word":"`+strings.Repeat("x", longestWords)+`"}`)
	if code := b.closes(conn); code != websocket.StatusMessageTooBig {
		t.Errorf("a huge message: %d", code)
	}
	conn = b.opens("api/sessions/lab/guide")
	say(t, conn, `hint`)
	if code := b.closes(conn); code != websocket.StatusPolicyViolation {
		t.Errorf("no JSON: %d", code)
	}
	conn = b.opens("api/sessions/lab/guide")
	for range mostSaid + 1 {
		say(t, conn, `{"word":"hint"}`)
	}
	if code := b.closes(conn); code != websocket.StatusPolicyViolation {
		t.Errorf("many words at once: %d", code)
	}
	for range mostOfBrowser {
		x.sockets.enter("another") // as many as one has
	}
	for n := 0; ; n++ {
		conn, r, err := b.dial("api/sessions/lab/guide")
		if err != nil {
			if n > mostOfBrowser || n < mostOfBrowser-3 || r == nil || r.StatusCode != 429 {
				t.Errorf("after %d: %v", n, err)
			}
			break
		}
		readSocket(conn)
	}
	x.student().opens("api/sessions/lab/guide")
}
