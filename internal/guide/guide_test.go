package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// desk is a student's terminal, and machines that only note what is done to them.
type desk struct {
	t        *testing.T
	g        *Guide
	typing   *io.PipeWriter
	out      buffer
	progress *Progress
	events   []event.Event

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

var threeSteps = []Step{
	{Name: "one", Title: "The first", Narration: "Some *text*."},
	{Name: "two", Title: "The second"},
	{Name: "three", Title: "The third"},
}

func newDesk(t *testing.T, language string) *desk {
	t.Helper()
	progress, err := OpenProgress(t.TempDir(), "/labs/test.star")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { progress.Close() })
	in, typing := io.Pipe()
	t.Cleanup(func() { typing.Close() })
	d := &desk{t: t, typing: typing, progress: progress}
	log := &event.Log{}
	log.Attach(func(r event.Record) { d.events = append(d.events, r.Event) })
	d.g = New(Options{
		In: in, Out: &d.out, Width: func() int { return 80 }, Language: language, Command: "test.star",
		Events: log, Progress: progress, Machines: d,
	}, threeSteps)
	return d
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

// forever is a watch for what the student never does.
func forever(ctx context.Context) error { <-ctx.Done(); return nil }

var send = Instruction{Verb: "send", Console: "debian", Text: "ip a", Show: "On debian, type:", Block: "ip a", Hints: []string{"a nudge", "the answer"}, Solve: true}

// await runs an Await while the test plays the student.
func (d *desk) await(i Instruction, watch func(context.Context) error, student func()) (Outcome, error) {
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
		i       Instruction
		outcome Outcome
		err     error
		shows   []string
	}{
		{"do", []string{"do"}, send, ByLabrun, nil, []string{"> On debian, type:\n    ip a\n", "labrun does it for you"}},
		{"skip", []string{"S"}, send, ByLabrun, nil, []string{"the rest of this step"}},
		{"redo", []string{"redo"}, send, ByStudent, ErrRedo, nil},
		{"quit", []string{"q"}, send, ByStudent, ErrQuit, nil},
		{"in Chinese", []string{"提示", "離開"}, send, ByStudent, ErrQuit, []string{"Hint 1 of 2: a nudge"}},
		{"hints to the end", []string{"hint", "h", "hint", "do"}, send, ByLabrun, nil,
			[]string{"Hint 1 of 2: a nudge", "Hint 2 of 2: the answer", "That was the last hint"}},
		{"no hint", []string{"hint", "quit"}, Instruction{Show: "x"}, ByStudent, ErrQuit, []string{"There is no hint for this"}},
		{"nothing to do", []string{"do", "skip", "ok", "next", "quit"}, Instruction{Show: "x"}, ByStudent, ErrQuit,
			[]string{"nothing that labrun could do", "nothing to say ok to", "I do not know «next»"}},
		{"a command for a machine", []string{"ip a", "quit"}, send, ByStudent, ErrQuit, []string{"I do not know «ip a»", "typed at its console"}},
		{"help and text", []string{"?", "text", "steps", "quit"}, send, ByStudent, ErrQuit,
			[]string{"a hint; each further one tells more", "Step 1 of 3: The first", "1. The first (you are here)", "3. The third (to come)"}},
		{"ok", []string{"ok"}, Instruction{Show: "x", Agree: true}, Agreed, nil, nil},
		{"next", []string{"next"}, Instruction{Show: "x", Leave: true}, ByStudent, ErrLeave, nil},
		{"check", []string{"c"}, Instruction{Show: "x", Again: true}, ByStudent, nil, nil},
		{"restart", []string{"restart", "restart alpine", "restart debian"}, send, ByStudent, ErrRetry,
			[]string{"restart which machine?", "no machine called alpine", "debian is switched off and on"}},
		{"Enter shows it again", []string{"", "quit"}, send, ByStudent, ErrQuit, []string{"> On debian, type:\n    ip a\n\n> On debian, type:"}},
		{"the watch fails", nil, send, ByStudent, boom, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, "en")
			d.g.BeginStep(0)
			watch := forever
			if tt.err == boom {
				watch = func(context.Context) error { return boom }
			}
			outcome, err := d.await(tt.i, watch, func() {
				if len(tt.said) > 0 && tt.i.Show != "" {
					d.reads("> " + tt.i.Show)
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
	d.g.BeginStep(0)
	i := send
	i.Delay = time.Hour
	if outcome, err := d.g.Await(t.Context(), i, func(context.Context) error { return nil }); outcome != ByStudent || err != nil {
		t.Errorf("outcome %v, error %v", outcome, err)
	}
	if strings.Contains(d.out.String(), "On debian") {
		t.Errorf("it was asked for:\n%s", d.out.String())
	}
}

// After «skip» labrun does what it can, and asks nothing, until the step ends.
func TestSkip(t *testing.T) {
	d := newDesk(t, "en")
	d.g.BeginStep(0)
	d.await(send, forever, func() { d.says("skip") })
	if outcome, err := d.g.Await(t.Context(), send, forever); outcome != ByLabrun || err != nil || !d.g.Taking() {
		t.Errorf("outcome %v, error %v, taking %v", outcome, err, d.g.Taking())
	}
	if r := d.g.EndStep(Done); r.State != Skipped || r.Helped != 1 || d.g.Taking() {
		t.Errorf("record %+v, taking %v", r, d.g.Taking())
	}
}

func TestAnswers(t *testing.T) {
	d := newDesk(t, "en")
	d.g.BeginStep(0)
	var got []string
	i := Instruction{Show: "Why?", Solve: true, Hints: []string{"think"}, Answer: func(line string) bool {
		got = append(got, line)
		return len(got) == 3
	}}
	outcome, err := d.await(i, forever, func() {
		d.reads("> Why?")
		for _, line := range []string{"because", "hint", `"hint`, "ok"} {
			d.says(line)
		}
	})
	if outcome != ByStudent || err != nil || fmt.Sprint(got) != "[because hint ok]" {
		t.Errorf("outcome %v, error %v, answers %q", outcome, err, got)
	}
}

func TestMissedIsToldOnce(t *testing.T) {
	d := newDesk(t, "en")
	d.g.BeginStep(0)
	d.g.Missed("a", "no lan0")
	d.g.Missed("a", "no lan0")
	d.g.Missed("b", "no lan0")
	if n := strings.Count(d.out.String(), "Not yet: no lan0"); n != 2 {
		t.Errorf("told %d times:\n%s", n, d.out.String())
	}
}

// What is typed at a console in the guide's terminal is not the guide's, and what
// the guide has to say meanwhile comes afterwards.
func TestConsoleInThisTerminal(t *testing.T) {
	d := newDesk(t, "en")
	d.g.BeginStep(0)
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
		d.g.Missed("x", "nothing")
		if strings.Contains(d.out.String(), "Not yet") {
			t.Error("the guide speaks into the console")
		}
		io.WriteString(d.typing, "\x1d")
		d.reads("Not yet: nothing")
		d.reads("Back at the guide.")
		close(done)
	})
	if outcome != ByStudent || err != nil || d.typed != "quit\r" {
		t.Errorf("outcome %v, error %v, typed %q", outcome, err, d.typed)
	}
	d.broken = ErrNoTerminal
	d.await(send, forever, func() { d.says("console debian"); d.says("quit") })
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
		if e.Kind() != "helped" {
			t.Errorf("it is recorded as %+v", e)
		}
	}
	if len(d.restarted) != 1 {
		t.Errorf("restarted are %v", d.restarted)
	}
}

func TestTerminalLost(t *testing.T) {
	d := newDesk(t, "en")
	d.g.BeginStep(0)
	if _, err := d.await(send, forever, func() { d.typing.Close() }); !errors.Is(err, ErrQuit) {
		t.Errorf("error %v", err)
	}
}

func TestNotYet(t *testing.T) {
	d := newDesk(t, "en")
	d.g.BeginStep(0)
	idle := func(context.Context) (bool, error) { return false, nil }
	busy := func(context.Context) (bool, error) { return true, nil }
	for i, tt := range []struct {
		watch  func(context.Context) (bool, error)
		active bool
		told   int
	}{{idle, false, 1}, {idle, false, 1}, {busy, true, 1}, {idle, false, 2}} {
		active, err := d.g.NotYet(t.Context(), "no file", tt.watch)
		if told := strings.Count(d.out.String(), "Not yet: no file"); active != tt.active || err != nil || told != tt.told {
			t.Errorf("look %d: active %v, error %v, told %d times", i, active, err, told)
		}
	}
	go d.says("check")
	if active, err := d.g.NotYet(t.Context(), "no file", func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, ctx.Err() }); !active || err != nil {
		t.Errorf("asked: active %v, error %v", active, err)
	}
}

