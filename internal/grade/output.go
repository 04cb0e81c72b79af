package grade

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/report"
)

// The files that Write writes.
const (
	TableFile     = "grades.csv"     // a row for each submission, for people and their spreadsheets
	MoodleFile    = "moodle.csv"     // what counts, for Moodle's gradebook
	CanvasFile    = "canvas.csv"     // what counts, for Canvas' gradebook
	ResultsFile   = "results.json"   // all that is known, for programs
	JUnitFile     = "junit.xml"      // a suite for each submission, a case for each step
	ClassroomFile = "classroom.json" // if all are one student's: the result that GitHub Classroom reads
	FeedbackDir   = "feedback"       // a page and a text for each submission
)

// Write writes what came of a grading into a folder: all files anew, each whole or not at
// all.
func Write(folder string, started time.Time, rows []Row, missions []Mission) error {
	type file struct {
		name string
		data []byte
		err  error
	}
	files := []file{
		{TableFile, table(rows), nil}, {MoodleFile, moodle(rows, missions), nil}, {CanvasFile, canvas(rows, missions), nil},
	}
	data, err := json.MarshalIndent(struct {
		Format  int       `json:"format"`
		Started time.Time `json:"started"`
		Rows    []Row     `json:"rows"`
	}{1, started.UTC().Truncate(time.Second), rows}, "", "  ")
	files = append(files, file{ResultsFile, append(data, '\n'), err})
	data, err = junit(started, rows)
	files = append(files, file{JUnitFile, data, err})
	if oneStudent(rows) {
		data, err = classroom(rows)
		files = append(files, file{ClassroomFile, append(data, '\n'), err})
	}
	if err := os.MkdirAll(filepath.Join(folder, FeedbackDir), 0o755); err != nil {
		return err
	}
	for _, r := range rows {
		page, text, err := feedback(r)
		name := filepath.Join(FeedbackDir, feedbackName(r))
		files = append(files, file{name + ".html", page, err}, file{name + ".txt", text, nil})
	}
	for _, f := range files {
		if f.err == nil {
			f.err = host.WriteFile(filepath.Join(folder, f.name), f.data, 0o644)
		}
		if f.err != nil {
			return fmt.Errorf("write %s: %w", f.name, f.err)
		}
	}
	return nil
}

func written(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.WriteAll(rows) // to memory
	return out.Bytes()
}

