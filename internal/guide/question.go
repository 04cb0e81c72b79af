package guide

import (
	"slices"
	"strconv"
	"strings"

	"github.com/labrun/labrun/internal/event"
)

// Question is asked of the student. One with choices has a right one; the answer to any
// other is for the student to compare with their own.
type Question struct {
	Text    Text
	Choices []Text
	Answer  Text   // the right choice, or an answer to compare with; it says nothing: there is none
	Given   string // what the student answered, once that is so
}

// hints rule a wrong choice out each, and the last one tells the answer. Where only one
// choice would be left, the answer itself is as good.
func (q *Question) hints(d *Dialogue) []Text {
	answer := q.Answer.String()
	if len(q.Choices) == 0 {
		if answer == "" {
			return nil
		}
		return []Text{d.Phrase("one answer", q.Answer)}
	}
	var hints []Text
	for _, choice := range q.Choices {
		if choice.String() != answer {
			hints = append(hints, d.Phrase("hint not", choice))
		}
	}
	return append(hints[:max(0, len(hints)-1)], d.Phrase("hint answer", q.Answer))
}

// chosen returns the choice that an answer names, by its number or in words: those of any
// language that the student may have read it in.
func (q *Question) chosen(answer string, forms func(string) []string) (choice string, ok bool) {
	choices := said(q.Choices)
	n, err := strconv.Atoi(strings.TrimRight(answer, ".)"))
	if err != nil || n < 1 || n > len(choices) {
		n = 1 + slices.IndexFunc(choices, func(choice string) bool {
			same := func(form string) bool { return strings.EqualFold(form, answer) }
			return same(choice) || slices.ContainsFunc(forms(choice), same)
		})
	}
	if n < 1 {
		return "", false
	}
	return choices[n-1], true
}

// answer takes a student's answer to the instruction's question.
func (w *wait) answer(text string) error {
	q, d := w.Question, w.dialogue
	if len(q.Choices) == 0 {
		q.Given = text
		if text != "" {
			d.answered(w.Text, text, "open")
		}
		w.decide(ByStudent, nil)
		return nil
	}
	choice, ok := q.chosen(text, d.options.Mission.Forms)
	switch {
	case !ok:
		return &Refusal{d.Say("no such choice", len(q.Choices))}
	case choice != q.Answer.String():
		d.answered(w.Text, choice, "wrong")
		return nil
	}
	q.Given = choice
	d.answered(w.Text, choice, "right")
	w.decide(ByStudent, nil)
	return nil
}

// answered keeps a student's answer.
func (d *Dialogue) answered(question, answer, verdict string) {
	if verdict != "wrong" {
		d.mu.Lock()
		d.record.Answers = append(d.record.Answers, Answer{question, answer})
		d.mu.Unlock()
	}
	d.emit(event.Answered{Question: question, Answer: answer, Verdict: verdict})
}
