//go:build measure

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var (
	pupils   = flag.Int("pupils", 30, "how many students a class has")
	browsers = flag.Int("browsers", 2, "how many of them have Chromium")
	reserve  = flag.Int("reserve", 3000, "how many MB TestMeasureHubMemory leaves to all else")
)

// TestMeasureHub prints what docs/performance.md has of a class in JupyterHub: students log in at once, two of them in Chromium, and
// each plays week 1's first two steps on a router of their own; the hub, the proxy and the servers are started anew in the middle.
func TestMeasureHub(t *testing.T) {
	c := assembles(t, *browsers)
	h, began := c.h, time.Now()
	c.beginsWeek1()
	goesOn := func(when string) {
		t.Helper()
		c.each("type at the router after "+when, func(s *hubStudent) { s.goesOn("after " + when) })
	}
	goesOn("nothing")
	h.kill()
	h.start()
	goesOn("the hub")
	pid := h.proxy()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("another proxy", func() bool { return h.proxy() != pid })
	goesOn("the proxy")
	c.each("have the server stopped, and another one", func(s *hubStudent) {
		h.stops(s.name)
		s.comesBack()
	})
	c.each("go on where they were", (*hubStudent).goesOnAtTheThirdStep)
	apart := map[string]bool{}
	for _, run := range h.runs() {
		apart[run.Student] = true
	}
	if len(apart) != len(c.students) {
		t.Errorf("%d students have a run", len(apart))
	}
	t.Logf("all of it took %.0f s", time.Since(began).Seconds())
}

// TestMeasureHubMemory prints how many students have all three machines of week 1 at once, until no more than the reserve is
// available, or all have. They come four at a time: how long two processors take for all at once says nothing of memory.
func TestMeasureHubMemory(t *testing.T) {
	const atOnce = 4
	c := assembles(t, 0)
	all := c.students
	for at := 0; at < len(all) && available(t) > *reserve; at += atOnce {
		c.students = all[at:min(at+atOnce, len(all))]
		c.each("log in, and have three machines", func(s *hubStudent) {
			s.comes()
			s.begins()
			s.bootsTheRouter()
			s.launchesTheServers()
		})
		t.Logf("%d students have three machines; %d MB are available", at+len(c.students), available(t))
	}
}

// hubClass is a hub with its students.
type hubClass struct {
	t        *testing.T
	h        *hub
	students []*hubStudent
	free     int // MB that were available before they came
}

// assembles opens a hub for a class, of which the first have a browser.
func assembles(t *testing.T, browsers int) *hubClass {
	t.Helper()
	var names []string
	for i := range *pupils {
		names = append(names, fmt.Sprintf("s%02d", i+1))
	}
	c := &hubClass{t: t, h: opensHub(t, ownCache(t), names...), free: available(t)}
	t.Logf("without students: %s; %d MB are available", c.h.memory(), c.free)
	var browser context.Context
	if browsers > 0 {
		browser = chromium(t)
	}
	for i, name := range names {
		s := &hubStudent{t: t, h: c.h, name: name}
		if i < browsers {
			s.page = open(t, browser, name, c.h.at+"/hub/login", 1280, 800)
		}
		c.students = append(c.students, s)
	}
	return c
}

// each has all students do something at once, and prints how long that takes, and what memory there is then.
func (c *hubClass) each(what string, f func(s *hubStudent)) {
	c.t.Helper()
	started := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	var took []float64
	for _, s := range c.students {
		all.Go(func() {
			began := time.Now()
			f(s)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began).Seconds())
		})
	}
	all.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.t.Logf("%s: all %d in %.1f s, half of them in %.1f s; %s; %d MB less are available",
		what, len(c.students), time.Since(started).Seconds(), middle(took), c.h.memory(), c.free-available(c.t))
}

// beginsWeek1 has all students play the first two steps.
func (c *hubClass) beginsWeek1() {
	c.t.Helper()
	c.each("log in, and have a server", (*hubStudent).comes)
	c.each("start week 1, and answer its question", (*hubStudent).begins)
	c.each("boot the router, and ask it", (*hubStudent).bootsTheRouter)
}

// hubStudent is one of a class, in Chromium or without a browser.
type hubStudent struct {
	t       *testing.T
	h       *hub
	name    string
	page    *tab // in Chromium; else nil, and they have what follows
	pupil   *pupil
	lesson  *lesson
	router7 *seat
}

// comes has them log in, until they see the missions.
func (s *hubStudent) comes() {
	if s.page != nil {
		s.page.logsIn(s.h)
		s.page.sees(`[data-mission="week1"]`)
		return
	}
	s.pupil = s.h.logsIn(s.t, s.name)
	s.pupil.comes()
}

