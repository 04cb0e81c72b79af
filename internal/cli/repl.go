package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
	"github.com/labrun/labrun/internal/script"
)

const replHelp = `Statements act at once, on the mission's machines and with its names:
    login(debian)    send(debian, "ip a")    output(debian)    run(debian, "id").stdout
A block ends with an empty line. Tab completes, Ctrl-C interrupts, Ctrl-D ends.
    :screen MACHINE      what its console or its screen shows
    :save NAME [FILE]    what has passed so far as a step: printed, or added to a file
    :help                this
`

func (p *program) newRepl() *cobra.Command {
	var allow consent
	c := &cobra.Command{
		Use:   "repl FILE",
		Short: "a prompt on a mission's machines, to find out what to write",
		Long: `repl boots the machines of a mission and reads statements: what a step could say,
with the names that the mission has. Its steps are not played.

` + replHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{"repl: which mission? Name its file"}
			}
			return p.repl(c.Context(), c, args[0], allow)
		},
	}
	allow.flag(c)
	p.student.imagined(c)
	return c
}

func (p *program) repl(ctx context.Context, c *cobra.Command, file string, allow consent) error {
	m, lock, err := p.find(ctx, c, file, func(o *mission.Options) { o.NoSteps = true })
	if err != nil {
		return err
	}
	if allow.missing(m) {
		if err := p.askHost(false); err != nil {
			return err
		}
	}
	events := &event.Log{}
	store, err := p.store(lock, progressTo(events))
	if err != nil {
		return err
	}
	defer store.Close()
	style := report.StyleOf(p.Err, p.Getenv)
	shown := report.NewTerminal(p.Err, p.Err, style, style, false)
	events.Attach(func(r event.Record) {
		// What is printed belongs to the answers, and in their order.
		if said, ok := r.Event.(event.Said); ok {
			fmt.Fprintln(p.Out, markdown.Clean(said.Text))
			return
		}
		shown.Record(r)
	})
	// A picture is cut out to be looked for by the mission, so it belongs beside that.
	o := lab.Options{Store: store, Events: events, Interactive: true, Pictures: filepath.Dir(script.RealFile(file))}
	return run.OnLab(ctx, m, o, func(ctx context.Context, l *lab.Lab) error {
		if err := l.Boot(ctx, l.Machines()...); err != nil {
			return mission.Classify(ctx, err)
		}
		s := &replSession{program: p, repl: m.Repl(l, events), lab: l}
		return s.run(ctx, m.Declared().Title)
	})
}

// replSession is a person, or a pipe, at the prompt.
type replSession struct {
	*program
	repl  *mission.Repl
	lab   *lab.Lab
	lines *mission.Lines

	running atomic.Pointer[func()] // interrupts the statement that is carried out
}

// errCancelled is a line that its author gave up.
var errCancelled = errors.New("cancelled")

func (s *replSession) run(ctx context.Context, title string) error {
	in := s.keyboard()
	if in == nil {
		lines := bufio.NewReader(s.In)
		s.lines = &mission.Lines{Read: func(bool) (string, error) {
			line, err := lines.ReadString('\n')
			if line != "" {
				err = nil
			}
			return strings.TrimSuffix(line, "\n"), err
		}}
	} else {
		fmt.Fprintf(s.Out, "%s: its machines are booting. :help says what can be done here.\n", title)
		s.lines = &mission.Lines{Read: s.editor(in)}
		// Somebody is there to go on: the interrupt is for a statement, if one runs.
		yield := func() {
			if interrupt := s.running.Load(); interrupt != nil {
				(*interrupt)()
			}
		}
		s.yielding.Store(&yield)
		defer s.yielding.Store(nil)
	}
	for ctx.Err() == nil {
		err := s.one(ctx)
		var stuck *script.StuckError
		switch {
		case errors.As(err, &stuck):
			return err // what goes on has the prompt's names in hand
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errCancelled) || err == nil:
		case in == nil || ctx.Err() != nil:
			return err // nobody is there to go on
		default:
			s.tell(ctx, err)
		}
	}
	return mission.Classify(ctx, context.Cause(ctx))
}

// tell says what went wrong with a statement or a command, to somebody who goes on.
func (s *replSession) tell(ctx context.Context, err error) {
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(s.Err, usage.text)
		return
	}
	s.explain(ctx, err)
}

