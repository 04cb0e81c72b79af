package guide

import (
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/phrase"
)

// Say returns one of labrun's phrases in the student's language of this moment.
func (d *Dialogue) Say(name string, args ...any) string { return d.language.Load().Say(name, args...) }

// Sentences puts texts one behind the other, in the student's language of this moment.
func (d *Dialogue) Sentences(texts ...string) string { return d.language.Load().Sentences(texts...) }

// Phrase is one of labrun's phrases as a text; what it is about may be texts as well.
func (d *Dialogue) Phrase(name string, args ...any) Text {
	return func() string {
		now := slices.Clone(args)
		for i, arg := range now {
			if text, ok := arg.(Text); ok {
				now[i] = text.String()
			}
		}
		return d.Say(name, now...)
	}
}

// tell puts something into words and tells it, in one language.
func (d *Dialogue) tell(put func() event.Event) {
	d.speech.Lock()
	defer d.speech.Unlock()
	d.emit(put())
}

// translate has all told in another language from now on, and tells anew what the student
// has before their eyes. Where only labrun or only the mission speaks it, the other keeps to
// what it has: labrun to English, the mission to the language that it is told in.
func (d *Dialogue) translate(tag string) error {
	d.speech.Lock()
	defer d.speech.Unlock()
	mission := d.options.Mission
	own, speaks := phrase.Match(tag, phrase.Languages())
	told, err := mission.TellIn(tag)
	switch {
	case err != nil:
		return &Refusal{d.Say("fail translation", err)}
	case !speaks && !told && tag == "":
		return &Refusal{d.Say("language what", strings.Join(d.languages(), ", "))}
	case !speaks && !told:
		return &Refusal{d.Say("unknown language", tag, strings.Join(d.languages(), ", "))}
	}
	d.language.Store(phrase.In(own))
	steps := mission.GuideSteps()
	d.mu.Lock()
	d.steps = steps
	w := d.waiting
	d.mu.Unlock()

	e := event.Translated{Language: d.language.Load().Tag(), Title: mission.Title(), At: d.begun}
	for _, step := range steps {
		e.Titles = append(e.Titles, step.Title)
	}
	if d.begun > 0 {
		e.Narration = steps[d.begun-1].Narration
	}
	d.emit(e)
	d.mu.Lock()
	board, shown := d.retold()
	d.mu.Unlock()
	if shown {
		d.emit(board)
	}
	if !told {
		d.emit(event.Told{Text: d.Say("mission untranslated")})
	}
	if w != nil {
		w.retell()
	}
	return nil
}

// languages are those that there are, for the student to choose from.
func (d *Dialogue) languages() []string {
	all := append(phrase.Languages(), d.options.Mission.Languages()...)
	slices.Sort(all)
	return slices.Compact(all)
}

// retell tells in another language what is asked, with what was said about it. The lock
// speech is held.
func (w *wait) retell() {
	if !w.told && !w.Known { // it is told when its time comes
		return
	}
	d, e := w.dialogue, w.asked()
	d.asks(e)
	e.Known, e.Retold = false, true
	w.told, w.shown = true, true
	d.emit(e)
	d.mu.Lock()
	level := w.level
	d.mu.Unlock()
	for n, hint := range said(w.Hints[:level]) {
		d.emit(event.Hinted{Level: n + 1, Of: len(w.Hints), Text: hint, Retold: true})
	}
	if d.why != nil {
		d.emit(event.Missed{Reason: d.why.String(), Retold: true})
	}
}
