package handin

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/report"
)

// aRun keeps the records of a run in a folder.
func aRun(t *testing.T, events ...event.Event) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var log event.Log
	var text bytes.Buffer
	sink, failed := report.JSONLines(&text)
	log.Attach(sink)
	log.Emit(event.RunStarted{Mission: "weeks/lab.star", Title: "A lab", Steps: 2, Guided: true, Student: "b10@uni"})
	for _, e := range events {
		log.Emit(e)
	}
	if failed() != nil {
		t.Fatal(failed())
	}
	write(t, filepath.Join(folder, report.EventsFile), text.Bytes())
	write(t, filepath.Join(folder, "debian.cast"), []byte("{\"version\":2}\n[0.1, \"o\", \"# \"]\n[0.2, \"o\", \"half"))
	return folder
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// aSubmission hands in two runs, and returns the file's bytes.
func aSubmission(t *testing.T, key ed25519.PrivateKey) []byte {
	t.Helper()
	runs := []string{
		aRun(t, event.Welcomed{Language: "en"}, event.StepStarted{Index: 1}, event.Answered{Question: "Why?", Answer: "2", Verdict: "wrong"},
			event.Answered{Question: "Why?", Answer: "1", Verdict: "right"}, event.StepEnded{Index: 1, Passed: true}),
		aRun(t, event.StepStarted{Index: 1, Replayed: true}, event.StepStarted{Index: 2},
			event.Keyed{Console: "debian", Keys: "ls\r", At: "# "}, event.StepEnded{Index: 2, Passed: true}),
	}
	claim := &Claim{
		Student: "b10@uni", Mission: MissionClaim{Name: "lab", Title: "A lab", Files: map[string]string{"lab.star": "00"}}, Labrun: "v1",
		Steps: []StepClaim{{Name: "a", State: "done"}, {Name: "pack/b", State: "left"}},
	}
	var out bytes.Buffer
	if err := Write(&out, claim, runs, key); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// handedIn opens bytes as a file that was handed in.
func handedIn(t *testing.T, content []byte, limits Limits) (*Submission, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lab-b10.labrun")
	write(t, file, content)
	s, err := Open(file, limits)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func TestWhatIsHandedIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "course.key")
	if err := NewKey(file); err != nil {
		t.Fatal(err)
	}
	if NewKey(file) == nil {
		t.Error("a key was overwritten")
	}
	private, err := SigningKey(file)
	if err != nil {
		t.Fatal(err)
	}
	public, err := PublicKey(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PublicKey(file); err == nil || !strings.Contains(err.Error(), "--new-key") {
		t.Errorf("a private key taken for the public one: %v", err)
	}
	s, err := handedIn(t, aSubmission(t, private), Usual)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(public); err != nil {
		t.Error(err)
	}
	if c := s.Claim; c.Student != "b10@uni" || c.Language != "en" || len(c.Runs) != 2 || len(c.Steps[0].Answers) != 2 ||
		c.Steps[0].Answers[0].Verdict != "wrong" || c.Begun.IsZero() || c.Ended.Before(c.Begun) {
		t.Errorf("the claim: %+v", c)
	}
	events, err := s.Events(2)
	if err != nil || len(events) != 5 || events[3].Event != (event.Keyed{Console: "debian", Keys: "ls\r", At: "# "}) {
		t.Errorf("run 2: %v (%v)", events, err)
	}
	if names := s.Consoles(1); len(names) != 1 || names[0] != "debian.cast" {
		t.Errorf("consoles: %v", names)
	}
	r, err := s.Console(1, "debian.cast")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "{\"version\":2}\n[0.1, \"o\", \"# \"]\n" {
		t.Errorf("it has shown %q (%v)", text, err)
	}
	other, _, _ := ed25519.GenerateKey(nil)
	refused(t, s.Verify(other), Unsigned, "not of this key")
	s, err = handedIn(t, aSubmission(t, nil), Usual)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, s.Verify(public), Unsigned, "not signed")
}

func refused(t *testing.T, err error, cause Cause, words string) {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || r.Cause != cause || !strings.Contains(r.Why, words) {
		t.Errorf("got %v, want it refused as %s: %s", err, cause, words)
	}
}

