package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/script"
)

// jsonLines is a view of a guided run for a program: what happens goes out as JSON lines,
// each line that comes in is {"word": …, "text": …}, and a word that is refused is answered
// with {"refused": …}. All goes through the run's door, as it does for a page.
func jsonLines(ctx context.Context, session string, out io.Writer, in io.Reader) error {
	var writing sync.Mutex
	write := func(line []byte) error {
		writing.Lock()
		defer writing.Unlock()
		_, err := out.Write(append(line, '\n'))
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			var c struct{ Word, Text string }
			err := json.Unmarshal(lines.Bytes(), &c)
			if err == nil {
				err = attach.Command(ctx, session, c.Word, c.Text)
			}
			if err != nil && ctx.Err() == nil {
				refused, _ := json.Marshal(map[string]string{"refused": err.Error()})
				write(refused)
			}
		}
	}()
	return attach.Events(ctx, session, write)
}

// pupil does what the JSON lines ask for: types what is to be typed, at consoles like those
// of `labrun attach`, answers questions, and has labrun do what takes thinking.
type pupil struct {
	t       *testing.T
	session string
	say     io.Writer
	keys    map[string]io.Writer
	choices []string
}

func (p *pupil) word(word, text string) {
	line, _ := json.Marshal(map[string]string{"word": word, "text": text})
	p.say.Write(append(line, '\n'))
}

// types enters lines at a machine's console, which is opened the first time.
func (p *pupil) types(machine string, lines ...string) {
	if p.keys[machine] == nil {
		in, keys := io.Pipe()
		p.keys[machine] = keys
		go attach.View(p.t.Context(), p.session, machine, attach.Terminal{In: in, Out: io.Discard})
	}
	for _, line := range lines {
		fmt.Fprintf(p.keys[machine], "%s\n", line)
	}
}

// follows does what an event asks for.
func (p *pupil) follows(kind string, line []byte) {
	switch kind {
	case "instructed":
		var e event.Instructed
		if err := json.Unmarshal(line, &e); err != nil {
			p.t.Error(err)
		}
		switch {
		case e.Known:
		case e.Question && len(e.Choices) == 0:
			p.word("answer", "I do not know yet.")
		case e.Question:
			p.choices = e.Choices
			p.word("answer", "1")
		case e.Verb == "boot", e.Verb == "wait_prompt":
			p.types(e.Console, "")
		case e.Verb == "send" && e.Block != "":
			p.types(e.Console, e.Text)
		default:
			p.word("hint", "")
			p.word("do", "")
		}
	case "answered":
		var e event.Answered
		if json.Unmarshal(line, &e); e.Verdict == "wrong" {
			p.choices = p.choices[1:]
			p.word("answer", p.choices[0])
		}
	}
}

// A student is led through the first week by a view that is no terminal.
func TestJSONLines(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Mirror: os.Getenv("LABRUN_MIRROR")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	m, err := mission.Load(t.Context(), labrun.Missions(), "week1.star", "week1.star", script.Options{Images: lock.Names()})
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	progress, err := OpenProgress(state, m)
	if err != nil {
		t.Fatal(err)
	}
	defer progress.Close()
	running, err := Start(t.Context(), m, Options{
		Store: store, Events: &event.Log{}, State: state,
		Student: &Student{Progress: progress, Language: phrase.In("en"), Command: "week1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, events := io.Pipe()
	commands, say := io.Pipe()
	over := make(chan error, 1)
	go func() {
		over <- jsonLines(t.Context(), running.Session(), events, commands)
		events.Close()
	}()
	p := &pupil{t: t, session: running.Session(), say: say, keys: map[string]io.Writer{}}
	kinds := map[string]int{}
	stuck := time.AfterFunc(30*time.Minute, running.Stop)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var e struct{ Event string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		kinds[e.Event]++
		p.follows(e.Event, line)
	}
	stuck.Stop()
	say.Close()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if r := running.Wait(); r.Err != nil || r.Passed != 8 || kinds["step_ended"] != 8 || kinds["fulfilled"] < 12 || kinds["completed"] != 1 {
		t.Errorf("%d of %d steps (%v), events %v", r.Passed, r.Total, r.Err, kinds)
	}
}
