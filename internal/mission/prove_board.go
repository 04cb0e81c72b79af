package mission

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/lab"
)

// board tries the challenges from first up to end, each by itself, since a student takes them
// in any order. What comes after the board begins where all are solved in the script's order.
func (p *prover) board(first, end int) (solved bool, err error) {
	begins, err := p.save(beginning(first))
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(begins.folder)
	p.shells = shellsOf(p.lead.lab)
	p.running, _ = programs(p.crew.ctx, p.lead.lab)
	from := first
	if p.proof.Start.From > 0 {
		from = p.proof.Start.From - 1
	}
	solved = true
	unsolved := make([]bool, end)
	for i := from; i < min(end, p.until); i++ {
		group := p.crew.group()
		p.crew.do(func(b *bench) error {
			one, err := p.challenge(b, i, group, begins.folder)
			unsolved[i] = !one
			group.close()
			return err
		})
	}
	if err := p.crew.finish(p.lead); err != nil || end >= p.until {
		return true, err
	}
	if slices.Contains(unsolved, true) {
		return false, nil
	}
	if err := p.lead.lab.Restore(p.crew.ctx, begins.folder); err != nil {
		return false, err
	}
	for i := first; i < end; i++ {
		if err := p.lead.play(p.crew.ctx, i, nil); err != nil {
			if fatal(p.crew.ctx, err) {
				return false, err
			}
			group, t := p.crew.group(), p.trial(i, "solved after those before it")
			t.Failure = err.Error()
			t.Remedy = "let each challenge of a board leave alone what the others need: a student takes them in any order"
			group.tell(t)
			group.close()
			return false, nil
		}
	}
	return true, nil
}

// challenge tries one challenge of a board. Its set-up has to make what it needs from
// whatever there is, so it is all that comes before most trials, as it does when a student
// resets the challenge: going back to the board's beginning takes longer. That is done where
// there is no set-up, where what was tried has left a console's shell as no set-up can mend
// it, before a trial is said to have failed, and where the challenge's trials begin.
func (p *prover) challenge(b *bench, index int, group *group, begins string) (solved bool, err error) {
	ctx, anew := p.crew.ctx, b.m.Declared().Steps[index].Setup != nil
	goBack := func() error { return b.lab.Restore(ctx, begins) }
	if err := goBack(); err != nil { // no student goes on to another challenge from a wrong answer
		return false, err
	}
	seen := &builtins.Rehearsal{Target: -1, Until: -1}
	if solved, err := p.solve(b, index, group, seen); !solved || err != nil {
		return false, err
	}
	kept := anew && !slices.ContainsFunc(seen.Instructions, func(i builtins.Instruction) bool {
		return changesShell.MatchString(i.Typed())
	})
	all := variations(seen.Instructions)
	for k := range all {
		if p.running != nil {
			all[k].rehearsal.Idle = idleSince(p.running, b.lab)
		}
	}
	var slots []*slot
	for _, v := range all {
		slots = append(slots, group.add(v.trial(p.trial(index, v.name))))
	}
	name := "twice"
	if anew {
		name = "begins anew"
	}
	once := group.add(p.trial(index, name))
	t := once.begin()
	plays := 1 // it begins from what the solution has left
	if !kept || shellsOf(b.lab) != p.shells {
		plays = 2 // or the second one does
		if err := goBack(); err != nil {
			return false, err
		}
	}
	for range plays {
		played := &builtins.Rehearsal{Target: -1, Until: -1}
		if err := b.play(ctx, index, played); err != nil {
			if fatal(ctx, err) {
				return false, err
			}
			t.Failure = "begun once more, it cannot be solved: " + err.Error()
		}
		for _, i := range played.Instructions {
			if i.Solved && anew && t.Failure == "" {
				t.Failure = "begun once more, it is solved already: " + i.Text
			}
		}
		if t.Failure != "" {
			t.Remedy = "let its set-up first remove what any answer, right or wrong, has left: a student may reset the challenge"
			break
		}
	}
	once.end(t)
	last := "" // what was typed last that may have changed a shell
	for k, v := range all {
		if v.idle() {
			slots[k].end(slots[k].trial)
			continue
		}
		t := slots[k].begin()
		for fresh := false; ; fresh = true {
			fresh = fresh || !kept || changesShell.MatchString(last) || shellsOf(b.lab) != p.shells
			if fresh {
				if err := goBack(); err != nil {
					return false, err
				}
			}
			t = slots[k].known()
			if err := v.try(ctx, b, index, nil, &t); err != nil {
				return false, err
			}
			last = strings.Join(v.rehearsal.Lines, "\n")
			if t.Failure == "" || fresh {
				break
			}
			last = "exit" // whatever it was that failed
		}
		slots[k].end(t)
	}
	return true, nil
}

// changesShell are lines after which a console's shell is not as before, though its prompt is.
var changesShell = regexp.MustCompile(
	`(?m)(?:^|[;&|({]|&&)\s*(?:umask|export|newgrp|bash|sh|alias|unalias|set|unset|shopt|ulimit|trap|exec|source|\.|enable|hash|readonly|declare|exit|\w+=|\w+\s*\(\))`,
)

// shellsOf is what stands last on the consoles of a lab: the prompts of shells, and who is
// logged in where.
func shellsOf(l *lab.Lab) string {
	var all strings.Builder
	for _, station := range l.Stations() {
		all.WriteString(station.Name() + ": ")
		if terminal, err := station.Console(); err == nil && terminal.Waiting() != console.NoPrompt {
			all.WriteString(terminal.Tail(1))
		}
		all.WriteString("\n")
	}
	return all.String()
}
