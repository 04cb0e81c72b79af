//go:build linux

package fakeqemu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// monitor is the emulator's side of QMP.
type monitor struct {
	conn  *net.UnixConn
	run   func(command string, arguments map[string]any, file *os.File) (result any, after func(), err error)
	files map[string]*os.File // those that came with getfd, by name; the emulator guards it

	mu sync.Mutex // one message at a time
}

func newMonitor(fd int, run func(string, map[string]any, *os.File) (any, func(), error)) (*monitor, error) {
	file := os.NewFile(uintptr(fd), "QMP")
	defer file.Close() // FileConn duplicates it
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("-chardev socket: %w", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("-chardev socket: descriptor %d is no Unix socket", fd)
	}
	return &monitor{conn: unixConn, run: run, files: map[string]*os.File{}}, nil
}

// say sends a message. Its reader may be gone, which ends the machine elsewhere.
func (m *monitor) say(message map[string]any) {
	data, err := json.Marshal(message)
	if err != nil {
		panic(err) // they are maps of strings and numbers
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn.Write(append(data, "\r\n"...))
}

func (m *monitor) event(name string, data map[string]any) {
	now := time.Now()
	e := map[string]any{
		"event": name, "timestamp": map[string]any{"seconds": now.Unix(), "microseconds": now.Nanosecond() / 1000},
	}
	if data != nil {
		e["data"] = data
	}
	m.say(e)
}

func (m *monitor) migration(status string) {
	m.event("MIGRATION", map[string]any{"status": status})
}

// serve greets and answers commands until the connection ends.
func (m *monitor) serve() {
	m.say(
		map[string]any{
			"QMP": map[string]any{
				"version":      map[string]any{"qemu": map[string]any{"major": 8, "minor": 2, "micro": 0}},
				"capabilities": []string{"oob"},
			},
		},
	)
	ready := false
	var unread []byte
	var files []*os.File
	chunk, rights := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, r, _, _, err := m.conn.ReadMsgUnix(chunk, rights)
		if err != nil || n == 0 {
			return
		}
		files = append(files, received(rights[:r])...)
		unread = append(unread, chunk[:n]...)
		for {
			end := bytes.IndexByte(unread, '\n')
			if end < 0 {
				break
			}
			var request struct {
				Execute   string
				Arguments map[string]any
				ID        json.RawMessage
			}
			err := json.Unmarshal(unread[:end], &request)
			unread = unread[end+1:]
			var result any
			var after func()
			switch {
			case err != nil:
			case request.Execute == "qmp_capabilities":
				ready = true
			case !ready:
				err = fmt.Errorf("expecting capabilities negotiation with 'qmp_capabilities'")
			default:
				var file *os.File
				if request.Execute == "getfd" && len(files) > 0 {
					file, files = files[0], files[1:]
				}
				result, after, err = m.run(request.Execute, request.Arguments, file)
			}
			answer := map[string]any{"id": request.ID}
			switch {
			case err != nil:
				answer["error"] = map[string]any{"class": "GenericError", "desc": err.Error()}
			case result == nil:
				answer["return"] = map[string]any{}
			default:
				answer["return"] = result
			}
			m.say(answer)
			if after != nil {
				after()
			}
		}
	}
}

// received returns the files that came with a message.
func received(rights []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files
}
