package attach

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// hello is what a client says first, and polite what QEMU is to have of it.
const (
	hello  = "RFB 003.008\n\x01\x00"
	polite = "RFB 003.008\n\x01\x01"
)

func rfbKeyMessage(symbol uint32, down bool) string {
	m := make([]byte, 8)
	m[0] = rfbKey
	if down {
		m[1] = 1
	}
	binary.BigEndian.PutUint32(m[4:], symbol)
	return string(m)
}

const (
	pixels   = "\x00\x00\x00\x00" + "0123456789abcdef"
	codings  = "\x02\x00\x00\x02" + "12345678"
	update   = "\x03\x01" + "12345678"
	pointer  = "\x05\x01" + "1234"
	cutText  = "\x06\x00\x00\x00\x00\x00\x00\x05" + "hello"
	extended = "\x06\x00\x00\x00\xff\xff\xff\xfb" + "hello"
	resize   = "\xfb\x00" + "1234" + "\x01\x00" + "0123456789abcdef"
	scanned  = "\xff\x00\x00\x01\x00\x00\x00a\x00\x00\x00\x1e"
	audio    = "\xff\x01\x00\x00"
	format   = "\xff\x01\x00\x02" + "123456"
)

// What a client says is told apart wherever its bytes come in pieces.
func TestRFBMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, says, passes, does string }{
		{"what every client says", pixels + codings + update + update, pixels + codings + update + update, ""},
		{"keys", update + rfbKeyMessage('a', true) + scanned + update, update + update, rfbKeyMessage('a', true) + scanned},
		{"a pointer", pointer + update, update, pointer},
		{"a clipboard", cutText + extended + update, update, ""},
		{"a wish for another size", resize + update, update, ""},
		{"sound", audio + format + update, update, ""},
	} {
		c := newRFBClient(oneByOne{strings.NewReader(hello + tt.says)})
		var passes, does string
		for {
			m, err := c.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				break
			}
			if m.input {
				does += string(m.bytes)
			} else {
				passes += string(m.bytes)
			}
		}
		if passes != polite+tt.passes || does != tt.does {
			t.Errorf("%s: passed %q, did %q", tt.name, passes, does)
		}
	}
}

type oneByOne struct{ r io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.r.Read(p[:min(1, len(p))]) }

func TestRFBThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	for _, says := range []string{
		"GET / HTTP/1.1\r\n", "RFB 003.003\n\x01", "RFB 003.008\n\x02", // who asks for a password is not ours
		hello + "\x01", hello + "\x07", hello + "\x96", hello + "\xfa\x00\x01\x02", hello + "\xff\x02",
		hello + "\x02\x00\xff\xff", hello + "\x06\x00\x00\x00\x7f\xff\xff\xff", hello + "\x06\x00\x00\x00\x80\x00\x00\x00",
		hello + "\xfb\x00\x00\x00\x00\x00\x11\x00",
	} {
		c := newRFBClient(strings.NewReader(says + strings.Repeat("\x00", 100)))
		for {
			m, err := c.next()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q was understood", says)
			}
			if err != nil {
				break
			}
			if strings.Contains(says[min(len(hello), len(says)):], string(m.bytes)) && len(says) > len(hello) && len(m.bytes) > 1 {
				t.Errorf("of %q passed %q", says, m.bytes)
			}
		}
	}
}

// What is typed in a picture is told to the console as a terminal would have sent it.
func TestKeysOfAPicture(t *testing.T) {
	t.Parallel()
	down := func(symbol uint32) rfbKeyEvent { return rfbKeyEvent{true, symbol} }
	up := func(symbol uint32) rfbKeyEvent { return rfbKeyEvent{false, symbol} }
	for _, tt := range []struct {
		pressed []rfbKeyEvent
		want    string
	}{
		{[]rfbKeyEvent{down('l'), up('l'), down('s'), up('s'), down(0xff0d), up(0xff0d)}, "ls\r"},
		{[]rfbKeyEvent{down(0xffe1), down('A'), up('A'), up(0xffe1)}, "A"},
		{[]rfbKeyEvent{down(keysymControl), down('c'), up('c'), up(keysymControl), down('c')}, "\x03c"},
		{[]rfbKeyEvent{down(keysymControl + 1), down(']')}, "\x1d"},
		{[]rfbKeyEvent{down(keysymAlt), down('x'), up(keysymAlt), down('x')}, "\x1bxx"},
		{[]rfbKeyEvent{down(0xffbe), down(0xff52), down(0xffff), down(0xff08)}, "\x1bOP\x1b[A\x1b[3~\x7f"},
		{[]rfbKeyEvent{down(0xe9), down(0x01004e2d), down(0xffb1), down(0xffe5)}, "é中1"},
	} {
		var keys keyboard
		got := ""
		for _, e := range tt.pressed {
			got += string(keys.press(e))
		}
		if got != tt.want {
			t.Errorf("%v typed %q, want %q", tt.pressed, got, tt.want)
		}
	}
}

