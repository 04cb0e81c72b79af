package replay

import (
	"encoding/json"
	"testing"

	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/labtest"
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
    run(debian, "sh -c 'sleep 1234 & echo $! >/root/pid'", check = True)
    send(debian, "echo it is $(cat /root/pid)")
    wait_prompt(debian)
    task(debian, "End it.", solution = "kill $(cat /root/pid)", check = lambda: run(debian, "kill -0 $(cat /root/pid)").status != 0)

step(first)
step(second)
step(third)
`

func TestHonest(t *testing.T) {
	s := newSchool(t, labtest.Store(t), smallLab)
	s.plays(func(p *pupil) {
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
		p.asked("task")
		p.says("hint", "")
	})
	v := s.judges(s.handsIn())
	if v.Judgement != handin.Confirmed || v.Steps[0].Found.Hints != 1 || v.Student != "b10" {
		text, _ := json.MarshalIndent(v, "", " ")
		t.Errorf("%s", text)
	}
}
