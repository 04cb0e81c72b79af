package image

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

// tiny opens a store whose only image is box, built by the script.
func tiny(t *testing.T, script string, n *notes) *Store {
	t.Helper()
	text := goodLock[:strings.Index(goodLock, "[[images.box.sources]]")] + "[[images.box.sources]]\nrecipe = \"tiny\"\nspace = 1\n"
	l, err := ParseLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, StoreOptions{Lock: l, Recipes: fstest.MapFS{"tiny/build": {Data: []byte(script)}}, Progress: n.add})
}

func TestRecipeFailures(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"unavailable", "echo why >&2; echo no sources here >&2; exit 75", "\n  recipe tiny: no sources here"},
		{"failed", "echo first; echo broken >&2; exit 3", "recipe tiny failed: broken (exit status 3)"},
		{"log", "echo first; echo broken >&2; exit 3", "logs/tiny-"},
		{"silent", "exit 1", "said nothing"},
		{"nothing made", "exit 0", "left no vmlinuz"},
		{"empty file", `: >"$OUT/vmlinuz"; echo >"$OUT/initrd"`, "vmlinuz is empty"},
		{"odd file", `echo >"$OUT/passwd"`, "left the file passwd"},
		{"link", `ln -s /etc/passwd "$OUT/disk.img"; echo >"$OUT/vmlinuz"`, "disk.img is empty or not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tiny(t, c.script, &notes{})
			_, err := s.Ensure(within(t), "box")
			var un *UnavailableError
			if !errors.As(err, &un) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			for _, sub := range []string{"work", "builds"} {
				if left, _ := os.ReadDir(filepath.Join(s.dir, sub)); len(left) != 0 {
					t.Errorf("left in %s: %v", sub, left)
				}
			}
		})
	}
}

func TestRecipeEnvironment(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "x")
	t.Setenv("https_proxy", "http://proxy.example")
	s := tiny(t, `env >"$OUT/disk.img"; pwd >"$OUT/vmlinuz"; test -z "$(ls -A .)"; umask >>"$OUT/vmlinuz"`, &notes{})
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	env := contents(t, img.Disk)
	for _, name := range []string{"OUT=", "RECIPES=", "TMPDIR=" + s.dir, "https_proxy=", "PATH="} {
		if !strings.Contains("\n"+env, "\n"+name) {
			t.Errorf("no %s in\n%s", name, env)
		}
	}
	if strings.Contains(env, "SECRET_TOKEN") {
		t.Error("the user's environment leaks into recipes")
	}
	if where := contents(t, img.Kernel); !strings.HasPrefix(where, s.dir) || !strings.HasSuffix(where, "0022\n") {
		t.Errorf("folder and umask: %s", where)
	}
}

// A child that ignores SIGTERM ends with its recipe. It holds a pipe open as
// long as it, or anything it has started, lives.
func TestCancelEndsTheWholeGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		f, err := os.Open(pipe)
		if err == nil {
			_, err = io.ReadAll(f)
			f.Close()
		}
		ended <- err
	}()
	s := tiny(t, `sh -c 'trap "" TERM; exec 9>"$0"; echo "» ready"; while :; do sleep 1000; done' '`+pipe+`' & wait`, &notes{})
	s.killGrace = 1 // ns: there is nothing to wait for
	s.progress = func(p Progress) {
		if p.Note == "ready" {
			cancel()
		}
	}
	if _, err := s.Ensure(ctx, "box"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-within(t).Done():
		t.Error("the recipe's child still runs")
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "work")); len(left) != 0 {
		t.Errorf("left in work: %v", left)
	}
}

func TestForcedBuild(t *testing.T) {
	counter := filepath.Join(t.TempDir(), "count")
	s := tiny(t, `echo x >>'`+counter+`'; cp '`+counter+`' "$OUT/disk.img"; echo k >"$OUT/vmlinuz"; [ ! -e '`+counter+`.stop' ]`, &notes{})
	first, err := s.Build(within(t), "box", false)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Build(within(t), "box", false); err != nil || again.Digest != first.Digest {
		t.Errorf("Build of what is cached: %v", err)
	}
	forced, err := s.Build(within(t), "box", true)
	if err != nil || contents(t, forced.Disk) != "x\nx\n" {
		t.Fatalf("forced: %v", err)
	}
	os.WriteFile(counter+".stop", nil, 0o644)
	if _, err := s.Build(within(t), "box", true); err == nil {
		t.Fatal("a failing recipe built")
	}
	if img, ok := s.Cached("box"); !ok || contents(t, img.Disk) != "x\nx\n" {
		t.Error("a failed build replaced the good one")
	}
	if r, err := s.GC(within(t)); err != nil || len(r.InUse) != 0 {
		t.Errorf("GC: %+v, %v", r, err)
	}
}
