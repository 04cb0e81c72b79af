package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	sink, failure := JSONLines(&out)
	when := time.Date(2025, 9, 1, 8, 30, 0, 5_000_000, time.FixedZone("", 8*3600))
	all := append(append([]event.Event{}, passed...), failed...)
	for _, e := range all {
		sink(event.Record{Time: when, Event: e})
	}
	if err := failure(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(all) {
		t.Fatalf("%d lines for %d events", len(lines), len(all))
	}
	for i, line := range lines {
		if want := `{"time":"2025-09-01T08:30:00.005+08:00","event":"` + all[i].Kind() + `",`; !strings.HasPrefix(line, want) {
			t.Errorf("%s\nwant it to begin with %s", line, want)
		}
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	const want = `,"event":"step_ended","index":2,"total":3,"title":"Two","passed":false,"error":"lab.star:7:9: fail: no","seconds":0.2}`
	if got := lines[len(passed)+5]; !strings.HasSuffix(got, want) {
		t.Errorf("got %s\nwant …%s", got, want)
	}
}

// bare is an event without fields.
type bare struct{}

func (bare) Kind() string { return "bare" }

func TestJSONOfAnEventWithoutFields(t *testing.T) {
	var out bytes.Buffer
	sink, _ := JSONLines(&out)
	sink(event.Record{Event: bare{}})
	if got, want := out.String(), `{"time":"0001-01-01T00:00:00Z","event":"bare"}`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// full is a disk without room.
type full struct{ writes int }

func (f *full) Write([]byte) (int, error) {
	f.writes++
	return 0, errors.New("no space left")
}

func TestJSONLinesReportTheFirstError(t *testing.T) {
	disk := &full{}
	sink, failure := JSONLines(disk)
	sink(event.Record{Event: event.Said{}})
	sink(event.Record{Event: event.Said{}})
	if err := failure(); err == nil || err.Error() != "no space left" || disk.writes != 1 {
		t.Errorf("error %v after %d writes, want the first one to end the writing", err, disk.writes)
	}
}
