package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/screen"
)

// NoScreenError says that a machine has no screen to look at.
type NoScreenError struct{ Machine string }

func (e *NoScreenError) Error() string {
	return fmt.Sprintf("%s has no screen: its console is a serial port, which output, wait_for and assert_contains read",
		e.Machine)
}

// A SightError is a wait for something on a screen that ended without it.
type SightError struct {
	Machine string
	Want    string // in words
	Cause   error  // the context's cause, or why the machine ended
	Shown   string // what was on the screen, in words
	Waited  time.Duration
}

func (e *SightError) Error() string {
	waited := e.Waited.Round(10 * time.Millisecond)
	if errors.Is(e.Cause, context.DeadlineExceeded) {
		return fmt.Sprintf("wait on %s's screen for %s: nothing of the kind within %v; %s", e.Machine, e.Want, waited, e.Shown)
	}
	return fmt.Sprintf("wait on %s's screen for %s, %v long: %v; %s", e.Machine, e.Want, waited, e.Cause, e.Shown)
}

// Unwrap returns the cause.
func (e *SightError) Unwrap() error { return e.Cause }

// Lines is the text that stands there, without the blank rows at its end; of graphics it is a note
// that says so.
func (s Sight) Lines() string {
	switch {
	case s.Text != nil:
		return strings.TrimRight(s.Text.String(), "\n")
	case s.Picture == nil:
		return ""
	}
	return fmt.Sprintf("[graphics %d×%d]", s.Picture.Width, s.Picture.Height)
}

// Describe says what is on the screen, for errors.
func (s Sight) Describe() string {
	text := s.Lines()
	switch {
	case s.Text == nil && text != "":
		return "it shows graphics, " + strings.Trim(text, "[]")[len("graphics "):]
	case strings.TrimSpace(text) == "":
		return "the screen is empty"
	}
	return "it shows:\n    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// screenOf returns the machine's present incarnation, if that has a screen.
func (m *Machine) screenOf() (*guest, error) {
	g, err := m.current()
	switch {
	case err != nil:
		return nil, err
	case g.screen == nil:
		return nil, &NoScreenError{m.Name()}
	case g.process.Exit() != nil:
		return nil, g.process.Exit()
	}
	return g, nil
}

// Look returns what is on the machine's screen now.
func (m *Machine) Look(ctx context.Context) (Sight, error) {
	g, err := m.screenOf()
	if err != nil {
		return Sight{}, err
	}
	return g.screen.look(ctx)
}

// lookWaiting is how often a screen that stands still is looked at while somebody waits for
// something there.
const lookWaiting = 100 * time.Millisecond

// AwaitSight waits until what is on the machine's screen is as it is wanted, which is said in
// words for the error, a *[SightError], with the last sight.
func (m *Machine) AwaitSight(ctx context.Context, want string, holds func(Sight) bool) (Sight, error) {
	g, err := m.screenOf()
	if err != nil {
		return Sight{}, err
	}
	began := time.Now()
	var last Sight
	for {
		_, _, changed := g.screen.present()
		now, err := g.screen.look(ctx)
		if err == nil {
			last = now
			if holds(now) {
				return now, nil
			}
		}
		pause := time.NewTimer(lookWaiting)
		select {
		case <-changed:
		case <-pause.C:
		case <-g.failed:
			err = g.process.Exit()
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		pause.Stop()
		if err != nil {
			return last, &SightError{m.Name(), want, err, last.Describe(), time.Since(began)}
		}
	}
}

// Click clicks with the mouse's left button at a place of the machine's screen, in pixels of
// its picture.
func (m *Machine) Click(ctx context.Context, x, y int) error {
	g, err := m.screenOf()
	if err != nil {
		return err
	}
	now, err := g.screen.look(ctx)
	if err != nil {
		return err
	}
	if bounds := now.Picture.Bounds(); !image.Pt(x, y).In(bounds) {
		return fmt.Errorf("%d,%d is outside of %s's screen, which has %d×%d pixels", x, y, m.Name(), bounds.Dx(), bounds.Dy())
	}
	g.screen.hurry()
	return g.qemu().Click(ctx, x, y, now.Picture.Width, now.Picture.Height)
}

// KeepPicture puts a picture into the run's records, as NAME.png, and returns the file's path;
// empty if the run has no place for it.
func (l *Lab) KeepPicture(name string, p *screen.Picture) (string, error) {
	folder := l.options.Pictures
	if folder == "" {
		folder = l.options.Records
	}
	if folder == "" {
		return "", nil
	}
	var file bytes.Buffer
	if err := p.PNG(&file); err != nil {
		return "", err
	}
	path := filepath.Join(folder, name+".png")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return path, renameio.WriteFile(path, file.Bytes(), 0o600)
}

// stepLook bounds how long a step's end waits for the pictures of it.
const stepLook = 5 * time.Second

// KeepStep keeps what is on the machines' screens where a step has ended, also one that has
// failed or was given up, and tells of it. What cannot be kept is left out: no run depends on it.
func (l *Lab) KeepStep(ctx context.Context, number int) {
	if l.options.Records == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepLook)
	defer cancel()
	for _, m := range l.Machines() {
		now, err := m.Look(ctx)
		if err != nil {
			continue // it has no screen, or is off
		}
		if file, err := l.KeepPicture(fmt.Sprintf("step-%d-%s", number, m.Name()), now.Picture); err == nil {
			l.options.Events.Emit(event.Pictured{Machine: m.Name(), File: filepath.Base(file)})
		}
	}
}
