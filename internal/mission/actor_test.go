package mission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/guide/terminal"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/script"
)

// noMachines is what the guide can do in a lab that has none.
type noMachines struct{}

func (noMachines) Names() []string    { return nil }
func (noMachines) Consoles() []string { return nil }
func (noMachines) Viewers(string) int { return 1 }
func (noMachines) Open(context.Context, string, io.Reader, <-chan struct{}, string) error {
	return terminal.ErrNone
}
func (noMachines) Restart(context.Context, string) error { return errors.ErrUnsupported }

// leadAtHost begins a guided run of a mission whose consoles are shells of this
// computer, with more files beside it. What the guide says comes line by line; what the
// student says goes to typing.
func leadAtHost(t *testing.T, source string, more ...string) (said <-chan string, typing io.Writer, ended <-chan error) {
	t.Helper()
	return leadThrough(t, NewEditions(load(t, folder(append([]string{"lab.star", source}, more...)...))))
}

// leadThrough is leadAtHost for a mission that is loaded.
func leadThrough(t *testing.T, m *Editions) (said <-chan string, typing io.Writer, ended <-chan error) {
	t.Helper()
	events := &event.Log{}
	l := openLab(t, m.now.Load(), events)
	progress, err := guide.OpenProgress(t.TempDir(), "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	in, typed := io.Pipe()
	out := &output{}
	d := guide.New(guide.Options{
		Language: phrase.In("en"), Mission: m, Command: "lab.star", Events: events, Progress: progress, Machines: noMachines{},
	})
	view := terminal.New(terminal.Options{In: in, Out: out, Width: func() int { return 80 }, Machines: noMachines{}}, d)
	events.Attach(view.Record)
	lines, result := make(chan string, 1000), make(chan error, 1)
	events.Attach(func(r event.Record) { lines <- fmt.Sprintf("%s %+v", r.Event.Kind(), r.Event) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		var listening sync.WaitGroup
		defer listening.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		listening.Go(func() { view.Run(ctx) })
		result <- m.Guide(ctx, l, events, d, 0, "")
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
		typed.Close()
		if err := progress.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(out.since(0))
		}
	})
	return lines, typed, result
}

// A task's check looks again and again while the student says a word: the two are on
// goroutines of their own, which the race detector watches here.
func TestSkipWhileACheckLooks(t *testing.T) {
	t.Parallel()
	said, typing, ended := leadAtHost(t, scriptOf(
		`host = terminal("host")`,
		`wait_prompt(host)`,
		`def there():`,
		`    print("look")`,
		`    assert_contains(host, "done", hint = "Type echo done.")`,
		`task(host, "Have it say done.", solution = "echo done", check = there)`))
	looks := 0
	for {
		select {
		case line := <-said:
			if strings.HasPrefix(line, "said") && strings.Contains(line, "look") {
				if looks++; looks == 2 {
					fmt.Fprintln(typing, "skip")
				}
			}
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			if looks < 3 { // the last one is of labrun's solution
				t.Errorf("the check looked %d times", looks)
			}
			return
		}
	}
}

// A check that would do more than look is refused where it does, and nothing is done.
func TestACheckOnlyLooks(t *testing.T) {
	m := load(t, folder("lab.star", scriptOf(
		`host = terminal("host")`,
		`def helps():`,
		`    terminal("another")`,
		`def there():`,
		`    helps()`,
		`task(host, "Do it.", solution = "true", check = there)`)))
	events := &event.Log{}
	_, err := m.Run(t.Context(), openLab(t, m, events), events, Start{})
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != Script {
		t.Fatalf("it ended with %v", err)
	}
	const want = `lab.star:7:17: terminal: a task's check may only look, for it is called again and again while the student works: do before the task what has to be done
  called from lab.star:9:14 (there)
  called from lab.star:10:9 (work)`
	if err.Error() != want {
		t.Errorf("it ended with\n%v\nwant\n%s", err, want)
	}
}

