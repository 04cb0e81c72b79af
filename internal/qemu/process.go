package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// ExitReason tells why a machine's process ended.
type ExitReason int

// The reasons, from the most wanted to the least.
const (
	Stopped    ExitReason = iota // labrun ended it
	PoweredOff                   // the guest powered itself off
	Killed                       // a signal from outside
	Crashed                      // QEMU failed by itself
	Gone                         // what the machine lived in instead of QEMU went away or failed
)

// ExitError says how a machine's process ended.
type ExitError struct {
	Machine string
	Reason  ExitReason
	Detail  string // the signal, the last words of QEMU, or what went away
}

func (e *ExitError) Error() string {
	switch e.Reason {
	case Stopped:
		return e.Machine + " was stopped"
	case PoweredOff:
		return e.Machine + " powered itself off"
	case Killed:
		return fmt.Sprintf("%s's QEMU was killed from outside (%s)", e.Machine, e.Detail)
	case Gone:
		return fmt.Sprintf("%s is off: %s", e.Machine, e.Detail)
	}
	return fmt.Sprintf("%s's QEMU failed: %s", e.Machine, e.Detail)
}

// Process is a running machine. Its methods are safe for concurrent use.
type Process struct {
	spec    Spec
	cmd     *exec.Cmd
	console net.Conn
	control net.Conn
	nics    []net.Conn
	ports   []net.Conn // of the further consoles
	memory  *os.File   // the guest's, if Spec.Savable
	screen  *os.File   // if Spec.Display
	qmp     *monitor
	vcpus   []int // the ids of its threads that are virtual CPUs
	started time.Time

	screenFD int        // the screen's file as QEMU knows it
	dumping  sync.Mutex // held while QEMU writes to it
	viewing  sync.Mutex // held while a viewer is handed over

	input chan struct{} // has room for who presses a key, unless the guest is stopped
	still atomic.Bool   // it is

	stopping atomic.Bool // labrun asked for the end
	done     chan struct{}
	exit     *ExitError // set before done is closed
}

// Start runs a machine. The guest runs when Start returns, unless it comes from a saved
// state: then it is stopped there, so that its cards can be plugged in before Continue.
// The caller closes the process with Close, also after the guest ended by itself.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := spec.arch().Installed(); err != nil {
		return nil, err
	}
	p := &Process{spec: spec, done: make(chan struct{}), started: time.Now(), input: make(chan struct{}, 1)}
	if spec.Saved != nil {
		p.input <- struct{}{}
		p.still.Store(true)
	}
	var inherited []*os.File
	defer func() {
		for _, f := range inherited {
			f.Close()
		}
	}()
	inherit := func(f *os.File) int {
		inherited = append(inherited, f)
		return 2 + len(inherited) // ExtraFiles begin at descriptor 3
	}
	fail := func(what string, err error) (*Process, error) {
		p.closeChannels()
		return nil, fmt.Errorf("start %s: %s: %w", spec.Name, what, err)
	}

	var fds Descriptors
	channel := func(what string) (net.Conn, int, error) {
		ours, theirs, err := socketPair(spec.Name + " " + what)
		if err != nil {
			return nil, 0, err
		}
		return ours, inherit(theirs), nil
	}
	monitor, fd, err := channel("QMP")
	if err != nil {
		return fail("QMP", err)
	}
	fds.QMP, p.qmp = fd, newMonitor(monitor.(*net.UnixConn))
	if spec.Display == "" {
		if p.console, fds.Console, err = channel("console"); err != nil {
			return fail("console", err)
		}
	}
	if spec.Control {
		if p.control, fds.Control, err = channel("control"); err != nil {
			return fail("control channel", err)
		}
	}
	for i, nic := range spec.NICs {
		if nic.User {
			p.nics = append(p.nics, nil)
			continue
		}
		conn, fd, err := channel(fmt.Sprintf("NIC %d", i))
		if err != nil {
			return fail("network card", err)
		}
		p.nics = append(p.nics, conn)
		fds.NICs = append(fds.NICs, fd)
	}
	for i := range spec.Consoles {
		conn, fd, err := channel(consolePort(i))
		if err != nil {
			return fail("console", err)
		}
		p.ports, fds.Consoles = append(p.ports, conn), append(fds.Consoles, fd)
	}
	state := 0
	if spec.Saved != nil {
		file, err := os.Open(spec.Saved.State)
		if err != nil {
			return fail("saved state", err)
		}
		state = inherit(file)
	}
	files := inherited
	if spec.Savable {
		// Last, because we keep it.
		if p.memory, err = newMemory(ctx, spec); err != nil {
			return fail("memory", err)
		}
		files = append(slices.Clip(inherited), p.memory)
		fds.Memory = 2 + len(files)
	}
	if spec.Display != "" {
		if p.screen, err = host.MemoryFile(spec.Name + " screen"); err != nil {
			return fail("screen", err)
		}
		files = append(slices.Clip(files), p.screen)
		p.screenFD = 2 + len(files)
	}

	words := &lastWords{}
	p.cmd = exec.Command(spec.arch().Binary, spec.Argv(fds)...)
	p.cmd.ExtraFiles = files
	p.cmd.Stdout, p.cmd.Stderr = words, words
	if err := host.StartChild(p.cmd); err != nil {
		return fail("run "+spec.arch().Binary, err)
	}
	go p.wait(words)

	for _, f := range inherited {
		f.Close() // else a channel of a QEMU that ends would not
	}
	inherited = nil
	if err = p.qmp.connect(ctx); err == nil {
		err = p.findVCPUs(ctx)
	}
	if err == nil && spec.Saved != nil {
		err = p.loadState(ctx, state)
	}
	if err != nil {
		// A QEMU that refuses its arguments closes its socket and ends; its words
		// tell more than ours.
		dying := time.NewTimer(time.Second)
		defer dying.Stop()
		select {
		case <-p.done:
		case <-dying.C:
			p.Kill()
			<-p.done
		}
		if p.exit.Reason == Crashed {
			err = errors.New(p.exit.Detail)
		}
		return fail("QEMU did not come up", err)
	}
	return p, nil
}

