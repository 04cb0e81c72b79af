package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/phrase"
)

// desk is a student's terminal, and machines that only note what is done to them.
type desk struct {
	t        *testing.T
	g        *guide.Dialogue
	view     *View
	typing   *io.PipeWriter
	out      buffer
	progress *guide.Progress
	events   []event.Event
	log      *event.Log

	mu        sync.Mutex
	restarted []string
	typed     string // at a console in this terminal
	broken    error
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (d *desk) Names() []string    { return []string{"router7", "debian"} }
func (d *desk) Consoles() []string { return []string{"router7", "debian"} }
func (d *desk) Viewers(string) int { return 1 }
func (d *desk) Restart(_ context.Context, machine string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.restarted = append(d.restarted, machine)
	return d.broken
}

// Open takes keys until a Ctrl-].
func (d *desk) Open(_ context.Context, machine string, keys io.Reader, done <-chan struct{}, note string) error {
	if d.broken != nil {
		return d.broken
	}
	key := make([]byte, 1)
	for {
		if _, err := keys.Read(key); err != nil || key[0] == 0x1d {
			return nil
		}
		d.mu.Lock()
		d.typed += string(key)
		d.mu.Unlock()
	}
}

var threeSteps = []guide.Step{
	{Name: "one", Title: "The first", Narration: "Some *text*."},
	{Name: "two", Title: "The second"},
	{Name: "three", Title: "The third"},
}

// course is a mission of three steps in one language.
type course struct{}

func (course) Title() string              { return "Week 1" }
func (course) GuideSteps() []guide.Step   { return threeSteps }
func (course) Languages() []string        { return []string{"en"} }
func (course) Forms(text string) []string { return []string{text} }

func (course) TellIn(tag string) (bool, error) { return tag == "en", nil }

func newDesk(t *testing.T, language string) *desk {
	t.Helper()
	progress, err := guide.OpenProgress(t.TempDir(), "/labs/test.star")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { progress.Close() })
	in, typing := io.Pipe()
	t.Cleanup(func() { typing.Close() })
	d := &desk{t: t, typing: typing, progress: progress}
	log := &event.Log{}
	log.Attach(func(r event.Record) { d.events = append(d.events, r.Event) })
	d.g = guide.New(guide.Options{
		Language: phrase.In(language), Mission: course{}, Minutes: 30, Command: "test.star", Events: log, Progress: progress, Machines: d,
	})
	d.view = New(Options{In: in, Out: &d.out, Width: func() int { return 80 }, Machines: d}, d.g)
	log.Attach(d.view.Record)
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { d.view.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		listening.Wait()
	})
	d.log = log
	return d
}

// begins has a step begin, as a mission does.
func (d *desk) begins(index int) {
	d.g.StepStarted(event.StepStarted{Index: index + 1, Total: len(threeSteps)})
	d.g.BeginStep(index)
}

// ends has the present step end, as a mission does.
func (d *desk) ends(index int, state guide.State) guide.Record {
	record := d.g.EndStep(state)
	d.log.Emit(event.StepEnded{
		Index: index + 1, Total: len(threeSteps), Passed: record.State != guide.Left, Skipped: record.State == guide.Skipped,
	})
	return record
}

// says types a line at the guide.
func (d *desk) says(line string) {
	if _, err := io.WriteString(d.typing, line+"\n"); err != nil {
		d.t.Error(err)
	}
}

// reads waits for text on the terminal.
func (d *desk) reads(text string) {
	d.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !strings.Contains(d.out.String(), text); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%q never came, only:\n%s", text, d.out.String())
		}
	}
}

var send = guide.Instruction{Verb: "send", Console: "debian", Text: "ip a", Show: guide.Plain("On debian, type:"), Block: "ip a", Hints: []guide.Text{guide.Plain("a nudge"), guide.Plain("the answer")}, Solve: true}

// await runs an Await while the test plays the student.
func (d *desk) await(i guide.Instruction, watch func(context.Context) error, student func()) (guide.Outcome, error) {
	d.t.Helper()
	playing := make(chan struct{})
	go func() { defer close(playing); student() }()
	outcome, err := d.g.Await(d.t.Context(), i, watch)
	<-playing
	return outcome, err
}

