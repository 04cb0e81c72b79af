package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
)

// errMessage is a message that no page of ours sends.
var errMessage = errors.New("no message of a page")

// network carries the drawing of a lab and its packets from a run's door to a page.
func (s *Server) network(w http.ResponseWriter, r *http.Request, v visitor, names []string) {
	s.connect(w, r, v, names[0], func(l *link, run attach.Found) bridge {
		return bridge{
			longest: longestWords,
			hear:    func(context.Context, websocket.MessageType, []byte) error { return errMessage },
			speak: func(ctx context.Context) error {
				return attach.Network(ctx, run.Folder, func(line []byte) error {
					return l.conn.Write(l.ctx, websocket.MessageText, line)
				})
			},
		}
	})
}

// capture sends what has crossed a network, as a file.
func (s *Server) capture(w http.ResponseWriter, r *http.Request, v visitor, names []string) {
	run, found := s.find(r.Context(), v, names[0])
	if !found {
		s.refuse(w, http.StatusNotFound, s.say(r, "serve no session"))
		return
	}
	network := r.URL.Query().Get("network")
	name := fmt.Sprintf("%s-%s.pcapng", run.Session(), notInName.ReplaceAllString(network, "-"))
	file := &download{ResponseWriter: w, name: name}
	switch err := attach.Capture(r.Context(), run.Folder, network, file); {
	case err != nil && !file.begun:
		s.refuse(w, http.StatusNotFound, err.Error())
	case err != nil: // what came is not all: a browser says so when the connection breaks
		panic(http.ErrAbortHandler)
	}
}

// download is a file whose headers are sent with its first bytes.
type download struct {
	http.ResponseWriter
	name  string
	begun bool
}

func (d *download) Write(part []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.Header().Set("Content-Type", "application/x-pcapng")
		d.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", d.name))
		d.Header().Set("Cache-Control", "no-store")
	}
	return d.ResponseWriter.Write(part)
}
