package mission

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
)

func TestMatchLanguage(t *testing.T) {
	for wanted, want := range map[string]string{
		"zh-TW": "zh-TW", "zh-Hant": "zh-TW", "zh-HK": "zh-TW", "zh-CN": "", "en-US": "en", "en": "en", "de": "", "": "", "no tag!": "",
	} {
		got, ok := MatchLanguage(wanted, []string{"en", "zh-TW"})
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", wanted, got, want)
		}
	}
}

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
	m, err := Load(t.Context(), files, "lab.star", "lab.star", Options{Language: "zh-Hant-TW"})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Declared()
	if m.Language() != "zh-TW" || fmt.Sprint(m.Languages()) != "[en zh-TW]" || d.Title != "課" || d.Steps[0].Title != "看" || d.Steps[0].Narration != "用眼睛。" {
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
		if m, err = Load(t.Context(), files, "lab.star", "lab.star", Options{Language: wanted}); err != nil || m.Language() != "en" || m.Declared().Title != "Lab" {
			t.Errorf("for %q: %s, %v", wanted, m.Language(), err)
		}
	}
}

func TestBrokenCatalogues(t *testing.T) {
	for text, want := range map[string]string{
		"title = \"x\"\ntexts = [":                        "lab.zh-TW.toml:2:",
		"title = \"x\"\n[steps.look]\nnarative = \"x\"\n": "lab.zh-TW.toml:3:1: steps.look.narative means nothing here (did you mean narration?)",
		"title = 5\n": "lab.zh-TW.toml",
	} {
		_, err := Load(t.Context(), folder("lab.star", told, "lab.zh-TW.toml", text), "lab.star", "lab.star", Options{Language: "zh-TW"})
		var failed *Error
		if !errors.As(err, &failed) || failed.Kind != Script || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if _, err := Load(t.Context(), folder("lab.star", told, "lab.zh-TW.toml", text), "lab.star", "lab.star", Options{}); err != nil {
			t.Errorf("%q: who reads the original sees %v", text, err)
		}
	}
}

func TestCheckTranslations(t *testing.T) {
	zh := `title = ""
[steps.gone]
title = "去"
[steps.look]
original = "00000000"
title = "看"
narration = "用眼睛。"
[texts]
"plain" = "簡單"
"%s has %d" = "%s 有"
"Whicg?" = "哪一個？"
"never said" = "沒說過"
"that" = "那個"
"So it is." = "就是這樣。"
"Try again." = "再試一次。"
`
	m, err := Load(t.Context(), folder("lab.star", told, "lab.zh-TW.toml", zh), "lab.star", "lab.star", Options{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := m.CheckTranslations()
	if err != nil {
		t.Fatal(err)
	}
	const tag = " [translation]"
	want := []string{
		`lab.zh-TW.toml:1:1: warning: the mission's title is not translated: write title = "…" for "Lab"` + tag,
		`lab.zh-TW.toml:4:1: warning: step look is older than its original: compare them, then write original = "` + digest(m.Declared().Steps[0]) + `"` + tag,
		`lab.zh-TW.toml:2:1: warning: step gone is not in the mission any more: rename or remove it` + tag,
		`lab.zh-TW.toml:10:1: warning: the translation has the verbs %s and its original %s %d: a script fills them in in that order` + tag,
		`lab.zh-TW.toml:11:1: warning: this text is older than its original at lab.star:9:9: it is now "Which?"` + tag,
		`lab.zh-TW.toml:12:1: warning: this text is not in the mission any more: remove it` + tag,
		`lab.star:9:30: warning: this text is not translated in lab.zh-TW.toml: add to its [texts]: "this" = "…"` + tag,
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A text that is put together before a translation is looked for never has one.
func TestComposedTextsCannotBeTranslated(t *testing.T) {
	script := `mission(title = "Lab", api = 1)
def look():
    """Look"""
    where = "here"
    say("Look %s." % where)
    say("Look " + where)
    say("Look {}.".format(where))
    say(tr("Look at %s.") % where)
    say("%s: %s" % (where, where))
    assert_equal(1, 1, hint = ("Then look %s." % where))
step(look)
`
	m, err := Load(t.Context(), folder("lab.star", script, "lab.zh-TW.toml", "title = \"看\"\n"), "lab.star", "lab.star", Options{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := m.CheckTranslations()
	var got []string
	for _, p := range problems {
		if strings.Contains(p.Message, "put together") {
			got = append(got, fmt.Sprintf("%d:%d", p.Span.From.Line, p.Span.From.Column))
		}
	}
	if err != nil || strings.Join(got, " ") != "5:9 6:9 7:9 10:32" {
		t.Errorf("got %q of %v, %v", got, problems, err)
	}
}

// Every mission of ours is told completely in every language that it has.
func TestOurMissionsAreTranslated(t *testing.T) {
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(labrun.Missions(), "*.star")
	if err != nil || len(names) < 3 {
		t.Fatalf("missions: %q, %v", names, err)
	}
	for _, name := range names {
		m, err := Load(t.Context(), labrun.Missions(), name, name, Options{Images: lock.Names(), Language: "zh-TW"})
		if err != nil {
			t.Fatal(err)
		}
		problems, err := m.CheckTranslations()
		if len(problems) > 0 || err != nil || m.Language() != "zh-TW" {
			t.Errorf("%s in %s: %v, %v", name, m.Language(), problems, err)
		}
	}
}
