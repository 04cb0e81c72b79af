package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/web"
)

// classmate is a run without machines that reports to a class: a test tells what happens.
type classmate struct {
	attach.Lab // what nobody asks for
	events     event.Log
	began      time.Time
}

func (m *classmate) Names() []string    { return nil }
func (m *classmate) Consoles() []string { return nil }
func (m *classmate) Invited() bool      { return false }
func (m *classmate) Status() attach.Status {
	return attach.Status{PID: os.Getpid(), Title: "Two questions and a router", Started: m.began}
}
func (m *classmate) Events() *event.Log { return &m.events }

// classmateOf has a run report to a class, until the test ends.
func classmateOf(t *testing.T, class string) *classmate {
	t.Helper()
	m := &classmate{began: time.Now()}
	folder := filepath.Join(t.TempDir(), "lab")
	err := os.Mkdir(folder, 0o700)
	var door *attach.Server
	if err == nil {
		door, err = attach.Serve(folder, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	door.Report(class)
	return m
}

// reports has a student's run report what happens.
func reports(t *testing.T, class, student string, events ...event.Event) {
	t.Helper()
	m := classmateOf(t, class)
	m.events.Emit(event.RunStarted{
		Mission: "lab.star", Title: "Two questions and a router", Student: student, Titles: []string{"The router", "And now?"}, Guided: true,
	})
	for _, e := range events {
		m.events.Emit(e)
	}
}

// teaches starts labrun class, at the socket class, and returns it with the address of its page.
func teaches(t *testing.T, class string) (teaching *labrun, address string) {
	t.Helper()
	if missing := web.Missing(); missing != "" && !testing.Short() {
		t.Fatal("`make web` gets what the page needs: ", missing)
	}
	teaching = command(t, "class", "--no-open", "--socket", class, "--port", strconv.Itoa(freePort(t)))
	teaching.begin(t)
	teaching.says(t, "it hears the runs")
	_, rest, _ := strings.Cut(teaching.out.String(), "the class is at ")
	address, _, _ = strings.Cut(rest, "\n")
	return teaching, address
}

// hostOf is the host in an address.
func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// TestClassInAPage: a teacher sees how a course does, in two languages and on a telephone; whoever has no key sees nothing.
func TestClassInAPage(t *testing.T) {
	class := filepath.Join(t.TempDir(), "class")
	teaching, address := teaches(t, class)
	browser := chromium(t)
	teacher := open(t, browser, "teacher", address, 1280, 900)
	teacher.sees("#class", "No student's run has reported yet")
	teacher.accessible("nobody")

	first := event.StepStarted{Index: 1, Total: 2, Title: "The router"}
	asked := event.Instructed{Number: 1, Say: "Question: Which of the two routes?", Question: true}
	hint := event.Hinted{Level: 1, Of: 2, Text: "It is in the name."}
	for i := range 6 {
		done := event.StepEnded{Index: 1, Passed: true, Seconds: float64(40 + 10*i)}
		reports(t, class, fmt.Sprintf("s%02d", i), first, asked, hint, event.Fulfilled{Number: 1, By: "student"}, done,
			event.StepStarted{Index: 2, Total: 2, Title: "And now?"})
	}
	reports(t, class, "wong", first, asked, event.Answered{Answer: "alpine", Verdict: "wrong"}, hint)
	reports(t, class, "nini", first, asked, event.Invited{On: true})
	teacher.sees(`[data-figure="students"]`, "8")
	teacher.sees(`[data-figure="calls"]`, "1")
	teacher.sees(`[data-student="nini"]`, "asks for help", "Help")
	teacher.sees(`[data-student="wong"]`, "1. The router", "Which of the two routes?", "alpine")
	teacher.sees(`[data-step="2"]`, "And now?", "6")
	teacher.sees("#class", "It is in the name.")
	teacher.click(`[data-do="similar"]`)
	teacher.sees("#class", "Nothing stands out")
	value[any](teacher, `scrollTo(0, 0)`)
	teacher.accessible("class")
	value[any](teacher, `(document.querySelector("#show").value = "calls", document.querySelector("#show").dispatchEvent(new Event("change")))`)
	teacher.until("nobody else is shown", `document.querySelectorAll("[data-student]").length === 1`)
	value[any](teacher, `(document.querySelector("#language").value = "zh-TW", document.querySelector("#language").dispatchEvent(new Event("change")))`)
	teacher.sees("#class", "位學生", "請求協助")
	teacher.accessible("zh-TW")
	narrow := open(t, browser, "narrow", address, 390, 800)
	narrow.sees(`[data-student="wong"]`, "alpine")
	narrow.accessible("narrow")
	stranger := open(t, browser, "stranger", strings.Split(address, "?")[0], 800, 600)
	stranger.sees("h1", "needs its key")

	// The class is killed and started again: the page goes on, and so do the students.
	teacher.innocent(hostOf(t, address))
	teaching.Process.Signal(syscall.SIGTERM)
	teaching.finish(t, 0)
	teacher.sees(".error", "labrun class")
}
