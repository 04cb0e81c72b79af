package mission

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/script"
)

const told = `mission(title = "Lab", api = 1)
def look():
    """Look

    With your eyes.
    """
    say("plain")
    say(tr("%s has %d") % ("debian", 2))
    ask("Which?", choices = ["this", "that"], answer = "that", explain = "So it is.")
    assert_true(False, "no", hint = "Try again.")
step(look)
`

func TestTranslated(t *testing.T) {
	zh := `title = "課"
[steps.look]
original = "f00dcafe"
title = "看"
narration = '''
用眼睛。
'''
[texts]
"plain" = "簡單"
"%s has %d" = "%s 有 %d"
"Which?" = "哪一個？"
"that" = "那個"
"Try again." = "再試一次。"
`
	files := folder("lab.star", told, "lab.zh-TW.toml", zh)
	m, err := Load(t.Context(), files, "lab.star", "lab.star", script.Options{Language: "zh-Hant-TW"})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Declared()
	if m.Language() != "zh-TW" || fmt.Sprint(m.Languages()) != "[en zh-TW]" || d.Title != "課" ||
		d.Steps[0].Title != "看" ||
		d.Steps[0].Narration != "用眼睛。" {
		t.Errorf("%s of %s: %+v", m.Language(), m.Languages(), d)
	}
	events, seen := &event.Log{}, ""
	events.Attach(func(r event.Record) {
		switch e := r.Event.(type) {
		case event.Said:
			seen += e.Text + "\n"
		case event.Asked:
			seen += fmt.Sprintln(e.Question, e.Choices, e.Answer)
		}
	})
	_, err = m.Run(t.Context(), openLab(t, m, events), events, Start{})
	var failed *Error
	if !errors.As(err, &failed) || failed.Hint != "再試一次。" {
		t.Errorf("error %#v", err)
	}
	for _, want := range []string{"簡單", "debian 有 2", "哪一個？ [this 那個] 那個"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q was not said:\n%s", want, seen)
		}
	}
	for _, wanted := range []string{"", "en", "ja"} {
		if m, err = Load(t.Context(), files, "lab.star", "lab.star", script.Options{Language: wanted}); err != nil ||
			m.Language() != "en" ||
			m.Declared().Title != "Lab" {
			t.Errorf("for %q: %s, %v", wanted, m.Language(), err)
		}
	}
}
