package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/report"
)

const (
	mostLabs  = 500
	benchLook = 250 * time.Millisecond // between two looks at the host's memory
)

// classBench is what `labrun bench class` measures. Times are in seconds from the command
// that starts a lab, memory is in MiB.
type classBench struct {
	Labs    int    `json:"labs"`
	Mission string `json:"mission"`
	Passed  int    `json:"passed"` // labs in which every step passed
	Warm    int    `json:"warm"`   // machines that were restored
	Cold    int    `json:"cold"`   // machines that booted
	Points  []mark `json:"points"` // in the order in which a lab comes to them
	Memory  int    `json:"memory"` // by how much the host's available memory shrank at most
	CPU     spread `json:"cpu"`    // of each lab, with its machines
	Failed  string `json:"failed"` // why the first lab that failed did so; empty: none did
	exit    int    // that lab's exit code
}

// mark is a point of a mission, and when labs come to it.
type mark struct {
	What  string  `json:"what"`
	Alone float64 `json:"alone"` // one lab that has the computer to itself
	First float64 `json:"first"`
	Half  float64 `json:"half"` // of the labs are there
	Last  float64 `json:"last"`
}

// playedLab is one lab that was played in a process of its own.
type playedLab struct {
	points     []point // in the order in which it came to them
	warm, cold int
	cpu        float64
	exit       int
	failed     string
}

// point is where a lab was after so many seconds.
type point struct {
	what    string
	seconds float64
}

