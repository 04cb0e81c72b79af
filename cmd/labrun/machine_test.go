package main

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// bootSector is a system of 52 bytes: it says hello, and then what is typed.
//
//	mov ax, cs; mov ds, ax; mov ax, 3; int 10h           ; text, 80x25
//	mov si, hello; next: lodsb; test al, al; jz typed; mov ah, 0Eh; int 10h; jmp next
//	typed: mov ah, 0; int 16h; mov ah, 0Eh; int 10h; jmp typed
func bootSector(t *testing.T, hello string) []byte {
	t.Helper()
	code, err := hex.DecodeString("8cc88ed8b80300cd10be217cac84c07406b40ecd10ebf5b400cd16b40ecd10ebf6")
	if err != nil {
		t.Fatal(err)
	}
	sector := make([]byte, 512)
	copy(sector, append(code, hello...))
	sector[510], sector[511] = 0x55, 0xaa
	return sector
}

// exported has labrun export something for browsers, serves the folder as any web server would, and returns its address.
func exported(t *testing.T, args ...string) string {
	t.Helper()
	site := filepath.Join(t.TempDir(), "site")
	export := exec.CommandContext(t.Context(), "labrun", append([]string{"export", "--browser", "--output", site}, args...)...)
	export.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("export: %v\n%s", err, out)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(site)))
	t.Cleanup(server.Close)
	return server.URL
}

// TestAnExportedPC boots a floppy in the page that labrun exports, on a server that has nothing but its files.
func TestAnExportedPC(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a browser: run without -short")
	}
	at := exported(t)
	floppy := filepath.Join(t.TempDir(), "hello.img")
	if err := os.WriteFile(floppy, bootSector(t, "Hello from a boot sector\r\n> "), 0o644); err != nil {
		t.Fatal(err)
	}
	p := open(t, chromium(t), "exported", at, 1000, 800)
	p.sees("h1", "A PC in this page")
	p.drops(floppy)
	p.click("#start")
	p.sees("#screen", "Hello from a boot sector")
	p.innocent(strings.TrimPrefix(at, "http://"))
}

// TestAnExportedMission plays a mission in the page that labrun exports: two machines in one page, which ping each other.
func TestAnExportedMission(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	at := exported(t, "testdata/two.star")
	p := open(t, chromium(t), "mission", at, 1280, 800)
	p.sees("#text h2", "1/2", "Switch both on")
	p.accessible("exported")
	for _, name := range []string{"one", "two"} {
		p.click(`[data-power="` + name + `"]`)
		p.printed(name, name+" login: ")
		p.enters(name, "root")
		p.printed(name, "Password: ")
		p.enters(name, "root")
		p.printed(name, name+":~# ")
	}
	p.click("#next")
	p.sees("#text h2", "2/2", "Give each an address")
	p.enters("one", "ip addr add 10.1.0.1/24 dev eth0")
	p.enters("two", "ip addr add 10.1.0.2/24 dev eth0; echo done$((1))")
	p.printed("two", "done1")
	p.click("#text li:nth-child(3) button") // types the ping
	p.sees("#text .seen")
	p.picture("pinged")
	p.innocent(strings.TrimPrefix(at, "http://"))
}

// printed waits until a machine of an exported mission has printed something in this step.
func (p *tab) printed(machine, text string) {
	p.t.Helper()
	p.until(machine+" prints "+text, `window.labrun.machines.get(%s).said.includes(%s)`, machine, text)
}

// enters types a line at a machine of an exported mission.
func (p *tab) enters(machine, line string) {
	p.t.Helper()
	p.click(`[data-console="` + machine + `"] .xterm`)
	p.press(line + "\r")
}

