package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/labrun/labrun/internal/labtest"
)

// These tests run the program itself: the test's program is labrun when it is started under that name, which it has in PATH.

func TestMain(m *testing.M) {
	testscript.Main(labtest.Tests{M: m}, map[string]func(){"labrun": main})
}

// patience is for what comes as soon as the computer gets to it: it bounds a test that
// is stuck, and says nothing of how long anything takes.
const patience = 10 * time.Minute

// labrun is one invocation under test.
type labrun struct {
	*exec.Cmd
	out, err buffer
	over     chan struct{} // closed when it has ended
}

// buffer is what a program printed so far.
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

func command(t *testing.T, args ...string) *labrun {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	l := &labrun{Cmd: exec.CommandContext(ctx, "labrun", args...), over: make(chan struct{})}
	t.Cleanup(func() {
		cancel()
		if l.Process != nil {
			<-l.over
		}
	})
	l.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	l.Stdout, l.Stderr = &l.out, &l.err
	return l
}

// finish waits for the end and checks the exit code.
func (l *labrun) finish(t *testing.T, want int) {
	t.Helper()
	<-l.over
	if got := l.ProcessState.ExitCode(); got != want {
		t.Errorf("exit code %d, want %d; it said:\n%s\n%s", got, want, l.out.String(), l.err.String())
	}
}

func (l *labrun) begin(t *testing.T) {
	t.Helper()
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		l.Wait()
		close(l.over)
	}()
}

// says waits for text on the program's standard output.
func (l *labrun) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, patience, func() bool {
		select {
		case <-l.over:
			if !strings.Contains(l.out.String(), text) {
				t.Fatalf("it ended without a word of %q:\n%s\n%s", text, l.out.String(), l.err.String())
			}
		default:
		}
		return strings.Contains(l.out.String(), text)
	}, func() string { return fmt.Sprintf("%q never came, only:\n%s", text, l.out.String()) })
}

func eventually(t *testing.T, limit time.Duration, holds func() bool, otherwise func() string) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise())
		}
	}
}

// lone writes a mission with one router, whose machine has a name of its own, so
// that its QEMU can be told from all others; body is what its second step does.
func lone(t *testing.T, body string) (file, machine string) {
	t.Helper()
	machine = fmt.Sprintf("r%d-%d", os.Getpid(), time.Now().UnixNano()%1_000_000_000)
	file = filepath.Join(t.TempDir(), "lone.star")
	script := fmt.Sprintf(`mission(title = "One router", api = 1)
lan = network("lan")
router = machine(%q, image = "router7", nics = [uplink(), lan])

def boots():
    """Boots"""
    boot(router)
    wait_prompt(router)

def acts():
    """Acts"""
    %s

step(boots)
step(acts)
`, machine, strings.ReplaceAll(body, "\n", "\n    "))
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, machine
}

// emulators counts the QEMU processes of a machine.
func emulators(machine string) (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil && bytes.HasPrefix(data, []byte("qemu-system")) && bytes.Contains(data, []byte("labrun-"+machine+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(f)))
		}
	}
	return pids
}

func gone(t *testing.T, machine string, limit time.Duration) {
	t.Helper()
	eventually(t, limit, func() bool { return len(emulators(machine)) == 0 },
		func() string { return fmt.Sprintf("QEMU %v still runs", emulators(machine)) })
}

