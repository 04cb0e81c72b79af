package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/qemu"
)

const (
	// benchCalm is how long machines that have just started are left alone before
	// anything is measured, benchWatch how long they are then watched.
	benchCalm  = 10 * time.Second
	benchWatch = 20 * time.Second
	// benchLimit is for each machine's prompt and answer, when all are busy.
	benchLimit = 10 * time.Minute
)

// spread is how a figure is spread over the machines.
type spread struct {
	Median float64 `json:"median"`
	Most   float64 `json:"most"`
	Sum    float64 `json:"sum"`
}

func spreadOf(values []float64) (s spread) {
	if len(values) == 0 {
		return s
	}
	slices.Sort(values)
	for _, v := range values {
		s.Sum += v
	}
	return spread{Median: values[len(values)/2], Most: values[len(values)-1], Sum: s.Sum}
}

// machinesBench is what `labrun bench machines` measures. Times are in seconds,
// memory is in MiB, processor shares are in percent of one processor.
type machinesBench struct {
	Machines int    `json:"machines"`
	Image    string `json:"image"`
	Warm     int    `json:"warm"`     // so many were restored
	Answered int    `json:"answered"` // so many answered a command

	Prompt spread  `json:"prompt"` // from a machine's start to its prompt
	All    float64 `json:"all"`    // from the beginning until all had answered
	CPU    spread  `json:"cpu"`    // that each machine had used by then

	Private  spread  `json:"private"`   // memory that a machine shares with no other
	HostUsed float64 `json:"host_used"` // by how much the host's available memory shrank

	IdleCPU   spread  `json:"idle_cpu"`   // of each machine
	OwnMemory float64 `json:"own_memory"` // labrun's, more than before
	OwnCPU    float64 `json:"own_cpu"`    // labrun's, while all are idle
}

func (p *program) newBench() *cobra.Command {
	root := &cobra.Command{
		Use:   "bench",
		Short: "measure what this computer can do",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Sprintf("bench: there is no %q: it is machines or class", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var image string
	var asJSON, cold bool
	machines := &cobra.Command{
		Use:   "machines N",
		Short: "start N machines of an image at once, and say what they cost",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{"bench machines: how many? `labrun bench machines 10`"}
			}
			if n, err := strconv.Atoi(args[0]); err != nil || n < 1 || n > lab.MostMachines {
				return &usageError{
					fmt.Sprintf("bench machines: %q: a number from 1 to %d is needed", args[0], lab.MostMachines),
				}
			}
			return nil
		},
		RunE: p.withStore(func(c *cobra.Command, store cache, args []string) error {
			if _, ok := store.Profile(image); !ok {
				return unknownImage(store, image)
			}
			n, _ := strconv.Atoi(args[0]) // it was checked
			b, err := p.benchMachines(c.Context(), store, n, image, cold)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.Out).Encode(b)
			}
			return p.tellMachines(b)
		}),
	}
	machines.Flags().StringVar(&image, "image", "debian", "the `image` that they start from")
	machines.Flags().BoolVar(&asJSON, "json", false, "write one line of JSON instead of text")
	machines.Flags().BoolVar(&cold, "cold", false, "boot them instead of restoring saved ones")
	root.AddCommand(machines, p.newBenchClass())
	return root
}

