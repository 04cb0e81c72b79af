// Bench plays week 1 by labrun and by its peers, in turns in one run on the same images, and writes the medians and their
// ratios into docs/performance.md. It is run by `make bench`; `-quick` is one round.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// limit is what one peer may take for one round.
const limit = 6 * time.Minute

// times are those of one round, in seconds from the command.
type times struct {
	ThirdPrompt float64 `json:"third_prompt"`
	Complete    float64 `json:"complete"`
}

// way is one way of playing week 1.
type way struct {
	name    string
	command []string
	read    func(out []byte, start time.Time, wall float64) (times, error)
}

// python is the interpreter that has pexpect, as bench/run found it.
var python = cmp.Or(os.Getenv("BENCH_PYTHON"), "python3")

var ways = []way{
	{"pexpect, parallel boots", []string{python, "bench/week1_pexpect.py", "./labrun"}, peerTimes},
	{"labrun, warm", []string{"./labrun", "--json", "missions/week1.star"}, labrunTimes},
	{"labrun, cold", []string{"./labrun", "--json", "--cold", "missions/week1.star"}, labrunTimes},
	{"Tcl expect, parallel boots", []string{"expect", "bench/week1_expect.tcl", "./labrun"}, peerTimes},
	{"one after the other (pexpect)", []string{python, "bench/week1_pexpect.py", "./labrun", "sequential"}, peerTimes},
}

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each way; the median counts")
	quick := flag.Bool("quick", false, "one round, as a trial")
	flag.Parse()
	if *quick {
		*rounds = 1
	}
	if err := run(*rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int) error {
	before := load()
	results := make([]result, len(ways))
	for i, w := range ways {
		results[i].name = w.name
	}
	for round := range rounds {
		for i, w := range ways {
			t, err := play(w)
			if err != nil {
				results[i].failure = err.Error()
				fmt.Fprintf(os.Stderr, "round %d, %s: %v\n", round+1, w.name, err)
				continue
			}
			results[i].rounds = append(results[i].rounds, t)
			fmt.Fprintf(os.Stderr, "round %d, %s: third prompt %.2f s, complete %.2f s\n", round+1, w.name, t.ThirdPrompt, t.Complete)
		}
	}
	version, err := exec.Command("qemu-system-x86_64", "--version").Output()
	if err != nil {
		return fmt.Errorf("qemu-system-x86_64 --version: %w", err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	head := fmt.Sprintf("%s; %s; %d CPUs; rounds: %d; load average before: %s, after: %s.\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), first, runtime.NumCPU(), rounds, before, load())
	return write("docs/performance.md", head+"\n"+table(results)+"\n"+demands(results))
}

// play runs one way once, within the limit.
func play(w way) (times, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.command[0], w.command[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	wall := time.Since(start).Seconds()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return times{}, fmt.Errorf("%s: %w: %s", w.command[0], err, lines[len(lines)-1])
	}
	return w.read(out, start, wall)
}

func peerTimes(out []byte, _ time.Time, _ float64) (t times, err error) {
	err = json.Unmarshal(out, &t)
	return t, err
}

// labrunTimes takes the third prompt from the events: the first `uname -r` is typed when all three are there.
func labrunTimes(out []byte, start time.Time, wall float64) (times, error) {
	for line := range bytes.Lines(out) {
		var e struct {
			Time        time.Time
			Event, Text string
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return times{}, fmt.Errorf("labrun's events: %w", err)
		}
		if e.Event == "acted" && strings.Contains(e.Text, "uname -r") {
			return times{e.Time.Sub(start).Seconds(), wall}, nil
		}
	}
	return times{}, fmt.Errorf("labrun's events: nobody typed uname -r")
}

// load is the load average of the last minute: on a busy host the figures mean little.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(data))[0]
}
