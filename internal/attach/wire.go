package attach

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// The kinds of frames. A frame is its kind, its length in four bytes, big-endian,
// and that many bytes.
const (
	frameRequest = 'q' // client: a request, JSON
	frameInput   = 'i' // client: keys
	frameSize    = 'r' // client: a terminal's size, JSON
	frameAnswer  = 'a' // server: to the request, JSON
	frameOutput  = 'o' // server: what the guest prints, after outputHead; or a part of a file
	frameEvents  = 'e' // server: what happens, JSON lines or parts of them
	frameNote    = 'n' // server: a note, JSON
	framePage    = 'p' // both: a message between a machine's place and a page that holds it
)

// longestFrame bounds what one frame carries, in bytes, and longestJSON those that are
// JSON.
const longestFrame, longestJSON = 512 << 10, 64 << 10

// request is a client's first frame.
type request struct {
	Op      string `json:"op"`                // attach, hold, screen, status, stop, events, command, network, capture
	Machine string `json:"machine,omitempty"` // whose console or screen is asked for; a console besides its own is MACHINE/NAME
	Word    string `json:"word,omitempty"`    // of a command
	Text    string `json:"text,omitempty"`    // what belongs to the word
	For     int    `json:"for,omitempty"`     // the instruction that it is about; 0: whichever there is
	Network string `json:"network,omitempty"` // whose capture is asked for

	// To attach, as SeatOptions have them.
	Boot  int   `json:"boot,omitempty"`
	From  int64 `json:"from,omitempty"`
	Watch bool  `json:"watch,omitempty"`
	size

	guest bool // it comes from the class; nobody says this of themselves
}

type size struct {
	Columns int `json:"columns,omitempty"`
	Rows    int `json:"rows,omitempty"`
}

// answer is the server's first frame.
type answer struct {
	Error  string   `json:"error,omitempty"` // unknown-machine, refused, over
	Text   string   `json:"text,omitempty"`  // why it was refused
	Names  []string `json:"names,omitempty"`
	Typing bool     `json:"typing,omitempty"` // keys are passed on
	Screen bool     `json:"screen,omitempty"` // what the console prints is a screen's text
	Status *Status  `json:"status,omitempty"`
}

// note is a word of the server's to a viewer; the client has the sentence.
type note struct {
	Name string `json:"name"`
	Text string `json:"text,omitempty"` // an error's message
	Lost int64  `json:"lost,omitempty"` // bytes
}

// Status is what `labrun ps` shows of a run.
type Status struct {
	PID      int             `json:"pid"`
	Mission  string          `json:"mission"` // the file
	Title    string          `json:"title"`
	Guided   bool            `json:"guided"`
	Student  string          `json:"student,omitempty"` // the ID of who plays; empty: they have said none
	Started  time.Time       `json:"started"`
	Place    string          `json:"place,omitempty"` // in words: the step, or how much of a board is solved
	Machines []MachineStatus `json:"machines"`
}

// MachineStatus is the state of one machine.
type MachineStatus struct {
	Name    string  `json:"name"`
	On      bool    `json:"on"`
	Seconds float64 `json:"seconds,omitempty"` // since it was switched on
	Screen  bool    `json:"screen,omitempty"`  // it has one, which can be looked at
	Viewers int     `json:"viewers"`           // at its own console
	Browser bool    `json:"browser,omitempty"` // a page of a browser can hold it

	Consoles []ConsoleStatus `json:"consoles,omitempty"` // besides its own
}

// ConsoleStatus is the state of a console besides the machine's own.
type ConsoleStatus struct {
	Name    string `json:"name"`             // MACHINE/NAME
	Played  bool   `json:"played,omitempty"` // labrun alone types there
	Viewers int    `json:"viewers"`
}

// ConsoleNames are those of all the machine's consoles, its own first.
func (m MachineStatus) ConsoleNames() []string {
	all := []string{m.Name}
	for _, c := range m.Consoles {
		all = append(all, c.Name)
	}
	return all
}

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

func writeJSON(w io.Writer, kind byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, payload)
}

func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n, most := binary.BigEndian.Uint32(head[1:]), uint32(longestJSON)
	switch head[0] {
	case frameInput, frameOutput, frameEvents, framePage:
		most = longestFrame
	}
	if n > most {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// socketName is the server's socket in the session folder.
const socketName = "attach"

func listen(folder string) (listener *net.UnixListener, err error) {
	err = host.ThroughFolder(folder, socketName, func(name string) error {
		if listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"}); err != nil {
			return err
		}
		listener.SetUnlinkOnClose(false) // the name is good here only; the folder goes with the session
		return os.Chmod(name, 0o600)
	})
	return listener, err
}

func dial(folder string) (conn *net.UnixConn, err error) {
	err = host.ThroughFolder(folder, socketName, func(name string) error {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	return conn, err
}
