package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/digitalocean/go-qemu/qmp"
)

// Notification is an asynchronous event of QEMU, such as SHUTDOWN or RESET.
// See «QMP events» in the QEMU QMP reference manual.
type Notification struct {
	Name string
	Data map[string]any
}

// monitor is a QMP connection. The library's calls take no context: a call that
// is given up closes the connection, which ends the call.
type monitor struct {
	socket *qmp.SocketMonitor
	once   sync.Once

	mu       sync.Mutex
	watchers []func(Notification)
	drained  chan struct{}
}

func connectMonitor(ctx context.Context, path string, dead <-chan struct{}) (*monitor, error) {
	socket, err := qmp.NewSocketMonitor("unix", path, 5*time.Second)
	if err != nil {
		return nil, err
	}
	m := &monitor{socket: socket, drained: make(chan struct{})}
	connected := make(chan error, 1)
	go func() { connected <- socket.Connect() }()
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, fmt.Errorf("no QMP greeting within 20 s"))
	defer cancel()
	select {
	case err = <-connected:
	case <-ctx.Done():
		err = context.Cause(ctx)
		socket.Disconnect()
		<-connected
	case <-dead:
		err = fmt.Errorf("the process ended")
		socket.Disconnect()
		<-connected
	}
	if err != nil {
		socket.Disconnect()
		return nil, err
	}
	events, err := socket.Events(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(m.drained)
		for e := range events {
			m.mu.Lock()
			watchers := m.watchers
			m.mu.Unlock()
			for _, watch := range watchers {
				watch(Notification{Name: e.Event, Data: e.Data})
			}
		}
	}()
	return m, nil
}

func (m *monitor) close() {
	m.once.Do(func() {
		m.socket.Disconnect()
		<-m.drained
	})
}

// Command runs a QMP command with the given arguments (nil: none) and decodes its
// result into result (nil: dropped). If ctx ends first the QMP connection is
// closed: the machine can then only be killed.
func (p *Process) Command(ctx context.Context, name string, arguments, result any) error {
	request, err := json.Marshal(qmp.Command{Execute: name, Args: arguments})
	if err != nil {
		return err
	}
	type answer struct {
		data []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		data, err := p.qmp.socket.Run(request)
		answers <- answer{data, err}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-p.done:
		p.qmp.close()
		if a = <-answers; a.err != nil {
			return p.exit
		}
	case <-ctx.Done():
		p.qmp.close()
		<-answers
		return fmt.Errorf("QMP %s on %s: %w", name, p.spec.Name, context.Cause(ctx))
	}
	if a.err != nil {
		return fmt.Errorf("QMP %s on %s: %w", name, p.spec.Name, a.err)
	}
	if result == nil {
		return nil
	}
	envelope := struct {
		Return any `json:"return"`
	}{result}
	return json.Unmarshal(a.data, &envelope)
}

// Notify calls watch for every later event of QEMU, in order, until the machine
// ends. watch must not block.
func (p *Process) Notify(watch func(Notification)) {
	p.qmp.mu.Lock()
	defer p.qmp.mu.Unlock()
	p.qmp.watchers = append(p.qmp.watchers, watch)
}