func TestWordsWhileWaiting(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name    string
		said    []string
		i       guide.Instruction
		outcome guide.Outcome
		err     error
		shows   []string
	}{
		{"do", []string{"do"}, send, guide.ByLabrun, nil, []string{"> On debian, type:\n    ip a\n", "labrun does it for you"}},
		{"skip", []string{"S"}, send, guide.ByLabrun, nil, []string{"the rest of this step"}},
		{"redo", []string{"redo"}, send, guide.ByStudent, guide.ErrRedo, nil},
		{"quit", []string{"q"}, send, guide.ByStudent, guide.ErrQuit, nil},
		{"in Chinese", []string{"提示", "離開"}, send, guide.ByStudent, guide.ErrQuit, []string{"Hint 1 of 2: a nudge"}},
		{"hints to the end", []string{"hint", "h", "hint", "do"}, send, guide.ByLabrun, nil,
			[]string{"Hint 1 of 2: a nudge", "Hint 2 of 2: the answer", "That was the last hint"}},
		{"no hint", []string{"hint", "quit"}, guide.Instruction{Show: guide.Plain("x")}, guide.ByStudent, guide.ErrQuit, []string{"There is no hint for this"}},
		{"nothing to do", []string{"do", "skip", "ok", "next", "quit"}, guide.Instruction{Show: guide.Plain("x")}, guide.ByStudent, guide.ErrQuit,
			[]string{"nothing that labrun could do", "nothing to say ok to", "I do not know «next»"}},
		{"a command for a machine", []string{"ip a", "quit"}, send, guide.ByStudent, guide.ErrQuit, []string{"I do not know «ip a»", "typed at its console"}},
		{"help and text", []string{"?", "text", "steps", "quit"}, send, guide.ByStudent, guide.ErrQuit,
			[]string{"a hint; each further one tells more", "Step 1 of 3: The first", "1. The first (you are here)", "3. The third (to come)"}},
		{"ok", []string{"ok"}, guide.Instruction{Show: guide.Plain("x"), Agree: true}, guide.Agreed, nil, nil},
		{"next", []string{"next"}, guide.Instruction{Show: guide.Plain("x"), Leave: true}, guide.ByStudent, guide.ErrLeave, nil},
		{"check", []string{"c"}, guide.Instruction{Show: guide.Plain("x"), Again: true}, guide.ByStudent, nil, nil},
		{"language", []string{"language", "language klingon", "語言 zh-TW", "quit"}, send, guide.ByStudent, guide.ErrQuit,
			[]string{"Which language? There are: en, zh-TW.", "There is no language klingon here.",
				"從現在起用正體中文。\n\n## 第 1 步，共 3 步：The first\n\nSome *text*.\n這個任務還沒有翻譯，所以任務本身的文字維持原樣。\n\n> On debian, type:\n    ip a\n"}},
		{"restart", []string{"restart", "restart alpine", "restart debian"}, send, guide.ByStudent, guide.ErrRetry,
			[]string{"restart which machine?", "no machine called alpine", "debian is switched off and on"}},
		{"Enter shows it again", []string{"", "quit"}, send, guide.ByStudent, guide.ErrQuit, []string{"> On debian, type:\n    ip a\n\n> On debian, type:"}},
		{"the watch fails", nil, send, guide.ByStudent, boom, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, "en")
			d.begins(0)
			watch := guide.Forever
			if tt.err == boom {
				watch = func(context.Context) error { return boom }
			}
			outcome, err := d.await(tt.i, watch, func() {
				if len(tt.said) > 0 && tt.i.Show != nil {
					d.reads("> " + tt.i.Show.String())
				}
				for _, line := range tt.said {
					d.says(line)
				}
			})
			if outcome != tt.outcome || !errors.Is(err, tt.err) {
				t.Errorf("outcome %v, error %v, want %v, %v", outcome, err, tt.outcome, tt.err)
			}
			for _, want := range tt.shows {
				if !strings.Contains(d.out.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, d.out.String())
				}
			}
		})
	}
}

// What is done already is not asked for.
func TestDoneAlready(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	i := send
	i.Delay = time.Hour
	if outcome, err := d.g.Await(t.Context(), i, func(context.Context) error { return nil }); outcome != guide.ByStudent || err != nil {
		t.Errorf("outcome %v, error %v", outcome, err)
	}
	if strings.Contains(d.out.String(), "On debian") {
		t.Errorf("it was asked for:\n%s", d.out.String())
	}
}

