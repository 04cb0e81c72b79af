//go:build measure

package main

import (
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
)

var pupils = flag.Int("pupils", 30, "how many students a class has")

// TestMeasureHub prints what docs/performance.md has of a class in JupyterHub: students without browsers log in at once, and
// each plays week 1's first two steps on a router of their own; the hub, the proxy and the servers are started anew in the middle.
func TestMeasureHub(t *testing.T) {
	var names []string
	for i := range *pupils {
		names = append(names, fmt.Sprintf("s%02d", i+1))
	}
	h := opensHub(t, ownCache(t), names...)
	began, free := time.Now(), available(t)
	t.Logf("without students: %s; %d MB are available", h.memory(), free)

	class := make([]*hubStudent, len(names))
	each := func(what string, f func(s *hubStudent)) {
		t.Helper()
		started := time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		var took []float64
		for i := range class {
			all.Go(func() {
				began := time.Now()
				f(class[i])
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(began).Seconds())
			})
		}
		all.Wait()
		if t.Failed() {
			t.FailNow()
		}
		t.Logf("%s: all %d in %.1f s, half of them in %.1f s; %s; %d MB less are available",
			what, len(class), time.Since(started).Seconds(), middle(took), h.memory(), free-available(t))
	}
	for i, name := range names {
		class[i] = &hubStudent{name: name}
	}
	each("log in, and have a server", func(s *hubStudent) {
		s.pupil = h.logsIn(t, s.name)
		s.comes()
	})
	each("start week 1, and answer its question", func(s *hubStudent) {
		s.lesson = s.follows(s.starts())
		s.lesson.says("answer", "2", s.lesson.at(1, "ask"))
		s.lesson.at(2, "boot")
	})
	each("boot the router, and ask it", func(s *hubStudent) { s.router7 = s.lesson.bootsTheRouter() })
	goesOn := func(when string) {
		t.Helper()
		each("type at the router after "+when, func(s *hubStudent) { s.router7.goesOn("after " + when) })
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
	each("have the server stopped, and another one", func(s *hubStudent) {
		h.stops(s.name)
		s.comes()
	})
	each("go on where they were", func(s *hubStudent) {
		if first, _ := s.home(); first.Done != 2 || first.Session != "" {
			t.Errorf("%s finds %+v", s.name, first)
		}
		s.lesson = s.follows(s.starts())
		s.lesson.at(3, "boot")
	})
	apart := map[string]bool{}
	for _, run := range h.runs() {
		apart[run.Student] = true
	}
	if len(apart) != len(class) {
		t.Errorf("%d students have a run", len(apart))
	}
	t.Logf("all of it took %.0f s", time.Since(began).Seconds())
}

// hubStudent is one of the class, with what is open.
type hubStudent struct {
	*pupil
	name    string
	lesson  *lesson
	router7 *seat
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
