package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page in headless Chromium, as a student has it: what is pressed and clicked are events of a keyboard and a
// mouse, and what is looked for is what is in sight.
type tab struct {
	t    *testing.T
	ctx  context.Context
	name string

	mu       sync.Mutex
	asked    []string // the addresses of all requests
	faults   []string // what the page's console said, and what its content security policy stopped
	pictures int
}

// chromium starts a browser, which ends with the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: `labrun doctor --mend test` installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program))
	if !sandboxed() {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel) // waits for its end
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("start chromium: ", err)
	}
	return ctx
}

// sandboxed reports whether Chromium can have its sandbox, which is made of user namespaces: root's browser cannot, nor
// one in a chroot or in a container that forbids them. It shows labrun's own pages only.
func sandboxed() bool {
	probe := exec.Command("true")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}
	return os.Geteuid() != 0 && probe.Run() == nil
}

// open opens a page of this size in a tab of its own.
func open(t *testing.T, browser context.Context, name, url string, width, height int64) *tab {
	t.Helper()
	p := &tab{t: t, name: name}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.ctx = ctx
	p.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return p
}

// hear notes what a page does that nobody sees.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	case *network.EventWebSocketCreated:
		p.asked = append(p.asked, e.URL)
	case *runtime.EventExceptionThrown:
		p.faults = append(p.faults, "exception: "+e.ExceptionDetails.Text+" "+describe(e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, o := range e.Args {
				words = append(words, describe(o))
			}
			p.faults = append(p.faults, "console: "+strings.Join(words, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.faults = append(p.faults, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

func describe(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	if o.Description != "" {
		return o.Description
	}
	return string(o.Value)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.fail(err.Error())
	}
}

// fail ends the test with a picture and the text of the page as it is.
func (p *tab) fail(why string) {
	p.t.Helper()
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	p.mu.Lock()
	faults := strings.Join(p.faults, "\n")
	p.mu.Unlock()
	p.picture("failed")
	p.t.Fatalf("%s: %s\nthe page says:\n%s\nfaults: %s", p.name, why, text, faults)
}

// picture keeps a picture of what is in sight, among the test's artifacts (go test -artifacts).
func (p *tab) picture(name string) string {
	p.t.Helper()
	p.pictures++
	file := filepath.Join(p.t.ArtifactDir(), fmt.Sprintf("%s-%02d-%s.png", p.name, p.pictures, name))
	data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		p.t.Error("take a picture: ", err)
	}
	return file
}

// value is what an expression of JavaScript gives, in the page.
func value[T any](p *tab, expression string, args ...any) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script(expression, args...), chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail(fmt.Sprintf("%s: %v", expression, err))
	}
	return v
}

// script puts values into an expression, each for a %s.
func script(expression string, args ...any) string {
	for i, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			panic(err)
		}
		args[i] = text
	}
	return fmt.Sprintf(expression, args...)
}

// until waits until an expression is true, however long that takes on a busy computer.
func (p *tab) until(what, expression string, args ...any) {
	p.t.Helper()
	limit := time.Now().Add(patience)
	if deadline, ok := p.t.Deadline(); ok && deadline.Before(limit) {
		limit = deadline.Add(-30 * time.Second) // then there is time to say what is there instead
	}
	expression = script(expression, args...)
	var last error
	for time.Now().Before(limit) {
		holds, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && holds {
			return
		}
		last = err // it may be another page that is loading
		time.Sleep(30 * time.Millisecond)
	}
	p.fail(fmt.Sprintf("%s: not in time (%v)", what, last))
}

// inSight are the elements of a selector that a student sees.
const inSight = `[...document.querySelectorAll(%s)].filter((e) => e.checkVisibility({ visibilityProperty: true }))`

// sees waits until an element is in sight, with each of these texts in it.
func (p *tab) sees(selector string, texts ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%s with %q", selector, texts), inSight+`.some((e) => %s.every((t) => e.innerText.includes(t)))`,
		selector, append([]string{}, texts...))
}

// click clicks on the first such element that is in sight, in its middle, once nothing is in front of it.
func (p *tab) click(selector string) {
	p.t.Helper()
	const point = `(() => {
		const e = ` + inSight + `.find((e) => !e.disabled);
		if (!e) return null;
		e.scrollIntoView({ block: "nearest", inline: "nearest" });
		const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
		return e.contains(document.elementFromPoint(x, y)) ? { x, y } : null;
	})()`
	p.until("can click on "+selector, point+` !== null`, selector)
	at := value[struct{ X, Y float64 }](p, point, selector)
	p.do(chromedp.MouseClickXY(at.X, at.Y))
}

// clickMore clicks on a word that is behind «more», which a page that asks for something else closes again.
func (p *tab) clickMore(word string) {
	p.t.Helper()
	button := script(`[data-word=%s]`, word)
	p.until("can be told to "+word, `(() => {
		const seen = `+inSight+`.length > 0;
		if (!seen) document.querySelector(".more:not([open]) summary")?.click();
		return seen;
	})()`, button)
	p.click(button)
}

