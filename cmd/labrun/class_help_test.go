package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// classLab is a mission of two steps on a fake machine.
const classLab = `mission(title = "Two questions and a router", api = 1)
m = machine("router7", nics = [uplink(), network("lan")])

def first():
    """The router"""
    boot(m)
    wait_prompt(m)
    ask("Which of the two routes?", choices = ["alpine", "router7"], answer = "router7")

def second():
    """And now?"""
    ask("What have you seen?")

step(first)
step(second)
`

// TestTeacherHelps: a student in a page of their own asks the teacher in, who looks on, and types at their console until
// they say no more.
func TestTeacherHelps(t *testing.T) {
	mission, class := filepath.Join(t.TempDir(), "lab.star"), filepath.Join(t.TempDir(), "class")
	if err := os.WriteFile(mission, []byte(classLab), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LABRUN_CLASS", class)
	_, address := teaches(t, class)
	browser := chromium(t)
	lab := servesFrom(t, labtest.Cache(t), "--student", "nini", mission)
	student := open(t, browser, "student", lab.url(), 1280, 900)
	student.click(`[data-do="start"]`)
	student.sees(".welcome", "This lab reports to your class")
	student.click(`[data-do="enter"]`)
	student.types("router7", "")
	student.waitsAt("router7", "# ")
	student.sees("#answer", "Which of the two routes?")

	teacher := open(t, browser, "teacher", address, 1280, 900)
	teacher.click(`[data-student="nini"] [data-do="look"]`)
	teacher.sees("#top", "nini", "watching only")
	teacher.waitsAt("router7", "# ")
	teacher.sees(`[data-console="router7"]`, "When the student invites you")
	teacher.types("router7", "echo un''invited")
	teacher.accessible("looking on")

	student.click(`[data-word="invite"]`)
	student.sees(".entry", "Your teacher may type at your consoles now")
	student.accessible("invited")
	teacher.sees("#top", "you are invited to type")
	teacher.types("router7", "echo tea''cher")
	student.reads("router7", "teacher")
	teacher.accessible("helping")
	teacher.click(".brand")
	teacher.sees(`[data-student="nini"]`, "asks for help", "Help")

	student.click(`[data-word="alone"]`)
	student.sees(".entry", "Only you type")
	teacher.sees(`[data-figure="calls"]`, "0")
	if text := student.console("router7"); strings.Contains(text, "uninvited") {
		t.Errorf("the teacher typed uninvited:\n%s", text)
	}
	teacher.innocent(hostOf(t, address))
	student.innocent(lab.host())
}
