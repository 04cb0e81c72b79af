// Package cli owns labrun's command line: its subcommands and flags, the exit
// codes, and the one place where errors are printed.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

// Exit codes, part of the interface: those of runs, and of everything else.
const (
	exitPassed      = run.ExitPassed
	exitCheck       = run.ExitCheck
	exitUsage       = run.ExitUsage
	exitScript      = run.ExitScript
	exitEnvironment = run.ExitEnvironment
	exitTimeout     = run.ExitTimeout
	exitInterrupted = run.ExitInterrupted
)

// Surroundings are what the program sees of the world.
type Surroundings struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
}

// System returns the real surroundings.
func System() Surroundings {
	return Surroundings{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
}

// program is one invocation.
type program struct {
	Surroundings
	args     []string
	yielding atomic.Pointer[func()] // takes the next interrupt instead; nil: it stops labrun
	detached atomic.Bool            // the end of its terminal is none of labrun's concern
	lockFile string
	strict   bool
	lang     string // as the user asks for it; empty: the locale's
	student  studentFlags
}

// keyboard returns the terminal that the input comes from; nil if it is none.
func (p *program) keyboard() *os.File {
	if in, ok := p.In.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		return in
	}
	return nil
}

// Main runs labrun with the given arguments and returns its exit code. The first
// interrupt stops a run cleanly; the second ends the process, and the kernel its
// machines with it.
func Main(args []string, s Surroundings) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	out := &output{Writer: s.Out}
	s.Out = out
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	p := &program{Surroundings: s, args: args}
	go func() {
		for signal := range signals {
			if signal == syscall.SIGHUP && p.detached.Load() {
				continue
			}
			if yield := p.yielding.Load(); yield != nil {
				(*yield)()
				continue
			}
			break
		}
		fmt.Fprintln(s.Err, "\nstopping; once more to stop at once")
		cancel(mission.ErrInterrupted)
		<-signals
		os.Exit(exitInterrupted)
	}()

	root := p.command()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if out.caused(err) {
		err = nil // it is told below
	}
	code := p.explain(ctx, err)
	if lost := out.lost(); lost != nil {
		fmt.Fprintf(s.Err, "labrun: write standard output: %v\n", lost)
		if code == exitPassed {
			code = exitEnvironment
		}
	}
	return code
}

func (p *program) command() *cobra.Command {
	var f runFlags
	root := &cobra.Command{
		Use:   "labrun MISSION.star",
		Short: "run operating-system labs on virtual machines",
		Long: `labrun plays a mission: it boots the mission's virtual machines, types at their
consoles and checks what they say.

Exit codes: 0 passed, 1 a check failed, 2 wrong usage, 3 an error in the script,
4 the host cannot run it (QEMU, image, memory, disk), 5 a time-out, 130 interrupted.`,
		Example: `  labrun missions/week1.star    play the first week's lab
  labrun check my-lab.star      look for mistakes without booting anything
  labrun doctor                 see what this computer lacks, and how to mend it`,
		Args:          cobra.ArbitraryArgs,
		RunE:          func(c *cobra.Command, args []string) error { return p.run(c.Context(), c, args, f) },
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	f.define(p, root)
	root.PersistentFlags().StringVar(&p.lockFile, "lock", "", "an images.lock `file` instead of the built-in one")
	root.PersistentFlags().BoolVar(&p.strict, "strict", false, "refuse stand-ins for images that cannot be had")
	root.PersistentFlags().StringVar(
		&p.lang, "lang", "", "the `language` to tell it in, such as zh-TW, instead of the locale's",
	)
	p.student.define(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err.Error()} })
	root.AddCommand(
		p.newCheck(), p.newTest(), p.newRepl(), p.newImages(), p.newDoctor(), p.newDoc(), p.newNew(),
		p.newLSP(), p.newReport(), p.newAttach(), p.newPs(), p.newStop(), p.newEvents(), p.newServe(), p.newSubmit(),
		p.newReplay(), p.newGrade(), p.newClass(), p.newExport(), p.newBench(),
	)
	p.addCompletion(root)
	return root
}

// version is the module's version as it was built.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// store opens the image cache. The caller closes it.
func (p *program) store(lock *image.Lock, progress func(image.Progress)) (*image.Store, error) {
	store, err := image.Open(image.StoreOptions{
		Lock: lock, Recipes: labrun.Images(), Mirror: p.Getenv("LABRUN_MIRROR"), Strict: p.strict, Progress: progress,
		Boot: lab.Bench,
	})
	if err != nil {
		return nil, &environmentError{err}
	}
	return store, nil
}

// progressTo reports a cache's progress as events.
func progressTo(events *event.Log) func(image.Progress) {
	return func(g image.Progress) {
		events.Emit(event.Progress{Subject: g.Image, Phase: g.Phase, Note: g.Note, Done: g.Done, Total: g.Total})
	}
}

// usageError is a wrong call of labrun.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// environmentError is something that the host lacks.
type environmentError struct{ cause error }

func (e *environmentError) Error() string { return e.cause.Error() }
func (e *environmentError) Unwrap() error { return e.cause }

// errReported is an error that was printed already, with its exit code.
type errReported int

func (e errReported) Error() string { return "reported" }

// explain prints an error, with what to do next, and returns the exit code.
func (p *program) explain(ctx context.Context, err error) int {
	var reported errReported
	var usage *usageError
	var environment *environmentError
	var failed *mission.Error
	var unfinished *run.Unfinished
	switch {
	case err == nil:
		return exitPassed
	case errors.As(err, &reported):
		return int(reported)
	case errors.As(err, &unfinished): // the student knows
	case errors.As(err, &failed):
		p.tellFailure(p.Err, failed.Step, failed.Error(), failed.Hint)
		if failed.Kind == mission.Environment {
			p.tell(p.Err, "`labrun doctor` looks at what this computer lacks")
		}
	case ctx.Err() != nil:
		p.tell(p.Err, "labrun: interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		p.tell(p.Err, "labrun: %v\n`labrun --help` shows how it is used", err)
	default:
		p.tell(p.Err, "labrun: %v", err)
		if errors.As(err, &environment) {
			return exitEnvironment
		}
	}
	return run.ExitCode(err)
}

// tell writes a line for people, or several: what strangers have put into them does
// nothing to a terminal.
func (p *program) tell(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, report.StyleOf(w, p.Getenv).Fold("", fmt.Sprintf(format, args...)))
}

// tellFailure says what failed, in which step if in one, and the author's advice if
// there is any.
func (p *program) tellFailure(w io.Writer, step, what, hint string) {
	if step != "" {
		p.tell(w, "in step «%s»:", step)
	}
	p.tell(w, "%s", what)
	if hint != "" {
		p.tell(w, "hint: %s", hint)
	}
}
