package report

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/markdown"
)

// JUnit is a run as JUnit XML, as CI systems read it: a suite for the mission, a case
// for each step.
func JUnit(records []event.Record) ([]byte, error) { return junitOf(outlineOf(records)).xml() }

func (s junitSuites) xml() ([]byte, error) {
	body, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return []byte(xml.Header + markdown.Clean(string(body)) + "\n"), nil
}

type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Timestamp  string           `xml:"timestamp,attr"`
	Properties *junitProperties `xml:"properties"`
	Cases      []junitCase      `xml:"testcase"`
}

type junitProperties struct {
	All []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitProblem `xml:"failure"`
	Error     *junitProblem `xml:"error"`
	Skipped   *junitSkipped `xml:"skipped"`
	Output    string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

func junitOf(o *outline) junitSuites {
	suite := junitSuite{Name: o.Title, Timestamp: junitStamp(o.Started)}
	if o.Student != "" {
		suite.Properties = &junitProperties{[]junitProperty{{"student", o.Student}}}
	}
	told := false // a case says why the run did not pass
	for _, s := range o.Steps {
		c := junitCase{
			Name: fmt.Sprintf("%d. %s", s.Index, s.Title), ClassName: o.Mission, Time: junitTime(s.Seconds),
			Output: strings.Join(s.Said, "\n"),
		}
		switch s.State {
		case stateNotReached:
			c.Skipped = &junitSkipped{"not reached"}
		case stateFailed:
			told = true
			// A check that fails, or what did not happen in time, is the lab's; the
			// rest is the script's or the computer's.
			if o.End == nil || o.End.ExitCode == 1 || o.End.ExitCode == 5 {
				c.Failure = problem("check", s.Error, s.Hint())
			} else {
				c.Error = problem("error", s.Error, "")
			}
		case stateLeft:
			c.Skipped = &junitSkipped{"left out"}
		case stateBegun:
			c.Skipped = &junitSkipped{"begun, and not solved"}
		case stateChanged: // it was passed, and that stays
			c.Output = strings.TrimSpace(c.Output + "\npassed, later changed: its check does not hold any more")
		case stateStopped, stateUnfinished:
			told = true
			c.Error = problem("stopped", "the run ended in this step", "")
		}
		suite.add(c)
	}
	if !told && (o.End == nil || !o.End.Passed) {
		c := junitCase{Name: "the run", ClassName: o.Mission, Time: junitTime(0)}
		c.Error = problem("stopped", "the run did not come to its end", "")
		if o.End != nil && o.End.Failed != "" {
			c.Error = problem("error", o.End.Failed, "")
		}
		suite.add(c)
	}
	seconds := 0.0
	if o.End != nil {
		seconds = o.End.Seconds
	}
	suite.Time = junitTime(seconds)
	return junitSuites{junitCounts: suite.junitCounts, Suites: []junitSuite{suite}}
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

// problem puts the first line, which begins with the position, where every CI
// system shows it.
func problem(kind, text, hint string) *junitProblem {
	first, _, _ := strings.Cut(text, "\n")
	if hint != "" {
		text += "\nhint: " + hint
	}
	return &junitProblem{Message: first, Type: kind, Text: text}
}

func junitStamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

func junitTime(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }

// A Case is a test as JUnit has it.
type Case struct {
	Class, Name string
	Seconds     float64
	Failure     string // empty: it has not failed
	Error       string // why it could not be run to its end, which is not the case's fault; empty: it was
	Skipped     string // why it was not run; empty: it was
	Output      string // what there was to see
}

// JUnitOfCases is the cases of suites, by name and in order, as JUnit XML.
func JUnitOfCases(started time.Time, names []string, cases map[string][]Case) ([]byte, error) {
	var all junitSuites
	whole := 0.0
	for _, name := range names {
		suite := junitSuite{Name: name, Timestamp: junitStamp(started)}
		total := 0.0
		for _, c := range cases[name] {
			j := junitCase{Name: c.Name, ClassName: c.Class, Time: junitTime(c.Seconds), Output: c.Output}
			switch {
			case c.Failure != "":
				j.Failure = problem("check", c.Failure, "")
			case c.Error != "":
				j.Error = problem("error", c.Error, "")
			case c.Skipped != "":
				j.Skipped = &junitSkipped{c.Skipped}
			}
			suite.add(j)
			total += c.Seconds
		}
		suite.Time = junitTime(total)
		whole += total
		all.Suites = append(all.Suites, suite)
		all.Tests, all.Failures, all.Skipped = all.Tests+suite.Tests, all.Failures+suite.Failures, all.Skipped+suite.Skipped
		all.Errors += suite.Errors
	}
	all.Time = junitTime(whole)
	return all.xml()
}