// benchMachines starts n machines without a network and measures them, busy with
// their start and then idle.
func (p *program) benchMachines(
	ctx context.Context, store cache, n int, image string, cold bool,
) (machinesBench, error) {
	b := machinesBench{Machines: n, Image: image}
	if !cold {
		if err := p.makeTemplates(ctx, store, []string{image}); err != nil {
			return b, err
		}
	}
	var mu sync.Mutex
	var prompts []float64
	events := &event.Log{}
	events.Attach(func(r event.Record) {
		e, ok := r.Event.(event.Machine)
		if !ok || e.State != "ready" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		prompts = append(prompts, e.Seconds)
		if e.Detail == "warm" {
			b.Warm++
		}
	})
	var config lab.Config
	for i := range n {
		config.Machines = append(config.Machines, lab.MachineConfig{Name: fmt.Sprintf("m%d", i+1), Image: image})
	}
	l, err := lab.New(
		config, lab.Options{Store: store.Store, Events: events, Cold: cold, Resting: true, Mission: "labrun bench"},
	)
	if err != nil {
		return b, err
	}
	defer l.Close()
	if err := l.Prepare(ctx); err != nil {
		return b, err
	}
	debug.FreeOSMemory()
	ownBefore, err := host.ProcessUsage(os.Getpid())
	if err != nil {
		return b, err
	}
	freeBefore, err := host.AvailableMemory()
	if err != nil {
		return b, err
	}

	started := time.Now()
	if err := l.Boot(ctx, l.Machines()...); err != nil {
		return b, err
	}
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i, m := range l.Machines() {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, benchLimit)
			defer cancel()
			if _, errs[i] = m.WaitPrompt(ctx); errs[i] == nil {
				errs[i] = answers(ctx, m)
			}
		})
	}
	wait.Wait()
	b.All = time.Since(started).Seconds()
	for _, err := range errs {
		if err != nil {
			return b, err
		}
		b.Answered++
	}
	b.Prompt = spreadOf(prompts)
	before, err := usages(l)
	if err != nil {
		return b, err
	}
	b.CPU = spreadOf(each(before, func(u qemu.Usage) float64 { return u.CPU.Seconds() }))

	if err := host.Sleep(ctx, benchCalm); err != nil {
		return b, err
	}
	if before, err = usages(l); err != nil {
		return b, err
	}
	own, err := host.OwnCPU()
	if err != nil {
		return b, err
	}
	from := time.Now()
	if err := host.Sleep(ctx, benchWatch); err != nil {
		return b, err
	}
	percent := 100 / time.Since(from).Seconds()
	ownAfter, err := host.OwnCPU()
	if err != nil {
		return b, err
	}
	b.OwnCPU = (ownAfter - own).Seconds() * percent
	debug.FreeOSMemory()
	now, err := host.ProcessUsage(os.Getpid())
	if err != nil {
		return b, err
	}
	b.OwnMemory = float64(now.Resident-ownBefore.Resident) / (1 << 20)
	after, err := usages(l)
	if err != nil {
		return b, err
	}
	idle := make([]float64, n)
	for i := range after {
		idle[i] = (after[i].CPU - before[i].CPU).Seconds() * percent
	}
	b.IdleCPU = spreadOf(idle)
	b.Private = spreadOf(each(after, func(u qemu.Usage) float64 { return float64(u.Private) / (1 << 20) }))
	free, err := host.AvailableMemory()
	b.HostUsed = float64(freeBefore - free)
	return b, err
}

// answers asks a machine for something that it has to work out.
func answers(ctx context.Context, m *lab.Machine) error {
	r, err := m.Run(ctx, "echo $((6*7))", benchLimit)
	if err == nil && strings.TrimSpace(r.Stdout) != "42" {
		err = fmt.Errorf("bench: %s answered %q to 6*7", m.Name(), r.Stdout)
	}
	return err
}

func usages(l *lab.Lab) ([]qemu.Usage, error) {
	var list []qemu.Usage
	for _, m := range l.Machines() {
		u, err := m.Usage()
		if err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, nil
}

func each(list []qemu.Usage, of func(qemu.Usage) float64) []float64 {
	values := make([]float64, len(list))
	for i, u := range list {
		values[i] = of(u)
	}
	return values
}

func (p *program) tellMachines(b machinesBench) error {
	fmt.Fprintf(
		p.Out, "%d machines of %s, %d of them restored; %d answered a command, the last after %.1f s\n\n",
		b.Machines, b.Image, b.Warm, b.Answered, b.All,
	)
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EACH MACHINE\tMEDIAN\tMOST\tSUM")
	for _, row := range []struct {
		what   string
		s      spread
		format string
	}{
		{"seconds to its prompt", b.Prompt, "%.2f"},
		{"CPU seconds until all had answered", b.CPU, "%.2f"},
		{"private memory, MiB", b.Private, "%.0f"},
		{"CPU when idle, % of one", b.IdleCPU, "%.2f"},
	} {
		fmt.Fprintf(
			table, "%s\t"+row.format+"\t"+row.format+"\t"+row.format+"\n", row.what, row.s.Median, row.s.Most,
			row.s.Sum,
		)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	n := float64(b.Machines)
	fmt.Fprintf(p.Out,
		"\nthe host has %.0f MiB less; labrun itself takes %.1f MiB for them (%.2f each) and, when they are idle, %.2f %% of one CPU (%.3f each)\n",
		b.HostUsed, b.OwnMemory, b.OwnMemory/n, b.OwnCPU, b.OwnCPU/n)
	return nil
}
