package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestWeekOneByKeyboard does it in Chinese, on a screen as narrow as a telephone's and without a mouse.
func TestWeekOneByKeyboard(t *testing.T) {
	c := serves(t)
	p := open(t, chromium(t), "chinese", c.url(), 390, 800)
	p.playsByKeyboard()
	p.innocent(c.host())
}

// shortcut presses Alt, Shift and a key.
func (p *tab) shortcut(key string) {
	p.t.Helper()
	p.press(key, chromedp.ModifierAlt, chromedp.ModifierShift)
}

// tabTo presses Tab until this element has the focus, and backTo Shift and Tab: a terminal keeps Tab for its machine.
func (p *tab) tabTo(selector string) { p.t.Helper(); p.tabs(selector) }

func (p *tab) backTo(selector string) { p.t.Helper(); p.tabs(selector, chromedp.ModifierShift) }

func (p *tab) tabs(selector string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	for range 100 { // controls
		if value[bool](p, `document.activeElement?.matches(%s) ?? false`, selector) {
			return
		}
		p.press("\t", modifiers...)
	}
	p.fail("Tab never comes to " + selector)
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
	p.sees("#now", "在 router7 上輸入：", "ip a", "還沒好")
	p.shortcut("H")
	p.sees(".hint", "提示")
	p.tabTo(`[data-do="type"]`)
	p.press(kb.Enter)
	p.askedFor("boot", "啟動 debian")
	p.press("]", chromedp.ModifierCtrl)
	p.backTo(`#panes [data-pane="guide"]`)
	p.press(kb.Enter)
	p.step("3", "啟動兩台伺服器")

	// The language of a lab that runs is another one, and Chinese again.
	p.tabTo("#language")
	p.press(kb.ArrowUp)
	p.askedFor("boot", "Switch on debian")
	p.sees(`[data-shown="3"]`, "Launch the two servers")
	p.press(kb.ArrowDown)
	p.askedFor("boot", "啟動 debian")

	p.shortcut("D") // both
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
	p.tabTo(`dialog [data-do="yes"]`)
	p.press(kb.Enter)
	p.askedFor("send", "在 debian 上輸入：")

	// A line below the console takes what an input method composes.
	p.shortcut("2")
	p.press("]", chromedp.ModifierCtrl)
	p.backTo(`[data-console="debian"] .send`)
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
		p.tabTo(`dialog [data-do="yes"]`)
		p.press(kb.Enter)
		p.until(fmt.Sprintf("step %d is skipped", step), `document.querySelector(%s)?.dataset.state === "skipped"`,
			fmt.Sprintf(`[data-step="%d"]`, step))
	}
	for _, question := range []string{"這麼多虛擬 CPU，怎麼能跑在這麼少的真 CPU 上？", "如果有一台機器開始不停地計算，其他機器會怎麼樣？"} {
		p.sees("#answer", question)
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
