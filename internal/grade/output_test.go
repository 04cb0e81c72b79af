package grade

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/labrun/labrun/internal/handin"
)

// lab is the mission of the verdicts that the fake gives.
var lab = Mission{
	Name: "lab", Title: "A lab", Steps: []Step{{"first", "First"}, {"second", "Second"}, {"third", "Third"}},
	Points: Points{Step: 1, Hint: 0.25, Helped: 0.5, Steps: map[string]float64{"first": 2}},
}

// resultsOf are results of files by their verdicts.
func resultsOf(files ...any) (all []*Result) {
	for i := 0; i < len(files); i += 2 {
		name := files[i].(string)
		all = append(all, &Result{Submission: Submission{Name: name, Digest: name}, Verdict: *files[i+1].(*handin.Verdict), Took: 2})
	}
	return all
}

// What is judged has points; what differs has both numbers; what is not judged has none,
// which is not zero; and of a student's submissions the best one counts.
func TestRows(t *testing.T) {
	worse := verdict(handin.Differs, "ann")
	results := resultsOf("lab-ann.labrun", verdict(handin.Confirmed, "ann"), "lab-bob.labrun", verdict(handin.Differs, "bob"),
		"lab-eve.labrun", verdict(handin.Confirmed, "dora"), "old.labrun", worse, "cut.labrun", verdict(handin.Refused, ""),
		"short.labrun", &handin.Verdict{Format: 1, Judgement: handin.Confirmed, Student: "sam", Mission: "lab"})
	results[3].Digest = results[1].Digest
	rows := Rows(results, []Mission{lab})
	for i, want := range []struct {
		points, claimed string
		counts          bool
		notes           string
	}{
		// 2 for the first, 1 less two hints for the second, half of the third.
		{"3", "3", true, ""},
		{"2.5", "3.5", true, "the same file was handed in as old.labrun"},
		{"3", "3", true, "the file's name says eve, what is in it says dora"},
		{"2.5", "3.5", false, "the same file was handed in as lab-bob.labrun; what counts is lab-ann.labrun"},
		{"", "", false, ""},
		{"", "", false, ""},
	} {
		r := rows[i]
		if numberOr(r.Points) != want.points || numberOr(r.Claimed) != want.claimed || r.Counts != want.counts ||
			strings.Join(r.Notes, "; ") != want.notes {
			t.Errorf("%s: %s points, claimed %s, counts %t, notes %q; want %+v", r.File, numberOr(r.Points), numberOr(r.Claimed), r.Counts, r.Notes, want)
		}
	}
	if r := rows[5]; r.Judgement != handin.Failed || !strings.Contains(r.Reason, "tells of 0 steps") {
		t.Errorf("a verdict without the mission's steps is %s: %s", r.Judgement, r.Reason)
	}
}

// The tables are as gradebooks import them, and nothing in a cell is a formula.
func TestTables(t *testing.T) {
	rows := Rows(resultsOf("=cmd.labrun", verdict(handin.Confirmed, "ann"), "b.labrun", verdict(handin.Differs, "bob"),
		"c.labrun", verdict(handin.Refused, "")), []Mission{lab})
	for name, pair := range map[string][2]string{
		"grades": {string(table(rows)), `Student,Mission,Verdict,Points,Claimed,Most,Counts,Reason,Notes,File
ann,lab,confirmed,3,3,4,yes,,,'=cmd.labrun
bob,lab,differs,2.5,3.5,4,yes,step 2 is not as claimed,,b.labrun
,lab,refused,,,,,it ends too early,,c.labrun
`},
		"canvas": {string(canvas(rows, []Mission{lab})), `Student,ID,SIS User ID,SIS Login ID,Section,lab
"    Points Possible",,,,,4
ann,,,ann,,3
bob,,,bob,,2.5
`},
		"moodle": {string(moodle(rows, []Mission{lab})), `Username,lab,lab feedback
ann,3,"3 of 4 points. What you typed was played again on fresh machines, and it came to the same."
bob,2.5,"2.5 of 4 points. What you typed was played again on fresh machines, and it did not come to the same everywhere. Below you see where. That need not be a mistake of yours: if you do not understand it, talk to your teacher about it. Your file says 3.5 points, playing it again came to 2.5. Your teacher sees both."
`},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is\n%swant\n%s", name, pair[0], pair[1])
		}
	}
}

