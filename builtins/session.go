package builtins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
)

// Step is a declared step of a mission. One that is a challenge may be taken in any order
// with those before and after it that are challenges, too: they are one board.
type Step struct {
	Title     string // the first line of the function's docstring
	Narration string // the rest of it, Markdown
	Function  starlark.Callable
	Position  syntax.Position // of the step call

	Challenge bool
	Setup     starlark.Callable // what labrun does before a challenge, unseen; nil: nothing

	// Of a step that comes from a pack:
	Digest string                       // of its files, on which it depends besides the script
	Told   map[string]Telling           // its text in other languages, by their tags
	Words  map[string]map[string]string // likewise all else that it says, by the original
}

// Telling is a step's text in another language.
type Telling struct{ Title, Narration string }

// Declaration is what a script declared while it was loaded.
type Declaration struct {
	Title    string
	Language string // of the original
	Minutes  int
	Needs    []string // «host»: wants a shell on the host
	Networks []string
	Machines []lab.MachineConfig
	Steps    []Step
	Variants []Variant // what was drawn for who plays, in the order of the script
	Notes    []Fault   // what its author should know of the packs that it has
}

// Session is one mission's use of the builtins: first its declarations, then its
// actions on a lab. Of its threads one runs at a time.
type Session struct {
	declared Declaration
	titled   bool
	images   []string                                // known names, for checking
	profiles func(name string) (image.Profile, bool) // nil: nothing is known of them

	translate func(string) string
	readFile  func(name string) ([]byte, error)
	folder    Folder
	derivable func(*image.Derivation) error

	who     course.Student
	mission string // its name, of which is drawn as well

	lab    *lab.Lab
	events *event.Log

	mu     sync.Mutex
	acting bool
}

// New returns a session that accepts declarations. Images are the names that a
// machine may boot from; translate returns a text of the script in the reader's
// language, and readFile reads a file of the script's folder, which is the last one.
func New(
	images []string, translate func(string) string, readFile func(name string) ([]byte, error), folder Folder,
) *Session {
	return &Session{images: images, translate: translate, readFile: readFile, folder: folder}
}

// Folder is where a script lies.
type Folder struct {
	Files fs.FS                                        // what is in it, while the script is loaded; nil: nothing is known of it
	Open  func() (files fs.FS, done func(), err error) // opens it again, as it is now
	Path  string                                       // on this computer, absolute; empty: it is in no folder there
}

// CheckImages has images that the script makes of others looked at, by what they have beyond
// those.
func (s *Session) CheckImages(derivable func(*image.Derivation) error) { s.derivable = derivable }

// Know has declarations checked by what is known of images, too.
func (s *Session) Know(profiles func(name string) (image.Profile, bool)) { s.profiles = profiles }

// profile is what is known of an image; false: nothing.
func (s *Session) profile(name string) (image.Profile, bool) {
	if s.profiles == nil {
		return image.Profile{}, false
	}
	return s.profiles(name)
}

// Declared returns what was declared so far.
func (s *Session) Declared() Declaration { return s.declared }

// Act ends the declarations: from now on the builtins act on the given lab and
// report to events. If the mission needs the host, the user has agreed to it.
func (s *Session) Act(l *lab.Lab, events *event.Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lab, s.events, s.acting = l, events, true
}

// busyKey is where Watch keeps its counter in a thread.
const busyKey = "labrun.busy"

// Watch returns how many builtins are at work in a thread: these may wait for long, and
// stop with their context, which nothing of the interpreter's does.
func Watch(thread *starlark.Thread) *atomic.Int32 {
	busy := new(atomic.Int32)
	thread.SetLocal(busyKey, busy)
	return busy
}

// Predeclared returns the names that a script starts with.
func (s *Session) Predeclared() starlark.StringDict {
	names := starlark.StringDict{}
	for _, entry := range Table() {
		names[entry.Name] = starlark.NewBuiltin(entry.Name,
			func(
				thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
			) (starlark.Value, error) {
				return s.invoke(thread, &entry, args, kwargs)
			})
	}
	return names
}

// calledAtLoading is the script's function that its top level calls; empty if it calls
// the builtin itself.
func calledAtLoading(thread *starlark.Thread) string {
	if outer := thread.CallStackDepth() - 2; outer > 0 {
		if f, ok := thread.DebugFrame(outer).Callable().(*starlark.Function); ok {
			return f.Name()
		}
	}
	return ""
}

