package grade

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"regexp"
	"strings"

	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/phrase"
)

//go:embed feedback.html
var feedbackPage string

var feedbackTemplate = template.Must(template.New("feedback").Parse(feedbackPage))

// told is what a student is told about a submission, in their language.
type told struct {
	Language, Title, Heading string
	Sum                      string   // what it is worth; empty: nothing was judged
	Words                    []string // what there is to be said about the whole
	Steps                    []toldStep
}

type toldStep struct {
	Heading, State, Points string
	Differs                string   // empty: nothing
	Answers                []string // that were judged in another way now
}

// tellStudent says to a student what came of a row.
func tellStudent(r Row) told {
	l := phrase.In(r.Language)
	t := told{
		Language: l.Tag(), Title: l.Say("feedback title", cmp.Or(r.Title, r.Mission, r.File)),
		Heading: l.Say("feedback of", cmp.Or(r.Student, r.File)),
	}
	switch r.Judgement {
	case handin.Confirmed:
		t.Words = append(t.Words, l.Say("feedback confirmed"))
	case handin.Differs:
		t.Words = append(t.Words, l.Say("feedback differs"))
		if r.Claimed != nil && r.Points != nil && *r.Claimed != *r.Points {
			t.Words = append(t.Words, l.Say("feedback claimed", number(*r.Claimed), number(*r.Points)))
		}
	case handin.Refused:
		t.Words = append(t.Words, l.Say("feedback refused"))
		if name := "feedback " + string(r.Cause); causes[r.Cause] {
			t.Words = append(t.Words, l.Say(name))
		}
		t.Words = append(t.Words, l.Say("feedback again"))
	default:
		t.Words = append(t.Words, l.Say("feedback failed"))
		return t
	}
	if r.Points == nil {
		return t
	}
	t.Sum = l.Say("feedback points", number(*r.Points), number(r.Most))
	if !r.Counts {
		t.Words = append(t.Words, l.Say("feedback other"))
	}
	for _, s := range r.Steps {
		step := toldStep{
			Heading: l.Say("feedback step", s.Index, s.Title), State: stateIn(l, s.Found),
			Points: l.Say("feedback points", number(s.Points), number(s.Most)),
		}
		if s.Differs != "" {
			step.Differs = differsIn(l, s.StepVerdict)
		}
		for _, a := range s.Answers {
			if a.Found != a.Claimed {
				step.Answers = append(step.Answers, l.Say("feedback answer", a.Question, a.Answer))
			}
		}
		t.Steps = append(t.Steps, step)
	}
	return t
}

// causes are those that students are told in words of their own.
var causes = map[handin.Cause]bool{
	handin.Damaged: true, handin.Hostile: true, handin.Unsigned: true, handin.Altered: true,
	handin.Mission: true, handin.Student: true, handin.Course: true,
}

// stateIn says how a step has ended.
func stateIn(l *phrase.Language, end handin.StepEnd) string {
	switch {
	case end.State == string(guide.Skipped) || end.State == string(guide.Done) && end.Helped > 0:
		return l.Say("feedback helped")
	case end.State != string(guide.Done):
		return l.Say("feedback not done")
	case end.Hints == 1:
		return l.Say("feedback done hint")
	case end.Hints > 1:
		return l.Say("feedback done hints", end.Hints)
	}
	return l.Say("feedback done")
}

// differsIn says what of a step is not as its student's file says, and from where on, if that is
// known. The rest of what [handin.StepVerdict.Differs] says is for those who know the events.
func differsIn(l *phrase.Language, s handin.StepVerdict) string {
	claimed, found := stateIn(l, s.Claimed), stateIn(l, s.Found)
	said := []string{l.Say("feedback step differs", claimed, found)}
	if claimed == found { // so many times helped, or an answer, which is told by itself
		said[0] = l.Say("feedback step other")
	}
	if s.Console != "" {
		said = append(said, l.Say("feedback step parted", s.Console))
	}
	return l.Sentences(said...)
}

// feedback is what a student is told, as a page and as text.
func feedback(r Row) (page, text []byte, err error) {
	t := tellStudent(r)
	var html, plain bytes.Buffer
	if err := feedbackTemplate.Execute(&html, t); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(&plain, "%s\n%s\n\n", t.Title, t.Heading)
	if t.Sum != "" {
		fmt.Fprintf(&plain, "%s\n\n", t.Sum)
	}
	for _, words := range t.Words {
		fmt.Fprintln(&plain, words)
	}
	for _, s := range t.Steps {
		fmt.Fprintf(&plain, "\n%s\n  %s · %s\n", s.Heading, s.Points, s.State)
		if s.Differs != "" {
			fmt.Fprintf(&plain, "  %s\n", s.Differs)
		}
		for _, a := range s.Answers {
			fmt.Fprintf(&plain, "  %s\n", a)
		}
	}
	return []byte(markdown.Clean(html.String())), []byte(markdown.Clean(plain.String())), nil
}

// feedbackLine is the feedback for a cell of a table: where the page is, is nobody's who
// reads a gradebook.
func feedbackLine(r Row) string {
	t := tellStudent(r)
	return phrase.In(r.Language).Sentences(append([]string{t.Sum}, t.Words...)...)
}

var safe = regexp.MustCompile(`^[A-Za-z0-9@+_-][A-Za-z0-9@+._-]{0,63}$`)

// feedbackName is the name of a row's feedback, without its ending: the student's and the
// mission's where both are fit for a file's name, and else, or where it is not the one that
// counts, the submission's in a form that is.
func feedbackName(r Row) string {
	if r.Counts && safe.MatchString(r.Student) && safe.MatchString(r.Mission) {
		return r.Mission + "-" + r.Student
	}
	sum := sha256.Sum256([]byte(r.File))
	name := strings.Trim(unsafe.ReplaceAllString(strings.TrimSuffix(r.File, Suffix), "-"), ".-")
	return cut(name, 60) + "-" + hex.EncodeToString(sum[:4])
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9@+._-]+`)
