package attach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/labrun/labrun/internal/phrase"
)

// detachKey leaves a console: Ctrl-], as in telnet and virsh.
const detachKey = 0x1d

// Terminal is where a viewer sits.
type Terminal struct {
	In       io.Reader // what is typed; its end is the end of typing
	Out      io.Writer
	TTY      *os.File // the terminal that In is; nil: there is none
	Language string   // of the notes
}

// UnknownMachineError says that a run has no machine of that name.
type UnknownMachineError struct {
	Name  string
	Names []string // those that it has
}

func (e *UnknownMachineError) Error() string {
	return fmt.Sprintf("there is no machine called %q: there are %s", e.Name, strings.Join(e.Names, ", "))
}

// ask sends a request and returns the connection after its answer.
func ask(ctx context.Context, folder string, r request) (*net.UnixConn, answer, error) {
	conn, err := dial(folder)
	if err != nil {
		return nil, answer{}, fmt.Errorf("reach the labrun in %s: %w", filepath.Base(folder), err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var a answer
	kind, payload, err := byte(0), []byte(nil), writeJSON(conn, frameRequest, r)
	if err == nil {
		if kind, payload, err = readFrame(conn); err == nil && kind == frameAnswer {
			err = json.Unmarshal(payload, &a)
		}
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("reach the labrun in %s: it does not answer (does it belong to another user?): %w",
			filepath.Base(folder), err)
	case a.Error == "unknown-machine":
		err = &UnknownMachineError{r.Machine, a.Names}
	case a.Error == "refused":
		err = &RefusedError{a.Text}
	case a.Error == "over":
		err = ErrOver
	}
	if err != nil {
		conn.Close()
		return nil, a, err
	}
	return conn, a, nil
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
	conn, a, err := ask(ctx, folder, request{Op: "attach", Machine: machine, size: t.size()})
	if err != nil {
		return err
	}
	defer conn.Close()
	v := &view{Terminal: t, machine: machine, conn: conn, ended: make(chan struct{}), heard: make(chan struct{}, 1)}
	if t.TTY != nil {
		state, err := term.MakeRaw(int(t.TTY.Fd()))
		if err != nil {
			return fmt.Errorf("open the console of %s: %w", machine, err)
		}
		defer term.Restore(int(t.TTY.Fd()), state)
		// The guest may have left colours and a hidden cursor behind.
		defer io.WriteString(t.Out, "\x1b[m\x1b[?25h")
		sizes := make(chan os.Signal, 1)
		signal.Notify(sizes, syscall.SIGWINCH)
		defer signal.Stop(sizes)
		go func() {
			for {
				select {
				case <-sizes:
					v.send(frameSize, t.size())
				case <-v.ended:
					return
				}
			}
		}()
	}
	if a.Typing {
		v.say("welcome", machine)
	} else {
		v.say("watching", machine)
	}
	detached := make(chan struct{})
	typed := make(chan struct{})
	go v.pass(detached, typed)
	silent := make(chan struct{})
	go v.listen(typed, silent)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		v.show()
	}()
	over, left := false, "left"
	select {
	case <-detached:
	case <-silent:
		left = "silent"
	case <-shown:
		over = true
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
	// labrun hangs up when it has taken all that was typed. To hang up first would lose
	// what it has not read yet: it gives up on a client that it cannot write to.
	conn.CloseWrite()
	select {
	case <-shown:
	case <-time.After(farewell):
	case <-ctx.Done():
	}
	conn.Close()
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
	machine string
	conn    net.Conn
	ended   chan struct{}
	heard   chan struct{} // something was printed
	writing sync.Mutex    // of frames

	fresh bool // Out is at the beginning of a line
}

func (v *view) send(kind byte, value any) {
	v.writing.Lock()
	defer v.writing.Unlock()
	writeJSON(v.conn, kind, value) // a lost connection ends show
}

// farewell is how long whoever leaves waits for their last keys to be taken: a guest may
// take none.
const farewell = 2 * time.Second

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
			v.writing.Lock()
			writeFrame(v.conn, frameInput, typed)
			v.writing.Unlock()
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

// show writes what comes until the connection ends.
func (v *view) show() {
	for {
		kind, payload, err := readFrame(v.conn)
		if err != nil {
			return
		}
		switch kind {
		case frameOutput:
			v.fresh = payload[len(payload)-1] == '\n'
			if _, err := v.Out.Write(payload); err != nil {
				return
			}
			select {
			case v.heard <- struct{}{}:
			default:
			}
		case frameNote:
			var n note
			if json.Unmarshal(payload, &n) == nil {
				v.note(n)
			}
		}
	}
}

func (v *view) note(n note) {
	switch n.Name {
	case "off", "went off", "on", "anew", "not yet":
		v.say(n.Name, v.machine)
	case "watching":
		v.say("look only")
	case "missed":
		v.say("missed", n.Lost)
	case "no power":
		v.say("no power", v.machine, n.Text)
	}
}

// say writes a note on a line of its own.
func (v *view) say(name string, args ...any) {
	line := "\n"
	if v.TTY != nil {
		line = "\r\n"
	}
	before := line
	if v.fresh {
		before = ""
	}
	v.fresh = true
	fmt.Fprintf(v.Out, "%s[labrun: %s]%s", before, phrase.In(v.Language).Say("viewer "+name, args...), line)
}

// Found is a run that was found, with its session folder.
type Found struct {
	Folder string
	Status
}

// Session is what the run is called: the folder's name.
func (f Found) Session() string { return filepath.Base(f.Folder) }

// askLimit is how long a labrun may take to say how it is.
const askLimit = 5 * time.Second

// Find asks all runs whose session folders are in root how they are. Those that do
// not answer, because they are over or another user's, are left out.
func Find(ctx context.Context, root string) []Found {
	locks, _ := filepath.Glob(filepath.Join(root, "*.lock")) // each is beside its folder
	found := make([]*Found, len(locks))
	var asking sync.WaitGroup
	for i, lock := range locks {
		folder := strings.TrimSuffix(lock, ".lock")
		asking.Go(func() {
			if f, err := At(ctx, folder); err == nil {
				found[i] = &f
			}
		})
	}
	asking.Wait()
	var runs []Found
	for _, f := range found {
		if f != nil {
			runs = append(runs, *f)
		}
	}
	return runs
}

// At asks the run whose session folder is given how it is.
func At(ctx context.Context, folder string) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, a, err := ask(ctx, folder, request{Op: "status"})
	if err != nil {
		return Found{}, err
	}
	conn.Close()
	if a.Status == nil {
		return Found{}, fmt.Errorf("reach the labrun in %s: it does not say how it is", filepath.Base(folder))
	}
	return Found{folder, *a.Status}, nil
}

// Stop asks a run to stop as its user would, and waits until it is over.
func Stop(ctx context.Context, folder string) error {
	conn, _, err := ask(ctx, folder, request{Op: "stop"})
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, _, err := readFrame(conn); ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("stop the labrun in %s: %w", filepath.Base(folder), err)
	}
	return nil
}
