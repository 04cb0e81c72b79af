package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
)

// A lesson is a mission as processors see it: a row of pieces of work, between which its student thinks.
type lesson struct {
	pieces []piece
	think  float64 // seconds before each but the first, in the middle
}

// piece is what machines compute until their student can go on, in seconds of one processor, and how many of these it
// keeps busy where it can have them.
type piece struct{ work, wide float64 }

// A course is students who all begin a lesson within some seconds, on each of some servers.
type course struct {
	name     string
	students int // on one server
	cores    float64
	within   float64 // seconds
}

var courses = []course{
	{"class of 300, a server of 64 cores, all at once", 300, 64, 0},
	{"the same, within a minute", 300, 64, 60},
	{"course of 10,000, 20 such servers, all at once", 500, 64, 0},
	{"the same, within a minute", 500, 64, 60},
	{"the same, within five minutes", 500, 64, 300},
}

// What a student's lab takes of a server's memory, in GB: as it begins, and as it may become. docs/performance.md has
// where these come from («Three machines each»), and hub's lab_memory is the second.
const (
	labBegins = 0.36
	labMost   = 0.85
)

// played is what `labrun bench class --json` says.
type played struct {
	Labs   int
	Points []struct{ Alone, Half, Last float64 }
	CPU    struct{ Median float64 }
}

// measureCourse measures ten labs at once here, says how well the simulation foretells them, and lets it say what a
// course needs that does not fit here.
func measureCourse(ctx context.Context, _ int) (string, chart, error) {
	cmd := exec.CommandContext(ctx, "./labrun", "bench", "class", "10", "week1", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", chart{}, fmt.Errorf("labrun bench class 10 week1: %w", err)
	}
	var p played
	if err := json.Unmarshal(out, &p); err != nil {
		return "", chart{}, fmt.Errorf("labrun bench class 10 week1: %w", err)
	}
	text, c := tellCourse(p)
	return text, c, nil
}

// lessonOf is the lesson of one of the labs that were played at once: to its prompts, and then to the end of each step
// that had not ended by then. It computes as much as they did, which is more than one alone does: there is more to wait
// for, and measured anew. How much of it was when is not known: it is spread as the time of the one alone was.
func lessonOf(p played, think float64) lesson {
	l := lesson{think: think}
	most := p.CPU.Median / p.Points[len(p.Points)-1].Alone
	before := 0.0
	for _, point := range p.Points {
		if took := point.Alone - before; took > 0 {
			l.pieces = append(l.pieces, piece{took * most, min(most, float64(runtime.NumCPU()))})
			before = point.Alone
		}
	}
	return l
}

func tellCourse(p played) (string, chart) {
	c := chart{title: "Week 1 on paper: until 95 of 100 students have their prompts", unit: "s"}
	here := simulate(course{students: p.Labs, cores: float64(runtime.NumCPU())}, lessonOf(p, 0))
	prompts, end := p.Points[0], p.Points[len(p.Points)-1]
	text := table([]string{"ten labs of week 1 at once, here", "measured", "simulated"}, [][]string{
		{"half of them have their prompts", number("%.1f s", prompts.Half), number("%.1f s", middle(here.prompts, 0.5))},
		{"all of them have", number("%.1f s", prompts.Last), number("%.1f s", middle(here.prompts, 1))},
		{"all of them are at the end", number("%.1f s", end.Last), number("%.1f s", middle(here.ends, 1))},
	}) + "\n"
	var rows [][]string
	for _, of := range courses {
		found := simulate(of, lessonOf(p, 240))
		n := float64(of.students)
		rows = append(rows, []string{of.name,
			number("%.1f s", middle(found.prompts, 0.5)), number("%.1f s", middle(found.prompts, 0.95)), number("%.1f s", middle(found.prompts, 1)),
			number("%.1f", middle(found.slower, 0.95)), number("%.0f", found.busy),
			fmt.Sprintf("%.0f to %.0f GB", n*labBegins, n*labMost)})
		c.bars = append(c.bars, bar{of.name, middle(found.prompts, 0.95), true})
	}
	return text + table([]string{"week 1, on paper", "prompts, half", "95 of 100", "last",
		"later steps, times as long as alone, 95 of 100", "cores busy in the middle", "memory of a server"}, rows) + "\n" +
		demand("ten labs of week 1 at once, all at three prompts, in seconds", prompts.Last, 15, true), c
}

// An outcome is what becomes of a course, in seconds but for slower: how many times as long as alone each later piece took.
type outcome struct {
	prompts, ends, slower []float64
	busy                  float64 // cores, from the first student's beginning to the last one's end
}

// simulate shares a server's cores among its students' labs, evenly, as the kernel does: none has more than its pieces
// can use, and what one leaves is the others'. Starting processes, memory and disks cost nothing here.
func simulate(of course, l lesson) outcome {
	chance := rand.New(rand.NewPCG(19, 300)) // each time the same
	type student struct {
		began, wakes, left float64 // wakes: when the next piece begins; left of the present one
		since              float64 // when it began
		piece              int
	}
	all := make([]student, of.students)
	for i := range all {
		all[i].began = chance.Float64() * of.within
		all[i].wakes = all[i].began
	}
	var found outcome
	computed, now, over := 0.0, 0.0, 0
	for over < len(all) {
		// Who computes, each with as much as is there for them.
		var rest []int
		next := math.Inf(1)
		for i := range all {
			s := &all[i]
			if s.piece == len(l.pieces) {
				continue
			}
			if s.left == 0 && s.wakes <= now {
				s.left, s.since = l.pieces[s.piece].work, now
			}
			if s.left > 0 {
				rest = append(rest, i)
			} else {
				next = min(next, s.wakes)
			}
		}
		slices.SortFunc(rest, func(a, b int) int { return cmp.Compare(l.pieces[all[a].piece].wide, l.pieces[all[b].piece].wide) })
		speeds, cores := make([]float64, len(rest)), of.cores
		for n, i := range rest {
			speeds[n] = min(l.pieces[all[i].piece].wide, cores/float64(len(rest)-n))
			cores -= speeds[n]
			next = min(next, now+all[i].left/speeds[n])
		}
		for n, i := range rest {
			s := &all[i]
			computed += speeds[n] * (next - now)
			if s.left -= speeds[n] * (next - now); s.left > 1e-9 {
				continue
			}
			alone := l.pieces[s.piece].work / l.pieces[s.piece].wide
			if s.piece == 0 {
				found.prompts = append(found.prompts, next-s.began)
			} else {
				found.slower = append(found.slower, (next-s.since)/alone)
			}
			s.left, s.piece = 0, s.piece+1
			s.wakes = next + l.think*(0.5+chance.Float64())
			if s.piece == len(l.pieces) {
				found.ends = append(found.ends, next-s.began)
				over++
			}
		}
		now = next
	}
	found.busy = computed / now
	return found
}

// middle is the value that a part of all, from 0 to 1, does not exceed.
func middle(all []float64, part float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}
