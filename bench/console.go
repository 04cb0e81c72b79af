package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// consoleBytes is what the source prints. A peer that does not get through it within the limit reads an
	// eighth of it
	// from then on, and so on, which flatters one whose cost grows faster than the output.
	consoleBytes = 64 << 20
	consoleLimit = 20 * time.Second
)

// consoleCase is how a source prints and what is waited for.
type consoleCase struct {
	name, pattern string
	chunk         int
}

const present, absent = `finished (\d+)\r?\n`, `vanished (\d+)\r?\n`

var consoleCases = []consoleCase{
	{"one long output, pattern at its end", present, 64 << 10},
	{"the same in chunks of 61 bytes", present, 61},
	{"a pattern that is not there", absent, 64 << 10},
}

// consolePeer reads the source through a pty or a socket: own are peers in this program (see peer.go).
type consolePeer struct {
	name    string
	command []string
}

// consolePeers begins with the bare reads, which are the limit; then labrun, then those it is compared with.
var consolePeers = []consolePeer{
	{"bare read, pty", []string{self, "peer", "bare", "pty"}},
	{"bare read, socket", []string{self, "peer", "bare", "socket"}},
	{"labrun, pty", []string{self, "peer", "labrun", "pty"}},
	{"labrun, socket", []string{self, "peer", "labrun", "socket"}},
	{"pexpect, as it comes", []string{python, "bench/console_pexpect.py", "plain"}},
	{"pexpect, searchwindowsize=4096, maxread=65536", []string{python, "bench/console_pexpect.py", "tuned"}},
	{"Tcl expect", []string{"expect", "bench/console_expect.tcl"}},
	{"go-expect, pty", []string{self, "peer", "go-expect", "pty"}},
}

// self is this program, which is also the source.
var self, _ = os.Executable()

// reading is what a peer says of itself.
type reading struct {
	Seconds float64 // from the source's start to the match, or to the output's end
	CPU     float64 // seconds, the source's not counted
	Matched bool
}

// pace is many readings of as many bytes.
type pace struct {
	bytes        int
	seconds, cpu []float64
	failure      string
}

func (p *pace) speed() float64 { return float64(p.bytes) / 1e6 / median(p.seconds) }
func (p *pace) cost() float64  { return median(p.cpu) / (float64(p.bytes) / 1e8) }

func measureConsole(ctx context.Context, rounds int) (string, chart, error) {
	paces := make([][]pace, len(consoleCases))
	var ten pace // labrun with ten times the output
	for i, c := range consoleCases {
		paces[i] = make([]pace, len(consolePeers))
		for k := range paces[i] {
			paces[i][k].bytes = consoleBytes
			if i > 0 {
				paces[i][k].bytes = paces[i-1][k].bytes
			}
		}
		for range rounds {
			for k, p := range consolePeers {
				readConsole(ctx, &paces[i][k], p, c)
				if ctx.Err() != nil {
					return "", chart{}, context.Cause(ctx)
				}
			}
		}
	}
	ten.bytes = 10 * consoleBytes
	for range rounds {
		readConsole(ctx, &ten, consolePeers[3], consoleCases[2])
	}
	text, c := tellConsole(paces, &ten)
	return text, c, ctx.Err()
}

// readConsole lets a peer read once. One that takes too long gets less to read from then on.
func readConsole(ctx context.Context, to *pace, p consolePeer, c consoleCase) {
	for to.failure == "" {
		r, err := runConsole(ctx, p, c, to.bytes)
		if errors.Is(err, context.DeadlineExceeded) && to.bytes > 1024 {
			*to = pace{bytes: to.bytes / 8}
			continue
		}
		if err == nil && r.Matched != (c.pattern == present) {
			err = fmt.Errorf("matched: %t", r.Matched)
		}
		if err != nil {
			to.failure = err.Error()
			fmt.Fprintf(os.Stderr, "console, %s, %s: %v\n", p.name, c.name, err)
			return
		}
		to.seconds, to.cpu = append(to.seconds, r.Seconds), append(to.cpu, r.CPU)
		fmt.Fprintf(
			os.Stderr, "console, %s, %s: %d bytes in %.3f s, %.3f s of CPU\n", p.name, c.name, to.bytes,
			r.Seconds, r.CPU,
		)
		return
	}
}

func runConsole(ctx context.Context, p consolePeer, c consoleCase, size int) (r reading, err error) {
	ctx, cancel := context.WithTimeout(ctx, consoleLimit)
	defer cancel()
	args := append(
		p.command[1:len(p.command):len(p.command)], self, strconv.Itoa(c.chunk), strconv.Itoa(size), c.pattern,
	)
	cmd := exec.CommandContext(ctx, p.command[0], args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w: %s", p.command[0], err, strings.TrimSpace(stderr.String()))
	}
	return r, json.Unmarshal(out, &r)
}

func tellConsole(paces [][]pace, ten *pace) (string, chart) {
	var b strings.Builder
	for i, c := range consoleCases {
		var rows [][]string
		bare, pexpect := &paces[i][1], &paces[i][4]
		for k, p := range consolePeers {
			at := &paces[i][k]
			if at.failure != "" {
				rows = append(
					rows, []string{p.name, "failed: " + strings.ReplaceAll(at.failure, "|", `\|`), "", "", "", ""},
				)
				continue
			}
			rows = append(rows, []string{p.name, sizeName(at.bytes), figure(at.speed()) + " MB/s",
				figure(at.speed() / bare.speed()),
				figure(at.speed() / pexpect.speed()), figure(at.cost()) + " s"})
		}
		b.WriteString(
			table(
				[]string{c.name, "output", "speed", "of a bare socket read", "of pexpect", "CPU for 100 MB"}, rows,
			) + "\n",
		)
	}
	worst := func(k, of int) float64 {
		least := math.Inf(1)
		for i := range paces {
			least = min(least, paces[i][k].speed()/paces[i][of].speed())
		}
		return least
	}
	b.WriteString(demand("labrun at least 5 × pexpect as it comes, in each case", worst(3, 4), 5, false) +
		demand("labrun at least 5 × pexpect tuned, in each case", worst(3, 5), 5, false) +
		demand("labrun at least 0.8 of a bare read, of a socket, in each case", worst(3, 1), 0.8, false) +
		demand("labrun at least 0.8 of a bare read, of a pty, in each case", worst(2, 0), 0.8, false) +
		demand("10 × the output in at most 11 × the time", median(ten.seconds)/median(paces[2][3].seconds), 11, true) +
		demand("10 × the output for at most 11 × the CPU time", median(ten.cpu)/median(paces[2][3].cpu), 11, true))
	c := chart{title: "Console: waiting for a pattern that is not there", unit: "MB/s"}
	for k, p := range consolePeers {
		if at := &paces[2][k]; at.failure == "" {
			c.bars = append(c.bars, bar{p.name, at.speed(), strings.HasPrefix(p.name, "labrun")})
		}
	}
	return b.String(), c
}

func sizeName(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
