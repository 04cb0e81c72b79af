package phrase

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every language has all phrases, with the same verbs in the same order, and the words
// that a student may say are those that there are.
func TestLanguagesAreWhole(t *testing.T) {
	verbs := regexp.MustCompile(`%[.\d]*[a-z]`)
	english := In(original)
	for _, tag := range Languages() {
		l := In(tag)
		if l.tag != tag {
			t.Fatalf("%s is not there", tag)
		}
		for name, text := range english.phrases {
			want, got := fmt.Sprint(verbs.FindAllString(text, -1)), fmt.Sprint(verbs.FindAllString(l.phrases[name], -1))
			if l.phrases[name] == "" || got != want {
				t.Errorf("%s: %q is %q, with the verbs %s instead of %s", tag, name, l.phrases[name], got, want)
			}
		}
		for name := range l.phrases {
			if _, ok := english.phrases[name]; !ok {
				t.Errorf("%s: %q: nothing is called so", tag, name)
			}
		}
		for word := range l.words {
			if _, ok := english.words[word]; !ok {
				t.Errorf("%s: [words] %s: there is no such word", tag, word)
			}
		}
	}
}

// No way to say a word is another word's as well, in any language.
func TestWordsAreDistinct(t *testing.T) {
	meaning := map[string]string{}
	for _, tag := range Languages() {
		for word, others := range In(tag).words {
			for _, spelling := range append([]string{word}, others...) {
				if other, taken := meaning[spelling]; taken && other != word {
					t.Errorf("%s: %s means %s and %s", tag, spelling, word, other)
				}
				meaning[spelling] = word
			}
		}
	}
}

func TestWord(t *testing.T) {
	for line, want := range map[string][2]string{
		"hint": {"hint", ""}, "H": {"hint", ""}, "提示": {"hint", ""}, "restart  debian ": {"restart", "debian"},
		"ip a": {"", ""}, "": {"", ""}, "quit now": {"quit", "now"},
	} {
		if name, rest := Word(line); name != want[0] || rest != want[1] {
			t.Errorf("%q is %q %q, want %q", line, name, rest, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for wanted, want := range map[string]string{
		"zh-TW": "zh-TW", "zh-Hant": "zh-TW", "zh-HK": "zh-TW", "zh-CN": "",
		"en-US": "en", "en": "en", "de": "", "": "", "no tag!": "",
	} {
		got, ok := Match(wanted, []string{"en", "zh-TW"})
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", wanted, got, want)
		}
	}
}

// A translation that is not complete speaks English where it has no words of its own,
// and a file with a mistake is refused.
func TestParse(t *testing.T) {
	l, err := parse("de", []byte("[words]\nhint = [\"Tipp\"]\n[frame]\n\"runs\" = \"%s läuft.\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Say("runs", "debian") + " " + l.Say("noted"); got != "debian läuft. Noted." {
		t.Errorf("it says %q", got)
	}
	for text, want := range map[string]string{
		"[a]\nx = \"1\"\n[b]\nx = \"2\"\n": `there are two phrases "x"`,
		"[a]\nx = 1\n":                     "[a]: ",
		"[words]\nhint = \"Tipp\"\n":       "[words]: ",
		"[a\n":                             "toml: line ",
	} {
		if _, err := parse("de", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// Every failure says what happened and what to do: in each language it names a
// word of the guide's, a command, or another thing to do.
func TestFailuresSayWhatToDo(t *testing.T) {
	want := []string{
		"fail by labrun", "fail console", "fail emulator", "fail environment", "fail login", "fail not on",
		"fail panicked", "fail powered off", "fail progress", "fail replay", "fail restart", "fail script", "fail second", "fail set-up", "fail timeout",
		"fail translation",
	}
	var got []string
	for name := range In(original).phrases {
		if strings.HasPrefix(name, "fail ") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("failures: %q, want %q", got, want)
	}
	todo := regexp.MustCompile("check|restart|redo|next|hint|quit|labrun (attach|stop|--guide|doctor)|instructor|老師|free some disk space|清出")
	for _, name := range got {
		for _, tag := range Languages() {
			text := In(tag).phrases[name]
			if !todo.MatchString(text) || len(regexp.MustCompile(`[.。：:;；,，]`).FindAllString(text, -1)) < 2 {
				t.Errorf("%s does not say what to do: %s", name, text)
			}
		}
	}
}

// A failure and what can be said then offer nothing twice.
func TestFailuresOfferNothingTwice(t *testing.T) {
	words := regexp.MustCompile(`\b(check|next|quit|redo|hint)\b`)
	for name := range In(original).phrases {
		if !strings.HasPrefix(name, "fail ") || slices.Contains([]string{"fail replay", "fail restart", "fail console", "fail progress", "fail second", "fail translation"}, name) {
			continue // that the hint does not follow
		}
		for _, tag := range Languages() {
			text, next := In(tag).phrases[name], In(tag).phrases["next hint"]
			for _, word := range words.FindAllString(next, -1) {
				if strings.Contains(text, word) {
					t.Errorf("%s offers %s twice: %s %s", name, word, text, next)
				}
			}
		}
	}
}

// What a phrase is given may be a sentence of its own.
func TestSentences(t *testing.T) {
	for _, test := range []struct{ language, reason, want, notYet string }{
		{"en", "no address: is it booted?", "Something took too long: no address: is it booted? `restart NAME`", "Not yet: no address: is it booted? `hint` helps."},
		{"en", "nothing within 5s", "Something took too long: nothing within 5s. `restart NAME`", "Not yet: nothing within 5s. `hint` helps."},
		{"en", "the lab says «wait.»", "Something took too long: the lab says «wait.» `restart NAME`", "Not yet: the lab says «wait.» `hint` helps."},
		{"en", "and so on …", "Something took too long: and so on … `restart NAME`", "Not yet: and so on … `hint` helps."},
		{"zh-TW", "它開機了嗎？", "有件事花了太久：它開機了嗎？如果機器卡住了", "還沒好：它開機了嗎？ 輸入 `hint`"},
		{"zh-TW", "沒有位址", "有件事花了太久：沒有位址。如果機器卡住了", "還沒好：沒有位址。輸入 `hint`"},
	} {
		l := In(test.language)
		if got := l.Say("fail timeout", errors.New(test.reason)); !strings.HasPrefix(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
		if got := l.Sentences(l.Say("not yet", test.reason), l.Say("not yet hint")); !strings.HasPrefix(got, test.notYet) {
			t.Errorf("%q, want %q", got, test.notYet)
		}
	}
}
