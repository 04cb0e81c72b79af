package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/labrun/labrun/internal/event"
)

var clock = time.Date(2026, 3, 2, 9, 30, 0, 250_000_000, time.FixedZone("", 8*3600))

// timed gives each event a time, a second after the one before.
func timed(events ...event.Event) []event.Record {
	var records []event.Record
	for i, e := range events {
		records = append(records, event.Record{Time: clock.Add(time.Duration(i) * time.Second), Event: e})
	}
	return records
}

// cast writes a console's recording into a folder: a text for each time, in
// seconds after clock.
func cast(t *testing.T, dir, name string, printed map[float64]string) {
	t.Helper()
	var at []float64
	for seconds := range printed {
		at = append(at, seconds)
	}
	slices.Sort(at)
	start := clock.Add(time.Second) // the second event boots
	text := fmt.Sprintf(`{"version":2,"width":80,"height":24,"timestamp":%d,"title":%q,"started":%q}`+"\n", start.Unix(), name, start.Format(time.RFC3339Nano))
	for _, seconds := range at {
		body, err := json.Marshal(printed[seconds])
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("[%f, \"i\", \"typed\"]\n[%f, \"o\", %s]\n", seconds-1, seconds-1, body)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".cast"), []byte(text+"[99"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writePage writes a page and returns it, as text and as a tree.
func writePage(t *testing.T, dir string, records []event.Record) (string, *html.Node) {
	t.Helper()
	if err := WritePage(dir, records); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, PageFile))
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data), root
}

