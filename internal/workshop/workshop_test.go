package workshop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func bench(t *testing.T, build string) *Workshop {
	t.Helper()
	return &Workshop{
		Dir: filepath.Join(t.TempDir(), "my-tiny"), Build: build,
		Sources: Files{"kernel.c": []byte("one\ntwo\n"), "sub/part.c": []byte("part\n")},
	}
}

func content(t *testing.T, w *Workshop, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What a student wrote is never written over, and what they removed is there again.
func TestLayOut(t *testing.T) {
	w := bench(t, "")
	if err := w.LayOut(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Dir, "kernel.c"), []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.Dir, "sub/part.c")); err != nil {
		t.Fatal(err)
	}
	if err := w.LayOut(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, w, "kernel.c"); got != "mine\n" {
		t.Errorf("kernel.c is %q", got)
	}
	if got := content(t, w, "sub/part.c"); got != "part\n" {
		t.Errorf("sub/part.c is %q", got)
	}
}

func TestEdit(t *testing.T) {
	w := bench(t, "")
	if err := w.LayOut(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is done already
		if err := w.Edit("kernel.c", "two", "three"); err != nil {
			t.Fatal(err)
		}
		if got := content(t, w, "kernel.c"); got != "one\nthree\n" {
			t.Errorf("kernel.c is %q", got)
		}
	}
	if err := w.Edit("kernel.c", "four", "five"); err == nil || !strings.Contains(err.Error(), `my-tiny/kernel.c has "four" 0 times`) {
		t.Errorf("a text that is not there: %v", err)
	}
	if err := w.Edit("../other", "a", "b"); err == nil {
		t.Error("a file outside was changed")
	}
}

// Something has changed when a source has, and not because the build made something.
func TestChanged(t *testing.T) {
	w := bench(t, "cat kernel.c sub/part.c > kernel.elf; echo listing > kernel.lst")
	changed := func(what string, want bool) {
		t.Helper()
		if got, err := w.Changed(); err != nil || got != want {
			t.Errorf("%s: changed is %v, %v", what, got, err)
		}
	}
	if err := w.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed("built", false)
	if got := content(t, w, "kernel.elf"); got != "one\ntwo\npart\n" {
		t.Errorf("the kernel is %q", got)
	}
	if err := w.Edit("kernel.c", "two", "three"); err != nil {
		t.Fatal(err)
	}
	changed("edited", true)
	w.Build = "exit 3"
	if err := w.Make(t.Context()); err == nil {
		t.Error("a build that fails is none")
	}
	changed("tried in vain", false)
	if err := os.WriteFile(filepath.Join(w.Dir, "new.c"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	changed("a new file", true)

	// Who saves a source while the kernel is built wants that built, too.
	w.Build = "sleep 0.01; echo later >> kernel.c; touch kernel.elf"
	if err := w.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed("saved during the build", true)
}

func TestMakeFails(t *testing.T) {
	for build, says := range map[string]string{
		"echo 'kernel.c: In function x:'; echo 'kernel.c:3:1: error: what?' >&2; seq 100; exit 2": "ended with status 2:\n    kernel.c: In function x:\n    kernel.c:3:1: error: what?\n    1\n",
		"seq 100; exit 1":           "ended with status 1:\n    71\n    72\n",
		"no-such-compiler kernel.c": "`labrun doctor MISSION` tells which",
		"kill -9 $$":                "signal: killed",
		"printf '\\377'; exit 1":    "status 1:\n    ?",
	} {
		w := bench(t, build)
		err := w.Make(t.Context())
		var failed *BuildError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", build, err)
		}
	}
}

// Who gives up a build ends the compiler.
func TestMakeIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := bench(t, "touch begun; sleep 1000")
	stop := errors.New("enough")
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(w.Dir, "begun")); err == nil {
				cancel(stop)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := w.Make(ctx); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestReadFiles(t *testing.T) {
	tree := fstest.MapFS{
		"tiny/kernel.c": {Data: []byte("one")}, "tiny/sub/a.c": {Data: []byte("a")}, "tiny/.git/x": {Data: []byte("x")},
		"empty/.keep": {}, "large/disk": {Data: make([]byte, mostBytes+1)},
	}
	files, err := ReadFiles(tree, "tiny")
	if err != nil || len(files) != 2 || string(files["sub/a.c"]) != "a" {
		t.Errorf("got %v, %v", files, err)
	}
	for folder, says := range map[string]string{"empty": "empty", "large": "more than", "none": "not exist"} {
		if _, err := ReadFiles(tree, folder); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

func TestOpenStaysWithin(t *testing.T) {
	w := bench(t, "")
	if err := w.LayOut(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(w.Dir, "kernel.elf")); err != nil {
		t.Fatal(err)
	}
	if f, err := w.Open("kernel.elf"); err == nil {
		f.Close()
		t.Error("a link out of the folder was followed")
	}
}
