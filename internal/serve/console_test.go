package serve

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// screen is a page's side of a console.
type screen struct {
	t        *testing.T
	conn     *websocket.Conn
	shown    bytes.Buffer
	notes    []string
	boot     uint32
	position uint64
}

func (b *browser) sits(path string) *screen {
	b.x.t.Helper()
	return &screen{t: b.x.t, conn: b.opens(path)}
}

// next takes a message, and acknowledges nothing.
func (s *screen) next() {
	s.t.Helper()
	_, m, err := s.conn.Read(s.t.Context())
	switch {
	case err != nil:
		s.t.Fatalf("%v; shown: %.300q, notes: %q", err, s.shown.String(), s.notes)
	case m[0] == messageNote:
		s.notes = append(s.notes, string(m[1:]))
	case m[0] == messageOutput:
		s.boot, s.position = binary.BigEndian.Uint32(m[1:]), binary.BigEndian.Uint64(m[5:])
		s.shown.Write(m[13:])
	}
}

// sees waits for a text.
func (s *screen) sees(text string) {
	s.t.Helper()
	for !strings.Contains(s.shown.String(), text) {
		s.next()
		s.acknowledges()
	}
}

// hears waits for a note.
func (s *screen) hears(name string) {
	s.t.Helper()
	for !strings.Contains(strings.Join(s.notes, " "), fmt.Sprintf(`"name":%q`, name)) {
		s.next()
	}
}

func (s *screen) says(kind byte, message string) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageBinary, append([]byte{kind}, message...)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) acknowledges() {
	s.t.Helper()
	s.says(messageShown, string(binary.BigEndian.AppendUint64(nil, s.position)))
}

// A page sees what a console prints and types at it; when it comes back it goes on where it
// was, also at another server, and a machine that is started anew begins anew.
func TestConsole(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	b := x.student()
	s := b.sits("api/sessions/lab/consoles/debian")
	s.hears("off")
	if !strings.Contains(s.notes[0], "debian is off") {
		t.Errorf("the note: %s", s.notes[0])
	}
	s.says(messageSize, `{"columns":100,"rows":30}`)
	l.on()
	s.hears("on")
	l.print(t, "one\r\n\x1b[31m二\x1b[m\r\n")
	s.sees("二")
	if size := <-l.sizes; size != "100x30" {
		t.Errorf("the guest's terminal is %s", size)
	}
	s.says(messageKeys, "ls\r")
	l.types(t, "ls\r")
	s.says(messageKeys, strings.Repeat("x", 5000))
	l.types(t, strings.Repeat("x", 5000))
	s.says(messageKeys, "last")
	s.conn.Close(websocket.StatusGoingAway, "") // what was typed is not lost
	l.types(t, "last")

	l.print(t, "three\r\n")
	again := b.sits(fmt.Sprintf("api/sessions/lab/consoles/debian?boot=%d&from=%d", s.boot, s.position))
	again.sees("three")
	if got := again.shown.String(); got != "three\r\n" {
		t.Errorf("it goes on with %q", got)
	}
	fresh := b.sits("api/sessions/lab/consoles/debian")
	fresh.sees("three")
	if !strings.Contains(fresh.shown.String(), "one") {
		t.Errorf("a new page sees %q", fresh.shown.String())
	}
	before := again.boot
	l.on()
	l.print(t, "new\r\n")
	again.sees("new")
	if again.boot == before {
		t.Error("the machine that was started anew is the old one")
	}
	stale := b.sits(fmt.Sprintf("api/sessions/lab/consoles/debian?boot=%d&from=%d", before, 1<<40))
	stale.sees("new")
	l.server.Dismiss()
	if code := b.closes(stale.conn); code != closeOver {
		t.Errorf("at the end of the run: %d", code)
	}
}

