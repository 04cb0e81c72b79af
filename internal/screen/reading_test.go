package screen_test

import (
	"context"
	"fmt"
	"image"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/screen"
	"github.com/labrun/labrun/internal/screen/screentest"
)

// A watched machine is looked at as a lab does: its stream goes to a console, and to a terminal.
type watched struct {
	*machine
	t        *testing.T
	stream   screen.Stream
	terminal *terminal
	console  *console.Console
	port     net.Conn
}

func watch(t *testing.T) *watched {
	near, far := net.Pipe()
	w := &watched{machine: newMachine(1), t: t, terminal: newTerminal(80, 25), port: far}
	w.console = console.New(near, console.Options{Name: "pc", Prompts: console.Prompts{Shell: regexp.MustCompile(`^(\S*[:~/]\S* ?)?[#$] $`)}})
	t.Cleanup(func() {
		w.console.Close()
		far.Close()
	})
	return w
}

// look looks at the screen while the cursor is to be seen, and blink while it is not.
func (w *watched) look() {
	w.Cursor = image.Pt(min(w.x, w.Columns-1), w.y)
	w.take()
}

func (w *watched) blink() {
	w.Cursor = screen.NoCursor
	w.take()
}

func (w *watched) take() {
	w.t.Helper()
	now := *w.Text
	now.Cells = append([]screen.Cell(nil), w.Cells...)
	sent := next(&w.stream, &now)
	w.terminal.send(sent)
	if d := w.terminal.differs(&now, 0); d != "" {
		w.t.Fatal(d)
	}
	if len(sent) == 0 {
		return
	}
	printed := w.console.Printed()
	if _, err := w.port.Write(sent); err != nil {
		w.t.Fatal(err)
	}
	for end := printed + int64(len(sent)); printed < end; {
		var err error
		if _, printed, err = w.console.Follow(w.t.Context(), printed); err != nil {
			w.t.Fatal(err)
		}
	}
}

// shows writes text and looks.
func (w *watched) shows(text string) {
	w.t.Helper()
	w.write(text)
	w.look()
}

// reads compares the whole text of the console.
func (w *watched) reads(want string) {
	w.t.Helper()
	if got := w.console.Since(0); got != want {
		w.t.Errorf("the console reads\n%q\nwant\n%q", got, want)
	}
}

func TestReadAShell(t *testing.T) {
	w := watch(t)
	w.shows("Welcome\n\npc:~$ ")
	for _, key := range "lsx" {
		w.write(string(key))
		w.blink()
	}
	w.shows("\b \b")
	w.shows(" -l")
	w.shows("\none\ntwo\npc:~$ ")
	w.reads("Welcome\n\npc:~$ ls -l\none\ntwo\npc:~$ ")
}

func TestReadAScreenThatScrolls(t *testing.T) {
	w := watch(t)
	w.shows("$ ")
	want := "$ "
	for i := range 40 {
		w.write(fmt.Sprintf("echo %d", i))
		w.look()
		w.write(fmt.Sprintf("\n%d\n$ ", i))
		w.look()
		want += fmt.Sprintf("echo %d\n%d\n$ ", i, i)
	}
	w.write("seq 20")
	want += "seq 20"
	for i := range 20 {
		w.write(fmt.Sprintf("\n%d", i+1))
		want += fmt.Sprintf("\n%d", i+1)
		if i%7 == 0 {
			w.blink()
		}
	}
	w.shows("\n$ ")
	w.reads(want + "\n$ ")
}

func TestAPromptIsAllThatScrolls(t *testing.T) {
	w := watch(t)
	w.shows(strings.Repeat("text\n", 24) + "$ ")
	w.shows("\n$ ")
	w.shows("\n$ ")
	w.reads(strings.Repeat("text\n", 24) + "$ \n$ \n$ ")
}

func TestABlankBehindAPromptComesWithTheCursor(t *testing.T) {
	w := watch(t)
	w.write("grub> ")
	w.blink()
	w.reads("grub>")
	w.look()
	w.reads("grub> ")
	w.write("ls ")
	w.blink()
	w.reads("grub> ls")
	w.look()
	w.write("\b")
	w.look()
	w.shows("x")
	w.reads("grub> lsx")
}