// look opens the bench's screen, and returns both ends.
func (b *bench) look(watch bool) (viewer, guest net.Conn) {
	b.t.Helper()
	viewer, err := Screen(b.t.Context(), b.folder, "debian", watch)
	if err != nil {
		b.t.Fatal(err)
	}
	guest = <-b.screens
	for _, conn := range []net.Conn{viewer, guest} {
		conn.SetDeadline(time.Now().Add(10 * time.Minute))
		b.t.Cleanup(func() { conn.Close() })
	}
	return viewer, guest
}

func says(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
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

func TestLookingAtAScreen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.screens = make(chan net.Conn, 1)
	b.on()
	b.print("# ")
	viewer, guest := b.look(false)
	watcher, watched := b.look(true)
	for _, conn := range []net.Conn{guest, watched} {
		says(t, conn, "RFB 003.008\n")
	}
	for _, conn := range []net.Conn{viewer, watcher} {
		hears(t, conn, "RFB 003.008\n")
		says(t, conn, hello)
	}
	ls := rfbKeyMessage('l', true) + rfbKeyMessage('l', false) + rfbKeyMessage('s', true) + rfbKeyMessage(0xff0d, true)
	says(t, viewer, ls+update)
	says(t, watcher, ls+pointer+scanned+update)
	hears(t, watched, polite+update)
	rest := polite + update + ls // what asks for the picture may come before the keys
	got := make([]byte, len(rest))
	if _, err := io.ReadFull(guest, got); err != nil || strings.Replace(string(got), update, "", 1) != polite+ls {
		t.Fatalf("the guest got %q (%v)", got, err)
	}
	if line, err := b.console.AwaitLine(t.Context(), 0); err != nil || line.Text != "ls" {
		t.Errorf("the console knows the line %+v (%v)", line, err)
	}
	says(t, watcher, "\x63")
	if _, err := watcher.Read(make([]byte, 1)); err == nil {
		t.Error("who says what is not understood stays")
	}
	seat, err := Sit(t.Context(), b.folder, "debian", SeatOptions{})
	if err != nil || !seat.Screen() {
		t.Errorf("whoever sits down at the console is not told that it is a screen (%v)", err)
	}
	seat.Close()
	guest.Close() // it is switched off
	if _, err := viewer.Read(make([]byte, 1)); err == nil {
		t.Error("a machine that is off still has a picture")
	}
	b.off()
	opened := make(chan error, 1)
	go func() {
		conn, err := Screen(t.Context(), b.folder, "debian", false)
		if err == nil {
			conn.Close()
		}
		opened <- err
	}()
	b.on() // the viewer that has come back waits for that
	if err := <-opened; err != nil {
		t.Error(err)
	}
	(<-b.screens).Close()
}

// While labrun itself plays, nobody's keys reach a machine.
func TestAScreenOfARunThatPlaysItself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.screens, b.watching = make(chan net.Conn, 1), true
	b.on()
	viewer, guest := b.look(false)
	says(t, viewer, hello+rfbKeyMessage('a', true)+pointer+update)
	hears(t, guest, polite+update)
}

func TestScreensThatAreNotThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on()
	var refused *RefusedError
	if _, err := Screen(t.Context(), b.folder, "debian", false); !errors.As(err, &refused) || !strings.Contains(err.Error(), "no screen") {
		t.Errorf("the screen of a machine that has none: %v", err)
	}
	var unknown *UnknownMachineError
	if _, err := Screen(t.Context(), b.folder, "nobody", false); !errors.As(err, &unknown) {
		t.Errorf("the screen of a machine that there is not: %v", err)
	}
	b.off()
	b.screens = make(chan net.Conn, 1)
	waiting := make(chan error, 1)
	go func() {
		_, err := Screen(t.Context(), b.folder, "debian", false)
		waiting <- err
	}()
	b.server.Close()
	if err := <-waiting; err == nil {
		t.Error("a screen is there after the run's end")
	}
}