// A page that shows nothing gets no more than the window; the guest goes on printing, and
// others see it. Who acknowledges gets the rest.
func TestSlowPages(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	l.on()
	const path = "api/sessions/lab/consoles/debian"
	slow, quick := x.student().sits(path), x.student().sits(path)
	const much = 512 << 10 // not more than a console keeps for those who are late
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		l.print(t, strings.Repeat("0123456789abcde\n", much/16)+"the end")
	}()
	quick.sees("the end")
	<-printed
	for slow.position < window {
		slow.next()
	}
	if got := slow.shown.Len(); got > window+longestChunk {
		t.Errorf("a page that shows nothing got %d bytes", got)
	}
	// Keys are heard all the same.
	slow.says(messageKeys, "\x03")
	l.types(t, "\x03")
	slow.acknowledges()
	slow.sees("the end")
	if got := slow.shown.String(); got != quick.shown.String() {
		t.Errorf("the slow page saw %d bytes, the quick one %d", len(got), quick.shown.Len())
	}
}

// longestChunk is what one message may have more than the window.
const longestChunk = 64 << 10

// Who watches sees the console and types nothing, and changes no size.
func TestWatchersTypeNothing(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	l.on()
	w := x.watcher("lab").sits("api/sessions/lab/consoles/debian")
	w.says(messageKeys, "rm -rf /\r")
	w.says(messageSize, `{"columns":1,"rows":1}`)
	s := x.student().sits("api/sessions/lab/consoles/debian")
	s.says(messageSize, `{"columns":90,"rows":20}`)
	s.says(messageKeys, "ls\r")
	l.types(t, "ls\r")
	if size := <-l.sizes; size != "90x20" {
		t.Errorf("the guest's terminal is %s", size)
	}
	l.print(t, "files\r\n")
	w.sees("files")
}

// What no page of ours says ends the connection; and so does asking for what there is not.
func TestStrangeMessages(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	l.on()
	b := x.student()
	for _, m := range []string{"", "?", "a123", "r{", "i" + strings.Repeat("x", longestKeys)} {
		conn := b.opens("api/sessions/lab/consoles/debian")
		if err := conn.Write(t.Context(), websocket.MessageBinary, []byte(m)); err != nil {
			t.Fatal(err)
		}
		if code := b.closes(conn); code != websocket.StatusPolicyViolation && code != websocket.StatusMessageTooBig {
			t.Errorf("%.10q: closed with %d", m, code)
		}
	}
	conn := b.opens("api/sessions/lab/consoles/debian?boot=-1&from=-1")
	conn.Write(t.Context(), websocket.MessageBinary, append([]byte{messageShown}, bytes.Repeat([]byte{0xff}, 8)...))
	conn.Write(t.Context(), websocket.MessageBinary, []byte("r"+`{"columns":-1,"rows":1000000000}`))
	conn.Write(t.Context(), websocket.MessageBinary, []byte("iok"))
	l.types(t, "ok")
	for _, path := range []string{"lab/consoles/alpine", "lab/consoles/..", "other/consoles/debian",
		"lab/consoles/%2e%2e%2fdebian"} {
		conn, r, err := b.dial("api/sessions/" + path)
		if err != nil {
			if r == nil || r.StatusCode != 404 {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if code := b.closes(conn); code != closeNotFound {
			t.Errorf("%s: closed with %d", path, code)
		}
	}
	stranger, _ := x.visits(x.at+"/", "")
	if code := stranger.closes(stranger.opens("api/sessions/lab/consoles/debian")); code != closeLogin {
		t.Errorf("a stranger: closed with %d", code)
	}
}

// print has the machine's guest print.
func (l *fakeLab) print(t *testing.T, text string) {
	l.mu.Lock()
	guest := l.guest
	l.mu.Unlock()
	if _, err := io.WriteString(guest, text); err != nil {
		t.Error(err)
	}
}

// types waits until that was typed at the machine, and nothing else.
func (l *fakeLab) types(t *testing.T, want string) {
	t.Helper()
	for got := ""; got != want; {
		if got += <-l.typed; !strings.HasPrefix(want, got) {
			t.Fatalf("typed %.100q, want %.100q", got, want)
		}
	}
}
