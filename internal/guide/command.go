package guide

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/event"
)

// Command is what a student says to the dialogue.
type Command struct {
	Word string `json:"word"`           // one of Words
	Text string `json:"text,omitempty"` // for "answer" the answer, for "restart" the machine, for "goto" and "reset" a challenge's number, for "language" its tag
	For  int    `json:"for,omitempty"`  // the number of the instruction it is about; 0: whichever there is
}

// Words are the commands, in the order in which a view may offer them.
var Words = []string{"answer", "hint", "do", "skip", "check", "ok", "next", "redo", "restart", "goto", "leave", "board",
	"reset", "yes", "no", "invite", "alone", "language", "quit"}

// Refusal says why a command cannot be taken, in the student's language.
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }

// ErrOver is why a command is not taken that is about an earlier instruction.
var ErrOver = errors.New("something else is asked by now")

// Asked returns what the student is asked to do; while labrun is at work it waits until
// something is. It fails when ctx has ended.
func (d *Dialogue) Asked(ctx context.Context) (event.Instructed, error) {
	w, err := d.take(ctx)
	if err != nil {
		return event.Instructed{}, err
	}
	defer w.release()
	return w.asked(), nil
}

// Command takes a student's word. While labrun is at work it waits until something is
// asked, so that nothing is lost that was said too soon. It fails with a *Refusal if the
// word has no place now, with ErrOver, or with ctx's cause. The language and quit are about
// no instruction, and are heeded at once; so are invite and alone, where the run reports to a class.
func (d *Dialogue) Command(ctx context.Context, c Command) error {
	switch c.Word {
	case "language":
		d.emit(event.Commanded{Word: c.Word, Text: c.Text})
		return d.translate(c.Text)
	case "quit":
		d.emit(event.Commanded{Word: c.Word})
		d.quit(ErrQuit)
		return nil
	case "invite", "alone":
		return d.invite(c.Word == "invite")
	}
	w, err := d.take(ctx)
	if err != nil {
		return err
	}
	defer w.release()
	if c.For != 0 && c.For != w.number {
		return ErrOver
	}
	w.tell() // a word that came too soon is about something, too
	d.emit(event.Commanded{Word: c.Word, Text: c.Text, Number: w.number})
	return w.obey(c)
}

// Invited reports whether the student lets the teacher of their class type at the consoles now.
func (d *Dialogue) Invited() bool { return d.invited.Load() }

// invite lets the teacher type at the consoles, or not any more.
func (d *Dialogue) invite(on bool) error {
	if !d.options.Class {
		return &Refusal{d.Say("no class")}
	}
	d.tell(func() event.Event {
		d.invited.Store(on)
		return event.Invited{On: on}
	})
	return nil
}

