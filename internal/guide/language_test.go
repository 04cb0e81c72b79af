package guide

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/phrase"
)

// bilingual is a mission whose texts are in English or in Chinese.
type bilingual struct{ chinese atomic.Bool }

var chinese = map[string]string{
	"Lab": "課", "Look": "看", "Why?": "為什麼？", "the router": "路由器", "the cable": "網路線", "the switch": "交換器",
	"Find it.": "找到它。", "Try again.": "再試一次。", "nudge": "提示一",
}

func (b *bilingual) text(text string) Text {
	return func() string {
		if b.chinese.Load() {
			return chinese[text]
		}
		return text
	}
}

func (b *bilingual) Title() string { return b.text("Lab").String() }

func (b *bilingual) GuideSteps() []Step {
	return []Step{{Name: "look", Title: b.text("Look").String(), Narration: b.text("Find it.").String()}}
}

func (b *bilingual) Languages() []string { return []string{"en", "zh-TW"} }

func (b *bilingual) TellIn(tag string) (bool, error) {
	l, ok := phrase.Match(tag, b.Languages())
	if ok {
		b.chinese.Store(l == "zh-TW")
	}
	return ok, nil
}

func (b *bilingual) Forms(text string) []string {
	for original, translated := range chinese {
		if text == original || text == translated {
			return []string{original, translated}
		}
	}
	return []string{text}
}

// class is a dialogue with its events, at the mission's one step.
type class struct {
	*Dialogue
	mission *bilingual
	events  *event.Log
	told    chan event.Event
}

func newClass(t *testing.T, mission Mission) *class {
	t.Helper()
	progress, err := OpenProgress(t.TempDir(), "/labs/test.star")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { progress.Close() })
	c := &class{events: &event.Log{}, told: make(chan event.Event, 10_000)}
	c.mission, _ = mission.(*bilingual)
	c.events.Attach(func(r event.Record) { c.told <- r.Event })
	c.Dialogue = New(Options{Language: phrase.In("en"), Mission: mission, Events: c.events, Progress: progress})
	return c
}

// begins has the step begin.
func (c *class) begins() {
	c.Begin(false)
	c.StepStarted(event.StepStarted{Index: 1, Total: 1})
	c.BeginStep(0)
}

// next waits for an event of a kind, and returns it.
func next[E event.Event](t *testing.T, c *class) E {
	t.Helper()
	for {
		select {
		case e := <-c.told:
			if e, ok := e.(E); ok {
				return e
			}
		case <-t.Context().Done():
			t.Fatal("it never came")
		}
	}
}

func (c *class) says(t *testing.T, word, text string, number int) {
	t.Helper()
	if err := c.Command(t.Context(), Command{Word: word, Text: text, For: number}); err != nil {
		t.Errorf("%s %s: %v", word, text, err)
	}
}

// What is asked is told anew when the student goes on in another language, with the hints
// that were given, and may be answered in either.
func TestQuestionInAnotherLanguage(t *testing.T) {
	c := newClass(t, &bilingual{})
	c.begins()
	m := c.mission
	q := &Question{Text: m.text("Why?"), Answer: m.text("the cable")}
	for _, choice := range []string{"the router", "the cable", "the switch"} {
		q.Choices = append(q.Choices, m.text(choice))
	}
	ended := make(chan error, 1)
	go func() {
		_, err := c.Await(t.Context(), Instruction{
			Verb: "ask", Text: "Why?", Show: c.Phrase("do ask", q.Text), Question: q, Solve: true,
		}, Forever)
		ended <- err
	}()
	first := next[event.Instructed](t, c)
	c.says(t, "answer", "the ROUTER", 0)
	c.says(t, "hint", "", 0)
	c.says(t, "language", "zh-Hant", 0)
	want := event.Translated{Language: "zh-TW", Title: "課", Titles: []string{"看"}, At: 1, Narration: "找到它。"}
	if got := next[event.Translated](t, c); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("translated: %+v, want %+v", got, want)
	}
	again := next[event.Instructed](t, c)
	if again.Number != first.Number || !again.Retold || again.Say != "問題：為什麼？" || again.Text != "為什麼？" ||
		fmt.Sprint(again.Choices) != "[路由器 網路線 交換器]" || !slices.Equal(again.May, first.May) {
		t.Errorf("asked anew: %+v", again)
	}
	if h := next[event.Hinted](t, c); !h.Retold || h.Level != 1 || h.Of != 2 || !strings.Contains(h.Text, "路由器") {
		t.Errorf("the hint that was given: %+v", h)
	}
	c.says(t, "answer", "the router", first.Number) // wrong in either language
	c.says(t, "answer", "交換器", first.Number)
	var refused *Refusal
	if err := c.Command(t.Context(), Command{Word: "answer", Text: "the dog"}); !errors.As(err, &refused) || !strings.Contains(refused.Text, "請") {
		t.Errorf("no choice: %v", err)
	}
	c.says(t, "answer", "The Cable", first.Number)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var answers []string
	for len(c.told) > 0 {
		if a, ok := (<-c.told).(event.Answered); ok {
			answers = append(answers, a.Question+" "+a.Answer+" "+a.Verdict)
		}
	}
	if got := strings.Join(answers, ", "); got != "Why? 路由器 wrong, Why? 交換器 wrong, Why? 網路線 right" {
		t.Errorf("answers: %s", got)
	}
	if r := c.EndStep(Done); r.Hints != 1 || len(r.Answers) != 1 {
		t.Errorf("the record is %+v", r)
	}
}