func TestProgress(t *testing.T) {
	folder := t.TempDir()
	names := []string{"one", "two", "three"}
	open := func() *Progress {
		p, err := OpenProgress(folder, "/labs/week 1.star")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open()
	if next, known := p.Next(names); next != 0 || !known {
		t.Errorf("fresh: %d, %v", next, known)
	}
	p.Steps = append(p.Steps, Record{Step: "one", State: Done, Answers: []Answer{{"why", "因為"}}}, Record{Step: "two", State: Skipped})
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := OpenProgress(folder, "/labs/week 1.star"); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Errorf("a second guide: %v", err)
	}
	other, err := OpenProgress(folder, "/other/week 1.star")
	if err != nil || len(other.Steps) != 0 {
		t.Errorf("another mission of that name: %+v, %v", other, err)
	}
	other.Close()
	p.Close()

	p = open()
	if next, known := p.Next(names); next != 2 || !known || p.Steps[0].Answers[0].Answer != "因為" {
		t.Errorf("again: %d, %v, %+v", next, known, p)
	}
	if _, known := p.Next([]string{"one", "new", "three"}); known {
		t.Error("a changed mission is not noticed")
	}
	p.Close()
	file := p.file
	for n, damage := range []string{`{"mission": "torn`, `{"steps": [{"step": "one", "state": "done"}, {"step": "two", "state": "undone"}]}`, `{"steps": 3}`} {
		if err := os.WriteFile(file, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		p = open()
		if next, _ := p.Next(names); next != 0 {
			t.Errorf("damaged: %d", next)
		}
		want := file + ".damaged" + []string{"", "-2", "-3"}[n]
		if kept, err := os.ReadFile(p.Damaged); p.Damaged != want || err != nil || string(kept) != damage {
			t.Errorf("the damaged file is at %s with %q (%v), want it at %s", p.Damaged, kept, err, want)
		}
		p.Close()
	}
	p = open()
	defer p.Close()
	if p.Damaged != "" {
		t.Errorf("what was set aside before is told again: %s", p.Damaged)
	}
}

func TestDamagedProgressIsTold(t *testing.T) {
	d := newDesk(t, "en")
	d.progress.Damaged = "/home/nini/state/week1.json.damaged"
	d.g.Welcome("Week 1", 30)
	d.reads("The damaged file is still there:\n/home/nini/state/week1.json.damaged")
}

func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name string
		past []Record
		from int
		says string
	}{
		{"fresh", nil, 0, ""},
		{"in between", []Record{{Step: "one", State: Done}}, 1, "You were at step 2 of 3"},
		{"finished", []Record{{Step: "one"}, {Step: "two"}, {Step: "three"}}, 0, "You have finished this mission before"},
		{"changed", []Record{{Step: "zero"}}, 0, "The mission was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, "en")
			d.progress.Steps = tt.past
			if from := d.g.Resume(); from != tt.from || !strings.Contains(d.out.String(), tt.says) {
				t.Errorf("from %d, it says:\n%s", from, d.out.String())
			}
			if tt.from == 0 && len(d.progress.Steps) != 0 {
				t.Errorf("old steps are left: %v", d.progress.Steps)
			}
		})
	}
}

