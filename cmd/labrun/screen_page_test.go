package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/labrun/labrun/internal/labtest"
)

// monitorLab is a mission at a machine that has a screen and no serial port.
const monitorLab = `mission(title = "A monitor", api = 1)
pc = machine("pc", image = "tiny")

def looks():
    """Look at it"""
    boot(pc)
    send(pc, "ver")
    assert_contains(pc, "tiny 1.0")

def draws():
    """Draw"""
    ask("Does it draw?", answer = "yes")

step(looks)
step(draws)
`

// TestScreenInAPage plays a student at a machine with a screen in a browser: typing at its picture, its text, keys that
// browsers keep for themselves, somebody who watches, a machine that is switched off and on.
func TestScreenInAPage(t *testing.T) {
	dir, file := labtest.TinyCache(t), filepath.Join(t.TempDir(), "monitor.star")
	if err := os.WriteFile(file, []byte(monitorLab), 0o644); err != nil {
		t.Fatal(err)
	}
	c := servesFrom(t, dir, "--lock", filepath.Join(dir, "images.lock"), file)
	browser := chromium(t)
	p := open(t, browser, "english", c.url(), 1280, 800)
	p.click(`[data-do="start"]`)
	p.askedFor("boot", "Switch on pc")
	p.sees(`[data-console="pc"] .dark`, "pc is off")
	p.accessible("screen-off")
	p.click(`[data-do="go"]`)
	p.press("\r") // as at a console
	p.pictured("pc")
	p.waitsAt("pc", "tiny> ")
	p.askedFor("send", "On pc, type:", "ver")
	p.typesAtPicture("pc", "vre")
	p.sees(".missed", "Not yet")
	p.accessible("screen")

	// Ctrl+] leaves, and Ctrl is not held down for the machine when its student comes back.
	p.click(`[data-picture="pc"] canvas`)
	p.press("]", chromedp.ModifierCtrl)
	p.sees("#now :focus")
	p.click(`[data-picture="pc"] canvas`)
	p.press("ver")
	p.waitsAt("pc", "tiny> ver")

	watcher := open(t, browser, "watcher", p.watchingLink(), 1280, 800)
	watcher.click(`[data-mission] [data-do]`)
	watcher.pictured("pc")
	watcher.sees(`[data-console="pc"] .line`, "You are watching")
	watcher.accessible("watching")
	watcher.typesAtPicture("pc", "x")
	value[bool](watcher, `!!labrun.consoles.type("pc", "x", true)`) // nor by what the page has for it
	p.typesAtPicture("pc", "x\b")
	p.step("2", "Draw")
	if said := p.console("pc"); strings.Count(said, "tiny 1.0") != 2 {
		t.Errorf("who watches has typed: %s", said)
	}

	p.click(`[data-view="text"]`)
	p.types("pc", "lines")
	p.reads("pc", "line 40\ntiny>")
	p.accessible("text")
	p.click(`[data-view="picture"]`)
	p.typesAtPicture("pc", "draw")
	p.sees("canvas")
	p.until("a yellow square", `(() => { const c = document.querySelector('[data-picture="pc"] canvas');
		const [r, g, b] = c.getContext("2d").getImageData(c.width / 2, c.height / 2, 1, 1).data; return r > 200 && g > 200 && b < 128; })()`)
	p.picture("graphics")
	p.press("x")
	p.waitsAt("pc", "tiny> ")

	p.click(`[data-picture="pc"] canvas`)
	p.press("begun")
	p.waitsAt("pc", "tiny> begun")
	p.click(`[data-do="cad"]`)
	p.click(`[data-do="yes"]`)
	p.until("the machine anew", `!(`+screen+`).includes("begun")`, "pc")
	p.waitsAt("pc", "tiny> ")
	p.typesAtPicture("pc", "off")
	p.sees(`[data-console="pc"] .dark`, "pc was switched off")
	p.press("\r") // the keyboard has stayed there
	p.pictured("pc")
	p.waitsAt("pc", "tiny> ")
	watcher.pictured("pc")

	p.typesAtPicture("pc", "dirty")
	p.waitsAt("pc", "tiny> ")
	p.clickMore("redo") // the machine is restored, with all who look at it
	p.click(`[data-do="yes"]`)
	p.sees("body", "The step begins again, with the machines as they were") // what is typed before goes to the machine as it was
	p.pictured("pc")
	p.typesAtPicture("pc", "ver")
	p.reads("pc", "tiny> ver\ntiny 1.0\ntiny>")

	p.do(chromedp.EmulateViewport(390, 844))
	p.click(`#panes [data-pane="consoles"]`)
	p.pictured("pc")
	p.fits()
	p.accessible("narrow")
	p.click(`[data-view="text"]`)
	p.fits()
	p.accessible("narrow-text")
	value[any](p, `(document.querySelector("#language").value = "zh-TW", document.querySelector("#language").dispatchEvent(new Event("change")))`)
	p.sees(`[data-view="picture"]`, "畫面")
	p.fits()
	p.picture("narrow-chinese")
	p.innocent(c.host(), "willReadFrequently")
	watcher.innocent(c.host(), "willReadFrequently")
}

// watchingLink is the address by which others may watch.
func (p *tab) watchingLink() string {
	p.t.Helper()
	p.click("#share")
	p.sees("dialog input")
	link := value[string](p, `document.querySelector("dialog input").value`)
	p.click(`dialog .actions button:not(.main)`)
	p.until("the dialog is closed", `document.querySelector("dialog") === null`)
	return link
}

// pictured waits until a machine's picture is there.
func (p *tab) pictured(machine string) {
	p.t.Helper()
	p.until("the picture of "+machine, `document.querySelector(%s)?.width > 0`, `[data-picture="`+machine+`"] canvas`)
}

// typesAtPicture enters a line at a machine's picture, which is clicked first.
func (p *tab) typesAtPicture(machine, line string) {
	p.t.Helper()
	p.click(`[data-picture="` + machine + `"] canvas`)
	p.press(line + "\r")
}