// press presses keys one after the other, with modifiers held down. A key's character comes with its keydown event and
// not, as by chromedp.KeyEvent, on its own: a page that has handled the one does not get the other, as from a keyboard.
func (p *tab) press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		down, up := events[0], events[len(events)-1]
		for _, m := range modifiers {
			down.Modifiers |= int64(m)
			up.Modifiers |= int64(m)
		}
		if down.Modifiers&^int64(chromedp.ModifierShift) == 0 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		for _, event := range []*input.DispatchKeyEventParams{down, up} {
			if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, *event); err != nil {
				p.fail(err.Error())
			}
		}
	}
}

// console is all that a machine's terminal shows, what has scrolled away included.
func (p *tab) console(machine string) string {
	p.t.Helper()
	return value[string](p, screen, machine)
}

// screen is the text of a machine's terminal in the page.
const screen = `(() => {
	const b = window.labrun?.consoles?.get(%s)?.terminal?.buffer?.active, lines = [];
	for (let i = 0; i < (b?.length ?? 0); i++) {
		const line = b.getLine(i), text = line.translateToString(true);
		if (line.isWrapped) lines[lines.length - 1] += text; else lines.push(text);
	}
	return lines.join("\n").trimEnd();
})()`

// reads waits until a machine's terminal shows a text.
func (p *tab) reads(machine, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q at %s", text, machine), screen+`.includes(%s)`, machine, text)
}

// waitsAt waits until a prompt is in a machine's last line.
func (p *tab) waitsAt(machine, prompt string) {
	p.t.Helper()
	p.until(fmt.Sprintf("prompt %q at %s", prompt, machine), "("+screen+` + " ").split("\n").at(-1).includes(%s)`, machine, prompt)
}

// types enters a line at a machine's terminal, which is clicked first.
func (p *tab) types(machine, line string) {
	p.t.Helper()
	if !value[bool](p, `document.activeElement?.closest(%s) != null`, fmt.Sprintf("[data-console=%q] .xterm", machine)) {
		p.click(fmt.Sprintf("[data-tab=%q]", machine))
		p.click(fmt.Sprintf("[data-console=%q] .xterm", machine))
	}
	p.press(line + "\r")
}

// innocent checks that no request has left the page's own server, and that nothing went wrong that its console would
// tell of, but for lines that contain one of these.
func (p *tab) innocent(server string, but ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, url := range p.asked {
		rest := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(url, "blob:"), "http"), "ws")
		if !strings.HasPrefix(rest, "://"+server+"/") && !strings.HasPrefix(url, "data:") && url != "about:blank" {
			p.t.Errorf("%s: it asked for %s", p.name, url)
		}
	}
	for _, fault := range p.faults {
		if !slices.ContainsFunc(but, func(text string) bool { return strings.Contains(fault, text) }) {
			p.t.Errorf("%s: %s", p.name, fault)
		}
	}
}

// accessible has axe-core look at the page as it is, in both of its themes: nothing that it finds may be serious.
func (p *tab) accessible(state string) {
	p.t.Helper()
	axe, err := os.ReadFile("../../web/node_modules/axe-core/axe.min.js")
	if err != nil {
		p.t.Fatal("`make web` gets axe-core: ", err)
	}
	if !value[bool](p, `"axe" in window`) {
		p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := chromedp.Evaluate[*runtime.RemoteObject](string(axe))(ctx, t)
			return err
		}))
	}
	for range 2 {
		value[bool](p, `Promise.allSettled(document.getAnimations().map((a) => a.finished)).then(() => true)`) // what fades in is pale
		theme := value[string](p, `getComputedStyle(document.documentElement).colorScheme`)
		found := value[[]struct {
			ID, Impact, Help string
			Nodes            []string
		}](p, `axe.run({ resultTypes: ["violations"] }).then((r) => r.violations.map((v) => ({ id: v.id, impact: v.impact, help: v.help,
			nodes: v.nodes.map((n) => n.target.join(" ") + " " + n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")) })))`)
		for _, f := range found {
			say := p.t.Logf
			if f.Impact == "serious" || f.Impact == "critical" {
				say = p.t.Errorf
			}
			say("%s, %s: axe: %s: %s: %s\n%s", state, theme, f.Impact, f.ID, f.Help, strings.Join(f.Nodes, "\n"))
		}
		p.picture(state)
		value[bool](p, `(document.querySelector("#theme").click(), true)`) // while a dialog is open a student cannot
	}
}

// dialogs has those looked at that a student opens at any time.
func (p *tab) dialogs() {
	p.t.Helper()
	for _, name := range []string{"help", "settings", "share"} {
		p.click("#" + name)
		p.sees("dialog[open] h2")
		p.accessible(name)
		p.click("dialog[open] .actions button:last-child")
		p.until("the dialog to be closed", `document.querySelector("dialog") === null`)
	}
}