// plain is a text for a cell of a spreadsheet, which would take one that begins with these
// characters for a formula, and carry it out. Submissions and their names are strangers'.
func plain(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

func table(rows []Row) []byte {
	cells := [][]string{{"Student", "Mission", "Verdict", "Points", "Claimed", "Most", "Counts", "Reason", "Notes", "File"}}
	for _, r := range rows {
		most, counts := "", ""
		if r.Most > 0 {
			most = number(r.Most)
		}
		if r.Counts {
			counts = "yes"
		}
		cells = append(cells, []string{
			plain(r.Student), plain(r.Mission), string(r.Judgement), numberOr(r.Points), numberOr(r.Claimed), most, counts,
			plain(r.Reason), plain(strings.Join(r.Notes, "; ")), plain(r.File),
		})
	}
	return written(cells)
}

// students are those of whom something counts, by name.
func students(rows []Row) (names []string) {
	for _, r := range rows {
		if r.Counts {
			names = append(names, r.Student)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// counting is the row of a student's that counts for a mission; nil: there is none.
func counting(rows []Row, student, mission string) *Row {
	for i := range rows {
		if r := &rows[i]; r.Counts && r.Student == student && r.Mission == mission {
			return r
		}
	}
	return nil
}

// moodle is a table for Moodle's import of grades, which lets the teacher say which column
// is which item. Only what was judged is in it: an empty grade would take away one that is
// there. A student's name is what they log in with (Username).
func moodle(rows []Row, missions []Mission) []byte {
	head := []string{"Username"}
	for _, m := range missions {
		head = append(head, m.Name, m.Name+" feedback")
	}
	cells := [][]string{head}
	for _, student := range students(rows) {
		line := []string{student}
		for _, m := range missions {
			if r := counting(rows, student, m.Name); r != nil {
				line = append(line, number(*r.Points), plain(feedbackLine(*r)))
			} else {
				line = append(line, "", "")
			}
		}
		cells = append(cells, line)
	}
	return written(cells)
}

// canvas is a table for the import into Canvas' gradebook: its own columns, a row with what
// each assignment gives at best, and a column for each assignment. Empty cells change
// nothing there.
func canvas(rows []Row, missions []Mission) []byte {
	head := []string{"Student", "ID", "SIS User ID", "SIS Login ID", "Section"}
	most := []string{"    Points Possible", "", "", "", ""}
	for _, m := range missions {
		head = append(head, m.Name)
		most = append(most, number(m.most()))
	}
	cells := [][]string{head, most}
	for _, student := range students(rows) {
		line := []string{student, "", "", student, ""}
		for _, m := range missions {
			points := ""
			if r := counting(rows, student, m.Name); r != nil {
				points = number(*r.Points)
			}
			line = append(line, points)
		}
		cells = append(cells, line)
	}
	return written(cells)
}

// most is what the mission gives at best.
func (m *Mission) most() (points float64) {
	for _, s := range m.Steps {
		points += m.Points.most(s.Name)
	}
	return round(points)
}

func junit(started time.Time, rows []Row) ([]byte, error) {
	var names []string
	cases := map[string][]report.Case{}
	for _, r := range rows {
		name := r.File
		names = append(names, name)
		if r.Points == nil {
			c := report.Case{Class: r.Mission, Name: "replay", Seconds: r.Seconds, Output: r.Said}
			if r.Judgement == handin.Refused {
				c.Failure = "refused: " + r.Reason
			} else {
				c.Error = "not judged: " + r.Reason
			}
			cases[name] = append(cases[name], c)
			continue
		}
		for _, s := range r.Steps {
			c := report.Case{
				Class: r.Mission, Name: fmt.Sprintf("%d. %s", s.Index, s.Title), Seconds: s.Found.Seconds,
				Output: fmt.Sprintf("%s of %s points", number(s.Points), number(s.Most)),
			}
			switch {
			case s.Differs != "":
				c.Failure = "differs from what was handed in: " + s.Differs + where(s)
			case s.Points == 0 && s.Most > 0:
				c.Skipped = "not done by the student"
			}
			cases[name] = append(cases[name], c)
		}
	}
	return report.JUnitOfCases(started, names, cases)
}

// where is the place at which a step parted, in parentheses.
func where(s RowStep) string {
	switch {
	case s.Console != "" && s.Line > 0:
		return fmt.Sprintf(" (at %s, line %d of its events)", s.Console, s.Line)
	case s.Console != "":
		return fmt.Sprintf(" (at %s)", s.Console)
	}
	return ""
}

// oneStudent reports whether all rows are of one student's, as far as they say.
func oneStudent(rows []Row) bool {
	names := map[string]bool{}
	for _, r := range rows {
		if r.Student != "" {
			names[r.Student] = true
		}
	}
	return len(rows) > 0 && len(names) <= 1
}

// classroom is a result as GitHub Classroom's reporter reads it, the action
// classroom-resources/autograding-grading-reporter: a test for each step of what counts.
func classroom(rows []Row) ([]byte, error) {
	type test struct {
		Name     string  `json:"name"`
		Status   string  `json:"status"` // "pass", "fail", "error"
		Score    float64 `json:"score"`
		Message  string  `json:"message"`
		Code     string  `json:"test_code"`
		File     string  `json:"filename"`
		Line     int     `json:"line_no"`
		Duration float64 `json:"duration"` // milliseconds
	}
	result := struct {
		Version int     `json:"version"`
		Status  string  `json:"status"`
		Most    float64 `json:"max_score"`
		Tests   []test  `json:"tests"`
	}{Version: 1, Status: "pass", Tests: []test{}}
	worse := func(status string) {
		if result.Status != "error" {
			result.Status = status
		}
	}
	for _, r := range rows {
		switch {
		case r.Points == nil:
			worse("error")
			result.Tests = append(result.Tests, test{Name: r.File, Status: "error", Message: r.Reason, Duration: r.Seconds * 1000})
		case r.Counts:
			result.Most += r.Most
			for _, s := range r.Steps {
				t := test{
					Name: fmt.Sprintf("%s, %d. %s", r.Mission, s.Index, s.Title), Status: "pass", Score: s.Points,
					Duration: s.Found.Seconds * 1000, Message: s.Differs,
				}
				if s.Points < s.Most {
					t.Status = "fail"
					worse("fail")
				}
				result.Tests = append(result.Tests, t)
			}
		}
	}
	return json.MarshalIndent(result, "", "  ")
}
