package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// TestFloodInAPage: a machine prints 100 MB as fast as it can, which no emulated serial port does, so it is a fake one. It
// comes to its end, and the page shows that, answers meanwhile, and keeps no more than it says.
func TestFloodInAPage(t *testing.T) {
	mission := filepath.Join(t.TempDir(), "flood.star")
	if err := os.WriteFile(mission, []byte(`mission(title = "A flood", api = 1)
m = machine("router7", nics = [uplink(), network("lan")])
def prints():
    """It prints"""
    boot(m)
    wait_prompt(m)
    ask("Done?")
step(prints)
`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := servesFrom(t, labtest.Cache(t), mission)
	p := open(t, chromium(t), "flood", c.url(), 1280, 800)
	p.click(`[data-do="start"]`)
	p.click(`[data-do="enter"]`)
	p.types("router7", "")
	p.waitsAt("router7", "# ")
	p.types("router7", `head -c 100000000 /dev/zero | tr '\0' x; echo; echo fl''ood is over`)
	p.until("the flood", `labrun.consoles.get("router7").terminal.buffer.active.baseY > 100`)
	p.click(`[data-tab="network"]`)
	p.sees(`#network [data-machine="router7"]`)
	p.click(`[data-tab="router7"]`)
	const last = `((b) => b.getLine(b.baseY + b.cursorY - 1)?.translateToString(true))(labrun.consoles.get("router7").terminal.buffer.active)`
	p.until("the end of the flood", last+` === "flood is over"`)
	p.types("router7", "echo and it goes on")
	p.reads("router7", "\nand it goes on")
	if lines := value[int](p, `labrun.consoles.get("router7").terminal.buffer.active.length`); lines > 20_000 {
		t.Errorf("the page keeps %d lines", lines)
	}
	p.innocent(c.host())
}
