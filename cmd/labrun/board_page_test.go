package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// boardLab is a mission of three challenges on a small machine, the last at another console of it; at one more sits
// somebody whom labrun plays.
const boardLab = `mission(title = "Three notes", api = 1)
box = machine("box", image = "mini")
niko = console(box, "niko", user = "niko")
nora = console(box, "nora", user = "nora", played = True)

def begin():
    """Begin"""
    boot(box, student = False)
    for name, number in [("niko", 1001), ("nora", 1002)]:
        run(box, "mkdir /home/%s; echo %s:x:%d:1000::/home/%s:/bin/sh >>/etc/passwd; chown %d /home/%s" % (name, name, number, name, number, name), check = True)
    login(box)
    login(nora)
    send(nora, "echo $USER is here, too")
    assert_contains(nora, "nora is here, too")

def says(name):
    return run(box, "cat /root/%s" % name).stdout == "yes\n"

def lock():
    run(box, "echo no >/root/first; echo set-up >>/root/log", check = True)

def first():
    """The first note

    A note says no, and has to say yes.
    """
    task(box, "Let /root/first say yes.", solution = "echo yes >/root/first", check = lambda: says("first"), hints = ["echo"])

def second():
    """The second note

    There is none yet.
    """
    task(box, "Let /root/second say yes.", solution = "echo yes >/root/second", check = lambda: says("second"), hints = ["echo"])

def third():
    """The third note

    It is niko's.
    """
    task(niko, "Let /home/niko/third say yes.", solution = "echo yes >third", check = lambda: says("../home/niko/third"), hints = ["echo"])

step(begin)
challenge(first, setup = lock)
challenge(second)
challenge(third)
`

// TestBoardInAPage plays a student at a board in a browser, with the mouse, by keyboard, and on a telephone, and at
// several consoles of one machine; then their page is loaded anew, the lab is stopped, and they go on. At the end the
// machine stays until they have looked around.
func TestBoardInAPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notes.star")
	if err := os.WriteFile(file, []byte(boardLab), 0o644); err != nil {
		t.Fatal(err)
	}
	c := serves(t, file)
	p := open(t, chromium(t), "english", c.url(), 1280, 800)
	p.click(`[data-do="start"]`)
	p.askedFor("login")
	p.click(`[data-word="do"]`)
	p.sees(`[data-shown="board"] h2`, "Challenges: 0 of 3 solved")
	p.askedFor("board", "Choose a challenge")
	p.accessible("board")
	if value[bool](p, `!!document.querySelector('[data-word="leave"], [data-reset]')`) {
		t.Error("there is something to leave, or to begin anew")
	}

	// Where labrun plays somebody, one looks on: what is typed there goes nowhere.
	p.click(`[data-tab="box/nora"]`)
	p.reads("box/nora", "nora is here, too")
	p.sees(`[data-console="box/nora"] .line`, "you look on")
	p.types("box/nora", "echo not I")
	p.click(`[data-tab="box"]`)
	p.types("box", "echo nora is alone >/dev/ttyS3")
	p.reads("box/nora", "nora is alone")
	if said := p.console("box/nora"); strings.Contains(said, "not I") {
		t.Errorf("nora's console shows %s", said)
	}
	p.click("#split")
	p.accessible("consoles")
	p.picture("consoles")
	p.click("#split")

	p.click(`[data-goto="2"]`)
	p.sees(`[data-shown="3"] h2`, "Challenge 2 of 3: The second note")
	p.askedFor("task", "Let /root/second say yes.")
	p.types("box", "echo yes >/root/second")
	p.sees(`[data-shown="board"] h2`, "Challenges: 1 of 3 solved")
	p.sees(`[data-goto="2"][data-state="done"]`, "solved ")
	p.sees(`[data-step="3"][data-state="done"]`)

	// By keyboard alone: to the first challenge, away, and back.
	value[bool](p, `(document.querySelector('[data-goto="1"]').focus(), true)`)
	p.press("\r")
	p.askedFor("task", "Let /root/first say yes.")
	p.press("B", chromedp.ModifierAlt, chromedp.ModifierShift)
	p.askedFor("board")
	p.sees(`[data-goto="1"][data-state="begun"]`, "begun")
	p.click(`[data-goto="1"]`)
	p.askedFor("task", "Let /root/first say yes.")
	p.types("box", "rm /root/second")
	p.clickMore("reset")
	p.askedFor("sure", "Begin challenge 1 («The first note») anew?", "What you did for the other challenges stays")
	p.accessible("sure")
	p.click(`[data-word="yes"]`)
	p.askedFor("task", "Let /root/first say yes.")
	p.click(`[data-word="leave"]`)
	p.sees(`[data-goto="2"][data-state="changed"]`, "but something has changed since")
	p.do(chromedp.EmulateViewport(390, 844))
	p.accessible("board-narrow")
	if width := value[int](p, `document.documentElement.scrollWidth`); width > 390 {
		t.Errorf("the page is %d pixels wide on a screen of 390", width)
	}
	p.do(chromedp.EmulateViewport(1280, 800))

	// What a page shows that is loaded anew, and one that comes after the lab was stopped, is the same.
	p.do(chromedp.Reload())
	p.sees(`[data-goto="1"][data-state="begun"]`)
	p.sees(`[data-goto="2"][data-state="changed"]`)
	p.clickMore("quit")
	p.click(`dialog [data-do="yes"]`)
	p.sees("#now", "next time you go on with these challenges")
	p.click(`[data-do="resume"]`)
	p.sees(`[data-goto="1"][data-state="begun"]`)
	p.sees(`[data-goto="2"][data-state="changed"]`)
	p.click(`[data-goto="1"]`)
	p.types("box", "cat log; echo yes >first")
	p.sees(`[data-goto="1"][data-state="done"]`)
	if said := p.console("box"); strings.Count(said, "set-up") != 2 {
		t.Errorf("the set-up was not played once, and once at the reset: %s", said)
	}
	p.click(`[data-goto="2"]`)
	p.types("box", "echo yes >second")
	p.sees(`[data-goto="2"][data-state="done"]`)
	value[any](p, `(document.querySelector("#language").value = "zh-TW", document.querySelector("#language").dispatchEvent(new Event("change")))`)
	p.sees(`[data-shown="board"] h2`, "題目：解出 2 / 3 題")
	p.click(`[data-goto="3"]`)
	p.askedFor("task")
	p.sees(`[data-tab="box/niko"].here`)
	p.types("box", "echo yes >/home/niko/second") // root's
	p.types("box/niko", "id -un; tty; echo yes >third")

	// All is solved: the machine stays on, in another page and a terminal as well.
	p.askedFor("stay")
	p.accessible("board-end")
	p.types("box", "echo still $((40+2))")
	p.reads("box", "still 42")
	p.reads("box/niko", "niko\n/dev/ttyS")
	p.click(`[data-word="quit"]`)
	p.innocent(c.host())
}
