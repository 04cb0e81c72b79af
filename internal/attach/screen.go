package attach

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// ErrNoScreen says that a machine has a serial console, and no screen.
var ErrNoScreen = errors.New("this machine has no screen: its console shows all that it has")

// Display is a machine's screen as one viewer has it.
type Display struct {
	RFB     net.Conn         // its pictures; what is done there is done to the machine
	Console *console.Console // of the same start of the machine
	// Press has its argument press a key or use the pointer once the machine can be touched.
	Press   func(context.Context, func() error) error
	Touched func() // is to be called when that was done
}

// screenViewer is one client that looks at a machine's screen: after the door's answer its
// connection speaks RFB, until the machine is switched off, starts anew or is restored.
type screenViewer struct {
	lab     Lab
	machine string
	watch   bool
	client  net.Conn
	display Display
}

// screen shows a machine's screen to a client, once the machine is on.
func (s *Server) screen(conn *net.UnixConn, asked request) {
	stop := context.AfterFunc(s.viewing, func() { conn.Close() })
	defer stop()
	ctx, release := s.there(conn)
	display, err := s.lab.Screen(ctx, asked.Machine)
	gone := ctx.Err() != nil || s.viewing.Err() != nil
	release()
	conn.SetReadDeadline(time.Time{})
	if err == nil {
		defer display.RFB.Close()
	}
	switch {
	case gone:
		writeJSON(conn, frameAnswer, answer{Error: "over"})
		return
	case errors.Is(err, ErrNoScreen):
		writeJSON(conn, frameAnswer, answer{Error: "refused", Text: err.Error()})
		return
	case err != nil: // the machine was switched off just then: who comes back waits for it
		return
	case writeJSON(conn, frameAnswer, answer{Typing: s.lab.Interactive(asked.Machine) && !asked.Watch && !asked.guest}) != nil:
		return
	}
	v := &screenViewer{lab: s.lab, machine: asked.Machine, watch: asked.Watch || asked.guest, client: conn, display: display}
	v.carry(s.viewing)
}

// inputs is how many keys and moves of the pointer may wait for their turn before nothing
// more is read of a viewer.
const inputs = 256

// carry passes on what both ends say until one is gone or ctx ends.
func (v *screenViewer) carry(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	end := func() {
		cancel()
		v.client.Close()
		v.display.RFB.Close()
	}
	defer end()
	tasks.Go(func() {
		defer end()
		io.Copy(v.client, v.display.RFB)
	})
	// What is done to the machine waits while labrun itself types there, and what asks for
	// the picture does not.
	var writing sync.Mutex
	write := func(message []byte) error {
		writing.Lock()
		defer writing.Unlock()
		_, err := v.display.RFB.Write(message)
		return err
	}
	done := make(chan rfbMessage, inputs)
	tasks.Go(func() {
		defer end()
		v.act(ctx, done, write)
	})
	defer close(done)
	for client := newRFBClient(v.client); ; {
		message, err := client.next()
		switch {
		case err != nil:
			return
		case message.bytes == nil:
		case !message.input:
			if write(message.bytes) != nil {
				return
			}
		case !v.watch && v.lab.Interactive(v.machine):
			select {
			case done <- message:
			case <-ctx.Done():
				return
			}
		}
	}
}

// act carries out what a viewer does to the machine, and has the console know what is typed.
func (v *screenViewer) act(ctx context.Context, done <-chan rfbMessage, write func([]byte) error) {
	var keys keyboard
	for message := range done {
		press := func() error {
			defer v.display.Touched()
			return v.display.Press(ctx, func() error { return write(message.bytes) })
		}
		var err error
		if typed := keys.press(message.key); len(typed) > 0 {
			err = v.display.Console.RelayBy(ctx, typed, press)
		} else {
			err = press()
		}
		if err != nil {
			return
		}
	}
}

// Screen opens the screen of a machine of the run whose session folder is given, when the
// machine is on: a connection that speaks RFB (RFC 6143, without a password), until the
// machine is switched off, starts anew or is restored from a saved state. Then it is to be
// opened again. Who watches, and everybody while labrun itself plays, has no keys and no
// pointer. Errors are *UnknownMachineError, *RefusedError where the machine has no screen,
// and ErrOver.
func Screen(ctx context.Context, folder, machine string, watch bool) (net.Conn, error) {
	conn, _, err := ask(ctx, folder, request{Op: "screen", Machine: machine, Watch: watch})
	if err != nil {
		return nil, err
	}
	return conn, nil
}
