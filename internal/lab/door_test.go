package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/labtest/fakeqemu"
)

// TestTheDoorAnswers: whatever a lab is at that takes long, and is held up here until the
// run is stopped, its door answers.
func TestTheDoorAnswers(t *testing.T) {
	options := labtest.Options(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	held := image.StoreOptions{Dir: t.TempDir(), Lock: options.Lock, Recipes: fstest.MapFS{
		"debian/build": &fstest.MapFile{Data: []byte("read -r _ <'" + pipe + "'\n")},
	}}
	state := filepath.Join(t.TempDir(), "state")
	boot := func(ctx context.Context, l *Lab) error { return l.Boot(ctx, l.Machines()...) }
	switching := func(_ *testing.T, l *Lab) bool { return len(l.Machine("debian").power) == 1 }
	for _, scene := range []struct {
		name  string
		store image.StoreOptions
		begin func(t *testing.T, ctx context.Context, l *Lab) error // what takes long
		begun func(t *testing.T, l *Lab) bool                       // and is under way
	}{
		{"an image is built", held, func(_ *testing.T, ctx context.Context, l *Lab) error {
			return boot(ctx, l)
		}, func(t *testing.T, _ *Lab) bool {
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the recipe, which waits for what is written
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { writer.Close() })
			return true
		}},
		{"a machine boots", options, func(t *testing.T, ctx context.Context, l *Lab) error {
			fault(t, fakeqemu.Mute)
			return boot(ctx, l)
		}, switching},
		{"a state is saved", options, func(t *testing.T, ctx context.Context, l *Lab) error {
			fault(t, fakeqemu.Endless)
			if err := boot(ctx, l); err != nil {
				return err
			}
			return l.Checkpoint(ctx, state+".endless")
		}, func(*testing.T, *Lab) bool { _, err := os.Stat(state + ".endless/debian.state"); return err == nil }},
		{"a state is restored", options, func(t *testing.T, ctx context.Context, l *Lab) error {
			if err := errors.Join(boot(ctx, l), l.Checkpoint(ctx, state)); err != nil {
				return err
			}
			fault(t, fakeqemu.Endless)
			return l.Restore(ctx, state)
		}, func(_ *testing.T, l *Lab) bool {
			_, err := os.Stat(state + "/" + manifest)
			return err == nil && len(l.Machine("debian").power) == 1
		}},
	} {
		t.Run(scene.name, func(t *testing.T) {
			store, err := image.Open(scene.store)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			stopped := errors.New("stopped by another terminal")
			ctx, stop := context.WithCancelCause(context5(t))
			events := &event.Log{}
			events.Emit(event.RunStarted{Title: "Lab"})
			l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{fakeDebian}}, Options{
				Store: store, Events: events, Records: t.TempDir(), Cold: true,
				Mission: "lab.star", Title: "Lab", Stop: func() { stop(stopped) },
			})
			ended := make(chan error, 1)
			go func() { ended <- scene.begin(t, ctx, l) }()
			for !scene.begun(t, l) {
				select {
				case err := <-ended:
					t.Fatal("it ended by itself: ", err)
				case <-time.After(time.Millisecond):
				}
			}
			answers(t, ctx, l)
			left := make(chan error, 1)
			go func() { left <- attach.Stop(context5(t), l.Session()) }()
			if err := <-ended; !errors.Is(err, stopped) {
				t.Errorf("it ended with %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if err := <-left; err != nil {
				t.Errorf("who stopped it: %v", err)
			}
		})
	}
}

// fault has debian's QEMU fail from its next start on.
func fault(t *testing.T, f fakeqemu.Fault) {
	t.Helper()
	t.Setenv(fakeqemu.Faults, fmt.Sprintf("debian=%s", f))
}

// answers asks the door for all that it tells without a machine.
func answers(t *testing.T, ctx context.Context, l *Lab) {
	t.Helper()
	var found []attach.Found
	for len(found) == 0 && ctx.Err() == nil { // on a busy computer, it may have been too late
		found = attach.Find(ctx, filepath.Dir(l.Session()))
	}
	if len(found) != 1 || found[0].Title != "Lab" || len(found[0].Machines) != 1 {
		t.Errorf("ps finds %+v", found)
	}
	var seen strings.Builder
	err := attach.View(ctx, l.Session(), "debian", attach.Terminal{In: strings.NewReader("\x1d"), Out: &seen})
	if err != nil || !strings.Contains(seen.String(), "this is the console of debian") {
		t.Errorf("attach sees %q, %v", seen.String(), err)
	}
	enough := errors.New("enough")
	err = attach.Events(ctx, l.Session(), func(line []byte) error {
		if !strings.Contains(string(line), `"event":"run_started"`) {
			t.Errorf("the first event is %s", line)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("events: %v", err)
	}
	if err := attach.Command(ctx, l.Session(), "hint", ""); err == nil || err.Error() != attach.ErrNoStudent.Error() {
		t.Errorf("a command is answered with %v", err)
	}
}
