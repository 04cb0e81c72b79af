package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// measureSwitch sends frames from socket to socket (the benchmarks of internal/lan), and TCP between two guests.
func measureSwitch(ctx context.Context, rounds int) (string, chart, error) {
	frames, err := measureFrames(ctx, rounds)
	if err != nil {
		return "", chart{}, err
	}
	guests, err := measureGuests(ctx, rounds)
	if err != nil {
		return "", chart{}, err
	}
	text, c := tellSwitch(frames, guests)
	return text, c, nil
}

// frameRates are frames a second, by the name of a benchmark («Switch/single/1500»).
type frameRates map[string][]float64

func measureFrames(ctx context.Context, rounds int) (frameRates, error) {
	fmt.Fprintln(os.Stderr, "switch: frames, from socket to socket")
	cmd := exec.CommandContext(ctx, "go", "test", "./internal/lan", "-run", "^$", "-bench",
		"Switch|QEMUHub|Socket|Copy",
		"-benchtime", "500ms", "-count", strconv.Itoa(rounds))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go test -bench: %w: %s", err, out)
	}
	return readBenchmarks(out), nil
}

// readBenchmarks takes what `go test -bench` prints: a name, a count, and pairs of a figure and its unit.
func readBenchmarks(out []byte) frameRates {
	rates := frameRates{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndex(name, "-"); i >= 0 {
			name = name[:i] // the number of CPUs
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil && fields[i+1] == "frames/s" {
				rates[name] = append(rates[name], v)
			}
		}
	}
	return rates
}

func tellSwitch(frames frameRates, guests []guestPair) (string, chart) {
	gbit := func(name string, size int) float64 { return median(frames[name]) * float64(size) * 8 / 1e9 }
	var rows [][]string
	worst := math.Inf(1)
	for _, load := range []struct {
		what, of string
		size     int
	}{
		{"64 bytes, one write each", "single/64", 64},
		{"1500 bytes, one write each", "single/1500", 1500},
		{"64 KiB, one write each", "single/65536", 64 << 10},
		{"64 bytes, 64 KiB a write", "burst/64", 64},
		{"1500 bytes, 64 KiB a write", "burst/1500", 1500},
	} {
		own, hub := gbit("Switch/"+load.of, load.size), gbit("QEMUHub/"+load.of, load.size)
		worst = min(worst, own/hub)
		rows = append(rows, []string{load.what, number("%.0f", median(frames["Switch/"+load.of])),
			number("%.2f", own), number("%.2f", hub),
			number("%.2f", gbit("Socket/"+load.of, load.size)),
			number("%.1f", gbit(fmt.Sprintf("Copy/%d", load.size), load.size)), number("%.2f", own/hub)})
	}
	text := "Frames from one Unix socket to another, through the switch, through a QEMU that is only a hub, and through nothing; " +
		"and what copying memory once would allow.\n\n" +
		table(
			[]string{
				"frames of", "switch, frames/s", "switch, Gbit/s", "QEMU's hub, Gbit/s", "bare socket, Gbit/s",
				"memory copy, Gbit/s", "switch of hub",
			}, rows,
		) +
		"\nTCP between two Alpine guests, from BusyBox nc to BusyBox nc, and the mean of 50 pings.\n\n"

	own, socket := guests[0], guests[1]
	rows = nil
	c := chart{title: "TCP between two guests", unit: "Mbit/s"}
	for i, g := range guests {
		rows = append(rows, []string{g.name, number("%.0f", median(g.rates)),
			number("%.2f", median(g.rates)/median(socket.rates)),
			number("%.3f ms", median(g.trips)), number("%.2f", median(g.trips)/median(socket.trips))})
		c.bars = append(c.bars, bar{g.name, median(g.rates), i == 0})
	}
	text += table(
		[]string{
			"between the guests", "Mbit/s", "of the socket back end", "round trip", "of the socket back end",
		}, rows,
	) + "\n" +
		demand(
			"guest to guest at least as fast as QEMU's socket back end",
			median(own.rates)/median(socket.rates), 1, false,
		) +
		demand("frames at least as fast as through QEMU's hub, in each load", worst, 1, false)
	return text, c
}
