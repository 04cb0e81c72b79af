package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// week1Limit is what one peer may take for one round.
const week1Limit = 6 * time.Minute

// times are those of one round, in seconds from the command: until the router's shell and both servers' login prompts
// are there, and until the end.
type times struct {
	Prompts  float64 `json:"prompts"`
	Complete float64 `json:"complete"`
}

// way is one way of playing week 1.
type way struct {
	name    string
	command []string
	read    func(out []byte, start time.Time, wall float64) (times, error)
}

// ways begins with the one that the others are compared with, then labrun's.
var ways = []way{
	{"pexpect, parallel boots", []string{python, "bench/week1_pexpect.py", "./labrun"}, peerTimes},
	{"labrun, warm", []string{"./labrun", "--json", "missions/week1.star"}, labrunTimes},
	{"labrun, cold", []string{"./labrun", "--json", "--cold", "missions/week1.star"}, labrunTimes},
	{"Tcl expect, parallel boots", []string{"expect", "bench/week1_expect.tcl", "./labrun"}, peerTimes},
	{"one after the other (pexpect)", []string{python, "bench/week1_pexpect.py", "./labrun", "sequential"}, peerTimes},
}

func measureWeek1(ctx context.Context, rounds int) (string, chart, error) {
	took := make([][]times, len(ways))
	failures := make([]string, len(ways))
	for round := range rounds {
		for i, w := range ways {
			t, err := play(ctx, w)
			if ctx.Err() != nil {
				return "", chart{}, context.Cause(ctx)
			}
			if err != nil {
				failures[i] = err.Error()
				fmt.Fprintf(os.Stderr, "week1, round %d, %s: %v\n", round+1, w.name, err)
				continue
			}
			took[i] = append(took[i], t)
			fmt.Fprintf(
				os.Stderr, "week1, round %d, %s: prompts %.2f s, complete %.2f s\n", round+1, w.name,
				t.Prompts, t.Complete,
			)
		}
	}
	text, c := tellWeek1(took, failures)
	return text, c, nil
}

func tellWeek1(took [][]times, failures []string) (string, chart) {
	prompts, complete := make([]float64, len(ways)), make([]float64, len(ways))
	var rows [][]string
	c := chart{title: "Week 1, from the command to «Mission complete»", unit: "s"}
	for i, w := range ways {
		var p, all []float64
		for _, t := range took[i] {
			p, all = append(p, t.Prompts), append(all, t.Complete)
		}
		prompts[i], complete[i] = median(p), median(all)
		row := []string{w.name, number("%.2f s", prompts[i]), number("%.3f", prompts[i]/prompts[0]),
			number("%.2f s", complete[i]), number("%.3f", complete[i]/complete[0])}
		if len(took[i]) == 0 {
			row[1] = "failed: " + strings.ReplaceAll(failures[i], "|", `\|`)
		}
		rows = append(rows, row)
		c.bars = append(c.bars, bar{w.name, complete[i], strings.HasPrefix(w.name, "labrun")})
	}
	text := table([]string{"week 1", "three prompts", "of pexpect's", "complete", "of pexpect's"}, rows) + "\n" +
		demand("warm, three prompts in at most 1/15 of pexpect's time", prompts[1]/prompts[0], 1.0/15, true) +
		demand("warm, the whole mission in at most 1/3", complete[1]/complete[0], 1.0/3, true) +
		demand("cold, three prompts no later than pexpect's", prompts[2]/prompts[0], 1, true) +
		demand("cold, complete no later than pexpect", complete[2]/complete[0], 1, true)
	return text, c
}

// play runs one way once, within the limit.
func play(ctx context.Context, w way) (times, error) {
	ctx, cancel := context.WithTimeout(ctx, week1Limit)
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

// labrunTimes takes the prompts from the events: each machine says how long after its start its prompt was there,
// and the
// last of the three counts.
func labrunTimes(out []byte, start time.Time, wall float64) (times, error) {
	t := times{Complete: wall}
	began := map[string]time.Time{}
	ready := 0
	for line := range bytes.Lines(out) {
		var e struct {
			Time               time.Time
			Event, Name, State string
			Seconds            float64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return times{}, fmt.Errorf("labrun's events: %w", err)
		}
		if e.Event != "machine" {
			continue
		}
		switch e.State {
		case "booting":
			began[e.Name] = e.Time
		case "ready":
			ready++
			t.Prompts = max(t.Prompts, began[e.Name].Sub(start).Seconds()+e.Seconds)
		}
	}
	if ready != 3 {
		return times{}, fmt.Errorf("labrun's events: %d machines became ready, not 3", ready)
	}
	return t, nil
}