func (p *Process) wait(words *lastWords) {
	err := p.cmd.Wait()
	exit := &ExitError{Machine: p.spec.Name}
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case p.stopping.Load():
		exit.Reason = Stopped
	case err == nil:
		// By itself, QEMU leaves with 0 only when the guest powered off.
		exit.Reason = PoweredOff
	case status.Signaled():
		exit.Reason, exit.Detail = Killed, status.Signal().String()
	default:
		exit.Reason, exit.Detail = Crashed, words.String()
		if exit.Detail == "" {
			exit.Detail = err.Error()
		}
	}
	p.exit = exit
	close(p.done)
}

// Console returns the first serial port, or nil if the machine has a screen.
func (p *Process) Console() net.Conn { return p.console }

// Control returns the second serial port, or nil.
func (p *Process) Control() net.Conn { return p.control }

// Port returns the serial port of further console i.
func (p *Process) Port(i int) net.Conn { return p.ports[i] }

// NIC returns the lab's end of network card i; nil for a user-mode network.
// Frames on it have QEMU's stream framing: a length of four bytes, big-endian.
func (p *Process) NIC(i int) net.Conn { return p.nics[i] }

// Pid returns the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Started returns the moment the machine was started.
func (p *Process) Started() time.Time { return p.started }

// Done is closed when the process has ended; Exit then tells why.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns why the process ended; nil while it runs.
func (p *Process) Exit() *ExitError {
	select {
	case <-p.done:
		return p.exit
	default:
		return nil
	}
}

// Powerdown presses the machine's power button and waits for the guest to shut
// down, until ctx ends.
func (p *Process) Powerdown(ctx context.Context) error {
	p.stopping.Store(true)
	if err := p.Command(ctx, "system_powerdown", nil, nil); err != nil && p.Exit() == nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down %s: the guest did not power off: %w", p.spec.Name, context.Cause(ctx))
	}
}

// Quit ends QEMU without asking the guest, by QMP and, failing that, by SIGKILL.
// It returns when the process has ended.
func (p *Process) Quit(ctx context.Context) {
	p.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if p.Command(ctx, "quit", nil, nil) == nil {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
	}
	p.Kill()
	<-p.done
}

// Kill ends the process at once. It does not wait for it.
func (p *Process) Kill() {
	p.stopping.Store(true)
	if p.Exit() == nil {
		p.cmd.Process.Kill()
	}
}

// Close ends the machine if it still runs and closes its channels.
func (p *Process) Close() {
	if p.Exit() == nil {
		p.Quit(context.Background())
	}
	p.closeChannels()
}

func (p *Process) closeChannels() {
	if p.qmp != nil {
		p.qmp.close()
	}
	for _, conn := range slices.Concat([]net.Conn{p.console, p.control}, p.nics, p.ports) {
		if conn != nil {
			conn.Close()
		}
	}
	for _, file := range []*os.File{p.memory, p.screen} {
		if file != nil {
			file.Close()
		}
	}
}

// socketPair returns a connected pair of Unix stream sockets: ours for labrun,
// theirs to be inherited.
func socketPair(name string) (ours net.Conn, theirs *os.File, err error) {
	mine, theirs, err := host.SocketPair(name)
	if err != nil {
		return nil, nil, err
	}
	defer mine.Close() // FileConn duplicates it
	if ours, err = net.FileConn(mine); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// lastWords keeps the end of what QEMU says on its standard error.
type lastWords struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if extra := w.text.Len() - 4096; extra > 0 {
		w.text.Next(extra)
	}
	return len(p), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(w.text.String())
}
