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
	Text    string
	Choices []string
	Answer  string // the right choice, or an answer to compare with; empty: there is none
	Given   string // what the student answered, once that is so
}

// hints rule a wrong choice out each, and the last one tells the answer. Where only one
// choice would be left, the answer itself is as good.
func (q *Question) hints(say func(string, ...any) string) []string {
	if len(q.Choices) == 0 {
		if q.Answer == "" {
			return nil
		}
		return []string{say("one answer", q.Answer)}
	}
	var hints []string
	for _, choice := range q.Choices {
		if choice != q.Answer {
			hints = append(hints, say("hint not", choice))
		}
	}
	return append(hints[:max(0, len(hints)-1)], say("hint answer", q.Answer))
}

// chosen returns the choice that an answer names, by its number or in words.
func (q *Question) chosen(answer string) (choice string, ok bool) {
	n, err := strconv.Atoi(strings.TrimRight(answer, ".)"))
	if err != nil || n < 1 || n > len(q.Choices) {
		n = 1 + slices.IndexFunc(q.Choices, func(choice string) bool { return strings.EqualFold(choice, answer) })
	}
	if n < 1 {
		return "", false
	}
	return q.Choices[n-1], true
}

// answer takes a student's answer to the instruction's question.
func (w *wait) answer(text string) error {
	q, d := w.Question, w.dialogue
	if len(q.Choices) == 0 {
		q.Given = text
		if text != "" {
			d.answered(q.Text, text, "open")
		}
		w.decide(ByStudent, nil)
		return nil
	}
	choice, ok := q.chosen(text)
	switch {
	case !ok:
		return &Refusal{d.Say("no such choice", len(q.Choices))}
	case choice != q.Answer:
		d.answered(q.Text, choice, "wrong")
		return nil
	}
	q.Given = choice
	d.answered(q.Text, choice, "right")
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
