package main

import (
	"testing"
)

// TestWeekOneInAPage: a student does all of the first week in a browser.
func TestWeekOneInAPage(t *testing.T) {
	c := serves(t)
	p := open(t, chromium(t), "week1", c.url(), 1280, 800)
	p.sees(`[data-mission="week1"]`, "Your First Week in OS Journey", "8 steps")
	p.accessible("missions")
	p.click(`[data-mission="week1"] [data-do="start"]`)
	p.sees("#answer", "Which of the two bubbles has a kernel of its own?")
	p.accessible("question")
	p.click(`#answer input[value="1"]`)
	p.click(`#answer button[type="submit"]`)
	p.sees(".missed", "Not that one")
	p.click(`#answer input[value="2"]`)
	p.click(`#answer button[type="submit"]`)
	p.sees(`#now[data-verb="boot"]`, "router7")
	p.accessible("boot")
	p.innocent(c.host())
}