// editor reads lines from a terminal, with a history and completion. The terminal is
// raw only meanwhile, so that Ctrl-C reaches a statement that waits as a signal.
func (s *replSession) editor(in *os.File) func(more bool) (string, error) {
	keys := &replKeys{from: in}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, s.Out}, "")
	if state, err := s.state(); err == nil {
		t.History = openHistory(filepath.Join(state, "repl-history"))
	}
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		offers, begun := s.repl.Complete(line[:pos])
		more := commonPrefix(offers)
		if len(more) <= begun {
			if len(offers) > 1 {
				fmt.Fprintf(t, "%s\n", strings.Join(offers, "  "))
			}
			return line, pos, true
		}
		return line[:pos] + more[begun:] + line[pos:], pos + len(more) - begun, true
	}
	return func(more bool) (string, error) {
		state, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return "", err
		}
		defer term.Restore(int(in.Fd()), state)
		if width, height, err := term.GetSize(int(in.Fd())); err == nil {
			t.SetSize(width, height)
		}
		if more {
			t.SetPrompt("... ")
		} else {
			t.SetPrompt(">>> ")
		}
		keys.cancelled = false
		line, err := t.ReadLine()
		if keys.cancelled {
			return "", errCancelled
		}
		return line, err
	}
}

// replKeys turns Ctrl-C into giving up the line, where the editor would end.
type replKeys struct {
	from      io.Reader
	cancelled bool
}

func (k *replKeys) Read(b []byte) (int, error) {
	if len(b) < 2 {
		return k.from.Read(b)
	}
	n, err := k.from.Read(b[:len(b)-1])
	const ctrlC, ctrlU = 3, 21
	if i := slices.Index(b[:n], ctrlC); i >= 0 {
		b[i], b[i+1], n = ctrlU, '\r', i+2
		k.cancelled = true
	}
	return n, err
}

func commonPrefix(words []string) string {
	if len(words) == 0 {
		return ""
	}
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// one reads and carries out one statement or command.
func (s *replSession) one(ctx context.Context) error {
	first, err := s.lines.Next(false)
	if err != nil {
		return err
	}
	if command, ok := strings.CutPrefix(strings.TrimSpace(first), ":"); ok {
		return s.command(ctx, command)
	}
	s.lines.Back(first)
	statement, release := s.interruptible(ctx)
	defer release()
	value, err := s.repl.Eval(statement, s.lines)
	var stuck *script.StuckError
	if statement.Err() != nil && ctx.Err() == nil && !errors.As(err, &stuck) {
		return &usageError{"interrupted: what it had typed by then is typed"}
	}
	if err == nil && value != "" {
		fmt.Fprintln(s.Out, value)
	}
	return err
}

// interruptible returns a context for one statement, which the user's interrupt
// ends.
func (s *replSession) interruptible(ctx context.Context) (context.Context, func()) {
	statement, cancel := context.WithCancelCause(ctx)
	interrupt := func() { cancel(mission.ErrInterrupted) }
	s.running.Store(&interrupt)
	return statement, func() {
		s.running.Store(nil)
		cancel(nil)
	}
}

// saveName is what a step may be called.
var saveName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func (s *replSession) command(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		words = []string{"help"}
	}
	switch name, args := words[0], words[1:]; {
	case name == "help":
		fmt.Fprint(s.Out, replHelp)
	case name == "screen" && len(args) == 1:
		m := s.lab.Machine(args[0])
		if m == nil {
			return &usageError{fmt.Sprintf(":screen %s: the mission has no such machine", args[0])}
		}
		if now, err := m.Look(ctx); err == nil {
			fmt.Fprintln(s.Out, now.Lines())
			return nil
		}
		c, err := m.Console()
		if err != nil {
			return &usageError{fmt.Sprintf(":screen %s: %v", args[0], err)}
		}
		fmt.Fprintln(s.Out, c.Tail(24))
	case name == "save" && (len(args) == 1 || len(args) == 2):
		return s.save(args)
	default:
		return &usageError{fmt.Sprintf(":%s: there are :screen MACHINE, :save NAME [FILE] and :help", line)}
	}
	return nil
}

func (s *replSession) save(args []string) error {
	if !saveName.MatchString(args[0]) {
		return &usageError{
			fmt.Sprintf(":save %s: a step is called as a function is: lower-case letters, digits and _", args[0]),
		}
	}
	text, err := s.repl.Step(args[0])
	if err != nil {
		return &usageError{":save: " + err.Error()}
	}
	if len(args) == 1 {
		fmt.Fprint(s.Out, strings.TrimPrefix(text, "\n"))
	} else {
		err := extend(args[1], text)
		if errors.Is(err, fs.ErrNotExist) {
			return &usageError{
				fmt.Sprintf(":save: there is no file %s: name the mission's, or begin one with labrun new", args[1]),
			}
		}
		if err != nil {
			return &usageError{fmt.Sprintf(":save: %v", err)}
		}
		fmt.Fprintf(s.Out, "%s has a step %s now: labrun check %s\n", filepath.Base(args[1]), args[0], args[1])
	}
	s.repl.Forget()
	return nil
}

// extend adds a text to a file, which is whole at any moment: an editor may have it
// open.
func extend(file, text string) error {
	about, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !about.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", file)
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text = "\n" + text
	}
	return host.WriteFile(file, append(old, text...), about.Mode().Perm())
}