// rewritten is the archive with what edit makes of each file in it; nil leaves that out.
func rewritten(t *testing.T, content []byte, edit func(name string, content []byte) []byte, more ...*zip.FileHeader) []byte {
	t.Helper()
	old, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range old.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if text = edit(f.Name, text); text == nil {
			continue
		}
		e, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		e.Write(text)
	}
	for _, h := range more {
		if _, err := w.CreateHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What comes from strangers is refused with a reason, whatever is wrong with it.
func TestRefused(t *testing.T) {
	honest := aSubmission(t, nil)
	same := func(_ string, text []byte) []byte { return text }
	in := func(file, old, new string) func(string, []byte) []byte {
		return func(name string, text []byte) []byte {
			if name == file {
				return bytes.ReplaceAll(text, []byte(old), []byte(new))
			}
			return text
		}
	}
	link := &zip.FileHeader{Name: "consoles/1/link.cast"}
	link.SetMode(os.ModeSymlink | 0o777)
	lying := bytes.Clone(rewritten(t, honest, func(name string, text []byte) []byte {
		if name == "consoles/1/debian.cast" {
			return bytes.Repeat([]byte("a"), 3<<20)
		}
		return text
	}))
	if at := bytes.LastIndex(lying, []byte("consoles/1/debian.cast")); true { // in the central directory
		binary.LittleEndian.PutUint32(lying[at-46+24:], 10) // the unpacked size
	}
	for what, c := range map[string]struct {
		content []byte
		limits  Limits
		cause   Cause
		words   string
	}{
		"empty":         {nil, Usual, Damaged, "empty"},
		"cut off":       {honest[:len(honest)*2/3], Usual, Damaged, "cut off"},
		"no archive":    {[]byte("my homework\n"), Usual, Damaged, "no whole submission"},
		"too large":     {honest, Limits{File: 10}, Hostile, "MiB"},
		"too many":      {honest, Limits{File: 1 << 20, Files: 2}, Hostile, "holds 5 files"},
		"one too large": {honest, Limits{1 << 20, 100, 10, 1 << 20, 500}, Hostile, "may have"},
		"all too large": {honest, Limits{1 << 20, 100, 1 << 20, 500, 500}, Hostile, "unpacks to more"},
		"a bomb": {rewritten(t, honest, func(name string, text []byte) []byte {
			if name == "consoles/1/debian.cast" {
				return make([]byte, 32<<20)
			}
			return text
		}), Usual, Hostile, "packed as nothing is"},
		"escaping":     {rewritten(t, honest, same, &zip.FileHeader{Name: "../../etc/passwd"}), Usual, Hostile, "../../etc/passwd"},
		"absolute":     {rewritten(t, honest, same, &zip.FileHeader{Name: "/etc/passwd"}), Usual, Hostile, "/etc/passwd"},
		"backslashes":  {rewritten(t, honest, same, &zip.FileHeader{Name: `consoles\1\x.cast`}), Usual, Hostile, "no submission does"},
		"a link":       {rewritten(t, honest, same, link), Usual, Hostile, "no plain file"},
		"twice":        {rewritten(t, honest, same, &zip.FileHeader{Name: "events/1.jsonl"}), Usual, Hostile, "twice"},
		"more":         {rewritten(t, honest, same, &zip.FileHeader{Name: "events/9.jsonl"}), Usual, Altered, "does not tell"},
		"no claim":     {rewritten(t, honest, without(claimFile)), Usual, Hostile, "no claim.json"},
		"no events":    {rewritten(t, honest, without("events/2.jsonl")), Usual, Altered, "lacks the events of run 2"},
		"another form": {rewritten(t, honest, in(claimFile, `"format": 1`, `"format": 7`)), Usual, Damaged, "format 7"},
		"odd state":    {rewritten(t, honest, in(claimFile, `"left"`, `"great"`)), Usual, Hostile, "which no step can be"},
		"odd name":     {rewritten(t, honest, in(claimFile, `"b10@uni"`, `"../x"`)), Usual, Hostile, "name"},
		"broken claim": {rewritten(t, honest, in(claimFile, `{`, ``)), Usual, Damaged, "damaged"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := handedIn(t, c.content, c.limits)
			refused(t, err, c.cause, c.words)
		})
	}
	for what, c := range map[string]struct {
		content []byte
		cause   Cause
		words   string
	}{
		"another student": {rewritten(t, honest, in(claimFile, `b10@uni`, `b11@uni`)), Altered, "claims to be b11@uni's, and run 1 is b10@uni's"},
		"another course":  {rewritten(t, honest, in(claimFile, `"mission": {`, `"course": "00", "mission": {`)), Altered, "another course"},
		"another mission": {rewritten(t, honest, in(claimFile, `"name": "lab"`, `"name": "exam"`)), Altered, "of the mission exam"},
		"edited events":   {rewritten(t, honest, in("events/2.jsonl", `ls\r`, `id\r`)), Altered, "events/2.jsonl"},
		"lying size":      {lying, Damaged, "debian.cast"},
		"no console":      {rewritten(t, honest, without("consoles/2/debian.cast")), Damaged, "lacks consoles/2"},
	} {
		t.Run(what, func(t *testing.T) {
			s, err := handedIn(t, c.content, Usual)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, s.Verify(nil), c.cause, c.words)
		})
	}
}

// without leaves a file out.
func without(file string) func(string, []byte) []byte {
	return func(name string, text []byte) []byte {
		if name == file {
			return nil
		}
		return text
	}
}

// A submission whose records have gone is not made.
func TestNothingToHandIn(t *testing.T) {
	gone := t.TempDir()
	for words, runs := range map[string][]string{"are gone": {gone}, "overwritten": {aRun(t), ""}} {
		if runs[len(runs)-1] == "" {
			runs[1] = runs[0]
		}
		err := Write(io.Discard, &Claim{Mission: MissionClaim{Name: "lab"}}, runs, nil)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %s", err, words)
		}
	}
}