// What comes of an earlier instruction is shown anew as that one was, and ends as one that
// was shown; why it is not done yet is told again.
func TestKnownInAnotherLanguage(t *testing.T) {
	c := newClass(t, &bilingual{})
	c.begins()
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := c.Await(t.Context(), Instruction{
			Verb: "assert_contains", Show: c.Phrase("do send", "debian"), Block: "ip a", Known: true,
		}, func(ctx context.Context) error {
			c.Missed("1", c.mission.text("Try again."), false)
			<-done
			return nil
		})
		ended <- err
	}()
	if m := next[event.Missed](t, c); m.Reason != "Try again." {
		t.Errorf("missed: %+v", m)
	}
	c.says(t, "language", "zh-TW", 0)
	i := next[event.Instructed](t, c)
	for !i.Retold {
		i = next[event.Instructed](t, c)
	}
	if i.Known || i.Say != "在 debian 上輸入：" || i.Block != "ip a" {
		t.Errorf("told anew: %+v", i)
	}
	if m := next[event.Missed](t, c); !m.Retold || m.Reason != "再試一次。" {
		t.Errorf("missed: %+v", m)
	}
	close(done)
	if f := next[event.Fulfilled](t, c); f.Number != i.Number || f.By != "student" {
		t.Errorf("fulfilled: %+v", f)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	// A reason that is told in the new language is no new one.
	still := func(context.Context) (bool, error) { return false, nil }
	c.NotYet(t.Context(), c.mission.text("Try again."), still)
	if m := next[event.Missed](t, c); m.Reason != "再試一次。" {
		t.Errorf("missed: %+v", m)
	}
	c.says(t, "language", "en", 0)
	c.NotYet(t.Context(), c.mission.text("Try again."), still)
	for len(c.told) > 0 {
		if e, ok := (<-c.told).(event.Missed); ok {
			t.Errorf("it is told once more: %+v", e)
		}
	}
}

// While labrun is at work the language is another one at once, for all that comes.
func TestLanguageWhileLabrunWorks(t *testing.T) {
	c := newClass(t, &bilingual{})
	c.says(t, "language", "zh-TW", 0) // before the first word
	if e := next[event.Translated](t, c); e.At != 0 || e.Narration != "" || e.Title != "課" {
		t.Errorf("translated: %+v", e)
	}
	c.begins()
	if e := next[event.Welcomed](t, c); e.Title != "課" || e.Language != "zh-TW" {
		t.Errorf("welcomed: %+v", e)
	}
	if e := next[event.StepStarted](t, c); e.Title != "看" || e.Narration != "找到它。" {
		t.Errorf("begun: %+v", e)
	}
	c.says(t, "language", "en", 77)
	c.Remark("runs", "debian")
	c.Tell(c.mission.text("Look"))
	if e := next[event.Told](t, c); e.Text != "debian is on." {
		t.Errorf("told: %+v", e)
	}
	if e := next[event.Told](t, c); e.Text != "Look" {
		t.Errorf("told: %+v", e)
	}
	// What is not shown yet is shown in the language of that time.
	shown := make(chan struct{})
	go func() {
		<-shown
		c.says(t, "language", "zh-TW", 0)
		c.Command(t.Context(), Command{Word: "hint"}) // which there is none of, but it is about something
		c.says(t, "quit", "", 0)
	}()
	_, err := c.Await(t.Context(), Instruction{Verb: "send", Show: c.Phrase("do prompt", "debian"), Delay: 1 << 60},
		func(ctx context.Context) error { close(shown); return Forever(ctx) })
	if !errors.Is(err, ErrQuit) {
		t.Error(err)
	}
	if e := next[event.Instructed](t, c); e.Retold || !strings.HasPrefix(e.Say, "等 debian") {
		t.Errorf("asked: %+v", e)
	}
}

