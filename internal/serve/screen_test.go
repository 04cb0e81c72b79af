package serve

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// What a VNC viewer says first, and what of that comes to QEMU.
const (
	hello  = "RFB 003.008\n\x01\x01"
	update = "\x03\x0112345678"
	key    = "\x04\x01\x00\x00\x00\x00\x00a"
)

func saysRFB(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageBinary, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, conn io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("%q came (%v), want %q", got, err, want)
	}
}

// A page sees a machine's screen as RFB, and is told to come back when the machine is
// switched off; who watches has no keys.
func TestScreen(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	l.screens = make(chan net.Conn, 1)
	const path = "api/sessions/lab/screens/debian"
	look := func(b *browser) (*websocket.Conn, net.Conn) {
		conn := b.opens(path)
		guest := <-l.screens
		guest.SetDeadline(time.Now().Add(10 * time.Minute))
		if _, err := io.WriteString(guest, "RFB 003.008\n"); err != nil {
			t.Fatal(err)
		}
		if kind, version, err := conn.Read(t.Context()); err != nil || kind != websocket.MessageBinary || string(version) != "RFB 003.008\n" {
			t.Fatalf("the first message: %v %q %v", kind, version, err)
		}
		return conn, guest
	}
	first := x.student().opens(path) // waits for the machine
	l.on()
	(<-l.screens).Close()
	if code := x.student().closes(first); code != closeAgain {
		t.Errorf("a machine that is off: %d", code)
	}
	student, its := look(x.student())
	saysRFB(t, student, hello+key+"\x04\x00\x00\x00\x00\x00\x00a")
	hears(t, its, hello+key+"\x04\x00\x00\x00\x00\x00\x00a")
	saysRFB(t, student, update)
	hears(t, its, update)
	watcher, watched := look(x.watcher("lab"))
	saysRFB(t, watcher, hello+key+update)
	hears(t, watched, hello+update)
	saysRFB(t, watcher, "\x63")
	if code := x.student().closes(watcher); code != closeAgain {
		t.Errorf("what is not understood: %d", code)
	}
	say(t, student, "text")
	if code := x.student().closes(student); code != websocket.StatusPolicyViolation {
		t.Errorf("text: %d", code)
	}
	huge := x.student().opens(path)
	<-l.screens
	saysRFB(t, huge, strings.Repeat("x", longestRFB+1))
	if code := x.student().closes(huge); code != websocket.StatusMessageTooBig {
		t.Errorf("a huge message: %d", code)
	}
}

func TestScreensThatAreNotThere(t *testing.T) {
	x := newSite(t)
	l := x.runs("lab")
	l.on()
	b := x.student()
	for _, path := range []string{"api/sessions/lab/screens/debian", "api/sessions/lab/screens/nobody", "api/sessions/other/screens/debian"} {
		if code := b.closes(b.opens(path)); code != closeNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	stranger, _ := x.visits(x.at+"/", "")
	if code := stranger.closes(stranger.opens("api/sessions/lab/screens/debian")); code != closeLogin {
		t.Errorf("a stranger: %d", code)
	}
	l.screens = make(chan net.Conn, 1)
	conn := b.opens("api/sessions/lab/screens/debian")
	<-l.screens
	l.server.Dismiss()
	if code := b.closes(conn); code != closeAgain {
		t.Errorf("at the end of the run: %d", code)
	}
	if code := b.closes(b.opens("api/sessions/lab/screens/debian")); code != closeOver {
		t.Errorf("after it: %d", code)
	}
}
