package mission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/guide/terminal"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/script"
)

// classroom is a mission on one real router, with a student played by the test.
type classroom struct {
	t      *testing.T
	kept   string // the folder of the progress
	lab    *lab.Lab
	router *lab.Machine
	typing *io.PipeWriter
	out    *output
	read   int // how much of out the student has read
	ended  chan error
	kinds  []string // of the events
	leaves func()   // ends the run, once
}

type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) since(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()[n:]
}

func (c *classroom) Names() []string    { return []string{"router"} }
func (c *classroom) Consoles() []string { return c.lab.Consoles() }
func (c *classroom) Viewers(string) int { return 1 }
func (c *classroom) Open(context.Context, string, io.Reader, <-chan struct{}, string) error {
	return terminal.ErrNone
}
func (c *classroom) Restart(ctx context.Context, _ string) error {
	return c.lab.Restart(ctx, c.router)
}

// openClassroom begins a guided run of a mission's steps; body is Starlark.
func openClassroom(t *testing.T, body string, from int) *classroom {
	t.Helper()
	lock, store := openImages(t)
	source := "mission(title = \"Lab\", api = 1)\nlan = network(\"lan\")\nrouter = machine(\"router\", image = \"router7\", nics = [uplink(), lan])\n" + body
	return openClassroomOf(t, source, lock.Names(), store, from)
}

// openClassroomOf begins a guided run of a mission whose machine is called router, with the images of a cache that is
// open.
func openClassroomOf(t *testing.T, source string, images []string, store *image.Store, from int) *classroom {
	t.Helper()
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return openClassroomIn(t, t.TempDir(), source, images, store, from)
}

// openClassroomIn is openClassroomOf with the folder in which the progress is; from is negative
// for a student who goes on where they stopped. The caller closes the cache.
func openClassroomIn(
	t *testing.T, kept, source string, images []string, store *image.Store, from int,
) *classroom {
	t.Helper()
	return openClassroomFor(t, kept, source, images, store, from, false)
}

