package console

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTranscript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr, err := NewTranscript(dir, "debian", 80, 24, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := machine
	o.Transcript = tr
	g := newGuest(t, o)
	printed := "目錄 \x1b[1mx\x1b[0m\xff\r\nPassword: "
	for _, b := range []byte(printed) {
		g.port.Write([]byte{b})
	}
	g.expect(Prompt(PasswordPrompt))
	g.send("secret\n")
	g.port.Write([]byte("\r\n# "))
	g.expect(Prompt(ShellPrompt))
	g.send("ls\n")
	g.port.Write([]byte("\xe7"))
	g.c.Close()
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	printed += "\r\n# \xe7"
	tr.Write([]byte("late"))
	if log, err := os.ReadFile(filepath.Join(dir, "debian.log")); err != nil || string(log) != printed {
		t.Errorf("log %q, %v", log, err)
	}
	cast, err := os.ReadFile(filepath.Join(dir, "debian.cast"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(cast), []byte("\n"))
	var header struct{ Version, Width, Height int }
	if err := json.Unmarshal(lines[0], &header); err != nil || header.Version != 2 || header.Width != 80 || header.Height != 24 {
		t.Errorf("header %s: %v", lines[0], err)
	}
	var last float64
	text := map[string]string{}
	for _, line := range lines[1:] {
		var event [3]any
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		at := event[0].(float64)
		if at < last {
			t.Errorf("%s is before %v", line, last)
		}
		last = at
		text[event[1].(string)] += event[2].(string)
	}
	if want := strings.ToValidUTF8(printed, "\uFFFD"); text["o"] != want {
		t.Errorf("printed %q, want %q", text["o"], want)
	}
	if text["i"] != "ls\r" {
		t.Errorf("typed %q, want only what is no password", text["i"])
	}
}

func TestTranscriptDiskFull(t *testing.T) {
	t.Parallel()
	full := "/dev/full"
	dir := t.TempDir()
	if err := os.Symlink(full, filepath.Join(dir, "debian.log")); err != nil {
		t.Fatal(err)
	}
	tr, err := NewTranscript(dir, "debian", 80, 24, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if n, err := tr.Write(make([]byte, 64<<10)); n != 64<<10 || err != nil {
			t.Fatalf("wrote %d: %v", n, err)
		}
	}
	if err := tr.Close(); err == nil {
		t.Error("a full disk is no error")
	}
	if _, err := NewTranscript(filepath.Join(dir, "missing"), "x", 80, 24, nil); err == nil {
		t.Error("a missing folder is no error")
	}
}
