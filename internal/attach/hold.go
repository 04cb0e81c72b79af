package attach

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
)

// Page is the way to a page that can hold a machine: messages, which package pc knows. An
// error says that the page has gone.
type Page interface {
	Send(message []byte) error
	Next() (message []byte, err error)
}

// held is a page that holds a machine, at the other end of a connection.
type held struct {
	conn    *net.UnixConn
	writing sync.Mutex
}

func (h *held) Send(message []byte) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	return writeFrame(h.conn, framePage, message)
}

func (h *held) Next() ([]byte, error) {
	for {
		kind, payload, err := readFrame(h.conn)
		if err != nil || kind == framePage {
			return payload, err
		}
	}
}

// hold has a client's page hold a machine.
func (s *Server) hold(conn *net.UnixConn, machine string) {
	if !slices.Contains(s.lab.Names(), machine) {
		writeJSON(conn, frameAnswer, answer{Error: "unknown-machine", Names: s.lab.Names()})
		return
	}
	defer context.AfterFunc(s.viewing, func() { conn.Close() })()
	if writeJSON(conn, frameAnswer, answer{}) == nil {
		s.lab.Hold(s.viewing, machine, &held{conn: conn})
	}
}

// Held is a machine's place in a page, as the page's side has it.
type Held struct {
	held
	forget func() bool
}

// Hold offers a page of a browser as the place of a machine of the run whose session folder
// is given. Messages are those of package pc; Next's error says that the run is over, or has
// no use for the page. The caller closes it.
func Hold(ctx context.Context, folder, machine string) (*Held, error) {
	conn, _, err := ask(ctx, folder, request{Op: "hold", Machine: machine})
	if err != nil {
		return nil, err
	}
	h := &Held{held: held{conn: conn}}
	h.forget = context.AfterFunc(ctx, func() { conn.Close() })
	return h, nil
}

// Close takes the page away; a machine in it is off then.
func (h *Held) Close() error {
	h.forget()
	err := h.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
