package replay

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/mission"
)

const smallLab = `mission(title = "A lab", api = 1)
debian = machine("debian")

def first():
    """The first step"""
    boot(debian)
    login(debian)
    send(debian, "hostname")
    assert_contains(debian, "the-name", hint = "What is it called?")
    ask("What is it?", choices = ["a picture", "a machine"], answer = "a machine")
    ask("How is it?")

def second():
    """The second step"""
    task(debian, "Write a note.", solution = "echo hello >/root/note", hints = ["echo", "echo hello"],
        check = lambda: assert_contains(read_file(debian, "/root/note"), "hello", hint = "It should say hello."))

def third():
    """The third step"""
    run(debian, "od -An -N2 -d /dev/urandom | tr -d ' ' >/root/number", check = True)
    send(debian, "echo it is $(cat /root/number)")
    wait_prompt(debian)
    task(debian, "Copy it.", solution = "cp /root/number /root/copy", check = lambda: run(debian, "cmp /root/number /root/copy").status == 0)

def says(name):
    return run(debian, "cat /root/%s" % name).stdout == "yes\n"

def lock():
    run(debian, "echo no >/root/fourth", check = True)

def fourth():
    """The fourth"""
    task(debian, "Let /root/fourth say yes.", solution = "echo yes >/root/fourth", check = lambda: says("fourth"), hints = ["echo"])

def fifth():
    """The fifth"""
    task(debian, "Let /root/fifth say yes.", solution = "echo yes >/root/fifth", check = lambda: says("fifth"), hints = ["echo"])

step(first)
step(second)
step(third)
challenge(fourth, setup = lock)
challenge(fifth)
`

// begins does the first step with what goes wrong on the way.
func (p *pupil) begins() {
	p.asked("boot")
	p.types("debian", "\r")
	p.enters("debian", "login: ", "root")
	p.enters("debian", "assword: ", "wrong")
	p.enters("debian", "login: ", "root")
	p.enters("debian", "assword: ", "root")
	p.asked("send hostname")
	p.enters("debian", "# ", "echo other")
	p.hears("missed", 1)
	p.enters("debian", "# ", "hostname the-name")
	p.enters("debian", "# ", "hostname")
	p.asked("What is it?")
	p.says("answer", "1")
	p.says("hint", "")
	p.says("answer", "2")
	p.asked("How is it?")
	p.says("answer", "Fine.")
}

// An honest student's work comes to the same: with mistakes, hints, a program that reads what is
// typed, a number that is another one each time, a step begun anew, and a break.
func TestHonest(t *testing.T) {
	labtest.Parallel(t)
	s := newSchool(t, labtest.Store(t), smallLab)
	s.plays(func(p *pupil) {
		p.begins()
		p.asked("task")
		p.says("hint", "")
		p.enters("debian", "# ", "cat >/root/n; mv /root/n /root/note") // the step is not over before cat is
		p.reads(`(/root/note)\n`)
		p.types("debian", "hallo\x7f\x7f\x7f\x7fello\r")
		p.reads(`\n(hello)\n`)
		p.types("debian", "\x04")
		p.asked("echo it is")
		p.says("redo", "")
		p.hears("redone", 1)
		p.asked("echo it is")
		p.enters("debian", "# ", "cat /root/number | sed 's/^/it is /'")
		p.asked("If yours does the same")
		p.says("ok", "")
		p.asked("Copy it.")
		p.enters("debian", "# ", "echo "+p.reads(`it is (\d+)\n`)+" >/root/copy")
		p.asked("board")
		p.says("goto", "1")
		p.asked("fourth say yes")
		p.enters("debian", "# ", "echo maybe >/root/fourth")
		p.hears("missed", 2)
		p.says("leave", "")
		p.asked("board")
		p.says("goto", "2")
		p.asked("fifth say yes")
		p.enters("debian", "# ", "echo half")
		p.reads(`\n(half)\n`)
	})
	s.plays(func(p *pupil) {
		p.asked("board")
		p.says("goto", "2")
		p.asked("fifth say yes")
		p.says("do", "")
		p.asked("board")
		p.says("goto", "1")
		p.asked("fourth say yes")
		p.says("reset", "")
		p.asked("sure")
		p.says("yes", "")
		p.asked("fourth say yes")
		p.enters("debian", "# ", "echo yes >/root/fourth")
		p.hears("completed", 1)
	})
	v := s.judges(s.handsIn())
	text, _ := json.MarshalIndent(v, "", " ")
	if v.Judgement != handin.Confirmed || v.Steps[0].Found.Hints != 1 || v.Student != "b10" || v.Steps[4].Found.Helped != 1 {
		t.Errorf("%s", text)
	}
	for _, step := range v.Steps {
		if step.Found.State == "" {
			t.Errorf("%s", text)
		}
	}
}