// All phrases are there in every language, with the same verbs in the same order.
func TestPhrases(t *testing.T) {
	verbs := regexp.MustCompile(`%[.\d]*[a-z]`)
	for name, p := range phrases {
		en, zh := fmt.Sprint(verbs.FindAllString(p.en, -1)), fmt.Sprint(verbs.FindAllString(p.zhTW, -1))
		if p.en == "" || p.zhTW == "" || en != zh {
			t.Errorf("%s: verbs %s and %s", name, en, zh)
		}
	}
}

// Every failure says what happened and what to do: in each language it names a
// word of the guide's, a command, or another thing to do.
func TestFailuresSayWhatToDo(t *testing.T) {
	want := []string{
		"fail by labrun", "fail console", "fail emulator", "fail environment", "fail login", "fail not on",
		"fail panicked", "fail powered off", "fail progress", "fail replay", "fail restart", "fail script", "fail second", "fail timeout",
	}
	var got []string
	for name := range phrases {
		if strings.HasPrefix(name, "fail ") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("failures: %q, want %q", got, want)
	}
	todo := regexp.MustCompile("check|restart|redo|next|hint|quit|labrun (attach|stop|--guide|doctor)|instructor|老師|free some disk space|清出")
	for _, name := range got {
		for _, text := range []string{phrases[name].en, phrases[name].zhTW} {
			if !todo.MatchString(text) || len(regexp.MustCompile(`[.。：:;；,，]`).FindAllString(text, -1)) < 2 {
				t.Errorf("%s does not say what to do: %s", name, text)
			}
		}
	}
}

