//go:build measure

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
)

var (
	classSize  = flag.Int("students", 1000, "how many students report to a class")
	classPace  = flag.Int("events", 10, "how many events each of them reports in a minute")
	classTime  = flag.Duration("during", time.Minute, "for how long")
	classStore = flag.String("store", "", "the class's database; empty: SQLite")
)

// TestMeasureClass prints what docs/performance.md has of a class: students report over real sockets to a labrun class of
// its own process, and its page is asked for over HTTP as a browser does. It asserts nothing of speed.
func TestMeasureClass(t *testing.T) {
	dir := t.TempDir()
	class := filepath.Join(dir, "class")
	teaching := command(t, "class", "--no-open", "--socket", class, "--port", strconv.Itoa(freePort(t)))
	if *classStore != "" {
		teaching.Args = append(teaching.Args, "--store", *classStore)
	}
	teaching.Env = append(os.Environ(), "XDG_STATE_HOME="+dir)
	teaching.begin(t)
	teaching.says(t, "it hears the runs")
	_, rest, _ := strings.Cut(teaching.out.String(), "the class is at ")
	address, _, _ := strings.Cut(rest, "\n")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	page, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	type overview struct {
		Students []struct {
			Student string
			Invited bool
		}
	}
	look := func() (o overview, size int, took time.Duration) {
		began := time.Now()
		answer, err := client.Get(page.Request.URL.JoinPath("api/class").String())
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		if err == nil {
			err = json.Unmarshal(data, &o)
		}
		if err != nil {
			t.Fatalf("%v: %.200s", err, data)
		}
		return o, len(data), time.Since(began)
	}

	var titles []string
	for i := range 8 {
		titles = append(titles, fmt.Sprint("Step ", i+1))
	}
	began := time.Now()
	var students []*classmate
	for i := range *classSize {
		m := classmateOf(t, class)
		m.events.Emit(event.RunStarted{Mission: "week1.star", Title: "Week 1", Student: fmt.Sprintf("s%04d", i), Titles: titles, Guided: true})
		m.events.Emit(event.StepStarted{Index: 1, Total: 8, Title: titles[0]})
		students = append(students, m)
	}
	eventually(t, patience, func() bool { o, _, _ := look(); return len(o.Students) == *classSize }, func() string { return "not all come" })
	fmt.Printf("%d students are there %.1f s after the first came\n", *classSize, time.Since(began).Seconds())

	before, err := host.ProcessUsage(teaching.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	var working sync.WaitGroup
	for i, m := range students {
		working.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 18))
			for n := 1; ; n++ {
				time.Sleep(time.Duration(random.ExpFloat64() * float64(time.Minute) / float64(*classPace)))
				if time.Since(began) > *classTime {
					return
				}
				switch n % 5 {
				case 1:
					m.events.Emit(event.Instructed{Number: n, Say: "On debian, type:", Text: fmt.Sprint("command ", n), Console: "debian"})
				case 2:
					m.events.Emit(event.Missed{Reason: "the output of debian has no address in it"})
				case 3:
					m.events.Emit(event.Hinted{Level: 1, Of: 2, Text: "Type it once more."})
				case 4:
					m.events.Emit(event.Fulfilled{Number: n - 3, By: "student"})
				case 0:
					m.events.Emit(event.StepStarted{Index: n/5%8 + 1, Total: 8, Title: titles[n/5%8]})
				}
			}
		})
	}
	var answers, lags []time.Duration
	size := 0
	for on := true; time.Since(began) < *classTime; on = !on {
		time.Sleep(time.Second)
		probed := time.Now()
		students[0].events.Emit(event.Invited{On: on})
		for seen := false; !seen; {
			o, n, took := look()
			answers, size = append(answers, took), n
			seen = o.Students[0].Invited == on
		}
		lags = append(lags, time.Since(probed))
	}
	working.Wait()
	spent := time.Since(began)
	after, err := host.ProcessUsage(teaching.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	teaching.Process.Signal(syscall.SIGTERM)
	teaching.finish(t, 0)
	var kept int64
	for _, name := range []string{"class.db", "class.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, "labrun", "class", name)); err == nil {
			kept += info.Size()
		}
	}
	of := func(all []time.Duration, part float64) time.Duration {
		slices.Sort(all)
		return all[int(part*float64(len(all)-1))].Round(time.Millisecond)
	}
	fmt.Printf("%d students, %d events a minute each, for %v:\n", *classSize, *classPace, spent.Round(time.Second))
	fmt.Printf("an event is in the page's answer after %v (median; p95 %v; %d of them)\n", of(lags, 0.5), of(lags, 0.95), len(lags))
	fmt.Printf("the page's answer takes %v (median; p95 %v), %d KB\n", of(answers, 0.5), of(answers, 0.95), size>>10)
	fmt.Printf("labrun class: %+v before, %+v after; %d KB in the database\n", before, after, kept>>10)
}