// All files are there, each can be read by whom it is for, and what a stranger has put into
// a submission is text.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	evil := verdict(handin.Differs, "../../evil")
	evil.Steps[1].Differs = "<script>alert(1)</script>\x1b[2J"
	evil.Language = "zh-TW"
	rows := Rows(resultsOf("../x/evil.labrun", evil, "b.labrun", verdict(handin.Refused, "")), []Mission{lab})
	if err := Write(dir, time.Now(), rows, []Mission{lab}); err != nil {
		t.Fatal(err)
	}
	var results struct {
		Rows []Row `json:"rows"`
	}
	read(t, dir+"/results.json", func(data []byte) error { return json.Unmarshal(data, &results) })
	if len(results.Rows) != 2 || *results.Rows[0].Points != 2.5 || results.Rows[1].Points != nil {
		t.Errorf("results.json has %+v", results.Rows)
	}
	read(t, dir+"/junit.xml", func(data []byte) error {
		var suites struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
		}
		if err := xml.Unmarshal(data, &suites); err != nil {
			return err
		}
		if suites.Tests != 4 || suites.Failures != 2 || suites.Skipped != 0 {
			t.Errorf("junit.xml has %+v, want 3 steps and a replay, of which one step differs and the other file is refused", suites)
		}
		return nil
	})
	var result struct {
		Version int     `json:"version"`
		Status  string  `json:"status"`
		Most    float64 `json:"max_score"`
		Tests   []struct {
			Status string  `json:"status"`
			Score  float64 `json:"score"`
		} `json:"tests"`
	}
	read(t, dir+"/classroom.json", func(data []byte) error { return json.Unmarshal(data, &result) })
	if result.Version != 1 || result.Status != "error" || result.Most != 4 || len(result.Tests) != 4 {
		t.Errorf("classroom.json has %+v", result)
	}
	pages, err := os.ReadDir(dir + "/feedback")
	if err != nil || len(pages) != 4 {
		t.Fatalf("feedback has %v, %v", pages, err)
	}
	for _, page := range pages {
		read(t, filepath.Join(dir, "feedback", page.Name()), func(data []byte) error {
			if text := string(data); strings.Contains(text, "<script>") && strings.HasSuffix(page.Name(), ".html") || strings.Contains(text, "\x1b[") {
				t.Errorf("%s lets a stranger's text through:\n%s", page.Name(), text)
			}
			_, err := html.Parse(strings.NewReader(string(data)))
			return err
		})
	}
	if _, err := os.Stat(dir + "/../evil.html"); err == nil {
		t.Error("a page was written beside the folder")
	}
}

func read(t *testing.T, file string, use func([]byte) error) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = use(data)
	}
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(file), err)
	}
}

// A student reads about it in their own language: kindly, and what to do next.
func TestFeedback(t *testing.T) {
	zh := verdict(handin.Differs, "bob")
	zh.Language = "zh-TW"
	rows := Rows(resultsOf("a.labrun", verdict(handin.Confirmed, "ann"), "b.labrun", zh, "c.labrun", verdict(handin.Refused, "cleo"),
		"d.labrun", &handin.Verdict{Format: 1, Judgement: handin.Failed, Cause: handin.TimedOut, Reason: "late"}), []Mission{lab})
	for i, wants := range [][]string{
		{"A lab: what came of your work", "3 of 4 points", "Step 2: Second\n  0.5 of 1 points · done by you, with 2 hints", "done with labrun's help"},
		{"2.5 分，滿分 4 分", "你的檔案寫的是 3.5 分，重做的結果是 2.5 分", "第 2 步：Second", "你的檔案寫的是：由你完成。重做的結果：沒有完成。", "從你在 debian 輸入的", "你對「Which <port>?」的回答"},
		{"could not be graded", "not whole", "No points were taken from you"},
		{"not graded yet. That is not your fault"},
	} {
		_, text, err := feedback(rows[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: there is no %q in\n%s", rows[i].File, want, text)
			}
		}
	}
}

func TestReadPoints(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lab.points.toml")
	if p, err := ReadPoints(file, lab.Steps); !os.IsNotExist(err) || p.of("first", handin.StepEnd{State: "done", Hints: 9}) != 1 {
		t.Errorf("without a file: %+v, %v", p, err)
	}
	for text, want := range map[string]string{
		"hint = 0.25\n[steps]\nfirst = 2": "",
		"hint = -1":                       "hint = -1: want from 0 to 10000",
		"helped = 2":                      "helped = 2: want a share",
		"step = nan":                      "step = NaN: want from 0",
		"[steps]\nfrist = 2":              "[steps] frist: the mission has no such step (did you mean first?)",
		"[steps]\nfirst = -2":             "[steps] first = -2: want from 0",
		"hnit = 1":                        "nothing is called hnit (did you mean hint?)",
		"hint = 1\nstep = ":               "lab.points.toml:2: ",
		"hint = 'x'":                      "hint",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadPoints(file, lab.Steps)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q", text, err, want)
		}
	}
}
