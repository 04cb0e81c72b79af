package report

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/creack/pty"
)

func TestStyleOf(t *testing.T) {
	master, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer terminal.Close()
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	none, color, both := Style{}, Style{Color: true}, Style{Color: true, Live: true}
	tests := []struct {
		name string
		w    io.Writer
		env  map[string]string
		want Style
	}{
		{"a terminal", terminal, nil, both},
		{"a file", file, nil, none},
		{"no file at all", &bytes.Buffer{}, nil, none},
		{"a dumb terminal", terminal, map[string]string{"TERM": "dumb"}, none},
		{"NO_COLOR", terminal, map[string]string{"NO_COLOR": "1"}, Style{Live: true}},
		{"NO_COLOR, any value", terminal, map[string]string{"NO_COLOR": "0"}, Style{Live: true}},
		{"NO_COLOR, empty", terminal, map[string]string{"NO_COLOR": ""}, both},
		{"CLICOLOR_FORCE", file, map[string]string{"CLICOLOR_FORCE": "1"}, color},
		{"CLICOLOR_FORCE=0", file, map[string]string{"CLICOLOR_FORCE": "0"}, none},
		{"CLICOLOR_FORCE on a dumb terminal", terminal, map[string]string{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, color},
		{"NO_COLOR wins", terminal, map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, Style{Live: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := StyleOf(test.w, func(name string) string { return test.env[name] })
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
