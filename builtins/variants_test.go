package builtins

import (
	"errors"
	"fmt"
	"testing"
)

var drawn = []Variant{
	{Name: "port", Value: "8123"}, {Name: "user_1", Value: "ann"}, {Name: "flag", Value: "8wc8w87y4g3fmyqq8ya9", Secret: true},
}

func TestFill(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"Port {port}.":                "Port 8123.",
		"{port}{port} {user_1}":       "81238123 ann",
		"${port} {Port} {prot} {}":    "${port} {Port} {prot} {}",
		"{ port } {port {{port}}":     "{ port } {port {8123}",
		"`awk '{print $1}'` {flag}":   "`awk '{print $1}'` 8wc8w87y4g3fmyqq8ya9",
		"在 {port} 號埠上":                "在 8123 號埠上",
		"$ {port} and $HOME/{user_1}": "$ 8123 and $HOME/ann",
	} {
		if got := Fill(text, drawn); got != want {
			t.Errorf("Fill(%q) = %q, want %q", text, got, want)
		}
		if got := Fill(text, nil); got != text {
			t.Errorf("with nothing drawn, Fill(%q) = %q", text, got)
		}
	}
}

// A pack's answers are typed into a shell that knows nothing of the draws.
func TestExpand(t *testing.T) {
	s := &Session{declared: Declaration{Variants: drawn}}
	for text, want := range map[string]string{
		"nc -l $LABRUN_PORT":                       "nc -l 8123",
		"echo ${LABRUN_USER_1}x $LABRUN_USER_1.":   "echo annx ann.",
		"$LABRUN_PORTS $LABRUN $HOME {port}":       "$LABRUN_PORTS $LABRUN $HOME {port}",
		"echo \"$LABRUN_FLAG\" >/srv/$LABRUN_PORT": "echo \"8wc8w87y4g3fmyqq8ya9\" >/srv/8123",
	} {
		if got := s.expand(text); got != want {
			t.Errorf("expand(%q) = %q, want %q", text, got, want)
		}
	}
}

// What labrun itself says and records tells no secret, also where an error is wrapped.
func TestVeil(t *testing.T) {
	s := &Session{declared: Declaration{Variants: drawn}}
	if got := s.veil("echo 8wc8w87y4g3fmyqq8ya9 8123"); got != "echo {flag} 8123" {
		t.Errorf("veil: %s", got)
	}
	cause := errors.New("run: echo 8wc8w87y4g3fmyqq8ya9: it failed")
	err := s.veilError(fmt.Errorf("x: %w", cause))
	if err.Error() != "x: run: echo {flag}: it failed" || !errors.Is(err, cause) {
		t.Errorf("veilError: %v", err)
	}
	if got := s.veilError(cause); got.Error() != "run: echo {flag}: it failed" {
		t.Errorf("veilError: %v", got)
	}
	check := &CheckError{Builtin: "assert_true", Message: "no 8wc8w87y4g3fmyqq8ya9"}
	var found *CheckError
	if err := s.veilError(check); !errors.As(err, &found) || found.Message != "no {flag}" {
		t.Errorf("veilError: %v", err)
	}
	plain := errors.New("plain")
	if got := s.veilError(plain); got != plain {
		t.Errorf("veilError: %v", got)
	}
}
