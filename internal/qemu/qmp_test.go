package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// emulator is QEMU's end of a monitor, played by the test.
type emulator struct {
	t    *testing.T
	conn *net.UnixConn
	in   *bufio.Reader
}

// request is a command as it arrives there.
type request struct {
	Execute   string
	Arguments map[string]any
	ID        int
}

func newEmulator(t *testing.T) (*emulator, *monitor) {
	t.Helper()
	ours, theirs, err := socketPair("QMP")
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	conn, err := net.FileConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	m := newMonitor(ours.(*net.UnixConn))
	t.Cleanup(func() {
		conn.Close()
		m.close()
	})
	return &emulator{t, conn.(*net.UnixConn), bufio.NewReader(conn)}, m
}

func (e *emulator) says(format string, args ...any) {
	if _, err := fmt.Fprintf(e.conn, format+"\r\n", args...); err != nil {
		e.t.Error(err)
	}
}

func (e *emulator) hears() (r request) {
	line, err := e.in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		e.t.Error(err)
	}
	return r
}

func TestMonitor(t *testing.T) {
	qemu, m := newEmulator(t)
	ctx := limited(t)
	greeted := make(chan error, 1)
	go func() { greeted <- m.connect(ctx) }()
	qemu.says(`{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}`)
	if r := qemu.hears(); r.Execute != "qmp_capabilities" {
		t.Errorf("the session begins with %+v", r)
	} else {
		qemu.says(`{"return": {}, "id": %d}`, r.ID)
	}
	if err := <-greeted; err != nil {
		t.Fatal(err)
	}

	// One command is given up before its answer comes; the other, sent later, is not disturbed.
	short, cancel := context.WithCancelCause(ctx)
	slow, status := make(chan error, 1), make(chan error, 1)
	go func() { slow <- m.run(short, "stop", nil, nil, nil) }()
	stop := qemu.hears()
	cause := errors.New("no more patience")
	cancel(cause)
	if err := <-slow; err != cause {
		t.Errorf("given up, it ends with %v", err)
	}
	var answer struct{ Status string }
	go func() {
		status <- m.run(ctx, "query-status", map[string]any{"x": 1}, &answer, nil)
	}()
	query := qemu.hears()
	if query.Execute != "query-status" || query.Arguments["x"] != 1.0 || query.ID == stop.ID {
		t.Errorf("it was asked %+v after %+v", query, stop)
	}
	qemu.says(`{"return": {}, "id": %d}`, stop.ID)
	qemu.says(`{"return": {"status": "running"}, "id": %d}`, query.ID)
	if err := <-status; err != nil || answer.Status != "running" {
		t.Errorf("the status is %+v, %v", answer, err)
	}

	refused := make(chan error, 1)
	go func() { refused <- m.run(ctx, "none", nil, nil, nil) }()
	qemu.says(`{"error": {"class": "CommandNotFound", "desc": "The command none has not been found"}, "id": %d}`, qemu.hears().ID)
	if err := <-refused; err == nil || err.Error() != "The command none has not been found" {
		t.Errorf("a command that is refused: %v", err)
	}

	// The end of the connection ends what waits, and what comes later.
	last := make(chan error, 1)
	go func() { last <- m.run(ctx, "cont", nil, nil, nil) }()
	qemu.hears()
	qemu.conn.Close()
	if err := <-last; err != errMonitorOver {
		t.Errorf("when QEMU is gone: %v", err)
	}
	if err := m.run(ctx, "cont", nil, nil, nil); err != errMonitorOver {
		t.Errorf("after it is gone: %v", err)
	}
}

func TestMonitorEvents(t *testing.T) {
	qemu, m := newEmulator(t)
	p := &Process{qmp: m}
	seen := make(chan string, 9)
	forget := p.Notify(func(n Notification) { seen <- fmt.Sprint("one ", n.Name, n.Data["guest"]) })
	p.Notify(func(n Notification) { seen <- "two " + n.Name })
	qemu.says(`{"event": "SHUTDOWN", "data": {"guest": true}, "timestamp": {"seconds": 1, "microseconds": 2}}`)
	if a, b := <-seen, <-seen; a != "one SHUTDOWNtrue" || b != "two SHUTDOWN" {
		t.Errorf("seen: %q, %q", a, b)
	}
	forget()
	qemu.says(`{"event": "RESET"}`)
	if a := <-seen; a != "two RESET" {
		t.Errorf("after one was forgotten: %q", a)
	}
}

// TestMonitorPassesFiles: getfd's descriptor goes along with its command.
func TestMonitorPassesFiles(t *testing.T) {
	qemu, m := newEmulator(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	done := make(chan error, 1)
	go func() { done <- m.run(limited(t), "getfd", map[string]any{"fdname": "state"}, nil, write) }()
	line, rights := make([]byte, 1024), make([]byte, 64)
	n, r, _, _, err := qemu.conn.ReadMsgUnix(line, rights)
	if err != nil || !strings.Contains(string(line[:n]), `"getfd"`) {
		t.Fatalf("%q, %v", line[:n], err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:r])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%v, %v", messages, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("%v, %v", fds, err)
	}
	var asked request
	if err := json.Unmarshal(line[:n], &asked); err != nil {
		t.Fatal(err)
	}
	qemu.says(`{"return": {}, "id": %d}`, asked.ID)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	write.Close()
	theirs := os.NewFile(uintptr(fds[0]), "theirs")
	io.WriteString(theirs, "through the pipe")
	theirs.Close()
	if text, err := io.ReadAll(read); err != nil || string(text) != "through the pipe" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestNoGreeting: a QEMU that ends before its first word ends the wait for it.
func TestNoGreeting(t *testing.T) {
	qemu, m := newEmulator(t)
	qemu.conn.Close()
	if err := m.connect(limited(t)); err != errMonitorOver {
		t.Errorf("it ended with %v", err)
	}
}
