package main

import (
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestWeekOneInAPage plays a student through all of the first week in a browser: right things and wrong things, hints,
// what labrun types at a click; a page that is loaded anew, one that loses its connection, a labrun serve that is killed,
// and a lab that is killed.
func TestWeekOneInAPage(t *testing.T) {
	c := serves(t)
	p := open(t, chromium(t), "english", c.url(), 1280, 800)
	p.sees(`[data-mission="week1"]`, "Your First Week in OS Journey", "8 steps")
	p.accessible("missions")
	p.click(`[data-mission="week1"] [data-do="start"]`)
	p.bubbles()
	p.bootsTheRouter()
	p.launchesTheServers()
	p.findsTheAddress(c)
	p.goesFromAlpineToDebian(c)
	p.watchesTheNetwork()
	p.readsTheRecords(c)
	p.comesToTheEnd(c)
	p.innocent(c.host(), "WebSocket connection to")
}

// askedFor waits until the guide asks for something at a machine; with a text that is to be typed if there is one.
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
	p.dialogs()
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
func (p *tab) goesFromAlpineToDebian(c *classroom) {
	p.askedFor("send", "On alpine, type:", "ssh root@10.254.0.")
	p.types("alpine", "ssh nobody-there")
	p.sees(".missed", "after ssh nobody-there, alpine did not answer as expected")
	p.click(`[data-do="type"]`)
	p.reads("alpine", "continue connecting")
	p.askedFor("send", "On alpine, type:", "yes")
	c.way.interrupt(true)
	p.sees(`#connection[data-state="waiting"]`, "Connection lost")
	c.way.interrupt(false)
	p.until("a connection", `document.querySelector("#connection").dataset.state === "open"`)
	p.until("a console", `document.querySelector('[data-console="alpine"]').dataset.state === "open"`)
	p.types("alpine", "yes")
	p.askedFor("send", "On alpine, type the password (it does not show):", "root")
	p.typesPassword("alpine", "root")
	p.reads("alpine", "root@os25")
	p.askedFor("send", "On alpine, type:", "hostname")
	if picture, to := p.picture("ssh"), os.Getenv("LABRUN_PICTURE"); to != "" { // the README's is made so
		if err := os.Rename(picture, to); err != nil {
			p.t.Error(err)
		}
	}
	p.click(`[data-do="type"]`)
	p.askedFor("send", "On alpine, type:", "exit")
	p.types("alpine", "ls")
	p.sees("#now", "You typed ls; the lab says exit")
	p.types("alpine", "logout")
	p.step("6", "The router's records")
}

// watchesTheNetwork: the drawing has the addresses that were heard, the list what has crossed the network, and the file as well.
func (p *tab) watchesTheNetwork() {
	p.click(`[data-tab="network"]`)
	for _, cable := range []string{"debian/eth0", "alpine/eth0"} {
		p.until("an address at "+cable,
			`document.querySelector("#network [data-cable=" + CSS.escape(%s) + "]")?.textContent.includes("10.254.0.")`, cable)
	}
	p.until("ssh's packets", `document.querySelector('#network [data-packet^="lan "][data-protocol="tcp"]') !== null`)
	const sectionHeader = 0x0a0d0d0a // with which a pcapng file begins
	if begin := value[uint32](p, `fetch(document.querySelector('[data-download="lan"]').href)
		.then((r) => r.arrayBuffer()).then((b) => new DataView(b).getUint32(0))`); begin != sectionHeader {
		p.t.Errorf("the file of packets begins with %#x", begin)
	}
	p.accessible("network")
	p.click(`[data-tab="router7"]`)
}

// readsTheRecords: the lab itself is killed, and goes on at its step.
func (p *tab) readsTheRecords(c *classroom) {
	p.askedFor("send", "On router7, type:", "cat /perm/dhcp4d/leases.json")
	if err := syscall.Kill(c.run().PID, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.sees("#now", "It is not running any more. What you had done is kept.")
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
	p.sees(`#connection[data-state="over"]`)
	p.sees("#now", "all 8 steps are done")
	p.click(`[data-do="list"]`)
	p.sees(`[data-mission="week1"]`, "finished")
}