// openClassroomFor is openClassroomIn for a student, or for an author.
func openClassroomFor(
	t *testing.T, kept, source string, images []string, store *image.Store, from int, author bool,
) *classroom {
	t.Helper()
	m, err := Load(t.Context(), folder("lab.star", source), "lab.star", "lab.star", script.Options{Images: images})
	if err != nil {
		t.Fatal(err)
	}
	c := &classroom{t: t, kept: kept, out: &output{}, ended: make(chan error, 1)}
	events := &event.Log{}
	events.Attach(func(r event.Record) { c.kinds = append(c.kinds, r.Event.Kind()) })
	if c.lab, err = lab.New(m.Config(), lab.Options{Store: store, Events: events, Cold: true}); err != nil {
		t.Fatal(err)
	}
	c.router = c.lab.Machine("router")
	progress, err := guide.OpenProgress(kept, "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range m.GuideSteps()[:max(from, 0)] {
		progress.Steps = append(progress.Steps, guide.Record{Step: step.Name, State: guide.Done})
	}
	in, typing := io.Pipe()
	c.typing = typing
	d := guide.New(guide.Options{
		Language: phrase.In("en"), Mission: m, Command: "lab.star", Events: events, Progress: progress, Machines: c, Author: author,
	})
	view := terminal.New(terminal.Options{In: in, Out: c.out, Width: func() int { return 80 }, Machines: c}, d)
	events.Attach(view.Record)
	if from < 0 {
		from = d.Begin(false)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		var listening sync.WaitGroup
		defer listening.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		listening.Go(func() { view.Run(ctx) })
		c.ended <- m.Guide(ctx, c.lab, events, d, from, progress.Machines())
	}()
	c.leaves = sync.OnceFunc(func() {
		cancel()
		<-finished
		typing.Close()
		if err := errors.Join(c.lab.Close(), progress.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(c.leaves)
	return c
}

// says types a line at the guide.
func (c *classroom) says(line string) { fmt.Fprintln(c.typing, line) }

// types enters a line at the router's console, key by key.
func (c *classroom) types(line string) {
	c.t.Helper()
	terminal, err := c.router.Console()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, key := range line + "\r" {
		if err := terminal.Relay(c.t.Context(), []byte(string(key))); err != nil {
			c.t.Fatal(err)
		}
	}
}

// reads waits for text in what the guide has said since the last time.
func (c *classroom) reads(text string) {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(2 * time.Millisecond) {
		news := strings.Join(strings.Fields(c.out.since(c.read)), " ")
		if raw := c.out.since(c.read); strings.Contains(raw, text) {
			c.read += strings.Index(raw, text) + len(text)
			return
		}
		select {
		case err := <-c.ended:
			c.t.Fatalf("the mission ended with %v before %q; it said:\n%s", err, text, c.out.since(0))
		default:
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%q never came, only:\n%s\nnews: %s", text, c.out.since(0), news)
		}
	}
}

func (c *classroom) finishes(want error) {
	c.t.Helper()
	if err := <-c.ended; !errors.Is(err, want) {
		c.t.Fatalf("it ended with %v, want %v; it said:\n%s", err, want, c.out.since(0))
	}
}

// finished waits until the router's prompt is back.
func (c *classroom) finished() {
	c.t.Helper()
	terminal, err := c.router.Console()
	if err == nil {
		err = terminal.Finished(c.t.Context())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// asks waits until a program at the router's console asks something.
func (c *classroom) asks(text string) {
	c.t.Helper()
	terminal, err := c.router.Console()
	if err == nil {
		_, err = terminal.Expect(c.t.Context(), console.Text(text))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

const twoSteps = `
def boots():
    """Boot it

    First the router.
    """
    boot(router)
    wait_prompt(router)
    send(router, "ip a")
    assert_contains(router, "uplink0", "lan0", hint = "Try ip a.")
    send(router, "hostname")
    say("It is called " + output(router).strip())

def files():
    """Make a file"""
    send(router, "echo hello > /root/note")
    assert_equal(read_file(router, "/root/note"), "hello\n", hint = "The file must say hello.")
    answer = ask("What is it?", choices = ["a file", "a folder", "a device"], answer = "a file")
    assert_equal(answer, "a file")
    def there():
        return run(router, "test -d /root/box && test -f /root/box/ball").status == 0
    task(router, "Put a file *ball* into a folder /root/box.", solution = "mkdir -p /root/box\ntouch /root/box/ball", check = there, hints = ["mkdir makes a folder."])
    say("the end")

step(boots)
step(files)
`

// What the lab is not about, labrun switches on itself. An answer that does not end in a
// newline is one, what comes after a pause is part of it, and lines that are to be typed
// together have one output.
func TestGuidedFurniture(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, `
def boots():
    """Boot it"""
    boot(router, student = False)
    wait_prompt(router)
    send(router, "hostname")
    assert_contains(router, "router7", hint = "Type hostname.")
    send(router, "printf answer")
    assert_contains(router, "answer", hint = "Type printf answer.")
    send(router, "printf 'Working # '; sleep 1; echo done")
    say("It said " + output(router).strip() + ".")
    for word in ["two", "three"]:
        send(router, "printf one\necho %s" % word)
        assert_equal(output(router), "one%s\n" % word, hint = "Type both lines.")

step(boots)
`, 0)
	c.reads("## Step 1 of 1: Boot it")
	c.reads("> Wait for the prompt of router.")
	c.says("do")
	c.reads("> On router, type:\n    hostname")
	c.types("hostname")
	c.reads("> On router, type:\n    printf answer")
	c.types("printf answer")
	c.reads("> On router, type:\n    printf 'Working # '; sleep 1; echo done")
	c.types("printf 'Working # '; sleep 1; echo done")
	c.reads("It said Working # done.")
	c.reads("> On router, type:\n    printf one\n    echo two")
	c.types("printf one")
	c.finished()
	c.types("echo two")
	c.reads("> On router, type:\n    printf one\n    echo three")
	c.says("do")
	c.reads("Step 1 is done.")
	c.finishes(nil)
	if said := c.out.since(0); strings.Contains(said, "Not yet") {
		t.Errorf("a right answer is refused:\n%s", said)
	}
	if strings.Contains(c.out.since(0), "Switch on") {
		t.Errorf("the student is asked to switch it on:\n%s", c.out.since(0))
	}
}

// A student who starts a machine again under a check has done no harm.
func TestGuidedReboot(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, `
BOOT = "cat /proc/sys/kernel/random/boot_id"

def again():
    """Again"""
    boot(router, student = False)
    wait_prompt(router)
    before = run(router, BOOT).stdout
    send(router, "reboot")
    assert_true(run(router, BOOT).stdout != before, "it has started again", hint = "Type reboot.")

step(again)
`, 0)
	c.reads("> Wait for the prompt of router.")
	c.says("do")
	c.reads("> On router, type:\n    reboot")
	c.types("reboot")
	c.reads("Step 1 is done.")
	c.finishes(nil)
	if said := c.out.since(0); strings.Contains(said, "mistake") {
		t.Errorf("the student is told of a mistake:\n%s", said)
	}
}

func TestGuided(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, twoSteps, 0)
	c.reads("## Step 1 of 2: Boot it")
	c.reads("First the router.")
	c.reads("> Switch on router:")
	c.says("do")
	c.reads("> Wait for the prompt of router.")
	c.says("do") // labrun presses Enter
	c.reads("> On router, type:\n    ip a")
	c.types("") // an empty line is no try
	c.types("ls /")
	c.reads(`Not yet: the output of router has no "uplink0", "lan0".`)
	c.says("hint")
	c.reads("Hint 1 of 2: Try ip a.")
	c.types("ip addr show") // another right way
	c.finished()
	there := time.Now()
	c.reads("> On router, type:\n    hostname")
	t.Logf("the guide went on %v after the router's prompt was back", time.Since(there).Round(time.Millisecond))
	c.types("hostname")
	c.reads("It is called router7")
	c.reads("Step 1 is done.")

	c.reads("## Step 2 of 2: Make a file")
	c.reads("    echo hello > /root/note")
	c.types("echo hallo > /root/note")
	c.reads("Not yet: The file must say hello.")
	c.types("echo hello >/root/note")
	c.reads("> Question: What is it?\n    1. a file\n    2. a folder")
	c.says("2")
	c.reads("Not that one.")
	c.says("hint")
	c.reads("Hint 1 of 2: it is not «a folder».")
	c.says("1")
	c.reads("Right.")
	c.reads("> Your task on router: Put a file")
	c.types("touch /root/box")
	c.reads("Not yet: what labrun checked")
	c.types("rm -i /root/box")
	c.asks("'/root/box'?")
	c.types("n")
	c.reads("Not yet: the reason is the same as before.")
	c.says("hint")
	c.reads("Hint 1 of 2: mkdir makes a folder.")
	c.says("hint")
	c.reads("Hint 2 of 2: on router, type:")
	c.types("rm /root/box; mkdir /root/box; echo >/root/box/ball")
	c.reads("the end")
	c.reads("Step 2 is done.")
	c.finishes(nil)
	if said := c.out.since(0); strings.Count(said, "Not yet: the reason is the same") != 1 {
		t.Errorf("the answer to a question is taken for a try:\n%s", said)
	}
	if strings.Count(c.out.since(0), "the end") != 1 {
		t.Errorf("it is said more than once:\n%s", c.out.since(0))
	}
}

// A line that is typed while another one runs is looked at as well, though a prompt comes between.
func TestGuidedAhead(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, `
def boots():
    """Boot it"""
    boot(router)
    wait_prompt(router)

def looks():
    """Look"""
    send(router, "hostname")
    assert_contains(router, "router7")

def waits():
    """Wait"""
    send(router, "hostname")
    wait_for(router, pattern = "router7")

step(boots)
step(looks)
step(waits)
`, 0)
	c.reads("> Switch on router:")
	c.says("skip")
	c.reads("> On router, type:\n    hostname")
	c.types("sleep 2; echo other\rsleep 2; hostname")
	c.reads("Step 2 is done.")
	c.reads("> On router, type:\n    hostname")
	c.types("sleep 2; echo other\rsleep 2; hostname")
	c.reads("Step 3 is done.")
	c.finishes(nil)
}

// TestGuidedTrouble: what goes wrong is told with what to do, and nothing of it
// ends the mission.
func TestGuidedTrouble(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, `
def boots():
    """Boot it"""
    boot(router)
    wait_prompt(router)

def looks():
    """Look"""
    send(router, "hostname")
    assert_contains(router, "router7")
    assert_equal(read_file(router, "/root/missing"), "x", hint = "Make it.")

def broken():
    """Broken"""
    send(router, "id")
    [][1]

def last():
    """The last"""
    send(router, "exit 3 || true")
    say("bye")

step(boots)
step(looks)
step(broken)
step(last)
`, 0)
	c.reads("> Switch on router:")
	c.says("skip")
	c.reads("Step 1 is done, by labrun for you.")

	c.reads("> On router, type:\n    hostname")
	c.types("poweroff -f")
	c.reads("> router is off: it was shut down. `restart router` switches it on again")
	c.says("restart router")
	c.reads("> On router, type:\n    hostname") // the instruction is given anew
	c.says("do")
	c.reads("Not yet: read_file: read /root/missing on router:")
	c.types("printf x > /root/missing")
	c.reads("Step 2 is done.")

	c.reads("> On router, type:\n    id")
	c.types("id")
	c.reads("> The mission itself has a mistake, which is not your fault: lab.star:")
	c.says("redo")
	c.reads("## Step 3 of 4: Broken")
	c.types("id")
	c.reads("The mission itself has a mistake")
	c.says("next")
	c.reads("Step 3 is left undone.")

	c.reads("> On router, type:\n    exit 3 || true")
	c.types("true")
	c.reads("bye")
	c.reads("You typed `true`; the lab says `exit 3 || true`.") // nothing else checks it
	c.says("ok")
	c.finishes(nil)
}

// A kernel that panics under a student is told of and can be started again.
func TestGuidedPanic(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, `
def crash():
    """Crash"""
    boot(router)
    wait_prompt(router)
    send(router, "echo safe")
    assert_contains(router, "safe")

step(crash)
`, 0)
	c.reads("> Switch on router:")
	c.says("do")
	c.reads("> Wait for the prompt")
	c.says("do")
	c.reads("    echo safe")
	c.types("echo c >/proc/sysrq-trigger || echo c >/dev/sysrq") // where a fake has it, if its host's kernel has none
	c.reads("The kernel of router has crashed (a «panic»)")
	c.says("quit")
	c.finishes(guide.ErrQuit)
}

// Steps behind the student are played by labrun, silently, and the student goes on
// where they stopped.
func TestGuidedResume(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, twoSteps, 1)
	c.reads("Step 1: Boot it … labrun is doing it")
	c.reads("Step 1 is there again")
	c.reads("## Step 2 of 2: Make a file")
	c.says("do")
	c.reads("Question: What is it?")
	c.says("do")
	c.reads("The answer: a file")
	c.reads("Your task on router")
	c.says("do")
	c.reads("Step 2 is done.")
	c.finishes(nil)
	if strings.Contains(c.out.since(0), "It is called") {
		t.Errorf("a step that is played again speaks:\n%s", c.out.since(0))
	}
}

