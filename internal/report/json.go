package report

import (
	"encoding/json"
	"io"

	"github.com/labrun/labrun/internal/event"
)

// JSONLines returns a sink that writes each event as one JSON object on a line. The
// first error of w ends the writing and is what the returned function gives.
func JSONLines(w io.Writer) (sink func(event.Record), failed func() error) {
	var failure error
	sink = func(r event.Record) {
		if failure == nil {
			failure = json.NewEncoder(w).Encode(r) // in one write: a reader sees whole lines
		}
	}
	return sink, func() error { return failure }
}
