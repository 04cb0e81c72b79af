package report

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// The names that the schema of Jenkins knows (junit-10.xsd of its xUnit plugin),
// for the elements that are written.
var schema = map[string]struct{ attrs, children []string }{
	"testsuites": {[]string{"name", "time", "tests", "failures", "errors", "disabled", "skipped"}, []string{"testsuite"}},
	"testsuite": {[]string{"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "version"},
		[]string{"testsuite", "properties", "testcase", "system-out", "system-err"}},
	"testcase": {[]string{"name", "time", "classname", "group"}, []string{"skipped", "error", "failure", "rerunFailure", "system-out", "system-err", "properties"}},
	"failure":  {[]string{"type", "message"}, nil}, "error": {[]string{"type", "message"}, nil}, "skipped": {[]string{"type", "message"}, nil},
	"system-out": {},
}

func valid(t *testing.T, e element) {
	t.Helper()
	rule, known := schema[e.XMLName.Local]
	if !known {
		t.Errorf("no schema has an element <%s>", e.XMLName.Local)
	}
	for _, a := range e.Attrs {
		if !slices.Contains(rule.attrs, a.Name.Local) {
			t.Errorf("<%s> has no attribute %s", e.XMLName.Local, a.Name.Local)
		}
	}
	for _, c := range e.Children {
		if !slices.Contains(rule.children, c.XMLName.Local) {
			t.Errorf("<%s> has no <%s> in it", e.XMLName.Local, c.XMLName.Local)
		}
		valid(t, c)
	}
}

// junit returns the suite of a run as XML, and a line for each case.
func junit(t *testing.T, records []event.Record) (suite element, cases []string) {
	t.Helper()
	data, err := JUnit(records)
	if err != nil {
		t.Fatal(err)
	}
	var root element
	if err := xml.Unmarshal(data, &root); err != nil || root.XMLName.Local != "testsuites" || len(root.Children) != 1 {
		t.Fatalf("%v in\n%s", err, data)
	}
	valid(t, root)
	for _, c := range root.Children[0].Children {
		line := c.attr("name") + " " + c.attr("time")
		for _, problem := range c.Children {
			if problem.XMLName.Local != "system-out" {
				line += "; " + problem.XMLName.Local + ": " + problem.attr("message") + "|" + problem.Text
			}
		}
		cases = append(cases, line)
	}
	return root.Children[0], cases
}

func TestJUnit(t *testing.T) {
	tests := []struct {
		name    string
		records []event.Record
		counts  string // tests, failures, errors, skipped
		cases   []string
	}{
		{"passed", timed(passed...), "2 0 0 0", []string{"1. Boot the router 5.040", "2. 想一想 123.450"}},
		{"failed", timed(failed...), "3 1 0 1", []string{"1. One 0.100", "2. Two 0.200; failure: lab.star:7:9: fail: no|lab.star:7:9: fail: no\nhint: Try again.",
			"3. Step 3 0.000; skipped: not reached|"}},
		{"out of time", timed(failed[0], failed[3], event.StepEnded{Index: 1, Title: "One", Error: "lab.star:9:1: wait_for: nothing\n  tail"}, event.RunEnded{Total: 3, ExitCode: 5}), "3 1 1 1",
			[]string{"1. One 0.000; failure: lab.star:9:1: wait_for: nothing|lab.star:9:1: wait_for: nothing\n  tail", "2. Two 0.000; error: the run ended in this step|the run ended in this step", "3. Step 3 0.000; skipped: not reached|"}},
		{"a wrong script", timed(append(failed[:5:5], event.StepEnded{Index: 2, Title: "Two", Error: "lab.star:7:9: wrong"}, event.RunEnded{ExitCode: 3})...), "3 0 1 1",
			[]string{"1. One 0.100", "2. Two 0.000; error: lab.star:7:9: wrong|lab.star:7:9: wrong", "3. Step 3 0.000; skipped: not reached|"}},
		{"interrupted", timed(append(failed[:6:6], event.RunEnded{ExitCode: 130})...), "3 0 1 1",
			[]string{"1. One 0.100", "2. Two 0.200; error: the run ended in this step|the run ended in this step", "3. Step 3 0.000; skipped: not reached|"}},
		{"left out", timed(guided...), "5 0 1 1", []string{"1. One 2.000", "2. Two 60.000", "3. Three 1.000", "4. Four 4.000; skipped: left out|",
			"the run 0.000; error: not all steps were done|not all steps were done"}},
		{"failed before any step", timed(failed[0], event.RunEnded{Total: 3, ExitCode: 4, Failed: "no QEMU"}), "4 0 1 3",
			[]string{"1. Step 1 0.000; skipped: not reached|", "2. Step 2 0.000; skipped: not reached|", "3. Step 3 0.000; skipped: not reached|", "the run 0.000; error: no QEMU|no QEMU"}},
		{"killed between steps", timed(failed[0]), "4 0 1 3", nil},
		{"what XML cannot say", timed(event.StepStarted{Index: 1}, event.Said{Text: "\x1b[1m\x00 ]]> <b>\xff"}, event.StepEnded{Index: 1, Title: "a\x01\"<&\n", Passed: true}, event.RunEnded{Passed: true}), "1 0 0 0",
			[]string{"1. a\ufffd\"<&\n 0.000"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			suite, cases := junit(t, test.records)
			counts := strings.Join([]string{suite.attr("tests"), suite.attr("failures"), suite.attr("errors"), suite.attr("skipped")}, " ")
			if counts != test.counts || test.cases != nil && !slices.Equal(cases, test.cases) {
				t.Errorf("counts %s, want %s; cases\n%q\nwant\n%q", counts, test.counts, cases, test.cases)
			}
			if at := suite.attr("timestamp"); at != "2026-03-02T01:30:00" {
				t.Errorf("timestamp %s, want it in UTC", at)
			}
		})
	}
}
