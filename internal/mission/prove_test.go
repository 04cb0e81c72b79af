package mission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/script"
)

// prove proves a mission on one real machine, called pc, that its first step boots.
// It returns a line for each trial of the steps after that.
func prove(t *testing.T, start Start, events *event.Log, body string) []string {
	t.Helper()
	lock, store := openImages(t)
	defer store.Close()
	return proveFrom(t, lock, store, Proof{Start: start}, events, body)
}

// proveFrom proves it with the images of a cache that is open.
func proveFrom(t *testing.T, lock *image.Lock, store *image.Store, proof Proof, events *event.Log, body string) []string {
	t.Helper()
	source := `mission(title = "Lab", api = 1)
pc = machine("pc", image = "alpine")

def begin():
    """Begin"""
    boot(pc)
    login(pc)

step(begin)
` + body
	open := func(ctx context.Context, events *event.Log) (*Mission, *lab.Lab, error) {
		m, err := Load(ctx, folder("lab.star", source), "lab.star", "lab.star", script.Options{Images: lock.Names()})
		if err != nil {
			return nil, nil, err
		}
		l, err := lab.New(m.Config(), lab.Options{Store: store, Events: events})
		return m, l, err
	}
	m, l, err := open(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	proof.Beside = func(ctx context.Context, use func(context.Context, *Mission, *lab.Lab, *event.Log) error) error {
		events := &event.Log{}
		m, l, err := open(ctx, events)
		if err != nil {
			return err
		}
		return errors.Join(use(ctx, m, l, events), l.Close())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	var told []string
	begun := Trial{}
	proof.Begins = func(trial Trial, _ int) { begun = trial }
	proof.Tell = func(trial Trial) {
		if trial.NotTried == "" && (trial.Name != begun.Name || trial.Step != begun.Step) {
			t.Errorf("%q ends, and what began is %q", trial.Name, begun.Name)
		}
		line := fmt.Sprintf("%d %s", trial.Step, trial.Name)
		switch {
		case trial.Failure != "" && trial.Remedy == "":
			t.Errorf("no remedy: %+v", trial)
		case trial.Failure != "":
			first, _, _ := strings.Cut(trial.Failure, "\n")
			line += " FAILED: " + first
		case trial.NotTried != "":
			line += " not tried: " + trial.NotTried
		case trial.Told != "":
			line += ", told: " + trial.Told
		}
		if strings.Contains(trial.Name, "wrong") && trial.Screen != "" {
			line += ", screen: " + trial.Screen
		}
		if trial.Refused != nil && (!strings.HasPrefix(trial.Refused.Position, "lab.star:") || trial.Refused.Message == "") {
			t.Errorf("%s: refused by %+v", line, trial.Refused)
		}
		if strings.Contains(trial.Name, "wrong answer") && trial.Failure == "" && trial.Refused == nil {
			t.Errorf("%s: refused by nothing", line)
		}
		if !strings.HasPrefix(trial.Position, "lab.star:") {
			t.Errorf("%s: its position is %q", line, trial.Position)
		}
		if trial.Step > 1 {
			told = append(told, line)
		}
	}
	if err := m.Prove(ctx, l, events, proof); err != nil {
		t.Error(err)
	}
	return told
}

func wantTrials(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// In two labs, whose trials are told in order all the same.
func TestProveAGoodLab(t *testing.T) {
	labtest.Parallel(t)
	lock, store := openImages(t)
	defer store.Close()
	wantTrials(t, proveFrom(t, lock, store, Proof{Jobs: 2}, &event.Log{}, `
def it_has_a_note():
    assert_contains(read_file(pc, "/root/note"), "\"hello\"", hint = "Look at /root/note.")

def write_a_note():
    """Write a note"""
    run(pc, "rm -f /root/note", check = True)
    task(pc, "Write \"hello\", with its quotation marks, into /root/note.",
        solution = "touch /root/note\nrm -i /root/note\ny\necho '\"hello\"' >/root/note",
        check = it_has_a_note,
        hints = ["> sends it into a file.", "Type `+"`echo '\\\"hello\\\"' > /root/note`"+`, then press `+"`Enter`"+`."],
        wrong = [("echo \"hello\" >/root/note", "look AT /root/note"), ("touch /root/note\necho hello", '"\\"hello\\"" not found'), "echo Sure?\nrm -f /root/none"],
    )

step(write_a_note)

def read_it():
    """Read it"""
    send(pc, "cat /root/note")
    assert_contains(pc, "hello", hint = "Type `+"`cat /root/note`"+`.")
    send(pc, "cat /root/note | wc -c")
    assert_match(pc, r"(?m)^8", hint = "Type `+"`wc -c < /root/note`"+`.")

step(read_it)
`),
		"2 solved", "2 not solved before", "2 twice", "2 wrong answer 1 fails, told: Look at /root/note.", "2 wrong answer 2 fails, told: Look at /root/note., screen: hello", "2 wrong answer 3 fails, screen: Sure?", "2 the hint of task solves it",
		"3 solved", "3 twice", "3 fails without `cat /root/note` at pc", "3 the hint of assert_contains solves it",
		"3 fails without `cat /root/note | wc -c` at pc", "3 the hint of assert_match solves it")
}

// The challenges of a board are tried each by itself. One whose set-up does not begin anew is
// found, and so is what comes after the board.
func TestProveABoard(t *testing.T) {
	labtest.Parallel(t)
	lock, store := openImages(t)
	defer store.Close()
	wantTrials(t, proveFrom(t, lock, store, Proof{Jobs: 2}, &event.Log{}, `
def gone(name):
    return lambda: run(pc, "test -e /srv/" + name).status != 0

def make_one():
    run(pc, "touch /srv/one; mkdir -p /srv/kept", check = True)

def one():
    """One"""
    task(pc, "Remove /srv/one.", solution = "rm /srv/one", check = gone("one"),
        hints = ["`+"`rm /srv/one`"+`"], wrong = ["cd /srv/kept", "umask 077", "touch /srv/one", "sh -c '(sleep 0.5; rm /srv/one) >/dev/null 2>&1 &'"])

def make_two():
    run(pc, "mkdir -p /srv/two; test ! -e /srv/solved-two || rm -r /srv/two", check = True)

def two():
    """Two"""
    task(pc, "Remove /srv/two.", solution = "rmdir /srv/two && touch /srv/solved-two", check = gone("two"), hints = ["rmdir"],
        wrong = [("rm -f /srv/two/*; touch /srv/two/in", "not satisfied"), "rm -r /srv/two"])

def three():
    """Three"""
    send(pc, "echo $((1 + 1))")
    assert_contains(pc, "2", hint = "`+"`echo 2`"+`")

challenge(one, setup = make_one)
challenge(two, setup = make_two)
challenge(three)

def after():
    """After"""
    assert_true(run(pc, "test -e /srv/two").status != 0, hint = "All are solved.")

step(after)
`),
		"2 solved", "2 not solved before", "2 wrong answer 1 fails", "2 wrong answer 2 fails", "2 wrong answer 3 fails",
		"2 wrong answer 4 fails FAILED: the check accepts `sh -c '(sleep 0.5; rm /srv/one) >/dev/null 2>&1 &'`", // a moment later
		"2 the hint of task solves it", "2 begins anew",
		"3 solved", "3 not solved before", "3 wrong answer 1 fails", "3 wrong answer 2 fails FAILED: the check accepts `rm -r /srv/two`",
		"3 the hint of task solves it not tried: the hint shows nothing in backquotes to type",
		"3 begins anew FAILED: begun once more, it is solved already: Remove /srv/two.",
		"4 solved", "4 fails without `echo $((1 + 1))` at pc", "4 the hint of assert_contains solves it", "4 twice",
		"5 solved", "5 twice")
}

// A step may have several tasks, one of a loop as well.
func TestProveTwoTasks(t *testing.T) {
	labtest.Parallel(t)
	wantTrials(t, prove(t, Start{}, &event.Log{}, `
def two_tasks():
    """Two tasks"""
    for name in ["one", "two"]:
        run(pc, "rm -f /tmp/" + name)
        def there():
            return run(pc, "test -f /tmp/" + name).status == 0
        def none():
            run(pc, "echo none > /tmp/none", check = True)
        task(pc, "Make " + name, solution = "touch /tmp/" + name, check = there, hints = ["`+"`touch /tmp/%s`"+`" % name], wrong = ["true", "echo nothing of the kind", "sleep 2", (none, "not satisfied")][:1 if name == "one" else 4])

step(two_tasks)
`),
		"2 solved", "2 task 1: not solved before", "2 task 2: not solved before", "2 twice",
		"2 task 1: wrong answer 1 fails", "2 task 1: the hint of task solves it",
		"2 task 2: wrong answer 1 fails", "2 task 2: wrong answer 2 fails, screen: nothing of the kind",
		"2 task 2: wrong answer 3 fails", "2 task 2: wrong answer 4 fails", "2 task 2: the hint of task solves it")
}

// A machine that starts again under a check is waited for.
func TestProveAReboot(t *testing.T) {
	labtest.Parallel(t)
	wantTrials(t, prove(t, Start{}, &event.Log{}, `
BOOT = "cat /proc/sys/kernel/random/boot_id"

def start_again():
    """Start again"""
    login(pc)
    before = run(pc, BOOT).stdout
    def other():
        return run(pc, BOOT).stdout != before
    task(pc, "Have it start again.", solution = "reboot", check = other, hints = ["`+"`reboot`"+`"], wrong = ["true"])
    login(pc)

step(start_again)
`), "2 solved", "2 not solved before", "2 twice", "2 wrong answer 1 fails", "2 the hint of task solves it")
}

// TestProveCatches has a defect in each step.
func TestProveCatches(t *testing.T) {
	labtest.Parallel(t)
	wantTrials(t, prove(t, Start{}, &event.Log{}, `
def a_check_that_cannot_fail():
    """A check that cannot fail"""
    send(pc, "uname")
    assert_equal(run(pc, "uname").stdout, "Linux\n", hint = "Type `+"`uname`"+`.")

step(a_check_that_cannot_fail)

def a_wrong_hint():
    """A wrong hint"""
    send(pc, "uname -m")
    assert_contains(pc, "x86_64", hint = "Type `+"`uname -n`"+`.")
    send(pc, "id -u")
    assert_contains(pc, "0", hint = "Type `+"`id OPTION`"+`.")

step(a_wrong_hint)

def it_does_harm():
    """It does harm"""
    send(pc, "mkdir /root/once")
    wait_prompt(pc)
    send(pc, "echo $?")
    assert_match(pc, "(?m)^0", hint = "Type it again.")

step(it_does_harm)

def it_breaks():
    """It breaks"""
    send(pc, "echo a:b")
    second = output(pc).split(":")[1]
    assert_equal(second.strip(), "b", hint = "Type `+"`echo a:b`"+`.")

step(it_breaks)
`),
		"2 solved", "2 twice",
		"2 fails without `uname` at pc FAILED: what is checked passes, though at pc only Enter was pressed", "2 the hint of assert_equal solves it",
		"3 solved", "3 twice", "3 fails without `uname -m` at pc",
		"3 the hint of assert_contains solves it FAILED: typing what the hint shows, `uname -n`, does not do: lab.star:21:20: assert_contains: \"x86_64\" not found: pc's output is:",
		"3 fails without `id -u` at pc", "3 the hint of assert_contains solves it not tried: `id OPTION` has a place to fill in",
		"4 solved", "4 twice FAILED: the step passes, and played once more at once it does not: lab.star:32:17: assert_match: nothing matches \"(?m)^0\": pc's output is:",
		"4 fails without `echo $?` at pc",
		"4 the hint of assert_match solves it not tried: the hint shows nothing in backquotes to type",
		"5 solved", "5 twice", "5 fails without `echo a:b` at pc FAILED: the script breaks when a student types something else: lab.star:39:35: list index 1 out of range [-1:0]",
		"5 the hint of assert_equal solves it")
}

// TestProveCatchesTasks has a defect in each step, too, all of which are tasks.
func TestProveCatchesTasks(t *testing.T) {
	labtest.Parallel(t)
	wantTrials(t, prove(t, Start{}, &event.Log{}, `
def there():
    return run(pc, "test -e /tmp/there").status == 0

def it_starts_solved():
    """It starts solved"""
    run(pc, "touch /tmp/there", check = True)
    task(pc, "Make /tmp/there.", solution = "touch /tmp/there", check = there, hints = ["touch makes it."])

step(it_starts_solved)

def gone():
    return run(pc, "test -e /tmp/there").status != 0

def a_wrong_answer_that_passes():
    """A wrong answer that passes"""
    run(pc, "touch /tmp/there", check = True)
    task(pc, "Move /tmp/there to /tmp/here.", solution = "mv /tmp/there /tmp/here", check = gone,
        hints = ["`+"`cp /tmp/there /tmp/here`"+`"], wrong = ["rm /tmp/there", ("ls /srv >&2", "is still there")])

step(a_wrong_answer_that_passes)

def it_is_not_solved():
    """It is not solved"""
    run(pc, "touch /root/once", check = True)
    task(pc, "Remove /root/once.", solution = "true", check = gone_once, timeout = 2)

def gone_once():
    return run(pc, "test -e /root/once").status != 0

step(it_is_not_solved)

def never():
    """Never"""
    say("reached")

step(never)
`),
		"2 solved", "2 not solved before FAILED: its check holds before anything was done for it", "2 twice",
		"2 the hint of task solves it not tried: the hint shows nothing in backquotes to type",
		"3 solved", "3 not solved before", "3 twice", "3 wrong answer 1 fails FAILED: the check accepts `rm /tmp/there`",
		"3 wrong answer 2 fails FAILED: `ls /srv >&2` is refused, but not because of \"is still there\": its check is not satisfied",
		"3 the hint of task solves it FAILED: typing what the hint shows, `cp /tmp/there /tmp/here`, does not do: its check is not satisfied",
		"4 solved FAILED: lab.star:35:9: task: its solution does not reach the goal: its check is not satisfied",
		"5 solved not tried: an earlier step is not solved")
}

// One step is proved after those before it, and from a saved state the next time, though
// its author has worked on it.
func TestProveOneStep(t *testing.T) {
	labtest.Parallel(t)
	proof := Proof{Start: Start{From: 2, Checkpoints: t.TempDir()}}
	lock, store := openImages(t)
	defer store.Close()
	for _, hint := range []string{"Type `hostname`.", "Say `hostname`."} {
		events, boots := &event.Log{}, 0
		events.Attach(func(r event.Record) {
			if acted, ok := r.Event.(event.Acted); ok && acted.Verb == "boot" {
				boots++
			}
		})
		wantTrials(t, proveFrom(t, lock, store, proof, events, `
def second():
    """Second"""
    send(pc, "hostname")
    assert_contains(pc, "localhost", hint = "`+hint+`")

step(second)

def third():
    """Third"""
    fail("nobody comes here")

step(third)
`), "2 solved", "2 twice", "2 fails without `hostname` at pc", "2 the hint of assert_contains solves it")
		if again := strings.HasPrefix(hint, "Say"); again != (boots == 0) {
			t.Errorf("with the hint %q the first step was played: %v", hint, boots > 0)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		hint, why string
		want      []string
	}{
		{"Type `ls -l`, then `cd /tmp`.", "", []string{"ls -l", "cd /tmp"}},
		{"Press `Enter` after `kill -TERM 5`.", "", []string{"kill -TERM 5"}},
		{"`echo $HOME ${PATH}`", "", []string{"echo $HOME ${PATH}"}},
		{"`echo A=1 $HOME | sed s/^PASSWORD=//p`", "", []string{"echo A=1 $HOME | sed s/^PASSWORD=//p"}},
		{"Type `ssh root@ADDRESS`.", "`ssh root@ADDRESS` has a place to fill in", nil},
		{"Look at it.", "the hint shows nothing in backquotes to type", nil},
		{"Type `kill PID`.", "`kill PID` has a place to fill in", nil},
		{"Type `ssh root@…`.", "`ssh root@…` has a place to fill in", nil},
		{"Type `cat <file>`.", "`cat <file>` has a place to fill in", nil},
		{"`cat >b <<EOF`, `one`, `EOF`", "", []string{"cat >b <<EOF", "one", "EOF"}},
		{"`cat >b <<'END'`, `NAME OF IT`, `END`", "`NAME OF IT` has a place to fill in", nil},
		{"End it with `Ctrl-C`.", "`Ctrl-C` is no line to type", nil},
	} {
		if got, why := commands(c.hint); !slices.Equal(got, c.want) || why != c.why {
			t.Errorf("commands(%q) = %q, %q; want %q, %q", c.hint, got, why, c.want, c.why)
		}
	}
}
