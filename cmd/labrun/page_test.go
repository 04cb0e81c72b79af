package main

import (
	"context"
	"fmt"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestWeekOneInAPage plays a student through all of the first week in a browser: right things and wrong things, hints,
// what labrun types at a click; a page that is loaded anew, one that loses its connection, a labrun serve that is killed,
// and a lab that is killed. Then another does it in Chinese, on a screen as narrow as a telephone's, by keyboard alone.
func TestWeekOneInAPage(t *testing.T) {
	c := serves(t)
	browser := chromium(t)
	p := open(t, browser, "english", c.url(), 1280, 800)
	p.sees(`[data-mission="week1"]`, "Your First Week in OS Journey", "8 steps")
	p.accessible("missions")
	p.click(`[data-mission="week1"] [data-do="start"]`)
	p.bubbles()
	p.bootsTheRouter()
	p.launchesTheServers()
	p.findsTheAddress(c)
	p.goesFromAlpineToDebian()
	p.readsTheRecords(c)
	p.comesToTheEnd(c)
	p.innocent(c.host(), "net::ERR_CONNECTION_REFUSED", "net::ERR_INTERNET_DISCONNECTED", "net::ERR_CONNECTION_RESET")

	p = open(t, browser, "chinese", c.url(), 390, 800)
	p.playsByKeyboard()
	p.innocent(c.host())
}

// asked waits until the guide asks for something at a machine; with a text that is to be typed if there is one.
func (p *tab) askedFor(verb string, texts ...string) {
	p.t.Helper()
	p.sees(`#now[data-verb="`+verb+`"]`, texts...)
}

// step waits until a step is where the student is.
func (p *tab) step(index, title string) {
	p.t.Helper()
	p.sees(`[data-shown="`+index+`"]`, title)
	p.sees(`[data-step="` + index + `"][data-state="here"]`)
}

func (p *tab) answers(choice string) {
	p.t.Helper()
	p.click(`#answer input[value="` + choice + `"]`)
	p.click(`#answer button[type="submit"]`)
}

// typesPassword enters a password, and once more if nothing comes of it: BusyBox and PAM drop what is typed too soon after
// their prompt, and a person sees that.
func (p *tab) typesPassword(machine, password string) {
	p.t.Helper()
	p.waitsAt(machine, "assword: ")
	for before := p.console(machine); p.console(machine) == before; {
		p.types(machine, password)
		for again := time.Now().Add(10 * time.Second); time.Now().Before(again) && p.console(machine) == before; {
			time.Sleep(30 * time.Millisecond)
		}
	}
}

func (p *tab) bubbles() {
	p.step("1", "A bubble within a bubble")
	p.sees("#answer", "Which of the two bubbles has a kernel of its own?")
	p.click(`[data-word="hint"]`)
	p.sees(".hint", "Hint 1 of")
	p.answers("1")
	p.sees(".missed", "Not that one")
	p.accessible("question")
	p.answers("2")
	p.step("2", "Boot the router")
	p.sees(`[data-step="1"][data-state="done"]`)
}

func (p *tab) bootsTheRouter() {
	p.askedFor("boot", "Switch on router7")
	p.accessible("boot")
	p.reads("router7", "Enter")
	p.types("router7", "")
	p.reads("router7", "activate this console")
	p.types("router7", "")
	p.waitsAt("router7", "# ")
	p.askedFor("send", "On router7, type:", "ip a")
	p.types("router7", "ip lnik")
	p.sees(".missed", "Not yet")
	p.click(`[data-word="hint"]`)
	p.sees(".hint", "Type ip a at the router once more.")
	p.accessible("hint")
	p.click(`[data-do="type"]`)
	p.reads("router7", "lan0")
	p.step("3", "Launch the two servers")
}

// launchesTheServers: in the middle of it the page is loaded anew.
func (p *tab) launchesTheServers() {
	p.askedFor("boot", "Switch on debian")
	p.click(`[data-do="enter"]`)
	p.askedFor("boot", "Switch on alpine")
	p.do(chromedp.Reload())
	p.step("3", "Launch the two servers")
	p.askedFor("boot", "Switch on alpine")
	p.click(`[data-step="2"]`)
	p.sees(`[data-shown="2"]`, "Boot the router")
	p.click(`.back button`)
	p.click(`[data-tab="router7"]`)
	p.reads("router7", "lan0") // what was said before
	p.click(`[data-do="go"]`)
	p.press("\r")
	p.askedFor("login", "On debian, log in")

	p.click("#split")
	p.waitsAt("debian", "login: ")
	p.types("debian", "root")
	p.typesPassword("debian", "toor")
	p.sees(".missed", "debian refused that login")
	p.accessible("split")
	p.waitsAt("debian", "login: ")
	p.types("debian", "root")
	p.typesPassword("debian", "root")
	p.askedFor("login", "On alpine, log in")
	p.waitsAt("alpine", "login: ")
	p.types("alpine", "root")
	p.typesPassword("alpine", "root")
	p.click("#split")

	p.askedFor("send", "On router7, type:", "uname -r")
	p.types("router7", "cat /proc/sys/kernel/osrelease") // another right way
	p.sees(".told", "router7 runs Linux")
	p.askedFor("send", "On debian, type:", "uname -r")
	p.click(`[data-do="type"]`)
	p.sees(".told", "debian runs Linux")
	p.askedFor("send", "On alpine, type:", "uname -r")
	p.click(`[data-word="do"]`)
	p.step("4", "Find Debian's address")
}

// findsTheAddress: labrun serve is killed, and started again. The page comes back by itself.
func (p *tab) findsTheAddress(c *classroom) {
	p.askedFor("send", "On debian, type:", "ip a")
	p.types("debian", "echo before the power cut")
	p.reads("debian", "\nbefore the power cut")
	c.kill()
	p.sees(`#connection[data-state="waiting"]`, "Connection lost. The lab goes on")
	p.picture("serve-killed")
	c.serve()
	p.until("a connection", `document.querySelector("#connection").dataset.state === "open"`)
	p.until("a console", `document.querySelector('[data-console="debian"]').dataset.state === "open"`)
	p.types("debian", "echo after $((6*7))")
	p.reads("debian", "\nafter 42")
	if said := p.console("debian"); len(regexp.MustCompile(`(?m)^before the power cut$`).FindAllString(said, -1)) != 1 {
		p.t.Errorf("after the connection was lost, debian's console says\n%s", said)
	}
	p.types("debian", "ip -4 addr show eth0")
	p.step("5", "From Alpine to Debian")
}

// goesFromAlpineToDebian: the network between the browser and labrun serve is down for a while.
func (p *tab) goesFromAlpineToDebian() {
	p.askedFor("send", "On alpine, type:", "ssh root@10.254.0.")
	p.types("alpine", "ssh nobody-there")
	p.sees(".missed", "after ssh nobody-there, alpine did not answer as expected")
	p.click(`[data-do="type"]`)
	p.reads("alpine", "continue connecting")
	p.askedFor("send", "On alpine, type:", "yes")
	p.offline(true)
	p.sees(`#connection[data-state="waiting"]`, "Connection lost")
	p.offline(false)
	p.until("a connection", `document.querySelector("#connection").dataset.state === "open"`)
	p.until("a console", `document.querySelector('[data-console="alpine"]').dataset.state === "open"`)
	p.types("alpine", "yes")
	p.typesPassword("alpine", "root")
	p.reads("alpine", "root@os25")
	p.askedFor("send", "On alpine, type:", "hostname")
	p.picture("ssh")
	p.click(`[data-do="type"]`)
	p.askedFor("send", "On alpine, type:", "exit")
	p.types("alpine", "ls")
	p.sees(".missed", "You typed ls; the lab says exit")
	p.types("alpine", "logout")
	p.step("6", "The router's records")
}

// offline cuts the page off from its server, as a network does that is down.
func (p *tab) offline(off bool) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off})
	if err != nil {
		p.fail(err.Error())
	}
}