// begins has them play the first step.
func (s *hubStudent) begins() {
	if s.page != nil {
		s.page.click(`[data-mission="week1"] [data-do="start"]`)
		s.page.sees("#answer")
		s.page.answers("2")
		s.page.askedFor("boot", "Switch on router7")
		return
	}
	s.lesson = s.pupil.follows(s.pupil.starts())
	s.lesson.says("answer", "2", s.lesson.at(1, "ask"))
	s.lesson.at(2, "boot")
}

// bootsTheRouter has them play the second step.
func (s *hubStudent) bootsTheRouter() {
	if s.page == nil {
		s.router7 = s.lesson.bootsTheRouter()
		return
	}
	s.page.types("router7", "")
	s.page.reads("router7", "activate this console")
	s.page.types("router7", "")
	s.page.askedFor("send", "ip a")
	s.page.types("router7", "ip a")
	s.page.step("3", "Launch the two servers")
}

// goesOn has them type at the router, and read the answer.
func (s *hubStudent) goesOn(when string) {
	if s.page != nil {
		s.page.goesOn(when)
		return
	}
	s.router7.goesOn(when)
}

// comesBack has them start another server after theirs was stopped.
func (s *hubStudent) comesBack() {
	if s.page != nil {
		s.page.do(chromedp.Navigate(s.h.at + "/hub/spawn"))
		s.page.sees(`[data-mission="week1"]`, "2 of 8")
		return
	}
	s.pupil.comes()
}

// goesOnAtTheThirdStep has them start their lab again.
func (s *hubStudent) goesOnAtTheThirdStep() {
	if s.page != nil {
		s.page.click(`[data-mission="week1"] [data-do="start"]`)
		s.page.step("3", "Launch the two servers")
		s.page.askedFor("boot", "Switch on debian")
		return
	}
	if first, _ := s.pupil.home(); first.Done != 2 || first.Session != "" {
		s.t.Errorf("%s finds %+v", s.name, first)
	}
	s.lesson = s.pupil.follows(s.pupil.starts())
	s.lesson.at(3, "boot")
}

// launchesTheServers has them play the third step until they are logged in at both.
func (s *hubStudent) launchesTheServers() {
	l := s.lesson
	seats := []*seat{l.sits("debian"), l.sits("alpine")}
	number := 0
	next := func(verb string) {
		l.until("asked for "+verb, func() bool { return l.step == 3 && l.asked.Number > number && l.asked.Verb == verb })
		number = l.asked.Number
	}
	for _, machine := range seats {
		next("boot")
		machine.types("")
	}
	for _, machine := range seats {
		next("login")
		machine.reads("login: ")
		machine.types("root")
		machine.reads("assword: ")
		machine.types("root")
	}
	next("send")
}

// memory is what the processes of the class have, shared memory divided among those who share it (PSS), in MB.
func (h *hub) memory() string {
	sums, runs := map[string]int{}, map[int]bool{}
	for _, run := range h.runs() {
		runs[run.PID] = true
	}
	for _, p := range processes(h.t) {
		switch {
		case strings.Contains(p.line, "jupyterhub\x00-f\x00"+h.folder):
			sums["hub"] += p.pss
		case p.pid == h.proxy():
			sums["proxy"] += p.pss
		case strings.Contains(p.line, "serve\x00--jupyterhub"):
			sums["servers"] += p.pss
		case runs[p.pid]:
			sums["runs"] += p.pss
		case runs[p.parent]:
			sums["QEMU"] += p.pss
		}
	}
	return fmt.Sprintf("hub %d MB, proxy %d MB, servers %d MB, runs %d MB, QEMU %d MB",
		sums["hub"]>>10, sums["proxy"]>>10, sums["servers"]>>10, sums["runs"]>>10, sums["QEMU"]>>10)
}

// process is one of this computer's.
type process struct {
	pid, parent int
	line        string // its command line
	pss         int    // in KiB
}

func processes(t *testing.T) (all []process) {
	t.Helper()
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil || len(line) == 0 {
			continue
		}
		p := process{line: string(line)}
		p.pid, _ = strconv.Atoi(filepath.Base(folder))
		stat, _ := os.ReadFile(filepath.Join(folder, "stat"))
		if _, rest, ok := strings.Cut(string(stat), ") "); ok {
			p.parent, _ = strconv.Atoi(strings.Fields(rest)[1])
		}
		rollup, _ := os.ReadFile(filepath.Join(folder, "smaps_rollup"))
		for text := range strings.Lines(string(rollup)) {
			if fields := strings.Fields(text); len(fields) > 1 && fields[0] == "Pss:" {
				p.pss, _ = strconv.Atoi(fields[1])
			}
		}
		all = append(all, p)
	}
	return all
}

// available is what this computer's kernel could still give, in MB.
func available(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "MemAvailable:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib >> 10
		}
	}
	t.Fatal("the kernel tells no memory")
	return 0
}