func TestALineThatIsLongerThanTheScreen(t *testing.T) {
	long := "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group defaulted qlen 1000"
	w := watch(t)
	w.shows("$ ip a\n" + long + "\n$ ")
	w.reads("$ ip a\n" + long + "\n$ ")

	w = watch(t)
	w.shows("$ ") // it is typed
	for _, r := range long {
		w.shows(string(r))
	}
	w.reads("$ " + long)

	w = watch(t)
	w.shows(strings.Repeat("=", 80) + "\ntitle\n" + strings.Repeat("─", 80) + "│")
	w.reads(strings.Repeat("=", 80) + "\ntitle\n" + strings.Repeat("─", 80) + "\n│")
}

func TestAMenuInWhichTheSelectionMoves(t *testing.T) {
	w := watch(t)
	draw := func(selected int) {
		for i, entry := range []string{"Debian", "Memory test"} {
			w.x, w.y = 2, 3+i
			if i == selected {
				w.foreground, w.background = 0, 7
			}
			w.write(fmt.Sprintf("%-20s", entry))
			w.foreground, w.background = 7, 0
		}
		w.x, w.y = 2, 3+selected
	}
	draw(0)
	w.look()
	w.reads("\n\n\n  Debian              \n  Memory test\n  Debian              ")
	draw(1)
	w.look()
	w.reads("\n\n\n  Debian              \n  Memory test\n  Debian              \n  Debian\n  Memory test         ")
}

func TestNumbersThatChangeAllOver(t *testing.T) {
	w := watch(t)
	draw := func(n int) {
		for row := range 25 {
			w.x, w.y = 0, row
			w.write(fmt.Sprintf("Test %d: %d", row, n*row))
		}
		w.blink()
	}
	draw(1)
	first := w.console.Since(0)
	draw(2)
	var want strings.Builder
	for row := 1; row < 25; row++ {
		fmt.Fprintf(&want, "\nTest %d: %d", row, 2*row)
	}
	w.reads(first + want.String())
}

func TestAClearedScreen(t *testing.T) {
	w := watch(t)
	w.shows("one\ntwo\nthree\n$ clear")
	w.machine.Cells, w.x, w.y = screentest.Text().Cells, 0, 0
	w.shows("$ ")
	w.reads("one\ntwo\nthree\n$ clear\n$ ")
}

func TestAScreenThatIsFullWhenItIsFirstSeen(t *testing.T) {
	w := watch(t)
	for i := range 30 {
		w.write(fmt.Sprintf("line %d\n", i))
	}
	w.shows("$ ")
	if got := w.console.Since(0); !strings.HasPrefix(got, "line 6\nline 7\n") || !strings.HasSuffix(got, "line 29\n$ ") {
		t.Errorf("the console reads %q", got)
	}
}

func TestLinesThatAreLost(t *testing.T) {
	w := watch(t)
	w.shows("$ seq 100")
	for i := range 100 {
		w.write(fmt.Sprintf("\n%d", i+1))
	}
	w.shows("\n$ ")
	var rest strings.Builder
	for i := 77; i <= 100; i++ {
		fmt.Fprintf(&rest, "%d\n", i)
	}
	w.reads("$ seq 100\n" + screen.Lost + "\n" + rest.String() + "$ ")
}

// A clock that runs on the screen takes a prompt from nobody.
func TestAPromptIsTheLastThatIsRead(t *testing.T) {
	w := watch(t)
	w.shows("\n\npc:~$ ")
	for i := range 3 {
		x, y := w.x, w.y
		w.x, w.y = 70, 0
		w.write(fmt.Sprintf("12:00:0%d", i))
		w.x, w.y = x, y
		w.look()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.console.Ready(ctx); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(w.console.Since(0), "\npc:~$ ") {
		t.Errorf("the console reads %q", w.console.Since(0))
	}
}

func TestGraphicsAndBack(t *testing.T) {
	w := watch(t)
	w.shows("one\n$ ")
	p := &screen.Picture{Width: 640, Height: 480, Pix: make([]byte, 3*640*480)}
	if sent := w.stream.Graphics(p); sent != nil {
		t.Errorf("a black picture sends %q", sent)
	}
	p.Pix[1000] = 0xff
	sent := w.stream.Graphics(p)
	w.terminal.send(sent)
	if !strings.Contains(w.terminal.String(), "[graphics 640×480") || strings.Contains(w.terminal.String(), "one") {
		t.Errorf("the terminal shows %s", w.terminal)
	}
	if sent := w.stream.Graphics(p); sent != nil {
		t.Errorf("once more it sends %q", sent)
	}
	w.look()
}
