package serve

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
)

// longestRFB bounds a message of a page's VNC viewer: it gathers what it says in 10 KiB.
const longestRFB = 64 << 10

// firstOfPeople is the lowest kind of message that a viewer sends because of what a person does:
// keys, pointer, text. Those before it are asked for by the viewer itself.
const firstOfPeople = 4

// errScreenOff is why a screen's connection ends while its run goes on.
var errScreenOff = errors.New("the machine is off, or started anew")

// screen carries a machine's screen, which speaks RFB, between a run's door and a page. It opens
// when the machine is on, and is closed with closeAgain when the machine is not any more: the
// page comes back, and waits here.
func (s *Server) screen(w http.ResponseWriter, r *http.Request, v visitor, names []string) {
	s.connect(w, r, v, names[0], func(l *link, run attach.Found) bridge {
		opened := make(chan net.Conn, 1)
		return bridge{
			longest: longestRFB,
			hear: func(ctx context.Context, kind websocket.MessageType, message []byte) error {
				if kind != websocket.MessageBinary {
					return errMessage
				}
				if len(message) > 0 && message[0] >= firstOfPeople {
					l.atWork()
				}
				select {
				case screen := <-opened:
					opened <- screen
					screen.Write(message) // one that is gone ends speak
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			},
			speak: func(ctx context.Context) error {
				screen, err := attach.Screen(ctx, run.Folder, names[1], !v.student)
				if err != nil {
					return err
				}
				defer screen.Close()
				defer context.AfterFunc(ctx, func() { screen.Close() })()
				opened <- screen
				part := make([]byte, longestRFB)
				for {
					n, err := screen.Read(part)
					if n > 0 {
						if err := l.conn.Write(l.ctx, websocket.MessageBinary, part[:n]); err != nil {
							return err
						}
					}
					if err != nil {
						return errScreenOff
					}
				}
			},
		}
	})
}
