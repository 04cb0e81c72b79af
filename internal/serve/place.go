package serve

import (
	"context"
	"net/http"
	"path/filepath"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
)

// longestPiece bounds what a machine in a page sends at once: a frame of Ethernet, or what a
// serial port has printed.
const longestPiece = 128 << 10

// place lets a student's page hold a machine of a run: it carries the messages of package pc,
// which are the same on both sides.
func (s *Server) place(w http.ResponseWriter, r *http.Request, v visitor, names []string) {
	if !v.student {
		s.turnAway(w, r, closeNotFound, "only the student's page holds machines")
		return
	}
	s.connect(w, r, v, names[0], func(l *link, run attach.Found) bridge {
		held, err := attach.Hold(l.ctx, run.Folder, names[1])
		return bridge{
			longest: longestPiece,
			hear: func(_ context.Context, _ websocket.MessageType, message []byte) error {
				if err != nil {
					return err
				}
				return held.Send(message)
			},
			speak: func(ctx context.Context) error {
				if err != nil {
					return err
				}
				defer held.Close()
				defer context.AfterFunc(ctx, func() { held.Close() })()
				for {
					message, err := held.Next()
					if err != nil {
						return attach.ErrOver
					}
					if err := l.conn.Write(l.ctx, websocket.MessageBinary, message); err != nil {
						return err
					}
				}
			},
		}
	})
}

// state sends what a machine in a page goes on from. It never changes under its name.
func (s *Server) state(w http.ResponseWriter, r *http.Request, _ visitor, names []string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeFile(w, r, filepath.Join(s.States, names[0]))
}
