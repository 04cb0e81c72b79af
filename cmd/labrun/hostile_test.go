package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostile is what does something in a page that takes an author's or a machine's words for its own: a script that runs
// says so in window.hacked, all else asks for something from another server.
var hostile = strings.NewReplacer("\n", "").Replace(`
<script>hacked='script'</script>
<img src=x onerror="hacked='img'"><svg onload="hacked='svg'"></svg>
<iframe srcdoc="<script>parent.hacked='frame'</script>"></iframe>
<a href="javascript:hacked='link'">a</a><form action="https://evil.invalid/f"><input autofocus onfocus="hacked='input'"></form>
<style>@import url(https://evil.invalid/s.css);*{background:url(https://evil.invalid/b.png)}</style>
<link rel=stylesheet href=https://evil.invalid/l.css><meta http-equiv=refresh content="0;url=https://evil.invalid/m">
<base href="https://evil.invalid/">[j](javascript:hacked='md') ![i](https://evil.invalid/i.png)
<javascript:hacked='auto'> [d](data:text/html,<script>hacked='data'</script>) [v]( vbscript:x) \${hacked='js'} {{hacked='tpl'}}`)

// A mission's texts, and what a machine prints, do nothing in the page but stand there.
func TestHostileMission(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "hostile.star")
	text := func(where string) string { return quote(where + " " + hostile + " \x1b]0;title\a\x1b[31mred") }
	script := `mission(title = ` + text("title") + `, api = 1)
m = machine("router7", nics = [uplink(), network("lan")])

def works():
    ` + `"""` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace("step "+hostile+"\n\n    narration "+hostile) + `"""
    ask(` + text("question") + `, choices = [` + text("choice") + `, "b"], answer = "b", explain = ` + text("explain") + `)
    boot(m)
    wait_prompt(m)
    say(` + text("said") + `)
    send(m, ` + quote("echo '"+strings.ReplaceAll(hostile, "'", `"`)+"'") + `)
    assert_contains(m, ` + text("output") + `, hint = ` + text("hint") + `)

step(works)
`
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	c := serves(t, file)
	p := open(t, chromium(t), "hostile", c.url(), 1280, 800)
	p.sees(".mission", "title <script>")
	p.click(`[data-do="start"]`)
	p.sees("#guide", "narration")
	p.sees("#answer", "question <script>", "choice <script>")
	p.click(`[data-word="hint"]`)
	p.sees(".hint")
	p.answers("1")
	p.sees(".missed")
	p.picture("question")
	p.harmless()
	p.answers("2")
	p.click(`[data-do="enter"]`)
	p.reads("router7", "activate this console")
	p.types("router7", "")
	p.sees("#guide", "said <script>")
	p.sees("#now", "router7")
	p.click(`[data-do="type"]`)
	p.sees(".missed")
	p.click(`[data-word="hint"]`)
	p.sees(".hint")

	// A link in a terminal (OSC 8), the clipboard (OSC 52: set, and asked for), a title, and what asks for an answer.
	p.waitsAt("router7", "# ")
	p.types("router7", `printf '\033]8;;javascript:hacked=1\033\\click here\033]8;;\033\\\033]52;c;?\a\033]0;<img src=x>\a\033[?1000h\n'`)
	p.reads("router7", "\nclick here")
	p.picture("machine")
	p.harmless()
	p.innocent(c.host())
}

// harmless checks that no text has become a part of the page.
func (p *tab) harmless() {
	p.t.Helper()
	if hacked := value[string](p, `String(window.hacked)`); hacked != "undefined" {
		p.t.Errorf("%s: a script ran: %s", p.name, hacked)
	}
	odd := value[[]string](p, `[...document.querySelectorAll("#page :is(script, img, iframe, object, embed, style, link, meta, base), "
		+ "#page :is([onerror], [onload], [onfocus], [onclick])"), ...document.links]
		.filter((e) => !e.closest(".xterm") && !(e.href && ["http:", "https:", "mailto:"].includes(e.protocol)))
		.map((e) => e.outerHTML)`)
	for _, html := range odd {
		p.t.Errorf("%s: the page has %s", p.name, html)
	}
}

// quote writes a string of Starlark.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x1b", `\x1b`, "\a", `\a`, "\n", `\n`).Replace(text) + `"`
}