// After «skip» labrun does what it can, and asks nothing, until the step ends.
func TestSkip(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	d.await(send, guide.Forever, func() { d.says("skip") })
	if outcome, err := d.g.Await(t.Context(), send, guide.Forever); outcome != guide.ByLabrun || err != nil || !d.g.Taking() {
		t.Errorf("outcome %v, error %v, taking %v", outcome, err, d.g.Taking())
	}
	if r := d.ends(0, guide.Done); r.State != guide.Skipped || r.Helped != 1 || d.g.Taking() {
		t.Errorf("record %+v, taking %v", r, d.g.Taking())
	}
}

func TestAnswers(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	q := &guide.Question{Text: guide.Plain("Why?"), Answer: guide.Plain("ok")}
	for _, choice := range []string{"because", "hint", "ok"} {
		q.Choices = append(q.Choices, guide.Plain(choice))
	}
	outcome, err := d.await(guide.Instruction{Show: guide.Plain("Why?"), Solve: true, Question: q}, guide.Forever, func() {
		d.reads("> Why?\n    1. because\n    2. hint\n    3. ok\n    Answer with a number.\n")
		for _, line := range []string{"because", "hint", `"hint`, "7", "", "ok"} {
			d.says(line)
		}
	})
	var got []string
	for _, e := range d.events {
		if e, ok := e.(event.Answered); ok {
			got = append(got, e.Answer+" "+e.Verdict)
		}
	}
	if want := "[because wrong hint wrong ok right]"; outcome != guide.ByStudent || err != nil || fmt.Sprint(got) != want {
		t.Errorf("outcome %v, error %v, answers %q, want %s", outcome, err, got, want)
	}
	if text := d.out.String(); strings.Count(text, "number from 1 to 3") != 2 || strings.Count(text, "Hint 1 of 2: it is not «because».") != 1 {
		t.Errorf("it said:\n%s", text)
	}
}

func TestMissedIsToldOnce(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	d.g.Missed("a", guide.Plain("no lan0"), false)
	d.g.Missed("a", guide.Plain("no lan0"), false)
	d.g.Missed("b", guide.Plain("no lan0"), false)
	if n := strings.Count(d.out.String(), "Not yet: no lan0"); n != 2 {
		t.Errorf("told %d times:\n%s", n, d.out.String())
	}
}

// What is typed at a console in the guide's terminal is not the guide's, and what
// the guide has to say meanwhile comes afterwards.
func TestConsoleInThisTerminal(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	done := make(chan struct{})
	outcome, err := d.await(send, func(ctx context.Context) error {
		select {
		case <-done:
		case <-ctx.Done():
		}
		return nil
	}, func() {
		d.reads("> On debian")
		io.WriteString(d.typing, "console\n")
		io.WriteString(d.typing, "quit\r")
		for held := false; !held; time.Sleep(time.Millisecond) {
			d.mu.Lock()
			held = strings.Contains(d.typed, "quit")
			d.mu.Unlock()
		}
		d.g.Missed("x", guide.Plain("nothing"), false)
		if strings.Contains(d.out.String(), "Not yet") {
			t.Error("the guide speaks into the console")
		}
		io.WriteString(d.typing, "\x1d")
		d.reads("Back at the guide.\nNot yet: nothing")
		close(done)
	})
	if outcome != guide.ByStudent || err != nil || d.typed != "quit\r" {
		t.Errorf("outcome %v, error %v, typed %q", outcome, err, d.typed)
	}
	d.broken = ErrNone
	d.await(send, guide.Forever, func() { d.says("console debian"); d.says("quit") })
	if !strings.Contains(d.out.String(), "A console needs a terminal") {
		t.Errorf("it said:\n%s", d.out.String())
	}
}

// After the end there is time to look around, and nothing else to do.
func TestStay(t *testing.T) {
	d := newDesk(t, "en")
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.g.Stay(t.Context())
	}()
	d.reads("> The machines stay on (router7, debian), so look around")
	d.says("redo")
	d.says("restart debian")
	d.reads("debian is switched off and on again")
	d.says("console debian")
	d.says("uname\x1d")
	d.reads("Back at the guide.")
	d.says("next")
	d.says("quit")
	<-over
	for _, e := range d.events {
		if i, ok := e.(event.Instructed); e.Kind() != "helped" && e.Kind() != "commanded" && !(ok && i.Known) { // which no report shows
			t.Errorf("it is recorded as %+v", e)
		}
	}
	if len(d.restarted) != 1 {
		t.Errorf("restarted are %v", d.restarted)
	}
}

func TestTerminalLost(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	if _, err := d.await(send, guide.Forever, func() { d.typing.Close() }); !errors.Is(err, guide.ErrQuit) {
		t.Errorf("error %v", err)
	}
}

