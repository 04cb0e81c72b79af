package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
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
		if err := m.Login(ctx, "", ""); err != nil {
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
	if err := c.Send(ctx, "目錄\n"); err == nil || !strings.Contains(err.Error(), `"目" has no key`) {
		t.Errorf("typing Chinese: %v", err)
	}
	if _, err := m.Run(ctx, "true", time.Minute); !errors.Is(err, errOnlyScreen) {
		t.Errorf("run: %v", err)
	}
}

// No letter is lost, however much is typed: 63 letters, again and again.
func TestScreenLosesNoKey(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, m := screenAlone(t)
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	times := 5
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
