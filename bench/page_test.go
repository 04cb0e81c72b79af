package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestBetweenKeepsTheRest(t *testing.T) {
	once := between("# Title\n\nCold.\n", "week1", "one\n")
	both := between(once+"More.\n", "switch", "frames\n")
	again := between(both, "week1", "two\n")
	want := "# Title\n\nCold.\n\n" + beginMark("week1") + "\ntwo\n" + endMark("week1") + "\nMore.\n\n" +
		beginMark("switch") + "\nframes\n" + endMark("switch") + "\n"
	if again != want {
		t.Errorf("got %q, want %q", again, want)
	}
}

func TestDemand(t *testing.T) {
	for _, c := range []struct {
		measured, limit float64
		atMost          bool
		want            string
	}{
		{2, 2, true, "- x: **met** (2.000; at most 2.000 was asked)\n"},
		{2.1, 2, true, "- x: **not met** (2.100; at most 2.000 was asked)\n"},
		{0.8, 0.8, false, "- x: **met** (0.800; at least 0.800 was asked)\n"},
		{0.7, 0.8, false, "- x: **not met** (0.700; at least 0.800 was asked)\n"},
		{math.NaN(), 1, true, "- x: not measured\n"},
	} {
		if got := demand("x", c.measured, c.limit, c.atMost); got != c.want {
			t.Errorf("demand(%v, %v, %v) = %q, want %q", c.measured, c.limit, c.atMost, got, c.want)
		}
	}
}

func TestTellWeek1(t *testing.T) {
	took := make([][]times, len(ways))
	took[0] = []times{{30, 40}, {10, 20}, {20, 32}}
	took[1] = []times{{1, 8}, {3, 8}}
	failures := make([]string, len(ways))
	failures[3] = "not | there"
	text, c := tellWeek1(took, failures)
	for _, want := range []string{"| 20.00 s | 1.000 | 32.00 s | 1.000 |", "| labrun, warm | 2.00 s | 0.100 | 8.00 s | 0.250 |", `failed: not \| there`,
		"in at most 1/15 of pexpect's time: **not met** (0.100;", "the whole mission in at most 1/3: **met** (0.250;", "cold, complete no later than pexpect: not measured"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	svg := c.svg()
	if strings.Count(svg, "<rect") != 2 || strings.Count(svg, `class="own"`) != 1 || strings.Contains(svg, "NaN") {
		t.Errorf("the chart does not show the two that were measured:\n%s", svg)
	}
}

func TestLabrunTimes(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const router = `{"time":"2026-01-01T00:00:01Z","event":"machine","name":"router7","state":"booting"}
{"time":"2026-01-01T00:00:09Z","event":"machine","name":"router7","state":"ready","seconds":0.5}
`
	const servers = `{"time":"2026-01-01T00:00:02Z","event":"machine","name":"debian","state":"booting"}
{"time":"2026-01-01T00:00:02Z","event":"machine","name":"alpine","state":"booting"}
{"time":"2026-01-01T00:00:09Z","event":"machine","name":"debian","state":"ready","seconds":0.25}
{"time":"2026-01-01T00:00:09Z","event":"machine","name":"alpine","state":"ready","seconds":0.125}
`
	got, err := labrunTimes([]byte(router+servers), start, 12)
	if want := (times{Prompts: 2.25, Complete: 12}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := labrunTimes([]byte(router), start, 12); err == nil {
		t.Error("one machine of three became ready, and that was taken for a result")
	}
}

func TestReadBenchmarks(t *testing.T) {
	got := readBenchmarks([]byte("goos: linux\nBenchmarkSwitch/single/64-2   \t 100\t 4000 ns/op\t  16.0 MB/s\t 250000 frames/s\nBenchmarkSwitch/single/64-2 100 5000 ns/op 200000 frames/s\nPASS\n"))
	if m := median(got["Switch/single/64"]); m != 225000 {
		t.Errorf("median %v of %v, want 225000", m, got)
	}
}
