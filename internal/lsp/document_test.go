package lsp

import (
	"testing"

	"github.com/labrun/labrun/internal/analysis"
)

// The protocol counts UTF-16 code units from 0, missions count characters from 1.
func TestPositions(t *testing.T) {
	lab := newText("ab\r\n你好，x\r😀=1\n\n\tend")
	for _, test := range []struct {
		line, character int
		want            analysis.Place
	}{
		{0, 0, analysis.Place{Line: 1, Column: 1}},
		{0, 2, analysis.Place{Line: 1, Column: 3}},
		{1, 2, analysis.Place{Line: 2, Column: 3}},
		{1, 4, analysis.Place{Line: 2, Column: 5}},
		{2, 0, analysis.Place{Line: 3, Column: 1}},
		{2, 2, analysis.Place{Line: 3, Column: 2}}, // 😀 is two units and one character
		{2, 4, analysis.Place{Line: 3, Column: 4}},
		{3, 0, analysis.Place{Line: 4, Column: 1}},
		{4, 1, analysis.Place{Line: 5, Column: 2}},
	} {
		p := position{test.line, test.character}
		if got := lab.place(p); got != test.want {
			t.Errorf("%v is %v, want %v", p, got, test.want)
		}
		if got := lab.position(test.want); got != p {
			t.Errorf("%v is %v, want %v", test.want, got, p)
		}
	}

	// What is outside of the text, or within a character, is moved into it.
	for p, want := range map[position]analysis.Place{
		{-1, 5}:  {Line: 1, Column: 1},
		{0, 99}:  {Line: 1, Column: 3},
		{0, -1}:  {Line: 1, Column: 1},
		{2, 1}:   {Line: 3, Column: 1},
		{9, 0}:   {Line: 5, Column: 5},
		{99, 99}: {Line: 5, Column: 5},
	} {
		if got := lab.place(p); got != want {
			t.Errorf("%v is %v, want %v", p, got, want)
		}
	}
	for p, want := range map[analysis.Place]position{
		{Line: 0, Column: 0}:   {0, 0},
		{Line: 1, Column: 99}:  {0, 2},
		{Line: 99, Column: 99}: {4, 4},
	} {
		if got := lab.position(p); got != want {
			t.Errorf("%v is %v, want %v", p, got, want)
		}
	}
}

// A byte order mark is a character for an editor that shows it, and none for a
// analysis.
func TestPositionsAfterAByteOrderMark(t *testing.T) {
	lab := newText("\ufeffab\ncd")
	for p, want := range map[position]analysis.Place{
		{0, 1}: {Line: 1, Column: 1},
		{0, 2}: {Line: 1, Column: 2},
		{1, 1}: {Line: 2, Column: 2},
	} {
		if got := lab.place(p); got != want {
			t.Errorf("%v is %v, want %v", p, got, want)
		}
		if got := lab.position(want); got != p {
			t.Errorf("%v is %v, want %v", want, got, p)
		}
	}
}

func TestURIs(t *testing.T) {
	for uri, want := range map[string]string{
		"file:///labs/week%201/lab.star":    "/labs/week 1/lab.star",
		"file:///%E5%AF%A6%E9%A9%97/a.star": "/實驗/a.star",
		"file:///labs/../x.star":            "/x.star",
		"untitled:Untitled-1":               "",
		"vscode-vfs://github/labs/lab.star": "",
		"file:relative.star":                "",
		"%":                                 "",
		"":                                  "",
		"file:///labs/100%25%23%3F%20%5B1%5D/a.star": "/labs/100%#? [1]/a.star",
	} {
		if got := pathOf(uri); got != want {
			t.Errorf("%q is %q, want %q", uri, got, want)
		}
		if want != "" && pathOf(uriOf(want)) != want {
			t.Errorf("%q becomes %q and back", want, uriOf(want))
		}
	}
}