func (p *program) newBenchClass() *cobra.Command {
	var asJSON, cold bool
	class := &cobra.Command{
		Use:   "class N [MISSION]",
		Short: "play N labs of a mission at once (week1, if none is named), and say when they were where",
		Long: `Play N labs of a mission at once, each by a labrun of its own, as when N students begin on
this computer at the same moment and none of them ever stops to think. Before, one is played alone.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return &usageError{"bench class: how many labs, of which mission? `labrun bench class 10 week1`"}
			}
			if n, err := strconv.Atoi(args[0]); err != nil || n < 1 || n > mostLabs {
				return &usageError{fmt.Sprintf("bench class: %q: a number from 1 to %d is needed", args[0], mostLabs)}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			n, _ := strconv.Atoi(args[0]) // it was checked
			name := "week1"
			if len(args) > 1 {
				name = args[1]
			}
			if _, _, err := p.find(c.Context(), c, name); err != nil {
				return err
			}
			b, err := p.benchClass(c.Context(), n, name, cold)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(p.Out).Encode(b)
			} else {
				err = p.tellClass(b)
			}
			if err == nil && b.Passed < n {
				err = errReported(b.exit)
			}
			return err
		},
	}
	class.Flags().BoolVar(&asJSON, "json", false, "write one line of JSON instead of text")
	class.Flags().BoolVar(&cold, "cold", false, "boot the machines instead of restoring saved ones")
	return class
}

func (p *program) benchClass(ctx context.Context, n int, name string, cold bool) (classBench, error) {
	b := classBench{Labs: n, Mission: name}
	command, err := p.again()
	if err != nil {
		return b, err
	}
	command = append(command, "--json", fmt.Sprintf("--cold=%t", cold), name)
	state, err := os.MkdirTemp("", "labrun-bench-") // runs of nobody's
	if err != nil {
		return b, &environmentError{err}
	}
	defer os.RemoveAll(state)
	play := func() (playedLab, error) { return playLab(ctx, command, state) }

	alone, err := play()
	if err == nil && alone.cold > 0 && !cold { // images and saved states were made
		alone, err = play()
	}
	if err != nil {
		return b, err
	}
	if alone.exit != exitPassed {
		return b, &environmentError{fmt.Errorf("bench class: %s does not pass by itself: %s", name, alone.failed)}
	}
	before, err := host.AvailableMemory()
	if err != nil {
		return b, &environmentError{err}
	}
	labs, errs := make([]playedLab, n), make([]error, n)
	var playing, looking sync.WaitGroup
	for i := range labs {
		playing.Go(func() { labs[i], errs[i] = play() })
	}
	over, stop := context.WithCancel(ctx)
	defer stop()
	looking.Go(func() {
		for host.Sleep(over, benchLook) == nil {
			if now, err := host.AvailableMemory(); err == nil {
				b.Memory = max(b.Memory, before-now)
			}
		}
	})
	playing.Wait()
	stop()
	looking.Wait()
	if err := errors.Join(errs...); err != nil {
		return b, err
	}
	b.count(alone, labs)
	return b, nil
}

// count makes figures of what was played.
func (b *classBench) count(alone playedLab, labs []playedLab) {
	var cpu []float64
	for _, l := range labs {
		b.Warm, b.Cold = b.Warm+l.warm, b.Cold+l.cold
		cpu = append(cpu, l.cpu)
		if l.exit == exitPassed {
			b.Passed++
		} else if b.Failed == "" {
			b.Failed, b.exit = l.failed, l.exit
		}
	}
	b.CPU = spreadOf(cpu)
	for i, at := range alone.points {
		var came []float64
		for _, l := range labs {
			if i < len(l.points) {
				came = append(came, l.points[i].seconds)
			}
		}
		if slices.Sort(came); len(came) > 0 {
			b.Points = append(b.Points, mark{at.what, at.seconds, came[0], came[(len(came)-1)/2], came[len(came)-1]})
		}
	}
}

// playLab plays a lab and returns what came of it, passed or not. Its error says that it could
// not be played at all.
func playLab(ctx context.Context, command []string, state string) (l playedLab, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it takes its machines along
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	began := time.Now()
	if err := host.StartChild(cmd); err != nil {
		return l, &environmentError{err}
	}
	ended := cmd.Wait()
	if ctx.Err() != nil {
		return l, context.Cause(ctx)
	}
	l.exit, l.cpu = cmd.ProcessState.ExitCode(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	records, err := report.ReadEvents(&out)
	if err != nil {
		return l, fmt.Errorf("bench class: read the events of a lab: %w", err)
	}
	l.follow(records, began)
	if l.failed == "" && ended != nil {
		lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
		l.failed = lines[len(lines)-1]
	}
	return l, nil
}

// follow takes from a lab's events when it came where.
func (l *playedLab) follow(records []event.Record, began time.Time) {
	started, prompts := map[string]time.Time{}, map[string]float64{}
	for _, r := range records {
		switch e := r.Event.(type) {
		case event.Machine:
			switch _, again := started[e.Name]; {
			case e.State == "booting" && !again:
				started[e.Name] = r.Time
				if e.Detail == "warm" {
					l.warm++
				} else {
					l.cold++
				}
			case e.State == "ready":
				// It says so when the mission looks; its prompt may have been there before.
				if _, known := prompts[e.Name]; !known {
					prompts[e.Name] = started[e.Name].Sub(began).Seconds() + e.Seconds
				}
			}
		case event.StepEnded:
			if e.Passed {
				l.points = append(l.points, point{fmt.Sprintf("%d. %s", e.Index, e.Title), r.Time.Sub(began).Seconds()})
			}
		case event.RunEnded:
			l.failed = e.Failed
		}
	}
	if len(prompts) == 0 {
		return
	}
	var last float64
	for _, seconds := range prompts {
		last = max(last, seconds)
	}
	l.points = slices.Insert(l.points, 0, point{fmt.Sprintf("prompts of all %d machines", len(prompts)), last})
}

func (p *program) tellClass(b classBench) error {
	fmt.Fprintf(p.Out, "%d labs of %s at once: %d passed; %d machines were restored, %d booted\n\n",
		b.Labs, b.Mission, b.Passed, b.Warm, b.Cold)
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SECONDS FROM THE COMMAND TO\tALONE\tFIRST\tHALF\tLAST")
	for _, m := range b.Points {
		fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t%.1f\n", m.What, m.Alone, m.First, m.Half, m.Last)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "\neach lab took %.1f s of processors (median; %.1f in all); the host had up to %d MiB less\n",
		b.CPU.Median, b.CPU.Sum, b.Memory)
	if b.Failed != "" {
		fmt.Fprintf(p.Out, "one that failed: %s\n", b.Failed)
	}
	return nil
}