// «redo» brings the machines back to where the step began, whatever was done to them.
func TestGuidedRedo(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, twoSteps, 0)
	c.reads("> Switch on router:")
	c.says("skip")
	c.reads("    echo hello > /root/note")
	c.types("echo hallo > /root/note; touch /root/rubbish")
	c.reads("Not yet: The file must say hello.")
	c.says("redo")
	c.reads("The step begins again, with the machines as they were when it began.")
	c.reads("    echo hello > /root/note")
	if r, err := c.router.Run(t.Context(), "ls /root", time.Minute); err != nil || r.Stdout != "" {
		t.Errorf("in /root there is %q, %v", r.Stdout, err)
	}
	c.types("echo hello > /root/note")
	c.reads("Question: What is it?")
	c.says("quit")
	c.finishes(guide.ErrQuit)
}

// What was saved cannot be gone on from: the student is told the truth, and what to do.
func TestGuidedRedoOfADamagedState(t *testing.T) {
	labtest.Parallel(t)
	c := openClassroom(t, twoSteps, 0)
	c.reads("> Switch on router:")
	c.says("skip")
	c.reads("    echo hello > /root/note")
	states, err := filepath.Glob(filepath.Join(c.kept, "*", "*", "router.state"))
	if err != nil || len(states) == 0 {
		t.Fatalf("%v, %v", states, err)
	}
	for _, state := range states {
		if err := os.Truncate(state, 100); err != nil {
			t.Fatal(err)
		}
	}
	c.says("redo")
	var environment *lab.EnvironmentError
	if err := <-c.ended; !errors.As(err, &environment) || !strings.Contains(err.Error(), "run the same command again") {
		t.Fatalf("it ended with %v; it said:\n%s", err, c.out.since(0))
	}
	if strings.Contains(c.out.since(0), "The step begins again") {
		t.Errorf("it said:\n%s", c.out.since(0))
	}
}
