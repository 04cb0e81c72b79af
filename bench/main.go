// Bench measures labrun beside its peers, in turns in one run on the same machine and images, and writes medians and
// ratios into docs/performance.md, with a chart of each part beside it. It is run by `make bench`.
//
// Each part is a file here: week1.go, cold.go, console.go, switch.go, growth.go, course.go. A peer that is a program of its
// own is beside them.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// python is the interpreter that has pexpect, as bench/run found it.
var python = cmp.Or(os.Getenv("BENCH_PYTHON"), "python3")

// A part measures one thing. What it returns is Markdown, and a chart for docs/.
type part struct {
	name, title string
	measure     func(ctx context.Context, rounds int) (text string, c chart, err error)
}

var parts = []part{
	{"week1", "Week 1, from the command to the end", measureWeek1},
	{"cold", "What a cold boot spends its time on", measureCold},
	{"console", "Reading a console", measureConsole},
	{"switch", "The lab network", measureSwitch},
	{"growth", "Many machines at once", measureGrowth},
	{"course", "A class, a course", measureCourse},
}

func main() {
	if len(os.Args) > 1 && asPeer(os.Args[1:]) {
		return
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	rounds := flag.Int("rounds", 5, "rounds of each peer; the median counts")
	quick := flag.Bool("quick", false, "one round, as a trial")
	only := flag.String("only", strings.Join(names, ","), "the parts to measure; the text of the others stays")
	flag.Parse()
	if *quick {
		*rounds = 1
	}
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			fmt.Fprintf(os.Stderr, "bench: no part is called %q: they are %s\n", name, strings.Join(names, ", "))
			os.Exit(2)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, p := range parts {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		if err := publish(ctx, p, *rounds); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", p.name, err)
			os.Exit(1)
		}
	}
}

// publish measures a part and puts its text into the page.
func publish(ctx context.Context, p part, rounds int) error {
	version, err := exec.CommandContext(ctx, "qemu-system-x86_64", "--version").Output()
	if err != nil {
		return fmt.Errorf("qemu-system-x86_64 --version: %w", err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	before := load()
	text, c, err := p.measure(ctx, rounds)
	if err != nil {
		return err
	}
	chartFile := "performance-" + p.name + ".svg"
	if err := os.WriteFile("docs/"+chartFile, []byte(c.svg()), 0o644); err != nil {
		return err
	}
	head := fmt.Sprintf("## %s\n\nMeasured %s; %s; %d CPUs; rounds: %d; load average before: %s.\n\n![%s](%s)\n\n",
		p.title, time.Now().UTC().Format("2006-01-02 15:04 UTC"), first, runtime.NumCPU(), rounds, before,
		c.title, chartFile)
	return write("docs/performance.md", p.name, head+text)
}

// load is the load average of the last minute: on a busy host the figures mean little.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(data))[0]
}