func elements(root *html.Node, names ...string) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (len(names) == 0 || slices.Contains(names, n.Data)) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words are the text of a node, with a space between its parts.
func words(n *html.Node) string {
	var parts []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			parts = append(parts, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(parts, " ")
}

const nasty = `<script>alert("x")</script><img src=x onerror=alert(1)>`

// student is a run with something of everything.
func student() []event.Record {
	return timed(
		event.RunStarted{Mission: "week1.star", Title: "第一週 " + nasty, Steps: 6, Guided: true, Titles: []string{"One", "Two", "三", "Four", "Five", "Six"}},
		event.Machine{Name: "router7", State: "booting"},
		event.Notice{Text: "software emulation " + nasty},
		event.StepStarted{Index: 1, Total: 6, Title: "One", Replayed: true}, // 3
		event.Recalled{State: "skipped", Seconds: 30, Hints: 3, Answers: []event.Answered{{Question: "Before?", Answer: "Yes."}}},
		event.Machine{Name: "router7", State: "ready", Seconds: 4.21},
		event.Recalled{State: "skipped", Seconds: 30, Hints: 3, Answers: []event.Answered{{Question: "Before?", Answer: "Yes."}}},
		event.StepEnded{Index: 1, Total: 6, Title: "One", Passed: true, Seconds: 2},
		event.StepStarted{Index: 2, Total: 6, Title: "Two"}, // 8
		event.Hinted{Level: 1, Of: 2, Text: "Look at `eth0` " + nasty},
		event.Checked{Builtin: "assert_contains", What: "lan0 " + nasty, Hint: "Type `ip a`."},
		event.Checked{Builtin: "assert_contains", What: "lan0 " + nasty, Hint: "Type `ip a`."},
		event.Hinted{Level: 2, Of: 2, Text: "Type it."},
		event.StepEnded{Index: 2, Total: 6, Title: "in another language", Passed: true, Seconds: 5},
		event.StepStarted{Index: 3, Total: 6, Title: "三"}, // 14
		event.Asked{Question: "**為什麼？** " + nasty, Choices: []string{"one " + nasty, "two"}},
		event.Answered{Question: "**為什麼？** " + nasty, Answer: "one " + nasty, Verdict: "wrong"},
		event.Answered{Question: "**為什麼？** " + nasty, Answer: "two", Verdict: "right"},
		event.Asked{Question: "What do you think?"},
		event.Answered{Question: "What do you think?", Answer: "It\nturns.", Verdict: "open"},
		event.Asked{Question: "And then?"},
		event.Asked{Question: "And now?", Answer: "nothing"},
		event.Said{Text: "said " + nasty},
		event.StepEnded{Index: 3, Total: 6, Title: "三", Passed: true, Seconds: 8},
		event.StepStarted{Index: 4, Total: 6, Title: "Four"}, // 24
		event.Helped{Word: "do", With: "send " + nasty},
		event.Helped{Word: "skip", With: "boot"},
		event.StepEnded{Index: 4, Total: 6, Title: "Four", Passed: true, Skipped: true, Seconds: 200},
		event.Machine{Name: "router7", State: "failed", Detail: "panic " + nasty, Seconds: 25},
		event.Machine{Name: "router7", State: "booting"},     // 29
		event.StepStarted{Index: 5, Total: 6, Title: "Five"}, // 30
		event.Checked{Builtin: "fail", What: "no", Hint: "Ask <the> teacher."},
		event.StepEnded{Index: 5, Total: 6, Title: "Five", Error: "week1.star:7:9: fail: no " + nasty, Seconds: 2},
		event.Machine{Name: "router7", State: "stopped", Detail: "ended by labrun"},
		event.RunEnded{Steps: 4, Total: 6, Seconds: 31, ExitCode: 1, Failed: "week1.star:7:9: fail: no " + nasty},
	)
}

func TestPage(t *testing.T) {
	dir := t.TempDir()
	cast(t, dir, "router7", map[float64]string{
		1.5: "too early\r\n", 3.5: "in the first\r\nro", 3.6: "ut", 3.7: "er", 3.8: "7", 4: "# ", 8.5: "\x1b[31mls\x1b[0m\r\n" + nasty + "\r\n", 12.5: strings.Repeat("much\r\n", 36) + "last\b\b",
		24.5: strings.Repeat("flood\r\n", 99999),
		14.5: "\x1b[2J\r\n \r\n",
	})
	cast(t, dir, "router7-2", map[float64]string{30.5: "again"})
	for _, name := range []string{EventsFile, "router7.log", "lan.pcap", "other.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 1234), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, root := writePage(t, dir, student())

	// What strangers wrote is never HTML.
	if elements := elements(root, "script", "img", "iframe", "object", "link", "form"); len(elements) > 0 || strings.Contains(text, "\x1b") {
		t.Errorf("the page has %v", elements)
	}
	if n := strings.Count(text, "&lt;script&gt;"); n < 12 {
		t.Errorf("%d scripts are escaped, want one wherever the run has one", n)
	}

	var rows []string
	for _, row := range elements(root, "tr") {
		rows = append(rows, words(row))
		for _, head := range elements(row, "th") {
			if attribute(head, "scope") == "" {
				t.Errorf("the header %q has no scope", words(head))
			}
		}
	}
	wantRows := []string{
		"Step Result Hints Time", "1. One replayed 3 2.0 s", "2. Two passed 2 5.0 s", "3. 三 passed 0 8.0 s", "4. Four done by labrun 0 3 min 20 s",
		"5. Five failed 0 2.0 s", "6. Six not reached – –",
		"Machine At the end Ready after", "router7 failed : panic " + nasty + " 4.2 s", "router7, boot 2 stopped no prompt",
	}
	if !slices.Equal(rows, wantRows) {
		t.Errorf("rows\n%q\nwant\n%q", rows, wantRows)
	}

	steps := map[string]string{}
	for _, article := range elements(root, "article") {
		steps[attribute(article, "id")] = words(article)
	}
	for id, parts := range map[string][]string{
		"step-1": {"replayed , 2.0 s (09:30:03 to 09:30:07) In an earlier run: done by labrun, in 30.0 s, with 3 hints Questions Before? Answer: Yes. What", "router7’s console printed (2 lines) in the first router7#"},
		"step-2": {"passed , 5.0 s", "Checks that failed assert_contains : lan0 " + nasty + " (2 times) Type ip a .", "Hints used Look at eth0 " + nasty + " Type it.",
			"(39 lines) router7# ls " + nasty + " much", "much la"},
		"step-3": {"said " + nasty, "為什麼？ " + nasty + " one " + nasty + " two Answer: one " + nasty + " ( wrong ) Answer: two ( right )",
			"What do you think? Answer: It turns. And", "And then? not answered And now? Answer by labrun: nothing"},
		"step-4": {"done by labrun , 3 min 20 s", "Help from labrun labrun did it: send " + nasty + " labrun did the rest of the step, beginning with: boot", "(its last 40 lines) flood"},
		"step-5": {"failed , 2.0 s", "week1.star:7:9: fail: no " + nasty, "Ask <the> teacher.", "router7, boot 2’s console printed (1 line) again"},
	} {
		for _, part := range parts {
			if !strings.Contains(steps[id], part) {
				t.Errorf("%s lacks %q:\n%s", id, part, steps[id])
			}
		}
	}
	if strings.Contains(words(root), "too early") || strings.Contains(steps["step-3"], "console") || strings.Contains(text, "typed") {
		t.Error("the page shows what no step printed")
	}

	var links []string
	for _, a := range elements(root, "a") {
		if href := attribute(a, "href"); !strings.HasPrefix(href, "#") {
			links = append(links, href)
		}
	}
	if want := []string{EventsFile, "router7-2.cast", "router7.cast", "router7.log", "lan.pcap"}; !slices.Equal(links, want) {
		t.Errorf("links to %q, want %q", links, want)
	}
	if temporary, _ := filepath.Glob(filepath.Join(dir, "*report*")); len(temporary) != 1 {
		t.Errorf("left are %v", temporary)
	}
	sound(t, text, root)
}

// sound checks what any page must be.
func sound(t *testing.T, text string, root *html.Node) {
	t.Helper()
	for _, name := range []string{"h1", "main", "header", "footer", "title"} {
		if n := len(elements(root, name)); n != 1 {
			t.Errorf("%d elements %s, want one", n, name)
		}
	}
	if attribute(elements(root, "html")[0], "lang") == "" {
		t.Error("the page does not tell its language")
	}
	for _, h := range elements(root, "h1", "h3") {
		if chinese := strings.ContainsAny(words(h), "第三想"); chinese != (attribute(h, "lang") == "zh-Hant") {
			t.Errorf("the language of %q is %q", words(h), attribute(h, "lang"))
		}
	}
	for _, outside := range []string{"src=", "url(", "@import", "http://", "https://", "ZgotmplZ"} {
		if found := strings.Index(strings.ReplaceAll(text, "src=x onerror", ""), outside); found >= 0 {
			t.Errorf("the page refers to something outside: %.80s", text[found:])
		}
	}
	level := 0
	for _, h := range elements(root, "h1", "h2", "h3", "h4", "h5", "h6") {
		if next := int(h.Data[1] - '0'); next > level+1 {
			t.Errorf("heading %q of level %d follows level %d", words(h), next, level)
		} else {
			level = next
		}
	}
	ids := map[string]bool{}
	for _, e := range elements(root) {
		if id := attribute(e, "id"); id != "" {
			if ids[id] {
				t.Errorf("two elements are called %s", id)
			}
			ids[id] = true
		}
	}
	for _, e := range elements(root) {
		for _, reference := range []string{attribute(e, "aria-labelledby"), strings.TrimPrefix(attribute(e, "href"), "#")} {
			if e.Data != "a" || strings.HasPrefix(attribute(e, "href"), "#") {
				if reference != "" && !ids[reference] {
					t.Errorf("nothing is called %s", reference)
				}
			}
		}
	}
}

func TestPageOfOtherRuns(t *testing.T) {
	tests := []struct {
		name    string
		records []event.Record
		want    []string
	}{
		{"passed", timed(passed...), []string{"Passed: 2 of 2 steps in 2 min 9 s", "week1.star, played by labrun, 2 March 2026, 09:30", "想一想", "Answer: the router"}},
		{"failed", timed(failed...), []string{"Not passed: 1 of 3 steps in 0.3 s", "3. Step 3 not reached", "Try again."}},
		{"killed", timed(failed[:4]...), []string{"Not finished: the record ends before the run does", "2. Two not finished 0.0 s", "from 09:30:03"}},
		{"interrupted", timed(append(failed[:6:6], event.RunEnded{Steps: 1, Total: 3, ExitCode: 130})...), []string{"Stopped before the end: 1 of 3", "2. Two stopped here"}},
		{"left out", timed(guided...), []string{"4. Four left out 0 4.0 s", "not all steps were done"}},
		{"failed before any step", timed(failed[0], event.RunEnded{Total: 3, ExitCode: 4, Failed: "no QEMU"}), []string{"no QEMU", "3. Step 3 not reached –"}},
		{"redone", timed(event.StepStarted{Index: 1, Title: "One"}, event.StepEnded{Index: 1, Title: "One", Seconds: 1}, event.Helped{Word: "redo"},
			event.StepStarted{Index: 1, Title: "One"}, event.StepEnded{Index: 1, Title: "One", Passed: true, Seconds: 2}), []string{"passed , 3.0 s, begun 2 times", "the step was begun again"}},
		{"damaged", timed(event.StepEnded{Index: -1, Title: "Odd"}, event.StepStarted{Index: 3}, event.Machine{Name: "m", State: "ready", Seconds: 2}, event.RunStarted{Steps: -1}), []string{"3."}},
		{"nothing", nil, []string{"Not finished"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text, root := writePage(t, t.TempDir(), test.records)
			sound(t, text, root)
			for _, want := range test.want {
				if got := words(root); !strings.Contains(got, want) {
					t.Errorf("the page lacks %q:\n%s", want, got)
				}
			}
		})
	}
}

func TestPageCannotBeWritten(t *testing.T) {
	err := WritePage(filepath.Join(t.TempDir(), "nowhere"), timed(passed...))
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "write the report: ") {
		t.Errorf("error %v", err)
	}
}
