package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/screen/screentest"
)

// screenAlone boots a lab of one machine with a screen and no serial port, and waits for its shell's prompt:
// a real one of one sector, or with -short a fake with Linux.
func screenAlone(t *testing.T) (context.Context, *Lab, *Machine) {
	t.Helper()
	ctx := context5(t)
	var store *image.Store
	name := "tiny"
	if testing.Short() {
		store, name = labtest.Store(t), "crt"
	} else {
		store = labtest.Tiny(t)
	}
	l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "pc", Image: name}}}, Options{Store: store, Records: t.TempDir()})
	m := l.Machine("pc")
	if err := l.Boot(ctx, m); err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		if err := m.Own().Login(ctx, "", ""); err != nil {
			t.Fatal(err)
		}
	} else if _, err := m.WaitPrompt(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, l, m
}

// sayVersion is a command of either machine, and what it prints.
func sayVersion() (command, prints string) {
	if testing.Short() {
		return "echo tiny 1.0", "tiny 1.0\n"
	}
	return "ver", "tiny 1.0\n"
}

// What is done at a serial console is done at a screen.
func TestScreenIsAConsole(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, m := screenAlone(t)
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	command, prints := sayVersion()
	if err := c.Send(ctx, command+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.Finished(ctx); err != nil {
		t.Fatal(err)
	}
	if out := c.Output(); out != prints {
		t.Errorf("%s prints %q, want %q", command, out, prints)
	}
	// A person corrects what they type.
	if err := c.Relay(ctx, []byte("xyz\x7f\x7f\x7f"+command+"\r")); err != nil {
		t.Fatal(err)
	}
	if err := c.Finished(ctx); err != nil {
		t.Fatal(err)
	}
	if out, line := c.Output(), c.LastLine(); out != prints || line.Text != command {
		t.Errorf("a person types %q, which prints %q", line.Text, out)
	}
	if err := c.Relay(ctx, []byte("目")); err == nil {
		t.Error("a person types Chinese")
	}
	if err := c.Relay(ctx, []byte(command)); err != nil {
		t.Fatal(err)
	}
	seen(t, ctx, m, prompt()+" "+command)
	if err := c.Relay(ctx, []byte("\r")); err != nil {
		t.Fatal(err)
	}
	if err := c.Finished(ctx); err != nil {
		t.Fatal(err)
	}
	if out, line := c.Output(), c.LastLine(); out != prints || line.Text != command {
		t.Errorf("a person types %q after that, which prints %q", line.Text, out)
	}
	if err := c.Send(ctx, "目錄\n"); err == nil || !strings.Contains(err.Error(), `"目" has no key`) {
		t.Errorf("typing Chinese: %v", err)
	}
	if _, err := m.Run(ctx, "true", time.Minute); !errors.Is(err, errOnlyScreen) {
		t.Errorf("run: %v", err)
	}
}

// A command that fills the screen leaves it as it was after the same one before, and is nevertheless seen to be over.
func TestScreenThatEndsAsItWas(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, m := screenAlone(t)
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	fill := "lines"
	if testing.Short() {
		fill = "seq 40"
	}
	for range 10 {
		if err := c.Send(ctx, fill+"\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WaitPrompt(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// late returns what somebody sees who sits down at a console now, at a terminal of the screen's size, and is told the
// last bytes only.
func late(t *testing.T, c *console.Console, last int) string {
	t.Helper()
	said, _, err := c.Follow(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	said = said[max(0, len(said)-last):]
	e := vt.NewEmulator(80, 25)
	defer e.Close()
	if _, err := e.Write(bytes.ReplaceAll(said, []byte("\x1bE"), []byte("\r\n"))); err != nil { // the emulator does not know ESC E
		t.Fatal(err)
	}
	var rows []string
	for y := range 25 {
		row := ""
		for x := range 80 {
			if cell := e.CellAt(x, y); cell != nil {
				row += cell.Content
			}
		}
		rows = append(rows, strings.TrimRight(row, " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// seen fails unless a machine's screen ends in a text, and whoever comes late sees the same.
func seen(t *testing.T, ctx context.Context, m *Machine, ends string) {
	t.Helper()
	now, err := m.AwaitSight(ctx, ends, func(s Sight) bool { return strings.HasSuffix(s.Lines(), ends) })
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.current()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.screen.settle(ctx); err != nil {
		t.Fatal(err)
	}
	if terminal := late(t, g.console, math.MaxInt); !strings.HasSuffix(terminal, now.Lines()) {
		t.Errorf("who comes late sees\n%s\nand on the screen is\n%s", terminal, now.Lines())
	}
}

// A machine with a screen goes back to where it was, with viewers before and after; and who comes late sees
// the screen, too, when the console has forgotten how it began.
func TestScreenCheckpoint(t *testing.T) {
	labtest.Parallel(t)
	ctx, l, m := screenAlone(t)
	typeAt(t, ctx, m, "first thing")
	seen(t, ctx, m, prompt())
	if !testing.Short() {
		viewer, err := viewerSide{l}.machines["pc"].guest.qemu().Viewer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer viewer.Close()
	}
	dir := filepath.Join(t.TempDir(), "one")
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	before, err := m.Look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		typeAt(t, ctx, m, "second thing")
		seen(t, ctx, m, prompt())
		if err := l.Restore(ctx, dir); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WaitPrompt(ctx); err != nil {
			t.Fatal(err)
		}
		seen(t, ctx, m, before.Lines())
		c, err := m.Console()
		if err != nil {
			t.Fatal(err)
		}
		if tail := c.Tail(100); strings.Contains(tail, "second thing") || strings.Count(tail, "first thing") != strings.Count(before.Lines(), "first thing") {
			t.Errorf("the restored console says\n%s", tail)
		}
	}
}

// television is a device on whose screen ever more lines come.
type television struct {
	mu    sync.Mutex
	lines []string
}

func (d *television) print(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
	d.lines = d.lines[max(0, len(d.lines)-25):]
}

func (d *television) Screenshot(context.Context) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return screentest.Picture(screentest.Text(d.lines...)), nil
}

func (d *television) ReadMemory(context.Context, uint64, int) ([]byte, error) {
	return screentest.ROM(), nil
}

func (d *television) PressKeys(context.Context, [][]string) error { return nil }

// The screen is painted again and again for those who come late, when the console has forgotten how it began, and is no news to those who wait.
func TestScreenIsPaintedAgain(t *testing.T) {
	t.Parallel()
	d := &television{lines: []string{""}}
	ended := make(chan struct{})
	s := newScreenPort(d, ended, replay{}, false, nil)
	c := console.New(s, console.Options{Name: "pc"})
	defer c.Close()
	defer close(ended)
	const lines = 1500
	for i := range lines {
		d.print(fmt.Sprintf("%070d", i))
		if i%24 == 0 || i == lines-1 {
			if err := s.settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	now, _, _ := s.present()
	if terminal := late(t, c, repaintEvery+8<<10); terminal != now.Lines() {
		t.Errorf("who comes late sees\n%s\nand on the screen is\n%s", terminal, now.Lines())
	}
	for i, line := range strings.Split(strings.TrimSpace(c.Tail(100)), "\n") {
		if want := fmt.Sprintf("%070d", lines-100+i); line != want {
			t.Fatalf("a line says %q, want %q", line, want)
		}
	}
}

func prompt() string {
	if testing.Short() {
		return "crt:~#"
	}
	return "tiny>"
}

// No letter is lost, however much is typed: 63 letters, again and again.
func TestScreenLosesNoKey(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, m := screenAlone(t)
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	times := 2
	if *repeat > 0 {
		times = *repeat
	}
	letters := strings.Repeat("abcdefghijklmnopqrstuvwxyz0123456789", 2)[:60]
	for i := range times {
		began := time.Now()
		line := fmt.Sprintf("%s%03d", letters, i)
		if err := c.Send(ctx, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Expect(ctx, console.Text(line)); err != nil { // the guest says that it knows no such command
			t.Fatal(err)
		}
		if *repeat > 0 {
			t.Logf("%d: %v", i, time.Since(began))
		}
		if _, err := m.WaitPrompt(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// Nor is one lost that is typed while the machine stands still to be saved.
func TestScreenLosesNoKeyWhileSaved(t *testing.T) {
	labtest.Parallel(t)
	ctx, l, m := screenAlone(t)
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		saved := make(chan error, 1)
		go func() { saved <- l.Checkpoint(ctx, filepath.Join(t.TempDir(), "state")) }()
		line := fmt.Sprintf("abcdefghijklmnopqrstuvwxyz%03d", i)
		if err := c.Relay(ctx, []byte(line+"\r")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Expect(ctx, console.Text(line)); err != nil { // the guest says that it knows no such command
			t.Fatal(err)
		}
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
		if _, err := m.WaitPrompt(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
