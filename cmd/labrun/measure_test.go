//go:build measure

package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/creack/pty"
)

var flood = flag.Int("flood", 100, "how many MB a guest prints")

// TestMeasurePage prints what docs/performance.md has of the page. It measures, and asserts nothing of speed: it is built
// with the tag measure only.
func TestMeasurePage(t *testing.T) {
	mission := `mission(title = "A lab", api = 1)
m = machine("router7", nics = [uplink(), network("lan")])
def works():
    """Works"""
    boot(m)
    wait_prompt(m)
    ask("Done?")
step(works)
`
	var files []string
	dir := t.TempDir()
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		file := filepath.Join(dir, name+".star")
		if err := os.WriteFile(file, []byte(mission), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	c := serves(t, files...)
	browser := chromium(t)
	p := open(t, browser, "measure", c.url(), 1280, 800)
	starts := func(p *tab, file string) {
		p.click(script(`[data-mission=%s] [data-do="start"]`, file))
		p.click(`[data-do="enter"]`)
		p.reads("router7", "activate this console")
		p.types("router7", "")
		p.waitsAt("router7", "# ")
	}
	starts(p, files[0])

	terminal, printed, quiet := c.attached(t, "router7", pty.Winsize{Rows: 40, Cols: 90})
	value[bool](p, `(() => {
		const terminal = labrun.consoles.get("router7").terminal;
		window.took = []; let pressed = 0;
		addEventListener("keydown", () => { pressed = performance.now(); }, true);
		terminal.onRender(() => { if (pressed) { took.push(performance.now() - pressed); pressed = 0; } });
		return true;
	})()`)
	var inPage, inAttach []float64
	for range 5 { // in turns
		for range 20 {
			before := value[int](p, `took.length`)
			p.press("x")
			p.until("an echo", `took.length > %s`, before)
		}
		p.press("\r")
		quiet()
		for range 20 {
			began := time.Now()
			terminal.Write([]byte("x"))
			for text := range printed {
				if strings.Contains(text, "x") {
					break
				}
			}
			inAttach = append(inAttach, float64(time.Since(began).Microseconds())/1000)
			time.Sleep(30 * time.Millisecond) // as the page's keys come
		}
		terminal.Write([]byte("\r"))
		quiet()
	}
	inPage = value[[]float64](p, `took`)
	t.Logf("key to echo: in the page %.1f ms, in labrun attach %.1f ms (medians of %d and %d)",
		middle(inPage), middle(inAttach), len(inPage), len(inAttach))
	pid := c.serving.Process.Pid
	t.Logf("labrun serve: one lab, one page: %s", cost(t, pid))
	print := fmt.Sprintf("dd if=/dev/zero bs=1000000 count=%d 2>/dev/null | tr '\\0' x; echo; echo fl''ood ", *flood)
	began := time.Now()
	p.do(chromedp.Navigate("about:blank"))
	fmt.Fprintf(terminal, "%snone\r", print)
	for said := ""; !strings.Contains(said, "flood none"); {
		said = said[max(0, len(said)-100):] + <-printed
	}
	t.Logf("no page: %d MB in %.1f s", *flood, time.Since(began).Seconds())
	go func() {
		for range printed { // attach reads on
		}
	}()
	p.do(chromedp.Navigate(c.url()))
	p.click(script(`[data-mission=%s] [data-do="start"]`, files[0]))
	p.waitsAt("router7", "# ")

	floods := func(name string) {
		value[bool](p, `(() => { window.late = 0; clearInterval(window.ticks); let last = performance.now();
			window.ticks = setInterval(() => { const now = performance.now(); late = Math.max(late, now - last - 50); last = now; }, 50);
			return true; })()`)
		before := cost(t, pid)
		began := time.Now()
		p.types("router7", print+name)
		p.until("the end of the flood", `((b) => b.getLine(b.baseY + b.cursorY - 1)?.translateToString(true) === %s)(
			labrun.consoles.get("router7").terminal.buffer.active)`, "flood "+name) // all that it shows would take long to look at
		t.Logf("%s: %d MB in %.1f s, the page was late by at most %.0f ms; labrun serve before: %s, after: %s",
			name, *flood, time.Since(began).Seconds(), value[float64](p, `late`), before, cost(t, pid))
	}
	floods("one")
	for i := range 9 {
		q := open(t, browser, fmt.Sprintf("measure-%d", i), c.url(), 1280, 800)
		q.click(script(`[data-mission=%s] [data-do="start"]`, files[0]))
		q.waitsAt("router7", "# ")
	}
	floods("ten")
	for i, file := range files[1:] {
		starts(open(t, browser, fmt.Sprintf("lab-%d", i+2), c.url(), 1280, 800), file)
	}
	before := cost(t, pid)
	time.Sleep(time.Minute) // it is what is measured
	t.Logf("five labs, a page for each and nine more for one: labrun serve before a minute of rest: %s, after: %s", before, cost(t, pid))
}

func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// cost is what a process has of memory, and has had of processors.
func cost(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	memory, _, _ := strings.Cut(rest, "\n")
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ = strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var user, system int
	fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return fmt.Sprintf("%s, %.2f s of CPU", strings.TrimSpace(memory), float64(user+system)/100)
}

// attached sits down at a machine of the run in a terminal of its own, until the test ends. What is printed there comes from
// the channel, and quiet waits until nothing more does.
func (c *classroom) attached(t *testing.T, machine string, size pty.Winsize) (terminal *os.File, printed chan string, quiet func()) {
	t.Helper()
	attached := exec.Command("labrun", "attach", c.run().Session()+"/"+machine)
	attached.Env = append(os.Environ(), c.env...)
	terminal, err := pty.StartWithSize(attached, &size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		terminal.Write([]byte{0x1d})
		attached.Wait()
		terminal.Close()
	})
	printed = make(chan string, 1000)
	go func() {
		defer close(printed)
		for buffer := make([]byte, 4096); ; {
			n, err := terminal.Read(buffer)
			if err != nil {
				return
			}
			printed <- string(buffer[:n])
		}
	}()
	quiet = func() {
		for {
			select {
			case <-printed:
			case <-time.After(500 * time.Millisecond):
				return
			}
		}
	}
	return terminal, printed, quiet
}
