package script

import (
	"errors"
	"strings"
	"testing"
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

func TestBrokenCatalogues(t *testing.T) {
	for text, want := range map[string]string{
		"title = \"x\"\ntexts = [":                        "lab.zh-TW.toml:2:",
		"title = \"x\"\n[steps.look]\nnarative = \"x\"\n": "lab.zh-TW.toml:3:1: steps.look.narative means nothing here (did you mean narration?)",
		"title = 5\n": "lab.zh-TW.toml",
	} {
		_, err := Load(t.Context(), folder("lab.star", told, "lab.zh-TW.toml", text), "lab.star", "lab.star",
			Options{Language: "zh-TW"})
		var failed *Error
		if !errors.As(err, &failed) || failed.Cause != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		files := folder("lab.star", told, "lab.zh-TW.toml", text)
		if _, err := Load(t.Context(), files, "lab.star", "lab.star", Options{}); err != nil {
			t.Errorf("%q: who reads the original sees %v", text, err)
		}
	}
}
