package script

import (
	"fmt"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/course"
)

const drawing = `mission(title = "Port {port}", api = 1)
port = variant("port", range(8000, 9000))
user = variant("user", ("ann", "bob", "eve"))
flag = secret("flag")
def listen():
    """Port {port}

    As {user}, on {port}. {flags} and ${port} stay.
    """
step(listen)
`

const drawingZh = `title = "{port} 號埠"
[steps.listen]
title = "{port} 號埠"
narration = "{user} 在 {port} 上。"
[texts]
"On {port}." = "在 {port} 上。"
"%d on {port}" = "{port} 上有 %d"
`

// What a student reads has what was drawn for them in it, in each language, and a text is
// found again when they change it.
func TestVariantsInTexts(t *testing.T) {
	load := func(id course.ID, language string) *Script {
		t.Helper()
		s, err := Load(t.Context(), folder("lab.star", drawing, "lab.zh-TW.toml", drawingZh), "lab.star", "courses/lab.star",
			Options{Who: course.Student{ID: id, Key: course.Key("0123456789abcdef")}, Language: language})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load("ann", "")
	drawn := s.Declared().Variants
	if len(drawn) != 3 || drawn[0].Name != "port" || drawn[1].Name != "user" || drawn[2].Name != "flag" || !drawn[2].Secret {
		t.Fatalf("drawn: %+v", drawn)
	}
	port, user := drawn[0].Value, drawn[1].Value
	var n int
	if fmt.Sscan(port, &n); n < 8000 || n >= 9000 || !strings.Contains("ann bob eve", user) || len(drawn[2].Value) != 20 {
		t.Errorf("drawn: %+v", drawn)
	}
	step := s.Declared().Steps[0]
	if s.Declared().Title != "Port "+port || step.Title != "Port "+port ||
		step.Narration != "As "+user+", on "+port+". {flags} and ${port} stay." {
		t.Errorf("it reads: %q, %q, %q", s.Declared().Title, step.Title, step.Narration)
	}
	if raw := s.Session.Declared().Steps[0].Title; raw != "Port {port}" {
		t.Errorf("what translations are compared with has become %q", raw)
	}
	if got := s.Text("On {port}."); got != "On "+port+"." {
		t.Errorf("a text is %q", got)
	}
	if ok, err := s.TellIn("zh-TW"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for text, want := range map[string]string{
		"On {port}.": "在 " + port + " 上。", "On " + port + ".": "在 " + port + " 上。", "3 on " + port: port + " 上有 3", "else {port}": "else " + port,
	} {
		if got := s.Text(text); got != want {
			t.Errorf("in Chinese %q is %q, want %q", text, got, want)
		}
	}
	if got := fmt.Sprint(s.Forms("On {port}.")); got != "[On "+port+". 在 "+port+" 上。]" {
		t.Errorf("its forms are %s", got)
	}
	zh := load("ann", "zh-TW")
	step = zh.Declared().Steps[0]
	if zh.Declared().Title != port+" 號埠" || step.Narration != user+" 在 "+port+" 上。" || zh.Text("On {port}.") != "在 "+port+" 上。" {
		t.Errorf("in Chinese from the start it reads: %+v", zh.Declared())
	}
	if zh.Drawn() != s.Drawn() || load("bob", "").Drawn() == s.Drawn() || load("", "").Drawn() == s.Drawn() {
		t.Error("the draws of one student are not told from another's")
	}
}