// A check or a solution that computes without end, or nests without end, is stopped where it is.
func TestACheckIsLimited(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ part, line, message string }{
		{`check = forever, solution = "true"`, "pass", "computes without end"},
		{"check = lambda: False, solution = forever", "kept[0] = (kept[0],)", "nested more than"}, // which takes less time
	} {
		m := load(t, folder("lab.star", scriptOf(
			`host = terminal("host")`,
			`kept = [()]`,
			`def forever():`,
			`    for i in range(1 << 30):`,
			`        `+test.line,
			`task(host, "Do it.", `+test.part+`)`)))
		events := &event.Log{}
		_, err := m.Run(t.Context(), openLab(t, m, events), events, Start{})
		var failed *Error
		if !errors.As(err, &failed) || failed.Kind != Script || !strings.Contains(failed.Message, test.message) ||
			!strings.HasPrefix(failed.Position, "lab.star:8:") && !strings.HasPrefix(failed.Position, "lab.star:9:") {
			t.Errorf("%s: it ended with %v", test.part, err)
		}
	}
}

// A wrong answer counts once it has come to its end, and one that does not come there is
// no answer. It has to be refused for its reason, in whatever language the student is told.
func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	const notJudged = "`%s` is not judged: "
	for _, test := range []struct{ answer, reason, failure, screen string }{
		{"echo no", "", "", "no"},
		{"echo no", "say  YES", "", "no"},        // the hint
		{"echo no", `"yes" not found`, "", "no"}, // what the check found
		{"echo no", "Say no.", "`%s` is refused, but not because of \"Say no.\": \"yes\" not found: host's output is:\n    no", "no"},
		{"true", "", "", ""},
		{"echo one\necho two", "", "", "one\ntwo"},
		{"sleep 2; echo late", "", "", "late"},
		{"sleep 2; echo yes", "", "the check accepts `%s`", "yes"},
		{"echo begun; sleep 100", "Say", notJudged + "it is still at work when the task's time is up", "begun"},
		{"printf '[sudo] password for nini: '; read x", "Say", notJudged + `the console asks "[sudo] password for nini:", and there is no answer`, "[sudo] password for nini:"},
		{"printf 'Sure? '; read x; echo $x\nno", "", "", "Sure? \nno"},
	} {
		t.Run(test.answer, func(t *testing.T) {
			t.Parallel()
			timeout, wrong := "60", strconv.Quote(test.answer)
			if test.reason != "" {
				wrong = fmt.Sprintf("(%s, %q)", wrong, test.reason)
			}
			if strings.HasPrefix(test.failure, notJudged) {
				timeout = "2"
			}
			files := folder("lab.star", scriptOf(
				`host = terminal("host")`,
				`def says_so():`,
				`    assert_contains(host, "yes", hint = "Say yes.")`,
				`task(host, "Have it say yes.", solution = "echo yes", check = says_so, timeout = `+timeout+`, wrong = [`+wrong+`])`),
				"lab.zh-TW.toml", "title = \"課\"\n[texts]\n\"Say yes.\" = \"說 yes。\"\n")
			m, err := Load(t.Context(), files, "lab.star", "lab.star", script.Options{Language: "zh-TW"})
			if err != nil {
				t.Fatal(err)
			}
			events := &event.Log{}
			m.session.Act(openLab(t, m, events), events)
			answered := builtins.Rehearsal{Until: -1, Lines: []string{test.answer}, Reason: test.reason}
			err = m.play(t.Context(), m.Declared().Steps[0], events, &answered)
			if len(answered.Instructions) != 1 {
				t.Fatalf("the step came to %d instructions, and ended with %v", len(answered.Instructions), err)
			}
			trial := Trial{}
			taskVariations(0, "", answered.Instructions[0])[0].conclude(&trial, &answered, err)
			failure := strings.Replace(test.failure, "%s", strings.ReplaceAll(test.answer, "\n", "; "), 1)
			told := "說 yes。"
			if trial.Refused == nil || strings.HasPrefix(test.failure, notJudged) {
				told = ""
			}
			if accepted := strings.HasPrefix(failure, "the check accepts"); accepted == (trial.Refused != nil) ||
				!accepted && (trial.Refused.Builtin != "assert_contains" || trial.Refused.Position != "lab.star:7:24") {
				t.Errorf("it was refused by %+v", trial.Refused)
			}
			if trial.Failure != failure || strings.TrimSpace(trial.Screen) != test.screen || trial.Told != told || failure != "" && trial.Remedy == "" {
				t.Errorf("the trial says %+v, want the failure %q and the screen %q", trial, failure, test.screen)
			}
		})
	}
}