// A run that goes another way than the student's is played once more, and the second time counts.
func TestPlayedOnceMore(t *testing.T) {
	labtest.Parallel(t)
	s := newSchool(t, labtest.Store(t), smallLab)
	s.plays(func(p *pupil) {
		p.begins()
		p.asked("task")
	})
	o := Options{Store: s.store}
	loaded := 0
	o.Load = func(ctx context.Context, name string, who course.Student, language string) (*mission.Mission, error) {
		loaded++
		if loaded != 2 { // to look at it, and for the second play
			return s.load(ctx, name, who, language)
		}
		other := *s
		other.file = filepath.Join(t.TempDir(), "lab.star")
		if err := os.WriteFile(other.file, []byte(strings.ReplaceAll(smallLab, "the-name", "another")), 0o600); err != nil {
			return nil, err
		}
		return other.load(ctx, name, who, language)
	}
	if v := Judge(t.Context(), s.handsIn(), o); v.Judgement != handin.Confirmed || v.Played != 2 || v.Reason != "" || loaded != 3 {
		t.Errorf("%+v; it was loaded %d times", v, loaded)
	}
}

// What is not honest, or not of this mission, is told apart, and why.
func TestToldApart(t *testing.T) {
	labtest.Parallel(t)
	s := newSchool(t, labtest.Store(t), smallLab)
	s.plays(func(p *pupil) {
		p.begins()
		p.asked("task")
	})
	honest, err := os.ReadFile(s.handsIn())
	if err != nil {
		t.Fatal(err)
	}
	edited := s.handsInEdited(func(c *handin.Claim) { c.Steps[1].State = "done" })
	lowered := s.handsInEdited(func(c *handin.Claim) { c.Steps[0].Hints = 0 })
	v := s.judges(edited)
	if v.Judgement != handin.Differs || v.Steps[0].Differs != "" || v.Steps[1].Found.State != "" || !strings.Contains(v.Reason, "claimed to be done, and played again it was not come to its end") {
		t.Errorf("a verdict was edited: %+v", v)
	}
	if v = s.judges(lowered); v.Judgement != handin.Differs || !strings.Contains(v.Reason, "hints were asked for 0 times, and played again that was 1 times") {
		t.Errorf("hints were left out: %+v", v)
	}

	file := filepath.Join(t.TempDir(), "lab-b10.labrun")
	if err := os.WriteFile(file, honest[:len(honest)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "lab-b10.labrun")
	if err := os.WriteFile(whole, honest, 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Load: s.load, Store: s.store}
	refused := func(file string, o Options, cause handin.Cause, words string) {
		t.Helper()
		if v := Judge(t.Context(), file, o); v.Judgement != handin.Refused || v.Cause != cause || !strings.Contains(v.Reason, words) {
			t.Errorf("%+v, want it refused (%s): %s", v, cause, words)
		}
	}
	refused(file, o, handin.Damaged, "cut off")
	other := o
	other.Student = "b11"
	refused(whole, other, handin.Student, "b10's, and was handed in as b11's")
	keyed := o
	keyed.Key = course.Key("sixteen bytes or more")
	refused(whole, keyed, handin.Course, "without the course's key")
	none := o
	none.Load = func(context.Context, string, course.Student, string) (*mission.Mission, error) { return nil, nil }
	refused(whole, none, handin.Mission, "not among those")
	if err := os.WriteFile(s.file, []byte(smallLab+"\n# a change\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(whole, o, handin.Mission, "has changed since it was played (lab.star)")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	o.Changed = true
	if v := Judge(stopped, whole, o); v.Judgement != handin.Failed || v.Cause != handin.TimedOut {
		t.Errorf("it was stopped: %+v", v)
	}
}

// What is typed in a program that looks at the keyboard now and then, as games and editors do, is typed again key by key:
// several keys at once would be one to it.
func TestKeyByKey(t *testing.T) {
	labtest.Parallel(t)
	s := newSchool(t, labtest.Store(t), `mission(title = "A game", api = 1)
debian = machine("debian")

def wins():
    """Win"""
    boot(debian)
    login(debian)
    write_file(debian, "/root/game", """stty raw -echo
for turn in 1 2 3; do
  printf '?'
  took="$took$(dd bs=64 count=1 2>/dev/null | cut -c 1)"
done
stty sane
echo "$took" >/root/played
""")
    task(debian, "Play.", solution = "printf 'yes\\n' >/root/played",
        check = lambda: assert_equal(read_file(debian, "/root/played"), "yes\n", hint = "You have lost."))

step(wins)
`)
	s.plays(func(p *pupil) {
		p.asked("boot")
		p.types("debian", "\r")
		p.enters("debian", "login: ", "root")
		p.enters("debian", "assword: ", "root")
		p.asked("Play.")
		p.enters("debian", "# ", "sh /root/game")
		p.sees("debian", "?")
		for i, key := range []string{"y", "e", "s"} {
			p.types("debian", key)
			if i < 2 {
				p.sees("debian", strings.Repeat("?", i+2))
			}
		}
		p.hears("completed", 1)
	})
	if v := s.judges(s.handsIn()); v.Judgement != handin.Confirmed || v.Steps[0].Found.State != "done" {
		t.Errorf("%+v", v)
	}
}

// A line that was edited with arrow keys and completed with Tab is typed again key by key: a shell that reads several
// keys at once draws only what has come of all, and then its console does not show the line when Enter comes.
func TestEditedLine(t *testing.T) {
	labtest.Parallel(t)
	s := newSchool(t, labtest.Store(t), `mission(title = "Editing", api = 1)
debian = machine("debian")

def edits():
    """Edit"""
    boot(debian)
    login(debian)
    write_file(debian, "/root/a-long-name", "found\\n")
    send(debian, "bash --norc")
    wait_prompt(debian)
    send(debian, "cat /root/a-long-name")
    assert_contains(debian, "found", hint = "What is in it?")
    ask("Done?", choices = ["yes", "no"], answer = "yes")

step(edits)
`)
	s.plays(func(p *pupil) {
		p.asked("boot")
		p.types("debian", "\r")
		p.enters("debian", "login: ", "root")
		p.enters("debian", "assword: ", "root")
		p.asked("bash")
		p.enters("debian", "# ", "bash --norc")
		p.asked("cat")
		p.sees("debian", "# ")
		p.types("debian", "ct")
		p.sees("debian", "ct")
		p.types("debian", "\x1b[D")
		p.sees("debian", " c")
		p.types("debian", "a")
		p.sees("debian", "ca") // what is right of the cursor is not told
		p.types("debian", "\x1b[C")
		p.sees("debian", "cat")
		p.types("debian", " /root/a-lo\t")
		p.sees("debian", "cat /root/a-long-name ")
		p.types("debian", "\r")
		p.asked("Done?")
		p.says("answer", "1")
		p.hears("completed", 1)
	})
	if v := s.judges(s.handsIn()); v.Judgement != handin.Confirmed || v.Steps[0].Found.State != "done" {
		t.Errorf("%+v", v)
	}
}