func (s *Session) invoke(
	thread *starlark.Thread, e *Entry, args starlark.Tuple, kwargs []starlark.Tuple,
) (starlark.Value, error) {
	s.mu.Lock()
	acting := s.acting
	s.mu.Unlock()
	if e.Phase == Declaring && acting {
		return nil, fmt.Errorf("%s: a step cannot declare: call it at the top level of the script", e.Name)
	}
	if e.Phase == Acting && !acting {
		if called := calledAtLoading(thread); called != "" {
			return nil, fmt.Errorf(
				"%s: loading a mission only declares, and calls %s, which acts: a function is made a step by its name alone, step(%s)", e.Name, called, called,
			)
		}
		return nil, fmt.Errorf(
			"%s: loading a mission only declares: call it inside a function and make that a step with step(…)", e.Name,
		)
	}
	bound, err := bind(e, args, kwargs)
	if err != nil {
		return nil, err
	}
	ctx, ok := thread.Local(contextKey).(context.Context)
	if !ok {
		ctx = context.Background()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if busy, ok := thread.Local(busyKey).(*atomic.Int32); ok {
		busy.Add(1)
		defer busy.Add(-1)
	}
	by, ok := thread.Local(actorKey).(Actor)
	if !ok || e.Phase != Acting { // to declare, and to say a word in another language, is nobody's work
		by = labrun{}
	}
	value, err := by.do(&call{Session: s, ctx: ctx, thread: thread, entry: e, args: bound})
	if err != nil {
		return nil, s.veilError(named(e.Name, err))
	}
	if value == nil {
		value = starlark.None
	}
	return value, nil
}

// named puts the builtin's name before an error that does not begin with it.
func named(name string, err error) error {
	var check *CheckError
	var evaluation *starlark.EvalError
	var rehearsed *Rehearsed
	if errors.As(err, &check) || errors.As(err, &evaluation) || errors.As(err, &rehearsed) || strings.HasPrefix(err.Error(), name+" ") || strings.HasPrefix(err.Error(), name+":") {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// CheckError says that a check of the script failed.
type CheckError struct {
	Builtin string
	Message string // what was expected and what there was
	Hint    string // the author's, empty if there is none
	Tail    string // the last lines of the console, empty if none is involved

	told     guide.Text      // what a student is told instead of the hint, if that is more; nil: the hint
	Position syntax.Position // where the script calls it, or where a function that returned False begins

	restarting bool // the machine was, under the check
}

func (e *CheckError) Error() string {
	text := e.Builtin + ": " + e.Message
	if e.Tail != "" {
		text += "; the console's last lines:\n    " + strings.ReplaceAll(e.Tail, "\n", "\n    ")
	}
	return text
}

// check reports a check's outcome as an event, and as an error if it failed.
func (c *call) check(passed bool, what, message, tail string) error {
	advice := c.hint()
	what, message = c.veil(what), c.veil(message)
	if c.newOutcome(passed) {
		c.events.Emit(event.Checked{Builtin: c.entry.Name, What: what, Passed: passed, Hint: advice})
	}
	if passed {
		if c.led != nil {
			clear(c.led.pending) // whatever the check is about, what was typed has led to it
		}
		return nil
	}
	return &CheckError{Builtin: c.entry.Name, Message: message, Hint: advice, Tail: tail, Position: c.position()}
}

// hint is the author's advice to who fails the check, in the reader's language; empty if
// there is none.
func (c *call) hint() string {
	if p := c.entry.For(ForHint); p != nil && p.Kind == Text {
		return c.translate(c.text(p.Name))
	}
	return ""
}

// newOutcome reports whether a check's outcome is news: while a student works, the
// same check is made again and again.
func (c *call) newOutcome(passed bool) bool {
	if c.looks != nil {
		return false
	}
	if c.led == nil {
		return true
	}
	index := c.led.calls
	before, known := c.led.checked[index]
	c.led.checked[index] = passed
	return !known || before != passed
}

func (c *call) acted(machine, text string) {
	c.events.Emit(event.Acted{Machine: machine, Verb: c.entry.Name, Text: c.veil(text)})
}
