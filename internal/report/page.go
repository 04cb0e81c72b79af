package report

import (
	"bytes"
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/markdown"
)

// The names of a run's own files in its records folder, beside the consoles'
// transcripts and the networks' captures.
const (
	EventsFile = "events.jsonl" // what JSONLines writes
	PageFile   = "report.html"
)

// WritePage writes a run's page into its records folder: one file that needs no
// network, with what happened in each step and links to the other records. It
// appears whole or not at all. What guests, scripts and students wrote is text in
// it, never HTML.
func WritePage(dir string, records []event.Record) error {
	p := page{outline: outlineOf(records)}
	if err := p.addExcerpts(dir); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	p.addPictures(dir)
	if err := p.addFiles(dir); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := host.WriteFile(filepath.Join(dir, PageFile), []byte(markdown.Clean(b.String())), 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New(PageFile).Funcs(template.FuncMap{
	"count":    Count,
	"markdown": func(text string) template.HTML { return template.HTML(markdown.HTML(text)) },
	"seconds":  duration,
	"size":     size,
	"help":     helpText,
	"recalled": recalledText,
	"verdict":  verdictText,
	"lang":     lang,
}).Parse(pageText))

// page is what the template shows.
type page struct {
	*outline
	Files []recordFile
}

// Result is the verdict on the run, in words.
func (p page) Result() string {
	if p.End == nil {
		return "Not finished: the record ends before the run does"
	}
	steps := fmt.Sprintf("%d of %s in %s", p.End.Steps, Count(p.End.Total, "step"), duration(p.End.Seconds))
	if p.End.Passed {
		return "Passed: " + steps
	}
	if p.End.ExitCode == exitInterrupted {
		return "Stopped before the end: " + steps
	}
	return "Not passed: " + steps
}

// Class is the colour of the verdict.
func (p page) Class() string {
	if p.End != nil && p.End.Passed {
		return "good"
	}
	return "bad"
}

// Reached reports whether any step was begun.
func (p page) Reached() bool {
	return slices.ContainsFunc(p.Steps, func(s *step) bool { return s.Times > 0 })
}

// Failure is why the run did not pass, unless a step says it.
func (p page) Failure() string {
	if p.End == nil {
		return ""
	}
	for _, s := range p.Steps {
		if s.Error == p.End.Failed {
			return ""
		}
	}
	return p.End.Failed
}

// Class is the colour of the step's state.
func (s *step) Class() string {
	switch s.State {
	case statePassed:
		return "good"
	case stateFailed, stateStopped, stateUnfinished, stateChanged:
		return "bad"
	}
	return ""
}

// When tells the time of the day at which the step was played, last.
func (s *step) When() string {
	last := s.spans[len(s.spans)-1]
	from, to := last.from.Format("15:04:05"), last.to.Format("15:04:05")
	switch {
	case last.to.IsZero():
		return "from " + from
	case from == to:
		return "at " + from
	}
	return from + " to " + to
}

// lang tells a screen reader that text is Chinese; the page itself is in English.
func lang(text string) template.HTMLAttr {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return ` lang="zh-Hant"`
	}
	return ""
}

// verdictText is what an answer was, unless nothing can be said of it.
func verdictText(a event.Answered) string {
	if a.Verdict == "open" {
		return ""
	}
	return a.Verdict
}

// recalledText says how a step was done in an earlier run.
func recalledText(r *event.Recalled) string {
	how := map[string]string{"done": "done by the student", "skipped": "done by labrun", "left": "left out"}[r.State]
	text := fmt.Sprintf("In an earlier run: %s, in %s", how, duration(r.Seconds))
	if r.Hints > 0 {
		text += ", with " + Count(r.Hints, "hint")
	}
	if r.Helped > 0 {
		text += ", with labrun's help"
	}
	return text
}

// helpText says what labrun did at a student's word.
func helpText(h event.Helped) string {
	switch h.Word {
	case "do":
		return "labrun did it: " + h.With
	case "skip":
		return "labrun did the rest of the step, beginning with: " + h.With
	case "redo":
		return "the step was begun again"
	case "restart":
		return h.With + " was switched off and on again"
	}
	return strings.TrimSpace(h.Word + " " + h.With)
}

// duration formats seconds for people.
func duration(seconds float64) string {
	if seconds < 100 {
		return fmt.Sprintf("%.1f s", seconds)
	}
	whole := int(seconds + 0.5)
	return fmt.Sprintf("%d min %d s", whole/60, whole%60)
}

// size formats a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return Count(int(bytes), "byte")
	case bytes < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// recordFile is a file of the records folder.
type recordFile struct {
	Name string
	What string
	Size int64
}

// recordKinds tell what a file is by the end of its name.
var recordKinds = []struct{ suffix, what string }{
	{EventsFile, "what happened, as JSON lines"},
	{".cast", "a console with its times, for an asciicast player"},
	{".log", "a console's bytes"},
	{".pcap", "a network's packets, for Wireshark"},
	{".png", "a picture of a machine's screen"},
}

// addFiles lists the records; the page itself is none.
func (p *page) addFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, kind := range recordKinds {
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), kind.suffix) || !e.Type().IsRegular() {
				continue
			}
			if info, err := e.Info(); err == nil {
				p.Files = append(p.Files, recordFile{e.Name(), kind.what, info.Size()})
			}
		}
	}
	return nil
}