// A failure and what can be said then offer nothing twice.
func TestFailuresOfferNothingTwice(t *testing.T) {
	words := regexp.MustCompile(`\b(check|next|quit|redo|hint)\b`)
	for name, p := range phrases {
		if !strings.HasPrefix(name, "fail ") || slices.Contains([]string{"fail replay", "fail restart", "fail console", "fail progress", "fail second"}, name) {
			continue // that the hint does not follow
		}
		for _, texts := range [][2]string{{p.en, phrases["next hint"].en}, {p.zhTW, phrases["next hint"].zhTW}} {
			for _, word := range words.FindAllString(texts[1], -1) {
				if strings.Contains(texts[0], word) {
					t.Errorf("%s offers %s twice: %s %s", name, word, texts[0], texts[1])
				}
			}
		}
	}
}

// What a phrase is given may be a sentence of its own.
func TestSentences(t *testing.T) {
	for _, test := range []struct{ language, reason, want, notYet string }{
		{"en", "no address: is it booted?", "Something took too long: no address: is it booted? `restart NAME`", "Not yet: no address: is it booted? `hint` helps."},
		{"en", "nothing within 5s", "Something took too long: nothing within 5s. `restart NAME`", "Not yet: nothing within 5s. `hint` helps."},
		{"en", "the lab says «wait.»", "Something took too long: the lab says «wait.» `restart NAME`", "Not yet: the lab says «wait.» `hint` helps."},
		{"en", "and so on …", "Something took too long: and so on … `restart NAME`", "Not yet: and so on … `hint` helps."},
		{"zh-TW", "它開機了嗎？", "有件事花了太久：它開機了嗎？如果機器卡住了", "還沒好：它開機了嗎？ 輸入 hint"},
		{"zh-TW", "沒有位址", "有件事花了太久：沒有位址。如果機器卡住了", "還沒好：沒有位址。輸入 hint"},
	} {
		if got := Phrase(test.language, "fail timeout", errors.New(test.reason)); !strings.HasPrefix(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
		d := newDesk(t, test.language)
		d.g.Missed("key", test.reason)
		if got := d.out.String(); !strings.HasPrefix(got, test.notYet) {
			t.Errorf("%q, want %q", got, test.notYet)
		}
	}
}

func TestWholeDialogueInChinese(t *testing.T) {
	d := newDesk(t, "zh-TW")
	d.g.Welcome("第一週", 30)
	for i := range threeSteps {
		d.g.BeginStep(i)
		d.g.EndStep(Done)
	}
	if done := d.g.Finish(); done != 3 || !strings.Contains(d.out.String(), "任務完成：3 個步驟全部做完了。") {
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
	d.progress.Steps = []Record{{Step: "one", State: Done, Hints: 2, Helped: 1, Seconds: 30, Answers: []Answer{{"Why?", "Because."}}}}
	d.g.Replaying(0)
	d.g.Replayed(0, 1, true)
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
