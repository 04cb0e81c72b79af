package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/labrun/labrun/internal/phrase"
)

// detachKey leaves a console: Ctrl-], as in telnet and virsh.
const detachKey = 0x1d

// The size of a text screen, in characters.
const screenColumns, screenRows = 80, 25

// What has a terminal wrap long lines (DECAWM), as all do at first, or cut them.
const wrapping, cutting = "\x1b[?7h", "\x1b[?7l"

// Terminal is where a viewer sits.
type Terminal struct {
	In       io.Reader // what is typed; its end is the end of typing
	Out      io.Writer
	TTY      *os.File // the terminal that In is; nil: there is none
	Language string   // of the notes
}

// View sits at the console of a machine of the run whose session folder is given,
// until the detach key or the end of ctx. Where there is no terminal, it also leaves at
// the end of the run, or when all is typed and the machine has fallen silent; at a
// terminal, what is still typed at the end of the run goes nowhere. A read of t.In may
// still be under way when it returns; what that reads is lost, so that whoever
// owns In has to end it.
func View(ctx context.Context, folder, machine string, t Terminal) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	its := t.size()
	seat, err := Sit(ctx, folder, machine, SeatOptions{Columns: its.Columns, Rows: its.Rows, Language: t.Language})
	if err != nil {
		return err
	}
	defer seat.Close()
	v := &view{Terminal: t, seat: seat, ended: make(chan struct{}), heard: make(chan struct{}, 1)}
	if t.TTY != nil {
		state, err := term.MakeRaw(int(t.TTY.Fd()))
		if err != nil {
			return fmt.Errorf("open the console of %s: %w", machine, err)
		}
		defer term.Restore(int(t.TTY.Fd()), state)
		// The guest may have left colours and a hidden cursor behind.
		defer io.WriteString(t.Out, "\x1b[m\x1b[?25h"+wrapping)
		sizes := make(chan os.Signal, 1)
		signal.Notify(sizes, syscall.SIGWINCH)
		defer signal.Stop(sizes)
		go func() {
			for {
				select {
				case <-sizes:
					its := t.size()
					seat.Resize(its.Columns, its.Rows) // a lost connection ends show
				case <-v.ended:
					return
				}
			}
		}()
	}
	if seat.Typing() {
		v.say("welcome", machine)
	} else {
		v.say("watching", machine)
	}
	if seat.Screen() && t.TTY != nil {
		if its.Columns < screenColumns || its.Rows < screenRows {
			v.say("small", machine, screenColumns, screenRows, its.Columns, its.Rows)
		}
		// Where a line is longer than the terminal's, its end is missing, and the next ones are
		// in their places.
		v.cuts = true
		io.WriteString(t.Out, cutting)
	}
	detached := make(chan struct{})
	typed := make(chan struct{})
	go v.pass(detached, typed)
	silent := make(chan struct{})
	go v.listen(typed, silent)
	shown := make(chan error, 1)
	go func() { shown <- v.show() }()
	over, left := false, "left"
	select {
	case <-detached:
	case <-silent:
		left = "silent"
	case err := <-shown:
		shown <- err
		over = errors.Is(err, ErrOver)
	case <-ctx.Done():
	}
	if over && t.TTY != nil {
		// Whoever is typing at the machine must not find themselves at a shell of
		// their own computer: a reboot would be one.
		v.say("over stay")
		select {
		case <-detached:
		case <-ctx.Done():
		}
	}
	close(v.ended)
	seat.Close()
	<-shown
	switch {
	case over && t.TTY == nil:
		v.say("over")
	case !over && ctx.Err() == nil:
		v.say(left, machine, machine)
	}
	return nil
}

// size is the terminal's; zero if there is none.
func (t Terminal) size() size {
	if t.TTY == nil {
		return size{}
	}
	columns, rows, err := term.GetSize(int(t.TTY.Fd()))
	if err != nil {
		return size{}
	}
	return size{columns, rows}
}

type view struct {
	Terminal
	seat  *Seat
	ended chan struct{}
	heard chan struct{} // something was printed
	fresh bool          // Out is at the beginning of a line
	cuts  bool          // the terminal does not wrap what is printed, apart from notes
}

// silence is how long a machine prints nothing before it is left by what has no more to
// type.
const silence = 5 * time.Second

// listen waits until all is typed, and then until nothing has been printed for a while.
func (v *view) listen(typed <-chan struct{}, silent chan<- struct{}) {
	select {
	case <-typed:
	case <-v.ended:
		return
	}
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case <-v.heard:
			quiet.Reset(silence)
		case <-quiet.C:
			close(silent)
			return
		case <-v.ended:
			return
		}
	}
}

// pass passes keys on until the detach key, or the end of what is typed: that leaves a
// terminal, which is gone then.
func (v *view) pass(detached, ended chan<- struct{}) {
	keys := make([]byte, 4096)
	for {
		n, err := v.In.Read(keys)
		select {
		case <-v.ended:
			return
		default:
		}
		typed := keys[:n]
		leave := bytes.IndexByte(typed, detachKey)
		if leave >= 0 {
			typed = typed[:leave]
		}
		if len(typed) > 0 {
			v.seat.Keys(typed) // a lost connection ends show
		}
		if leave >= 0 || err != nil && v.TTY != nil {
			close(detached)
			return
		}
		if err != nil {
			close(ended)
			return
		}
	}
}

// show writes what comes until the viewer has left or Out is gone.
func (v *view) show() error {
	for {
		said, err := v.seat.Next()
		if err != nil {
			return err
		}
		if said.Note != "" {
			v.tell(said.Text)
			continue
		}
		v.fresh = bytes.HasSuffix(said.Output, []byte("\n"))
		if _, err := v.Out.Write(said.Output); err != nil {
			return err
		}
		select {
		case v.heard <- struct{}{}:
		default:
		}
	}
}

func (v *view) say(name string, args ...any) {
	v.tell(phrase.In(v.Language).Say("viewer "+name, args...))
}

// tell writes a note on a line of its own.
func (v *view) tell(note string) {
	line := "\n"
	if v.TTY != nil {
		line = "\r\n"
	}
	before := line
	if v.fresh {
		before = ""
	}
	v.fresh = true
	if v.cuts {
		before, line = wrapping+before, line+cutting
	}
	fmt.Fprintf(v.Out, "%s[labrun: %s]%s", before, note, line)
}
