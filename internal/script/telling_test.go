package script

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

const inTaiwan = `title = "課"
[steps.look]
title = "看"
narration = "用眼睛。"
[texts]
"plain" = "簡單"
"%s has %d" = "%s 有 %d"
"%s has %d and %s" = "%s 有 %d，還有 %s"
"%d %% of it" = "它的 %d%%"
"Which?" = "哪一個？"
`

// A mission is told in another language from now on, in all that it declared and in texts
// that were put together before.
func TestTellIn(t *testing.T) {
	files := folder("lab.star", told, "lab.zh-TW.toml", inTaiwan, "lab.de.toml", "title = [")
	s, err := Load(t.Context(), files, "lab.star", "lab.star", Options{Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	tell := func(tag string, want bool, language, title string) {
		t.Helper()
		if ok, err := s.TellIn(tag); ok != want || err != nil || s.Language() != language || s.Declared().Title != title {
			t.Errorf("%s: %v, %v; it is told in %s: %s", tag, ok, err, s.Language(), s.Declared().Title)
		}
	}
	say := func(text, want string) {
		t.Helper()
		if got := s.Text(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	tell("fr", false, "en", "Lab")
	tell("", false, "en", "Lab")
	say("簡單", "簡單")
	tell("zh-Hant-TW", true, "zh-TW", "課")
	if d := s.Declared(); d.Steps[0].Title != "看" || d.Steps[0].Narration != "用眼睛。" {
		t.Errorf("the step is %+v", d.Steps[0])
	}
	say("plain", "簡單")
	say("debian has 2", "debian 有 2")
	say("debian has 2 and a\nb", "debian 有 2，還有 a\nb")
	say("40 % of it", "它的 40%")
	say("debian has two", "debian has two")
	say("something else", "something else")
	tell("en", true, "en", "Lab")
	say("簡單", "plain")
	say("debian 有 2", "debian has 2")
	say("plain", "plain")
	tell("zh-TW", true, "zh-TW", "課")
	say("簡單", "簡單")
	if forms := s.Forms("哪一個？"); !slices.Equal(forms, []string{"Which?", "哪一個？"}) {
		t.Errorf("its forms are %q", forms)
	}
	if forms := s.Forms("no such text"); !slices.Equal(forms, []string{"no such text"}) {
		t.Errorf("its forms are %q", forms)
	}
	if ok, err := s.TellIn("de"); ok || err == nil || !strings.HasPrefix(err.Error(), "lab.de.toml:1:") || s.Language() != "zh-TW" {
		t.Errorf("a broken translation: %v, %v, told in %s", ok, err, s.Language())
	}
}

// A script that speaks sees one language or the other meanwhile.
func TestTellInWhileItSpeaks(t *testing.T) {
	s, err := Load(t.Context(), folder("lab.star", told, "lab.zh-TW.toml", inTaiwan), "lab.star", "lab.star", Options{Language: "zh-TW"})
	if err != nil {
		t.Fatal(err)
	}
	var speaking sync.WaitGroup
	for range 2 {
		speaking.Go(func() {
			for range 300 {
				if text := s.Text("debian has 2"); text != "debian has 2" && text != "debian 有 2" {
					t.Errorf("it says %q", text)
				}
				if title := s.Declared().Title; title != "Lab" && title != "課" {
					t.Errorf("it is called %q", title)
				}
			}
		})
	}
	for n := range 100 {
		if ok, err := s.TellIn([]string{"en", "zh-TW"}[n%2]); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	}
	speaking.Wait()
}
