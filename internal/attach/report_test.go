package attach

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

// classroom is a class to which benches report.
type classroom struct {
	path    string
	callers chan *Caller
	lines   chan string
	over    chan error
	close   func()
}

func newClassroom(t *testing.T, have int) *classroom {
	t.Helper()
	return classroomAt(t, filepath.Join(t.TempDir(), "class"), have)
}

func classroomAt(t *testing.T, path string, have int) *classroom {
	t.Helper()
	g, err := OpenGate(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &classroom{path: path, callers: make(chan *Caller, 10), lines: make(chan string, 1000), over: make(chan error, 10)}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		err := g.Serve(ctx, func(ctx context.Context, caller *Caller) {
			c.callers <- caller
			c.over <- caller.Hear(have, func(line []byte) error {
				c.lines <- string(line)
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
	var once sync.Once
	c.close = func() {
		once.Do(func() {
			cancel()
			serving.Wait()
		})
	}
	t.Cleanup(c.close)
	return c
}

// hears waits for the next line, and returns its kind and text.
func (c *classroom) hears(t *testing.T) (kind, text string) {
	t.Helper()
	var e struct{ Event, Text, Answer, Title string }
	if err := json.Unmarshal([]byte(<-c.lines), &e); err != nil {
		t.Fatal(err)
	}
	return e.Event, e.Text + e.Answer + e.Title
}

// A class is told what concerns it from the beginning, and the end; not what a student types.
func TestReport(t *testing.T) {
	t.Parallel()
	b, c := newBench(t), newClassroom(t, 0)
	b.events.Emit(event.RunStarted{Title: "Lab"})
	b.events.Emit(event.Acted{Machine: "debian", Verb: "type", Text: "private"})
	b.server.Report(c.path)
	caller := <-c.callers
	if caller.UID != os.Getuid() || caller.Session != filepath.Base(b.folder) {
		t.Errorf("%+v reports", caller)
	}
	b.events.Emit(event.StepStarted{Title: "one", Narration: "long"})
	b.events.Emit(event.RunEnded{Records: "/home/nini"})
	b.events.Close()
	if err := <-c.over; err != nil {
		t.Error(err)
	}
	b.server.Close()
	close(c.lines)
	var all []string
	for line := range c.lines {
		all = append(all, line)
	}
	told := strings.Join(all, "\n")
	if len(all) != 3 || strings.Contains(told, "private") || strings.Contains(told, "long") || strings.Contains(told, "nini") {
		t.Errorf("told was\n%s", told)
	}
}

// A class that comes back hears what it has not kept.
func TestReportGoesOn(t *testing.T) {
	t.Parallel()
	b, c := newBench(t), newClassroom(t, 0)
	b.server.Report(c.path)
	b.events.Emit(event.Answered{Answer: "1"})
	if kind, text := c.hears(t); kind != "answered" || text != "1" {
		t.Errorf("heard %s %s", kind, text)
	}
	c.close()
	b.events.Emit(event.Answered{Answer: "2"})
	again := classroomAt(t, c.path, 1)
	if _, text := again.hears(t); text != "2" {
		t.Errorf("heard %s", text)
	}
}

// A class comes to a run's door as a guest: it looks, types where it is invited, and does
// nothing else.
func TestGuest(t *testing.T) {
	t.Parallel()
	b, c := newBench(t), newClassroom(t, 0)
	b.on()
	b.print("hello ")
	b.server.Report(c.path)
	caller := <-c.callers
	folder := filepath.Join(t.TempDir(), "door")
	closeDoor, err := caller.Door(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	if run, err := At(t.Context(), folder); err != nil || run.Title != "Lab" {
		t.Errorf("%+v, %v", run, err)
	}
	b.events.Emit(event.Keyed{Keys: "secret"})
	b.events.Emit(event.Notice{Text: "shown"})
	enough := errors.New("enough")
	err = Events(t.Context(), folder, func(line []byte) error {
		if strings.Contains(string(line), "secret") {
			t.Errorf("a guest is told %s", line)
		}
		return enough
	})
	if err != enough {
		t.Error(err)
	}
	var refused *RefusedError
	if err := Stop(t.Context(), folder); !errors.As(err, &refused) {
		t.Errorf("stop: %v", err)
	}
	if err := Command(t.Context(), folder, "do", ""); !errors.As(err, &refused) {
		t.Errorf("command: %v", err)
	}
	seat, err := Sit(t.Context(), folder, "debian", SeatOptions{Columns: 10, Rows: 10, Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	defer seat.Close()
	if said, err := seat.Next(); err != nil || string(said.Output) != "hello " {
		t.Errorf("%+v, %v", said, err)
	}
	if err := seat.Keys([]byte("x")); err != nil {
		t.Error(err)
	}
	if said, err := seat.Next(); err != nil || said.Note != "not invited" || !strings.Contains(said.Text, "invite") {
		t.Errorf("%+v, %v", said, err)
	}
	b.invited.Store(true)
	if err := seat.Keys([]byte("yes")); err != nil {
		t.Error(err)
	}
	if got := b.typed(3); got != "yes" {
		t.Errorf("typed is %q", got)
	}
	closeDoor()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the door is still there: %v", err)
	}
}

// Who says nonsense is sent away, also one that comes back uncalled.
func TestStrangersAtTheGate(t *testing.T) {
	t.Parallel()
	c := newClassroom(t, 0)
	for _, said := range []any{greeting{Op: "back", Call: "guessed"}, greeting{Op: "what"}, 7} {
		conn, err := net.Dial("unix", c.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeJSON(conn, frameRequest, said); err != nil {
			t.Error(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("%v was answered: %v", said, err)
		}
		conn.Close()
	}
	conn, err := net.Dial("unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	writeJSON(conn, frameRequest, greeting{Op: "report"})
	<-c.callers
	endless := make([]byte, longestFrame)
	for range 2 {
		writeFrame(conn, frameEvents, endless)
	}
	if err := <-c.over; !errors.Is(err, errBroken) {
		t.Errorf("an endless line: %v", err)
	}
	if _, err := OpenGate(c.path); err == nil || !strings.Contains(err.Error(), "another class") {
		t.Errorf("a second class: %v", err)
	}
}
