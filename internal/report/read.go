package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// decoders has every kind of event.
var decoders = map[string]func([]byte) (event.Event, error){
	event.RunStarted{}.Kind():  decode[event.RunStarted],
	event.Notice{}.Kind():      decode[event.Notice],
	event.Progress{}.Kind():    decode[event.Progress],
	event.StepStarted{}.Kind(): decode[event.StepStarted],
	event.StepEnded{}.Kind():   decode[event.StepEnded],
	event.Acted{}.Kind():       decode[event.Acted],
	event.Checked{}.Kind():     decode[event.Checked],
	event.Pictured{}.Kind():    decode[event.Pictured],
	event.Said{}.Kind():        decode[event.Said],
	event.Asked{}.Kind():       decode[event.Asked],
	event.Answered{}.Kind():    decode[event.Answered],
	event.Instructed{}.Kind():  decode[event.Instructed],
	event.Hinted{}.Kind():      decode[event.Hinted],
	event.Helped{}.Kind():      decode[event.Helped],
	event.Invited{}.Kind():     decode[event.Invited],
	event.Recalled{}.Kind():    decode[event.Recalled],
	event.Welcomed{}.Kind():    decode[event.Welcomed],
	event.Translated{}.Kind():  decode[event.Translated],
	event.Returned{}.Kind():    decode[event.Returned],
	event.Redone{}.Kind():      decode[event.Redone],
	event.Fulfilled{}.Kind():   decode[event.Fulfilled],
	event.Missed{}.Kind():      decode[event.Missed],
	event.Told{}.Kind():        decode[event.Told],
	event.Completed{}.Kind():   decode[event.Completed],
	event.Paused{}.Kind():      decode[event.Paused],
	event.Board{}.Kind():       decode[event.Board],
	event.Machine{}.Kind():     decode[event.Machine],
	event.Keyed{}.Kind():       decode[event.Keyed],
	event.Commanded{}.Kind():   decode[event.Commanded],
	event.RunEnded{}.Kind():    decode[event.RunEnded],
}

func decode[T event.Event](line []byte) (event.Event, error) {
	var e T
	err := json.Unmarshal(line, &e)
	return e, err
}

// ReadEvents reads what JSONLines wrote. It leaves out kinds of events that it
// does not know, and a last line that is not complete: the run was killed while
// it was written, or is being written. Events that were read before an error are
// returned with it.
func ReadEvents(r io.Reader) ([]event.Record, error) {
	var records []event.Record
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		var head struct {
			Time  time.Time `json:"time"`
			Event string    `json:"event"`
		}
		if err := json.Unmarshal(line, &head); err != nil {
			return records, fmt.Errorf("line %d: %w", number, err)
		}
		decode, known := decoders[head.Event]
		if !known {
			continue
		}
		e, err := decode(line)
		if err != nil {
			return records, fmt.Errorf("line %d: %s: %w", number, head.Event, err)
		}
		records = append(records, event.Record{Time: head.Time, Event: e})
	}
}
