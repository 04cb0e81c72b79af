package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Notification is an asynchronous event of QEMU, such as SHUTDOWN or RESET.
// See "QMP events" in the QEMU QMP reference manual.
type Notification struct {
	Name string
	Data map[string]any
}

// greetingLimit is how long QEMU may take to its first word: it has loaded its
// libraries by then, and the guest's kernel.
const greetingLimit = 2 * time.Minute

// errMonitorOver is why a command is not answered when QEMU has closed its end.
var errMonitorOver = errors.New("QEMU has closed its monitor")

// monitor is a QMP connection (QEMU's docs/interop/qmp-spec): JSON values, one a line.
// Each command has a number, which its answer repeats, so that giving up on one leaves
// the others alone.
type monitor struct {
	conn    *net.UnixConn
	greeted chan struct{} // closed when QEMU has said its first word
	over    chan struct{} // closed when the connection has ended

	writing sync.Mutex // one command at a time is sent

	mu       sync.Mutex // guards all below
	serial   int
	pending  map[int]chan answer
	watchers []*watcher // replaced, never changed in place
}

type watcher struct{ see func(Notification) }

// answer is what QEMU says to a command.
type answer struct {
	Return json.RawMessage
	Error  *struct{ Desc string }
}

// newMonitor reads what QEMU says until the connection ends.
func newMonitor(conn *net.UnixConn) *monitor {
	m := &monitor{conn: conn, greeted: make(chan struct{}), over: make(chan struct{}), pending: map[int]chan answer{}}
	go m.listen()
	return m
}

func (m *monitor) listen() {
	defer close(m.over)
	greet := sync.OnceFunc(func() { close(m.greeted) })
	for messages := json.NewDecoder(m.conn); ; {
		var message struct {
			QMP   json.RawMessage
			Event string
			Data  map[string]any
			ID    int
			answer
		}
		if messages.Decode(&message) != nil {
			return
		}
		switch {
		case message.QMP != nil:
			greet()
		case message.Event != "":
			m.mu.Lock()
			watchers := m.watchers
			m.mu.Unlock()
			for _, w := range watchers {
				w.see(Notification{Name: message.Event, Data: message.Data})
			}
		default:
			m.mu.Lock()
			waiting := m.pending[message.ID]
			delete(m.pending, message.ID)
			m.mu.Unlock()
			if waiting != nil { // else the command was given up
				waiting <- message.answer
			}
		}
	}
}

// connect waits for QEMU's greeting and begins the session.
func (m *monitor) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, greetingLimit, fmt.Errorf("no QMP greeting within %v", greetingLimit))
	defer cancel()
	select {
	case <-m.greeted:
	case <-m.over:
		return errMonitorOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return m.run(ctx, "qmp_capabilities", nil, nil, nil)
}

// run runs a command and decodes what it returns. A file goes along with it, if one is
// given (the command getfd names it).
func (m *monitor) run(ctx context.Context, name string, arguments, result any, file *os.File) error {
	answers := make(chan answer, 1)
	m.mu.Lock()
	m.serial++
	id := m.serial
	m.pending[id] = answers
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.pending, id)
		m.mu.Unlock()
	}()
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        int    `json:"id"`
	}{name, arguments, id})
	if err != nil {
		return err
	}
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	m.writing.Lock()
	_, _, err = m.conn.WriteMsgUnix(append(request, '\n'), rights, nil)
	m.writing.Unlock()
	if err != nil {
		return errMonitorOver
	}
	select {
	case a := <-answers:
		if a.Error != nil {
			return errors.New(a.Error.Desc)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Return, result)
	case <-m.over:
		return errMonitorOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends the connection, and returns when nothing more is read.
func (m *monitor) close() {
	m.conn.Close()
	<-m.over
}

// Command runs a QMP command with the given arguments (nil: none) and decodes its
// result into result (nil: dropped). If ctx ends first, QEMU may still carry it out, and
// other commands go on.
func (p *Process) Command(ctx context.Context, name string, arguments, result any) error {
	return p.command(ctx, name, arguments, result, nil)
}

func (p *Process) command(ctx context.Context, name string, arguments, result any, file *os.File) error {
	err := p.qmp.run(ctx, name, arguments, result, file)
	if errors.Is(err, errMonitorOver) {
		// Its end tells more. A QEMU that has closed its monitor is ending.
		select {
		case <-p.done:
			return p.exit
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("QMP %s on %s: %w", name, p.spec.Name, err)
	}
	return nil
}

// Notify calls watch for every event of QEMU from now on, in order, until the machine
// ends or cancel is called, after which no new call begins. watch must not block.
func (p *Process) Notify(watch func(Notification)) (cancel func()) {
	w := &watcher{watch}
	m := p.qmp
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = append(slices.Clone(m.watchers), w)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watchers = slices.DeleteFunc(slices.Clone(m.watchers), func(o *watcher) bool { return o == w })
	}
}
