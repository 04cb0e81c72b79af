package grade

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/handin"
)

// The test binary plays submissions again, and does parts of plans: a submission of these
// tests is a text of what its replay does.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "replay" {
		os.Exit(fakeReplay(os.Args[2], os.Args[3]))
	}
	if len(os.Args) > 2 && os.Args[1] == "task" {
		os.Exit(fakeTask(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// fakeReplay notes in a journal that it was started, and does what the submission says.
func fakeReplay(journal, file string) int {
	data, err := os.ReadFile(file)
	if err != nil {
		return 4
	}
	f, err := os.OpenFile(journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 4
	}
	fmt.Fprintln(f, filepath.Base(file))
	f.Close()
	word, rest, _ := strings.Cut(string(data), " ")
	switch word {
	case "hang":
		select {}
	case "wait": // until a file is there, as long as a test may last
		for range 6000 {
			if _, err := os.Stat(rest); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		word, rest = "confirmed", "waited"
	case "crash":
		fmt.Fprintln(os.Stderr, "panic: the replay is broken")
		return 2
	case "flood":
		for {
			if _, err := fmt.Println(strings.Repeat("x", 1<<16)); err != nil {
				return 1
			}
		}
	case "garbage":
		fmt.Println(rest)
		return 0
	}
	v := verdict(handin.Judgement(word), rest)
	json.NewEncoder(os.Stdout).Encode(v)
	return 0
}

// verdict is one on a mission of three steps by a student, who solved the first, took two
// hints for the second, and had labrun do the third. What differs is the second.
func verdict(j handin.Judgement, student string) *handin.Verdict {
	v := &handin.Verdict{Format: 1, Judgement: j, Student: student, Language: "en", Mission: "lab", Title: "A lab"}
	if j == handin.Refused {
		v.Cause, v.Reason = handin.Damaged, "it ends too early"
		return v
	}
	done := handin.StepEnd{State: "done"}
	hinted := handin.StepEnd{State: "done", Hints: 2}
	helped := handin.StepEnd{State: "skipped", Helped: 1}
	v.Steps = []handin.StepVerdict{
		{Index: 1, Title: "First", Claimed: done, Found: done},
		{Index: 2, Title: "Second", Claimed: hinted, Found: hinted},
		{Index: 3, Title: "Third", Claimed: helped, Found: helped},
	}
	if j == handin.Differs {
		v.Reason = "step 2 is not as claimed"
		v.Steps[1].Claimed, v.Steps[1].Found = done, handin.StepEnd{State: "left"}
		v.Steps[1].Differs, v.Steps[1].Console, v.Steps[1].Line = "it was not solved", "debian", 17
		v.Steps[1].Answers = []handin.Answer{{Question: "Which <port>?", Answer: "8000", Claimed: "right", Found: "wrong"}}
	}
	return v
}

func fakeTask(text, file string) int {
	part, err := ParsePart(text)
	if err != nil {
		return 2
	}
	p, err := ReadPlan(file)
	if err != nil {
		return 2
	}
	if err := p.Do(context.Background(), part, func(r *Result) { fmt.Println(r.Judgement, r.Name) }); err != nil {
		fmt.Println(err)
		return 4
	}
	return 0
}

// batchOf is a plan for submissions that do what the texts say, by name, and the journal of
// their replays.
func batchOf(t *testing.T, texts map[string]string) (p *Plan, journal func() string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		file := filepath.Join(dir, "in", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, _, err := Find(t.Context(), []string{filepath.Join(dir, "in")})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join(dir, "journal")
	p = &Plan{
		Replay: []string{self, "replay", notes}, Basis: "b", Limit: time.Hour,
		Results: filepath.Join(dir, "out", "results"), Submissions: found,
	}
	return p, func() string {
		data, _ := os.ReadFile(notes)
		return string(data)
	}
}

// judged has a plan judged, and returns what is told of each.
func judged(t *testing.T, p *Plan, engine Engine) map[string]string {
	t.Helper()
	results, err := Judge(t.Context(), p, p.Pending(), engine, func(*Result) {})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range results {
		all[r.Name] = string(r.Judgement)
		if r.Cause != "" {
			all[r.Name] += " " + string(r.Cause) + ": " + r.Reason
		}
	}
	return all
}
