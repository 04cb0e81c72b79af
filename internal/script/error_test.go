package script

import (
	"testing"

	"go.starlark.net/syntax"
)

func TestExplainedText(t *testing.T) {
	file := "lab.star"
	e := &Error{
		Position: syntax.MakePosition(&file, 3, 5),
		Message:  "boot: no",
		Stack:    []string{"lab.star:3:5 (start)", "lab.star:9:8 (work)"},
	}
	if got, want := e.Error(), "lab.star:3:5: boot: no\n  called from lab.star:9:8 (work)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&Error{Message: "no memory"}).Error(), "no memory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAdvised(t *testing.T) {
	tests := map[string]string{
		"undefined: lenn":                          "undefined: lenn (did you mean len?)",
		"undefined: mashine":                       "undefined: mashine (did you mean machine?)",
		"undefined: debain (did you mean debian?)": "undefined: debain (did you mean debian?)",
		"undefined: photograph":                    "undefined: photograph",
		"unexpected newline in string":             "unexpected newline in string: its closing quotation mark is missing",
		"floored division by zero":                 "floored division by zero",
	}
	for message, want := range tests {
		if got := Advise(message); got != want {
			t.Errorf("advised(%q) = %q, want %q", message, got, want)
		}
	}
}