// TestWeek1 plays the first lab. In step 7, which measures, this computer gets busy.
func TestWeek1(t *testing.T) {
	records := t.TempDir()
	l := command(t, "--json", "--records", records, "../../missions/week1.star")
	l.begin(t)
	l.says(t, `"event":"step_started","index":7,`)
	calm := busy(t)
	l.finish(t, 0)
	calm()
	var last struct {
		Event    string
		Passed   bool
		Steps    int
		ExitCode int `json:"exit_code"`
	}
	said := ""
	for line := range strings.Lines(l.out.String()) {
		var said1 struct{ Event, Text string }
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%v in the line %s", err, line)
		}
		json.Unmarshal([]byte(line), &said1)
		if said1.Event == "said" {
			said += said1.Text + "\n"
		}
	}
	if last.Event != "run_ended" || !last.Passed || last.Steps != 8 || last.ExitCode != 0 {
		t.Errorf("the last record is %+v", last)
	}
	for _, pattern := range []string{
		`debian runs Linux \S+-cloud-amd64`, `Debian is at 10\.254\.0\.\d+`, `alpine, 52:55:00:aa:00:11, was lent 10\.254\.0\.`,
		`Promised: \d+ virtual CPUs`, `Mission complete`,
	} {
		if !regexp.MustCompile(pattern).MatchString(said) {
			t.Errorf("nothing that was said matches %s:\n%s", pattern, said)
		}
	}

	consistent(t, l.out.String(), said)

	page, err := os.ReadFile(filepath.Join(records, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		`Passed: 8 of 8 steps`, `<a href="lan\.pcap">`, `<a href="debian\.cast">`,
		// What alpine printed while that step was played.
		`(?s)<article[^>]*id="step-5".*alpine’s console printed.*root@os25:~# hostname.*</article>`,
	} {
		if !regexp.MustCompile(pattern).Match(page) {
			t.Errorf("the report lacks %s:\n%s", pattern, page)
		}
	}
}

