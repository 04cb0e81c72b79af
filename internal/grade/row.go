package grade

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/labrun/labrun/internal/handin"
)

// A Row is a submission with what it is worth. Points are nil where nothing was judged:
// that is not the same as none.
type Row struct {
	File      string           `json:"file"`
	Student   string           `json:"student"`
	Mission   string           `json:"mission"`
	Title     string           `json:"title,omitempty"`
	Language  string           `json:"language,omitempty"`
	Judgement handin.Judgement `json:"verdict"`
	Cause     handin.Cause     `json:"cause,omitempty"`
	Reason    string           `json:"reason,omitempty"`

	Points  *float64 `json:"points"`  // what was found when it was played again
	Claimed *float64 `json:"claimed"` // what it says of itself, by the same rules
	Most    float64  `json:"most,omitempty"`
	Counts  bool     `json:"counts"` // it is the one of its student's that goes to the gradebook

	Signed  bool      `json:"signed,omitempty"`
	Seconds float64   `json:"seconds"` // that judging it took
	At      string    `json:"at,omitempty"`
	Notes   []string  `json:"notes,omitempty"`
	Steps   []RowStep `json:"steps,omitempty"`

	Said string `json:"said,omitempty"` // the end of what its process has said, if it did not judge
}

// A RowStep is a step of a Row.
type RowStep struct {
	handin.StepVerdict
	Name          string  `json:"name"`
	Points        float64 `json:"points"`
	ClaimedPoints float64 `json:"claimed_points"`
	Most          float64 `json:"most"`
}

// Rows make of results what is told of them, in the order of the files' names.
func Rows(results []*Result, missions []Mission) []Row {
	var rows []Row
	for _, r := range results {
		rows = append(rows, row(r, missions))
	}
	same := map[string][]string{} // files by their contents
	for _, r := range results {
		if r.Digest != "" {
			same[r.Digest] = append(same[r.Digest], r.Name)
		}
	}
	for i, r := range results {
		if others := slices.DeleteFunc(slices.Clone(same[r.Digest]), func(n string) bool { return n == r.Name }); len(others) > 0 {
			rows[i].Notes = append(rows[i].Notes, "the same file was handed in as "+strings.Join(others, ", "))
		}
	}
	count(rows)
	return rows
}

func row(r *Result, missions []Mission) Row {
	row := Row{
		File: r.Name, Student: r.Student, Mission: r.Mission, Title: r.Title, Language: r.Language,
		Judgement: r.Judgement, Cause: r.Cause, Reason: r.Reason, Signed: r.Signed, Seconds: r.Took, At: r.At, Said: r.Said,
	}
	m := missionOf(missions, r.Mission)
	if m == nil || len(r.Steps) != len(m.Steps) { // refused before it was known what it is of, or not played at all
		if r.Judgement == handin.Confirmed || r.Judgement == handin.Differs {
			row.Judgement, row.Cause = handin.Failed, handin.Host
			row.Reason = fmt.Sprintf("its verdict tells of %d steps, which are not those of the mission", len(r.Steps))
		}
		return row
	}
	row.Title = cmp.Or(row.Title, m.Title)
	points, claimed := 0.0, 0.0
	for i, s := range r.Steps {
		name := m.Steps[i].Name
		step := RowStep{
			StepVerdict: s, Name: name, Most: m.Points.most(name),
			Points: m.Points.of(name, s.Found), ClaimedPoints: m.Points.of(name, s.Claimed),
		}
		row.Steps = append(row.Steps, step)
		points, claimed, row.Most = points+step.Points, claimed+step.ClaimedPoints, row.Most+step.Most
	}
	points, claimed, row.Most = round(points), round(claimed), round(row.Most)
	row.Claimed = &claimed
	if r.Judgement == handin.Confirmed || r.Judgement == handin.Differs {
		row.Points = &points
	}
	if known := strings.TrimSuffix(filepath.Base(r.Name), Suffix); known != m.Name+"-"+r.Student {
		if named, ok := strings.CutPrefix(known, m.Name+"-"); ok {
			row.Notes = append(row.Notes, fmt.Sprintf("the file's name says %s, what is in it says %s", named, r.Student))
		}
	}
	return row
}

func missionOf(missions []Mission, name string) *Mission {
	for i := range missions {
		if missions[i].Name == name {
			return &missions[i]
		}
	}
	return nil
}

// count decides which of a student's submissions for a mission goes to the gradebook: the
// one with most points, of those one that is confirmed, of those the first. Handing in once
// more takes nothing away.
func count(rows []Row) {
	best := map[[2]string]int{}
	for i, r := range rows {
		if r.Points == nil {
			continue
		}
		whose := [2]string{r.Student, r.Mission}
		if other, ok := best[whose]; !ok || better(r, rows[other]) {
			best[whose] = i
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.Points == nil {
			continue
		}
		at := best[[2]string{r.Student, r.Mission}]
		if r.Counts = at == i; !r.Counts {
			r.Notes = append(r.Notes, "what counts is "+rows[at].File)
		}
	}
}

// better reports whether a row counts before an earlier one.
func better(r, than Row) bool {
	if *r.Points != *than.Points {
		return *r.Points > *than.Points
	}
	return r.Judgement == handin.Confirmed && than.Judgement != handin.Confirmed
}

// number is a number of points as people write it.
func number(points float64) string { return strconv.FormatFloat(points, 'f', -1, 64) }

// numberOr is a number of points, or nothing.
func numberOr(points *float64) string {
	if points == nil {
		return ""
	}
	return number(*points)
}