func TestNotYet(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	idle := func(context.Context) (bool, error) { return false, nil }
	busy := func(context.Context) (bool, error) { return true, nil }
	for i, tt := range []struct {
		watch  func(context.Context) (bool, error)
		active bool
		told   int
	}{{idle, false, 1}, {idle, false, 1}, {busy, true, 1}, {idle, false, 2}} {
		active, err := d.g.NotYet(t.Context(), guide.Plain("no file"), tt.watch)
		if told := strings.Count(d.out.String(), "Not yet: no file"); active != tt.active || err != nil || told != tt.told {
			t.Errorf("look %d: active %v, error %v, told %d times", i, active, err, told)
		}
	}
	go d.says("check")
	if active, err := d.g.NotYet(t.Context(), guide.Plain("no file"), func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, ctx.Err() }); !active || err != nil {
		t.Errorf("asked: active %v, error %v", active, err)
	}
}

func TestDamagedProgressIsTold(t *testing.T) {
	d := newDesk(t, "en")
	d.progress.Damaged = "/home/nini/state/week1.json.damaged"
	d.g.Begin(false)
	d.reads("The damaged file is still there:\n/home/nini/state/week1.json.damaged")
}

func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name string
		past []guide.Record
		from int
		says string
	}{
		{"fresh", nil, 0, ""},
		{"in between", []guide.Record{{Step: "one", State: guide.Done}}, 1, "You were at step 2 of 3"},
		{"finished", []guide.Record{{Step: "one"}, {Step: "two"}, {Step: "three"}}, 0, "You have finished this mission before"},
		{"changed", []guide.Record{{Step: "zero"}}, 0, "The mission was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, "en")
			d.progress.Steps = tt.past
			if from := d.g.Begin(false); from != tt.from || !strings.Contains(d.out.String(), tt.says) {
				t.Errorf("from %d, it says:\n%s", from, d.out.String())
			}
			if tt.from == 0 && len(d.progress.Steps) != 0 {
				t.Errorf("old steps are left: %v", d.progress.Steps)
			}
		})
	}
}

func TestWholeDialogueInChinese(t *testing.T) {
	d := newDesk(t, "zh-TW")
	d.g.Begin(false)
	for i := range threeSteps {
		d.begins(i)
		d.ends(i, guide.Done)
	}
	if done := d.g.Complete(); done != 3 || !strings.Contains(d.out.String(), "任務完成：3 個步驟全部做完了。") {
		t.Errorf("%d done; it said:\n%s", done, d.out.String())
	}
	if d.progress.Finished.IsZero() || len(d.progress.Steps) != 3 {
		t.Errorf("progress %+v", d.progress)
	}
}

// The record of a run that goes on where another one ended has the other's hints
// and answers.
func TestReplayRecallsTheStudent(t *testing.T) {
	d := newDesk(t, "en")
	d.progress.Steps = []guide.Record{{Step: "one", State: guide.Done, Hints: 2, Helped: 1, Seconds: 30, Answers: []guide.Answer{{Question: "Why?", Answer: "Because."}}}}
	d.g.Replaying(0)
	d.g.Replayed()
	want := event.Recalled{State: "done", Seconds: 30, Hints: 2, Helped: 1, Answers: []event.Answered{{Question: "Why?", Answer: "Because."}}}
	if len(d.events) != 1 || !reflect.DeepEqual(d.events[0], want) {
		t.Errorf("events %+v, want %+v", d.events, want)
	}
}

// A goal and its hints are Markdown: one that is more than a paragraph begins below its
// label.
func TestLabelled(t *testing.T) {
	for text, want := range map[string]string{
		"make it":              "Task: make it",
		"*make* it":            "Task: *make* it",
		"    ls":               "Task:\n\n    ls",
		"first\n\n- a\n- b":    "Task: first\n\n- a\n- b",
		"- a\n- b":             "Task:\n\n- a\n- b",
		"2. b":                 "Task:\n\n2. b",
		"```\ncat <<E\nE\n```": "Task:\n\n```\ncat <<E\nE\n```",
	} {
		if got := labelled("Task:", text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Quit is heard while labrun is at work; after other words it waits for its turn.
func TestQuitWhileLabrunWorks(t *testing.T) {
	d := newDesk(t, "en")
	d.begins(0)
	ctx, cancel := d.g.Leading(t.Context())
	defer cancel()
	io.WriteString(d.typing, "quit\n")
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), guide.ErrQuit) {
		t.Errorf("the lesson ends with %v", context.Cause(ctx))
	}
}