// busy has four programs compute until calm is called, each in a session of its own,
// since Linux shares the processors out by session.
func busy(t *testing.T) (calm func()) {
	var all []*exec.Cmd
	calm = sync.OnceFunc(func() {
		for _, c := range all {
			c.Process.Kill()
			c.Wait()
		}
	})
	t.Cleanup(calm)
	for range 4 {
		c := exec.Command("sh", "-c", "while :; do :; done")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return calm
}

// consistent checks that the lesson of step 7 is what was measured, and that there is
// none where that was unclear.
func consistent(t *testing.T, events, said string) {
	t.Helper()
	const number = `(\d+\.\d+)`
	lesson := regexp.MustCompile(`took router7 ` + number + ` times and alpine ` + number + ` times as long`).FindStringSubmatch(events)
	measured := regexp.MustCompile(number+` times as long`).FindAllStringSubmatch(said, -1)
	unclear := strings.Contains(said, "This computer has too much else to do")
	room := strings.Contains(events, "here each found one of the")
	if len(measured) != 2 {
		t.Fatalf("%d machines were measured:\n%s", len(measured), said)
	}
	for i, m := range measured {
		times, _ := strconv.ParseFloat(m[1], 64)
		if lesson != nil && (lesson[i+1] != m[1] || times < 1.2) {
			t.Errorf("it was taught that it took %s times as long, and measured %s", lesson[i+1], m[1])
		}
	}
	if count := map[bool]int{true: 1}; count[lesson != nil]+count[unclear]+count[room] != 1 {
		t.Errorf("a lesson: %q; unclear: %v; room for all: %v; it said:\n%s", lesson, unclear, room, said)
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	file, machine := lone(t, `assert_equal(run(router, "hostname").stdout.strip(), "router7")`)
	var runs []*labrun
	for range 2 {
		l := command(t, file)
		l.begin(t)
		runs = append(runs, l)
	}
	for _, l := range runs {
		l.finish(t, 0)
		if !strings.Contains(l.out.String(), "Mission complete: 2 of 2 steps") {
			t.Errorf("it said:\n%s", l.out.String())
		}
	}
	gone(t, machine, 0)
}

func TestKillNine(t *testing.T) {
	for _, moment := range []string{"1/2", "2/2"} {
		t.Run("in step "+moment[:1], func(t *testing.T) {
			file, machine := lone(t, `run(router, "sleep 600", timeout = 600)`)
			l := command(t, file)
			l.begin(t)
			l.says(t, moment)
			eventually(t, patience, func() bool { return len(emulators(machine)) == 1 }, func() string { return "no QEMU started" })
			l.Process.Kill()
			<-l.over
			gone(t, machine, patience)

			// Its records tell how far it came.
			report := command(t, "report")
			report.Env = l.Env
			report.begin(t)
			report.finish(t, 0)
			if !strings.Contains(report.out.String(), moment) || !strings.Contains(report.err.String(), "the record ends here") {
				t.Errorf("the report of a killed run says:\n%s\n%s", report.out.String(), report.err.String())
			}
		})
	}
	// What a killed run left on disk is swept by the next one.
	file, _ := lone(t, "pass")
	l := command(t, file)
	l.begin(t)
	l.finish(t, 0)
	cache := os.Getenv("LABRUN_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(base, "labrun")
	}
	// Only sessions that a living labrun holds may be left.
	locks, _ := filepath.Glob(filepath.Join(cache, "sessions", "*.lock"))
	for _, lock := range locks {
		if f, err := os.Open(lock); err == nil {
			free := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
			f.Close()
			if free {
				t.Errorf("%s is still there and nobody holds it", lock)
			}
		}
	}
}

func TestInterrupt(t *testing.T) {
	for name, c := range map[string]struct{ body, moment string }{
		"while a machine boots":   {"pass", "1/2"},
		"while a command runs":    {`run(router, "sleep 600", timeout = 600)`, "2/2"},
		"while a text is awaited": {`wait_for(router, text = "what never comes", timeout = 600)`, "2/2"},
		"while the script works": {`say("at it")
for i in range(1000000000):
    pass`, "at it"},
	} {
		t.Run(name, func(t *testing.T) {
			file, machine := lone(t, c.body)
			l := command(t, file)
			l.begin(t)
			l.says(t, c.moment)
			l.Process.Signal(os.Interrupt)
			<-l.over
			code := l.ProcessState.ExitCode()
			// A script that computes may hit its step limit just before.
			if code != 130 && !(strings.Contains(c.body, "range") && code == 3) {
				t.Errorf("exit code %d; it said:\n%s\n%s", code, l.out.String(), l.err.String())
			}
			gone(t, machine, 0)
		})
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		code int
		says string
	}{
		"a check fails": {`send(router, "echo one")
assert_contains(router, "two", hint = "Type two.")`, 1, "hint: Type two."},
		"a prompt never comes": {`send(router, "echo the tail; sleep 600")
wait_prompt(router, timeout = 2)`, 5, "the tail"},
		"a guest panics": {`send(router, "echo c >/proc/sysrq-trigger")
wait_for(router, text = "what never comes", timeout = 600)`, 1, "kernel panicked: Kernel panic - not syncing: sysrq triggered crash"},
		"a guest powers itself off": {`send(router, "poweroff -f")
wait_for(router, text = "what never comes", timeout = 600)`, 1, "powered itself off"},
		"a wrong type in a step": {`send("router", "ip a")`, 3, `lone.star:12:9: send: on: want a machine, console or terminal, got string "router"`},
	} {
		t.Run(name, func(t *testing.T) {
			file, machine := lone(t, c.body)
			l := command(t, file)
			l.begin(t)
			l.finish(t, c.code)
			if !strings.Contains(l.err.String(), c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, l.err.String())
			}
			gone(t, machine, 0)
		})
	}
}

func TestKilledFromOutside(t *testing.T) {
	file, machine := lone(t, `wait_for(router, text = "what never comes", timeout = 600)`)
	l := command(t, file)
	l.begin(t)
	l.says(t, "2/2")
	var pid int
	fmt.Sscan(emulators(machine)[0], &pid)
	syscall.Kill(pid, syscall.SIGKILL)
	l.finish(t, 4)
	if !strings.Contains(l.err.String(), "killed from outside") {
		t.Errorf("it said:\n%s", l.err.String())
	}
}

func TestNoQEMU(t *testing.T) {
	file, _ := lone(t, "pass")
	l := command(t, file)
	l.Env = append(l.Env, "PATH="+t.TempDir())
	l.begin(t)
	l.finish(t, 4)
	if !strings.Contains(l.err.String(), "apt-get install qemu-system-x86") {
		t.Errorf("it said:\n%s", l.err.String())
	}
}
