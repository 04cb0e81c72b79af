package builtins_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/screen"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// TestTranscripts plays testdata/*.txt, each at a prompt on the fake machines of testdata/lab.star. A line after ">>> " is a
// statement, with those after "... " that belong to it; below it is what comes of it: what is said, the value, or, after "! ",
// the error with its hint. In what is expected, "…" is anything.
func TestTranscripts(t *testing.T) {
	source, err := os.ReadFile("testdata/lab.star")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			labtest.Parallel(t)
			play(t, prompt(t, source), file)
		})
	}
}

// largePicture is one that is larger than a screen.
var largePicture = func() []byte {
	var file bytes.Buffer
	if err := (&screen.Picture{Width: 1000, Height: 1, Pix: make([]byte, 3000)}).PNG(&file); err != nil {
		panic(err)
	}
	return file.Bytes()
}()

// session is a prompt at which what is said is kept until it is asked for.
type session struct {
	*mission.Repl
	said []string
}

// prompt begins a prompt on a mission's machines.
func prompt(t *testing.T, source []byte) *session {
	t.Helper()
	store := labtest.Store(t)
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"lab.star": source, "large.png": largePicture, "text.png": []byte("no picture")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	images := append(lock.Names(), "crt")
	m, err := mission.Load(t.Context(), os.DirFS(dir), "lab.star", "lab.star", mission.Options{Images: images})
	if err != nil {
		t.Fatal(err)
	}
	events, s := &event.Log{}, &session{}
	events.Attach(func(r event.Record) {
		switch e := r.Event.(type) {
		case event.Said:
			s.said = append(s.said, e.Text)
		case event.Pictured:
			s.said = append(s.said, "kept: "+e.Machine+", "+e.File)
		}
	})
	l, err := lab.New(m.Config(), lab.Options{Store: store, Events: events, Cold: true, Pictures: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Repl = m.Repl(l, events)
	return s
}

// play plays a transcript.
func play(t *testing.T, s *session, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for at := 0; at < len(lines); {
		first, ok := strings.CutPrefix(lines[at], ">>> ")
		if !ok {
			if lines[at] != "" && !strings.HasPrefix(lines[at], "#") {
				t.Fatalf("%s:%d: neither a statement nor a comment: %q", file, at+1, lines[at])
			}
			at++
			continue
		}
		statement, want, begun := []string{first}, "", at+1
		for at++; at < len(lines) && strings.HasPrefix(lines[at], "... "); at++ {
			statement = append(statement, lines[at][len("... "):])
		}
		for ; at < len(lines) && lines[at] != "" && !strings.HasPrefix(lines[at], ">>> ") && !strings.HasPrefix(lines[at], "#"); at++ {
			want += lines[at] + "\n"
		}
		got := s.outcome(ctx, statement)
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", "(?s:.*)")
		if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Errorf("%s:%d: %s\n%swant:\n%s", file, begun, strings.Join(statement, "\n"), got, want)
		}
	}
}

// kinds are how errors are told apart, as by labrun's exit code.
var kinds = map[mission.Kind]string{
	mission.Check: "check failed", mission.Script: "mistake", mission.Timeout: "too late", mission.Environment: "this computer",
}

var position = regexp.MustCompile(`(?m)^repl:\d+:\d+: `)

// outcome carries out a statement, and returns what comes of it.
func (s *session) outcome(ctx context.Context, statement []string) string {
	s.said = nil
	left := append(statement, "")
	value, err := s.Eval(ctx, &mission.Lines{Read: func(bool) (string, error) {
		if len(left) == 0 {
			return "", io.EOF
		}
		line := left[0]
		left = left[1:]
		return line, nil
	}})
	said := s.said
	if value != "" {
		said = append(said, value)
	}
	if err != nil {
		kind, hint := "?", ""
		if failed := (*mission.Error)(nil); errors.As(err, &failed) {
			kind, hint = kinds[failed.Kind], failed.Hint
		}
		said = append(said, "! "+kind+": "+position.ReplaceAllString(err.Error(), ""))
		if hint != "" {
			said = append(said, "hint: "+hint)
		}
	}
	if len(said) == 0 {
		return ""
	}
	return strings.Join(said, "\n") + "\n"
}
