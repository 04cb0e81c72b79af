package report

import (
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// The report of a board says of each challenge what became of it: solved, solved by labrun, later changed, left, never
// entered.
func TestBoardInTheReport(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	visit := func(index int, ended event.StepEnded) []event.Event {
		ended.Index, ended.Total = index, 5
		return []event.Event{
			event.StepStarted{Index: index, Total: 5, Challenge: index, Challenges: 5}, ended,
		}
	}
	events := []event.Event{event.RunStarted{
		Mission: "lab.star", Title: "Lab", Steps: 5, Titles: []string{"A", "B", "C", "D", "E"}, Challenges: []int{1, 2, 3, 4, 5},
		Guided: true,
	}}
	events = append(events, visit(3, event.StepEnded{Passed: true})...)
	events = append(events, visit(1, event.StepEnded{Away: true})...)
	events = append(events, visit(2, event.StepEnded{Passed: true, Skipped: true})...)
	events = append(events, visit(1, event.StepEnded{Passed: true})...)
	events = append(events, visit(3, event.StepEnded{Away: true})...) // solved already
	events = append(events, visit(4, event.StepEnded{Away: true})...)
	events = append(events, event.Board{First: 1, Solved: 3, Challenges: []event.Challenge{
		{Title: "A", State: "done", Passed: at, Changed: true}, {Title: "B", State: "skipped", Passed: at},
		{Title: "C", State: "done", Passed: at}, {Title: "D", State: "begun"}, {Title: "E", State: "ahead"},
	}}, event.Paused{At: 1, Board: true, Solved: 3}, event.RunEnded{Steps: 3, Total: 5, ExitCode: 130})
	var records []event.Record
	for i, e := range events {
		records = append(records, event.Record{Time: at.Add(time.Duration(i) * time.Second), Event: e})
	}
	var got []string
	for _, s := range outlineOf(records).Steps {
		got = append(got, s.Title+": "+string(s.State))
	}
	const want = "A: passed, later changed\nB: done by labrun\nC: passed\nD: begun\nE: not reached"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	xml, err := JUnit(records)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"passed, later changed", `<skipped message="begun, and not solved">`, `skipped="2"`} {
		if !strings.Contains(string(xml), part) {
			t.Errorf("the JUnit file has no %s:\n%s", part, string(xml))
		}
	}
}
