package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// JSONLines returns a sink that writes each event as one JSON object on a line:
// its fields, with «time» (RFC 3339) and «event» (its kind) before them. The
// first error of w ends the writing and is what the returned function gives.
func JSONLines(w io.Writer) (sink func(event.Record), failed func() error) {
	var failure error
	sink = func(r event.Record) {
		if failure != nil {
			return
		}
		body, err := json.Marshal(r.Event)
		if err == nil {
			head, _ := json.Marshal(struct {
				Time  string `json:"time"`
				Event string `json:"event"`
			}{r.Time.Format(time.RFC3339Nano), r.Event.Kind()})
			line := head[:len(head)-1]
			if string(body) != "{}" {
				line = append(line, ',')
			}
			line = append(line, body[1:]...)
			_, err = w.Write(append(line, '\n'))
		}
		failure = err
	}
	return sink, func() error { return failure }
}