// monoglot is a mission that was not translated.
type monoglot struct{ *bilingual }

func (monoglot) Languages() []string             { return []string{"en"} }
func (monoglot) TellIn(tag string) (bool, error) { return tag == "en", nil }

// broken is one whose translation cannot be read.
type broken struct{ *bilingual }

func (broken) TellIn(string) (bool, error) { return false, errors.New("lab.zh-TW.toml:1: no TOML") }

// An untranslated mission keeps its texts and says so; what is no language is refused with
// those that there are, and changes nothing.
func TestLanguagesThatThereAre(t *testing.T) {
	c := newClass(t, monoglot{&bilingual{}})
	c.begins()
	c.says(t, "language", "zh-TW", 0)
	if e := next[event.Translated](t, c); e.Language != "zh-TW" || e.Title != "Lab" || e.Narration != "Find it." {
		t.Errorf("translated: %+v", e)
	}
	if e := next[event.Told](t, c); !strings.HasPrefix(e.Text, "這個任務還沒有翻譯") {
		t.Errorf("told: %+v", e)
	}
	for text, want := range map[string]string{"": "有的是：en, zh-TW", "de": "de 這種語言", "no tag!": "no tag! 這種語言"} {
		var refused *Refusal
		if err := c.Command(t.Context(), Command{Word: "language", Text: text}); !errors.As(err, &refused) || !strings.Contains(refused.Text, want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	c = newClass(t, broken{&bilingual{}})
	c.begins()
	for len(c.told) > 0 {
		<-c.told
	}
	var refused *Refusal
	if err := c.Command(t.Context(), Command{Word: "language", Text: "zh-TW"}); !errors.As(err, &refused) || !strings.Contains(refused.Text, "lab.zh-TW.toml:1: no TOML") {
		t.Errorf("a broken translation: %v", err)
	}
	if word := <-c.told; word != (event.Commanded{Word: "language", Text: "zh-TW"}) || len(c.told) != 0 || c.Say("noted") != "Noted." {
		t.Errorf("it says %q, and told %v, and %d more", c.Say("noted"), word, len(c.told))
	}
}

// Whoever folds the events of a dialogue whose language changes all the time has everything
// in the language that was told last.
func TestNothingComesInTheOldLanguage(t *testing.T) {
	c := newClass(t, &bilingual{})
	c.begins()
	over := make(chan struct{})
	var talking sync.WaitGroup
	for range 3 {
		talking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				c.Missed(fmt.Sprint(n), c.mission.text("Try again."), false)
				c.Remark("noted")
				c.Snapshot()
			}
		})
	}
	talking.Go(func() {
		defer close(over)
		for n := range 100 {
			c.Command(t.Context(), Command{Word: "language", Text: []string{"zh-TW", "en"}[n%2]})
		}
	})
	talking.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			c.Await(t.Context(), Instruction{
				Verb: "send", Show: c.Phrase("do send", "debian"), Hints: []Text{c.mission.text("nudge")},
			}, func(ctx context.Context) error {
				return c.Command(ctx, Command{Word: "hint"})
			})
		}
	})
	folding := make(chan struct{})
	go func() {
		defer close(folding)
		language := "en"
		for e := range c.told {
			text, english := "", ""
			switch e := e.(type) {
			case event.Translated:
				language = e.Language
			case event.Missed:
				text, english = e.Reason, "Try again."
			case event.Told:
				text, english = e.Text, "Noted."
			case event.Instructed:
				text, english = e.Say, "On debian, type:"
			case event.Hinted:
				text, english = e.Text, "nudge"
			}
			if text != "" && (text == english) != (language == "en") {
				t.Errorf("after the switch to %s comes %+v", language, e)
				return
			}
		}
	}()
	talking.Wait()
	close(c.told)
	<-folding
}
