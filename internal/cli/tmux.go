package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/lab"
)

// wide is from how many columns on the consoles fit beside the guide.
const wide = 140

// insideTmux runs this labrun again inside a tmux of its own, which ends with
// it. The exit code is the inner one's.
func (p *program) insideTmux(ctx context.Context) error {
	in := p.keyboard()
	if in == nil {
		return &usageError{"--tmux needs a terminal: without it, --guide works in a pipe as well"}
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		return &environmentError{
			errors.New(
				"--tmux: tmux is not installed: `sudo apt-get install tmux` installs it; without --tmux, `labrun attach NAME` in another terminal does the same",
			),
		}
	}
	folder, err := os.MkdirTemp("", "labrun-tmux-")
	if err != nil {
		return &environmentError{err}
	}
	defer os.RemoveAll(folder)
	result := filepath.Join(folder, "result")
	self, err := os.Executable()
	if err != nil {
		return &environmentError{err}
	}
	// What the guide said last is read before its pane is gone.
	script := `"$0" "$@"; echo $? >"$LABRUN_TMUX_RESULT"; printf '\n[labrun: Enter closes this] '; read -r _`
	args := append([]string{"-S", filepath.Join(folder, "socket"), "new-session", "sh", "-c", script, self}, p.args...)
	args = append(args, ";", "set-option", "-g", "mouse", "on") // a click chooses a pane
	tmux := exec.CommandContext(ctx, "tmux", args...)
	tmux.Stdin, tmux.Stdout, tmux.Stderr = in, in, p.Err
	tmux.Env = append(os.Environ(), "LABRUN_TMUX_RESULT="+result)
	if err := tmux.Run(); err != nil {
		return &environmentError{fmt.Errorf("--tmux: run tmux: %w", err)}
	}
	data, err := os.ReadFile(result)
	if err != nil {
		return errReported(exitInterrupted) // tmux was closed under it
	}
	code, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || code == exitPassed {
		return err
	}
	return errReported(code)
}

// openPanes opens a pane beside the guide's for each machine's console. They are
// closed by what is returned.
func (p *program) openPanes(ctx context.Context, l *lab.Lab) (done func()) {
	self, err := os.Executable()
	if err != nil {
		return func() {}
	}
	tmux := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "tmux", args...).Output()
		if err != nil {
			return ""
		}
		return string(bytes.TrimSpace(out))
	}
	var panes []string
	own := p.Getenv("TMUX_PANE")
	last := own
	for _, m := range l.Stations() {
		// Each pane names its console, and stays out of the guide's focus.
		pane := tmux(
			"split-window", "-d", "-t", last, "-P", "-F", "#{pane_id}", self, "attach", "--lang", p.spoken(),
			filepath.Base(l.Session())+"/"+m.Name(),
		)
		if pane == "" {
			continue
		}
		panes, last = append(panes, pane), pane
		tmux("select-pane", "-t", pane, "-T", m.Name())
		tmux("select-layout", "-t", own, layout(p.width()))
	}
	// tmux tells the program in a pane of its new size a little later.
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline) && tmux(
		"display-message", "-p", "-t", own, "#{pane_width}",
	) != strconv.Itoa(p.width()); {
		time.Sleep(20 * time.Millisecond)
	}
	tmux("set-option", "-w", "-t", own, "pane-border-status", "top")
	tmux("select-pane", "-t", own, "-T", "labrun")
	return func() {
		for _, pane := range panes {
			exec.Command("tmux", "kill-pane", "-t", pane).Run() // it may have ended by itself
		}
	}
}

func layout(columns int) string {
	if columns >= wide/2 { // the guide's pane has been split already
		return "main-vertical"
	}
	return "main-horizontal"
}