// readsTheRecords: the lab itself is killed, and goes on at its step.
func (p *tab) readsTheRecords(c *classroom) {
	p.askedFor("send", "On router7, type:", "cat /perm/dhcp4d/leases.json")
	if err := syscall.Kill(c.run().PID, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.sees("#now", "This lab has ended", "It is not running any more. What you had done is kept.")
	p.accessible("killed")
	p.click(`[data-do="resume"]`)
	p.sees(".welcome", "Welcome back. You were at step 6 of 8")
	p.step("6", "The router's records")
	p.askedFor("send", "On router7, type:", "cat /perm/dhcp4d/leases.json")
	p.types("router7", "more /perm/dhcp4d/leases.json")
	p.step("7", "The magic of virtualization")
}

func (p *tab) comesToTheEnd(c *classroom) {
	p.sees("#answer", "How can so many virtual CPUs run on so few real ones?")
	p.click(`#answer input`)
	p.press("They take turns.\r")
	p.sees("#answer", "What happens to the others when one machine starts to compute all the time?")
	p.picture("open-question")
	p.click(`#answer button[type="submit"]`)
	p.askedFor("stay", "all 8 steps are done")
	p.accessible("complete")
	p.click(`[data-word="quit"]`)
	p.click(`dialog [data-do="yes"]`)
	p.sees("#now", "This lab has ended")
	p.click(`[data-do="list"]`)
	p.sees(`[data-mission="week1"]`, "finished")
}

// playsByKeyboard does the first week once more, in Chinese and without a mouse.
func (p *tab) playsByKeyboard() {
	p.t.Helper()
	p.tabTo("#language")
	p.press(kb.ArrowDown)
	p.sees("h1", "任務")
	p.fits()
	p.accessible("missions")
	p.tabTo(`[data-mission="week1"] [data-do="start"]`)
	p.press(kb.Enter)

	p.step("1", "泡泡裡的泡泡")
	p.sees("#answer", "兩種泡泡，哪一種有自己的核心？")
	p.fits()
	p.accessible("question")
	p.shortcut("G")
	p.press(" ")
	p.press(kb.ArrowDown)
	p.press(kb.Enter)
	p.step("2", "啟動路由器")

	p.askedFor("boot", "啟動 router7")
	p.shortcut("K")
	p.sees(`[data-console="router7"]`)
	p.press(kb.Enter)
	p.reads("router7", "activate this console")
	p.press(kb.Enter)
	p.waitsAt("router7", "# ")
	p.press("echo 中文\r")
	p.reads("router7", "\n中文")
	p.fits()
	p.accessible("console")
	p.press("]", chromedp.ModifierCtrl) // back to the guide
	p.askedFor("send", "在 router7 上輸入：", "ip a")
	p.shortcut("H")
	p.sees(".hint", "提示")
	p.tabTo(`[data-do="type"]`)
	p.press(kb.Enter)
	p.step("3", "啟動兩台伺服器")

	// The language of a lab that runs is another one, and Chinese again.
	p.tabTo("#language")
	p.press(kb.ArrowUp)
	p.askedFor("boot", "Switch on debian")
	p.sees(`[data-shown="3"]`, "Launch the two servers")
	p.press(kb.ArrowDown)
	p.askedFor("boot", "啟動 debian")

	p.shortcut("D")
	p.askedFor("boot", "啟動 alpine")
	p.shortcut("D")
	p.askedFor("login", "debian")
	p.shortcut("2")
	p.sees(`[data-console="debian"]`)
	p.waitsAt("debian", "login: ")
	p.press("root\r")
	p.typesPassword("debian", "root")
	p.askedFor("login", "alpine")
	p.shortcut("S")
	p.sees("dialog", "確定")
	p.fits()
	p.accessible("sure")
	p.press(kb.Enter)
	p.step("4", "找出 Debian 的位址")

	// A line below the console takes what an input method composes.
	p.shortcut("2")
	p.press("]", chromedp.ModifierCtrl)
	p.shortcut("2")
	p.tabTo(`[data-console="debian"] .send`)
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: "echo 你好"})
		return err
	}))
	p.press(kb.Enter)
	p.reads("debian", "\n你好")
	for step := 4; step <= 6; step++ {
		p.until("something to do", `document.querySelector("#now").dataset.number !== ""`)
		p.shortcut("S")
		p.sees("dialog")
		p.press(kb.Enter)
		p.sees(fmt.Sprintf(`[data-step="%d"][data-state="skipped"]`, step))
	}
	for range 2 { // open questions
		p.sees("#answer input")
		p.shortcut("G")
		p.press("輪流。\r")
	}
	p.askedFor("stay", "8")
	p.fits()
	p.accessible("complete")
}

// fits checks that nothing has to be scrolled sideways, and that nothing is cut off at the right.
func (p *tab) fits() {
	p.t.Helper()
	if wide := value[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		p.picture("wide")
		p.t.Errorf("%s: the page is %d pixels wider than its window", p.name, wide)
	}
}