// TestAPCInThePage drops disks into the page that has a PC in it: what is none is named, a floppy boots, is typed at, saved
// and gone on from.
func TestAPCInThePage(t *testing.T) {
	c := serves(t)
	folder := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	floppy := file("hello.img", bootSector(t, "Hello from a boot sector\r\n> "))

	p := open(t, chromium(t), "pc", strings.Replace(c.url(), "/?", "/machine.html?", 1), 1000, 800)
	p.sees("h1", "A PC in this page")
	for _, bad := range []struct {
		name string
		data []byte
		says string
	}{
		{"empty.img", nil, "is empty"},
		{"disk.qcow2", append([]byte("QFI\xfb"), make([]byte, 508)...), "qemu-img convert"},
		{"floppy.zip", append([]byte("PK\x03\x04"), make([]byte, 508)...), "Unpack it first"},
		{"cut.img", make([]byte, 1000), "cut off"},
	} {
		p.drops(file(bad.name, bad.data))
		p.sees(".error", bad.name, bad.says)
	}
	p.drops(file("data.img", make([]byte, 512)))
	p.sees("#disks li", "data.img", "floppy", "no boot signature")
	p.drops(floppy)
	p.sees("#disks li", "hello.img", "floppy")
	p.accessible("floppy")
	p.click("#start")
	p.sees("#screen", "Hello from a boot sector", ">")
	p.press("hi there")
	p.sees("#screen", "> hi there")
	p.accessible("running")

	value[any](p, `(() => {
		const make = URL.createObjectURL;
		URL.createObjectURL = (blob) => { if (!blob.type) window.saved = blob; return make(blob); };
		HTMLAnchorElement.prototype.click = () => {}; // a headless browser has nobody to ask where to
	})()`)
	p.click("#save")
	p.until("it is saved", `window.saved?.size > 0`)
	p.click("#off")
	p.sees("#start")
	value[any](p, `(() => {
		const dragged = new DataTransfer();
		dragged.items.add(new File([window.saved], "hello.labrun-pc"));
		document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: dragged, cancelable: true }));
	})()`)
	p.sees("#disks li", "hello.labrun-pc")
	p.click("#start")
	p.sees("#screen", "> hi there")
	p.press(", again")
	p.sees("#screen", "> hi there, again")

	p.do(chromedp.EmulateViewport(390, 800))
	value[any](p, `(document.querySelector("#language").value = "zh-TW", document.querySelector("#language").dispatchEvent(new Event("change")))`)
	p.sees("h1", "這個頁面裡的一台電腦")
	p.until("the screen fits", `document.querySelector("#screen").getBoundingClientRect().width <= innerWidth`)
	p.fits()
	p.accessible("narrow")
	p.innocent(c.host())
}

// drops chooses a file for the PC, as dropping it does.
func (p *tab) drops(path string) {
	p.t.Helper()
	p.do(chromedp.SetUploadFiles("#drop input", []string{path}))
}

// TestAMachineInThePage plays a lab in which one machine lives in the page, in v86, and pings a router that QEMU runs. When
// the page is loaded anew, that machine is off, and is switched on again.
func TestAMachineInThePage(t *testing.T) {
	c := serves(t, "testdata/tiny.star")
	p := open(t, chromium(t), "resident", c.url(), 1280, 800)
	p.click(`[data-do="start"]`)
	p.askedFor("boot", "Switch on router7")
	p.click(`[data-do="enter"]`)
	p.askedFor("boot", "Switch on tiny")
	p.sees(`[data-held="tiny"]`)
	p.click(`[data-do="enter"]`)
	p.waitsAt("tiny", "login: ")
	p.types("tiny", "root")
	p.typesPassword("tiny", "root")
	p.askedFor("send", "ping -c 2 10.254.0.1")
	p.types("tiny", "uname -m")
	p.reads("tiny", "i686")
	p.pings("tiny", "10.254.0.1")
	p.sees("body", "Mission complete")
	p.picture("pinged")
	p.innocent(c.host())
}

// TestTwoMachinesInThePage plays a lab all of whose machines live in the page: they ping each other through the lab's switch.
func TestTwoMachinesInThePage(t *testing.T) {
	c := serves(t, "testdata/two.star")
	p := open(t, chromium(t), "residents", c.url(), 1280, 800)
	p.click(`[data-do="start"]`)
	p.sees(`[data-held="one"]`)
	p.sees(`[data-held="two"]`)
	for _, name := range []string{"one", "two"} {
		p.askedFor("boot", "Switch on "+name)
		p.click(`[data-do="enter"]`)
	}
	for _, name := range []string{"one", "two"} {
		p.click(`[data-tab="` + name + `"]`)
		p.waitsAt(name, "tiny login: ")
		p.types(name, "root")
		p.typesPassword(name, "root")
		p.waitsAt(name, "# ")
	}
	p.types("one", "ip addr add 10.1.0.1/24 dev eth0")
	p.askedFor("send", "10.1.0.2/24")
	p.types("two", "ip addr add 10.1.0.2/24 dev eth0")
	p.askedFor("send", "ping -c 2 10.1.0.2") // two has its address
	p.pings("one", "10.1.0.2")
	p.sees("body", "Mission complete")
	p.picture("pinged")
	p.innocent(c.host())
}

// pings pings an address until there is an answer, as a student would: on a busy computer an emulator in a page may be so
// slow that its guest has no address yet, or that its kernel has given up asking for a neighbour before that one has answered.
func (p *tab) pings(machine, address string) {
	p.t.Helper()
	for began, try := time.Now(), 1; time.Since(began) < patience; try++ {
		p.types(machine, "ping -c 2 "+address)
		p.until("the ping's end", `(`+screen+`.match(/packets received|is unreachable/g) ?? []).length >= %s`, machine, try)
		if value[bool](p, `/[12] packets received/.test(`+screen+`)`, machine) {
			return
		}
		time.Sleep(time.Second) // it has to get its address, and has one processor for that and for failing
	}
	p.fail(address + " does not answer")
}
