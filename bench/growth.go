package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

var fleet = []int{1, 3, 10, 30, 100}

// grown is what `labrun bench machines --json` says: seconds, MiB, percent of one processor.
type grown struct {
	Machines, Answered int
	All                float64
	Prompt, Private    struct{ Median, Most, Sum float64 }
	OwnMemory          float64               `json:"own_memory"`
	OwnCPU             float64               `json:"own_cpu"`
	HostUsed           float64               `json:"host_used"`
	IdleCPU            struct{ Sum float64 } `json:"idle_cpu"`
}

// measureGrowth starts ever more Debians. One round of each is enough: a hundred machines are their own statistics.
func measureGrowth(ctx context.Context, _ int) (string, chart, error) {
	var all []grown
	for _, n := range fleet {
		cmd := exec.CommandContext(ctx, "./labrun", "bench", "machines", fmt.Sprint(n), "--json")
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return "", chart{}, fmt.Errorf("labrun bench machines %d: %w", n, err)
		}
		var g grown
		if err := json.Unmarshal(out, &g); err != nil {
			return "", chart{}, fmt.Errorf("labrun bench machines %d: %w", n, err)
		}
		fmt.Fprintf(os.Stderr, "growth: %d machines, the last answered after %.2f s\n", n, g.All)
		all = append(all, g)
	}
	text, c := tellGrowth(all)
	return text, c, nil
}

func tellGrowth(all []grown) (string, chart) {
	var rows [][]string
	c := chart{title: "Debian machines restored at once: until the last has answered", unit: "s"}
	for _, g := range all {
		n := float64(g.Machines)
		rows = append(rows, []string{fmt.Sprint(g.Machines), fmt.Sprint(g.Answered),
			fmt.Sprintf("%.2f s", g.All), fmt.Sprintf("%.3f s", g.All/n),
			fmt.Sprintf("%.2f s", g.Prompt.Median), fmt.Sprintf("%.0f MiB", g.Private.Median),
			fmt.Sprintf("%.1f GiB", g.HostUsed/1024),
			fmt.Sprintf("%.2f MiB", g.OwnMemory/n), fmt.Sprintf("%.3f %%", g.OwnCPU/n),
			fmt.Sprintf("%.1f %%", g.IdleCPU.Sum/n)})
		c.bars = append(c.bars, bar{fmt.Sprintf("%d machines", g.Machines), g.All, true})
	}
	last, tenth := all[len(all)-1], all[len(all)-3]
	text := table([]string{"machines", "answered", "until the last answered", "for each",
		"start to prompt, median", "private memory of each",
		"host's memory", "labrun's own, of each", "labrun's CPU, of each, idle", "guest's CPU, of each, idle"},
		rows) + "\n" +
		demand(
			fmt.Sprintf("%d machines, each answers a command", last.Machines), float64(last.Answered),
			float64(last.Machines), false,
		) +
		demand(fmt.Sprintf("all %d answer, in seconds", last.Machines), last.All, 60, true) +
		demand("private memory of each, in MiB", last.Private.Median, 100, true) +
		demand("their memory, in GiB, fits in this machine's 24 GB", last.HostUsed/1024, 22, true) +
		demand("labrun's own memory for each, in MiB, when idle", last.OwnMemory/float64(last.Machines), 1, true) +
		demand("labrun's own CPU for each, in % of one, when idle", last.OwnCPU/float64(last.Machines), 0.1, true) +
		demand(fmt.Sprintf(
			"growth is near linear: time for each of %d machines, compared with each of %d", last.Machines,
			tenth.Machines,
		),
			(last.All/float64(last.Machines))/(tenth.All/float64(tenth.Machines)), 1.3, true)
	return text, c
}
