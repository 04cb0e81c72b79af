package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// remembered is how many lines a history keeps.
const remembered = 500

// history is what was typed at a prompt, now and in earlier sessions: the newest line
// is last. Sessions at the same time each add to the file. That it cannot be read or
// written is no reason to refuse a prompt, so it is not told.
type history struct {
	file  string
	lines []string
}

func openHistory(file string) *history {
	h := &history{file: file}
	text, err := os.ReadFile(file)
	if err != nil {
		_ = os.MkdirAll(filepath.Dir(file), 0o700)
		return h
	}
	for line := range strings.Lines(string(text)) {
		h.lines = append(h.lines, strings.TrimSuffix(line, "\n"))
	}
	if len(h.lines) > 2*remembered {
		h.lines = slices.Clone(h.lines[len(h.lines)-remembered:])
		_ = renameio.WriteFile(file, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	return h
}

// Add keeps a line, unless it says nothing new.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || h.Len() > 0 && h.At(0) == line {
		return
	}
	h.lines = append(h.lines, line)
	f, err := os.OpenFile(h.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(line + "\n")
}

// Len is the number of lines.
func (h *history) Len() int { return len(h.lines) }

// At is the line that was typed so many lines before the newest.
func (h *history) At(back int) string { return h.lines[len(h.lines)-1-back] }
