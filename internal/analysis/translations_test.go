package analysis

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/image"
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
	m, err := script.Load(t.Context(), folder("lab.star", told, "lab.zh-TW.toml", zh), "lab.star", "lab.star",
		script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := CheckTranslations(m)
	if err != nil {
		t.Fatal(err)
	}
	const tag = " [translation]"
	want := []string{
		`lab.zh-TW.toml:1:1: warning: the mission's title is not translated: write title = "…" for "Lab"` + tag,
		`lab.zh-TW.toml:4:1: warning: step look is older than its original: compare them, then write original = "` + script.Digest(
			m.Declared().Steps[0],
		) + `"` + tag,
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

// A translation shows the variants that its original shows.
func TestTranslationsShowVariants(t *testing.T) {
	source := `mission(title = "Lab {port}", api = 1)
port = variant("port", range(8000, 9000))
def look():
    """Look

    At {port} and {port}.
    """
    say("On {port}.")
    say("On {other}.")
step(look)
`
	m, err := script.Load(t.Context(), folder("lab.star", source), "lab.star", "lab.star", script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	zh := `title = "課 {prot}"
[steps.look]
original = "` + script.Digest(m.Session.Declared().Steps[0]) + `"
title = "看"
narration = "看這裡。"
[texts]
"On {port}." = "在 {port} 上。"
"On {other}." = "在 {prt} 上。"
`
	if m, err = script.Load(t.Context(), folder("lab.star", source, "lab.zh-TW.toml", zh), "lab.star", "lab.star", script.Options{}); err != nil {
		t.Fatal(err)
	}
	problems, err := CheckTranslations(m)
	got := ""
	for _, p := range problems {
		got += p.String() + "\n"
	}
	want := `lab.zh-TW.toml:1:1: warning: the translation does not have {port}, which its original shows: put it where the value belongs [translation]
lab.zh-TW.toml:1:1: warning: {prot} is no variant (did you mean port?): write the name as it is drawn; what is not drawn stays as it is [translation]
lab.zh-TW.toml:2:1: warning: the translation does not have {port}, which its original shows: put it where the value belongs [translation]
lab.zh-TW.toml:8:1: warning: {prt} is no variant (did you mean port?): write the name as it is drawn; what is not drawn stays as it is [translation]
`
	if err != nil || got != want {
		t.Errorf("got:\n%s\nwant:\n%s, %v", got, want, err)
	}
}

// A text that is put together before a translation is looked for never has one.
func TestComposedTextsCannotBeTranslated(t *testing.T) {
	source := `mission(title = "Lab", api = 1)
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
	m, err := script.Load(t.Context(), folder("lab.star", source, "lab.zh-TW.toml", "title = \"看\"\n"), "lab.star",
		"lab.star", script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := CheckTranslations(m)
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
		m, err := script.Load(t.Context(), labrun.Missions(), name, name,
			script.Options{Images: lock.Names(), Language: "zh-TW"})
		if err != nil {
			t.Fatal(err)
		}
		problems, err := CheckTranslations(m)
		if len(problems) > 0 || err != nil || m.Language() != "zh-TW" {
			t.Errorf("%s in %s: %v, %v", name, m.Language(), problems, err)
		}
	}
}