// take returns the present wait with its acting lock held.
func (d *Dialogue) take(ctx context.Context) (*wait, error) {
	for {
		d.mu.Lock()
		w, changed := d.waiting, d.changed
		d.mu.Unlock()
		if w != nil {
			select {
			case w.acting <- struct{}{}: // a machine that is started again may take its time
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			if !w.over {
				return w, nil
			}
			w.release()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// may reports whether a command is taken now.
func (w *wait) may(word string) bool {
	switch word {
	case "quit", "restart", "language":
		return true
	case "invite":
		return w.dialogue.options.Class && !w.dialogue.Invited()
	case "alone":
		return w.dialogue.Invited()
	case "redo":
		return !w.Over && !w.Board && !w.Sure
	case "goto":
		return (w.board.to > 0 || w.dialogue.options.Author) && !w.Over && !w.Sure
	case "reset", "board":
		return w.board.to > 0 && !w.Over && !w.Sure
	case "leave":
		return w.board.inside && !w.Over && !w.Sure
	case "yes", "no":
		return w.Sure
	case "answer":
		return w.Question != nil
	case "hint":
		return len(w.Hints) > 0
	case "do":
		return w.Solve
	case "skip":
		return w.Solve || w.Leave && !w.Board
	case "check":
		return w.Again || w.Check != nil
	case "ok":
		return w.Agree
	case "next":
		return w.Leave
	}
	return false
}

// refusals are the phrases for commands that have no place where they were said.
var refusals = map[string]string{"hint": "no hint", "do": "cannot do", "skip": "cannot do", "ok": "nothing to say ok"}

// obey carries a command out.
func (w *wait) obey(c Command) error {
	d := w.dialogue
	if !w.may(c.Word) {
		if c.Word == "goto" && w.board.to == 0 && !w.Over {
			return &Refusal{d.Say("goto author", d.Mission())}
		}
		if name, ok := refusals[c.Word]; ok {
			return &Refusal{d.Say(name)}
		}
		return &Refusal{d.Say("not now", c.Word)}
	}
	switch c.Word {
	case "answer":
		return w.answer(c.Text)
	case "hint":
		return w.hint()
	case "do", "skip":
		w.solve(c.Word)
	case "check":
		if w.Again {
			w.decide(ByStudent, nil)
		} else {
			w.Check()
		}
	case "ok":
		w.decide(Agreed, nil)
	case "next":
		w.decide(ByStudent, ErrLeave)
	case "goto":
		if d.options.Author {
			return w.leap(c)
		}
		return w.move(c)
	case "reset":
		return w.move(c)
	case "leave":
		w.decide(ByStudent, &Move{Word: "leave"})
	case "board":
		if w.board.inside {
			w.decide(ByStudent, &Move{Word: "leave"})
		} else {
			w.decide(ByStudent, nil)
		}
	case "yes":
		w.decide(Agreed, nil)
	case "no":
		w.decide(ByStudent, nil)
	case "redo":
		if w.board.inside { // which is asked about first
			return w.move(Command{Word: "reset"})
		}
		w.helped("redo", "")
		w.decide(ByStudent, ErrRedo)
	case "restart":
		return w.restart(c.Text)
	}
	return nil
}

func (w *wait) helped(word, with string) {
	d := w.dialogue
	d.mu.Lock()
	d.record.Helped++
	d.mu.Unlock()
	d.emit(event.Helped{Word: word, With: with})
}

func (w *wait) solve(word string) {
	if !w.Solve { // labrun cannot do it, but it can be left
		w.decide(ByStudent, ErrLeave)
		return
	}
	w.helped(word, strings.TrimSpace(w.Verb+" "+w.Text))
	if word == "skip" {
		w.dialogue.setTaking(true)
	}
	w.decide(ByLabrun, nil)
}

// hint gives the next hint; the last one is the whole answer.
func (w *wait) hint() error {
	d, of := w.dialogue, len(w.Hints)
	d.speech.Lock()
	defer d.speech.Unlock()
	d.mu.Lock()
	if w.level == of {
		d.mu.Unlock()
		return &Refusal{d.Say("last hint")}
	}
	w.level++
	level := w.level
	d.record.Hints++
	d.mu.Unlock()
	d.emit(event.Hinted{Level: level, Of: of, Text: w.Hints[level-1].String()})
	return nil
}

// restart switches a machine off and on; with one machine it need not be named.
func (w *wait) restart(machine string) error {
	d := w.dialogue
	names := d.options.Machines.Names()
	if machine == "" && len(names) == 1 {
		machine = names[0]
	}
	switch {
	case machine == "":
		return &Refusal{d.Say("restart what", strings.Join(names, ", "))}
	case !slices.Contains(names, machine):
		return &Refusal{d.Say("unknown machine", machine, strings.Join(names, ", "))}
	}
	w.helped("restart", machine)
	if err := d.options.Machines.Restart(w.ctx, machine); err != nil {
		return &Refusal{d.Say("fail restart", machine, err, machine)}
	}
	w.decide(ByStudent, ErrRetry)
	return nil
}
