package mission

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
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

// A student goes on in another language in the middle of a task, of a question and of a
// check that does not hold, while the script is at work on another goroutine.
func TestAnotherLanguageInTheMiddle(t *testing.T) {
	said, typing, ended := leadAtHost(t, scriptOf(
		`host = terminal("host")`,
		`wait_prompt(host)`,
		`def there():`,
		`    assert_contains(host, "done", hint = tr("Type %s.") % "echo done")`,
		`task(host, "Have it say done.", solution = "echo done", check = there, hints = ["Think."])`,
		`say(tr("You have said %s.") % "done")`,
		`ask("Which?", choices = ["this", "that"], answer = "that", explain = "So it is.")`,
		`assert_equal("no", "yes", hint = "It must say yes.")`,
	), "lab.zh-TW.toml", `title = "課"
[steps.work]
title = "做"
[texts]
"Type %s." = "輸入 %s。"
"Have it say done." = "讓它說 done。"
"Think." = "想一想。"
"You have said %s." = "你說了 %s。"
"Which?" = "哪一個？"
"this" = "這個"
"that" = "那個"
"So it is." = "就是這樣。"
"It must say yes." = "要說 yes。"
`)
	line := ""
	comes := func(kind string, parts ...string) {
		t.Helper()
		for {
			select {
			case line = <-said:
			case err := <-ended:
				t.Fatalf("it ended with %v before %s %q", err, kind, parts)
			}
			if strings.HasPrefix(line, kind+" ") {
				break
			}
		}
		for _, part := range parts {
			if !strings.Contains(line, part) {
				t.Errorf("%q has no %q", line, part)
			}
		}
	}
	say := func(words string) { fmt.Fprintln(typing, words) }

	comes("instructed", "Have it say done.", "Retold:false")
	say("hint")
	comes("hinted", "Think.")
	say("check")
	comes("missed", "Type echo done.")
	say("language zh-TW")
	comes("translated", "課", "做")
	comes("instructed", "讓它說 done。", "Retold:true")
	comes("hinted", "想一想。", "Retold:true")
	comes("missed", "輸入 echo done。", "Retold:true")
	say("check")
	comes("missed", "輸入 echo done。", "Retold:false")
	say("do")
	comes("told", "你說了 done。")

	comes("instructed", "哪一個？", "這個 那個")
	say("this")
	comes("answered", "這個", "wrong")
	say("語言 en")
	comes("translated", "Lab", "Work")
	comes("instructed", "Which?", "this that", "Retold:true")
	say("這個")
	comes("answered", "this", "wrong")
	say("那個")
	comes("answered", "that", "right")
	comes("told", "So it is.")

	comes("missed", "It must say yes.")
	say("language zh-TW")
	comes("translated", "課")
	comes("instructed", "還沒好：要說 yes。", "Retold:true")
	say("quit")
	if err := <-ended; !errors.Is(err, guide.ErrQuit) {
		t.Errorf("it ended with %v", err)
	}
}
