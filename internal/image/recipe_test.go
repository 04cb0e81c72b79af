package image

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
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

// A recipe may give a disk that the BIOS boots, and be made of another image.
func TestDerivedImage(t *testing.T) {
	const lock = goodLock + `
[images.pc]
summary = "made of box"
memory = 64
cpus = 1
[images.pc.console]
shell = '^> $'
[[images.pc.sources]]
recipe = "pc"
boot = "bios"
inputs = [{ name = "box", image = "box" }]
`
	l, err := ParseLock([]byte(strings.Replace(lock, goodLock[strings.Index(goodLock, "[[images.box.sources.inputs]]"):strings.Index(goodLock, "[images.box.guest]")], "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	recipes := fstest.MapFS{
		"box/build": {Data: []byte(`echo kernel >"$OUT/vmlinuz"; echo old >"$OUT/disk.img"`)},
		"pc/build":  {Data: []byte(`sed s/old/new/ "$INPUT_BOX/disk.img" >"$OUT/disk.img"`)},
	}
	s := open(t, StoreOptions{Lock: l, Recipes: recipes})
	img, err := s.Ensure(within(t), "pc")
	if err != nil {
		t.Fatal(err)
	}
	if contents(t, img.Disk) != "new\n" || !img.BIOS || img.Kernel != "" {
		t.Errorf("it is %+v", img)
	}
	if base, ok := s.Cached("box"); !ok || contents(t, base.Disk) != "old\n" {
		t.Error("the image that it is made of is not there, or was changed")
	}
	recipes["box/build"] = &fstest.MapFile{Data: []byte(`echo kernel >"$OUT/vmlinuz"; echo an old one >"$OUT/disk.img"`)}
	again, err := s.Ensure(within(t), "pc")
	if err != nil || contents(t, again.Disk) != "an new one\n" {
		t.Errorf("after the other image has changed: %+v, %v", again, err)
	}
	recipes["pc/build"] = &fstest.MapFile{Data: []byte(`echo k >"$OUT/vmlinuz"; echo d >"$OUT/disk.img"`)}
	if _, err := s.Ensure(within(t), "pc"); err == nil || !strings.Contains(err.Error(), "a vmlinuz beside it") {
		t.Errorf("a kernel that nothing boots: %v", err)
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
	pipe, started, ended := lifeline(t)
	s := tiny(t, `sh -c 'trap "" TERM; exec 9>"$0"; echo >&9; while :; do sleep 1000; done' '`+pipe+`' & wait`, &notes{})
	s.killGrace = 1 // ns: there is nothing to wait for
	go func() {
		<-started
		cancel()
	}()
	if _, err := s.Ensure(ctx, "box"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	await(t, ended, "the recipe's child still runs")
	if left, _ := os.ReadDir(filepath.Join(s.dir, "work")); len(left) != 0 {
		t.Errorf("left in work: %v", left)
	}
}

// Not even SIGKILL for labrun leaves a recipe running.
func TestKilledLabrunLeavesNoRecipe(t *testing.T) {
	pipe, started, ended := lifeline(t)
	dir := t.TempDir()
	lock := goodLock[:strings.Index(goodLock, "[[images.box.sources]]")] + "[[images.box.sources]]\nrecipe = \"tiny\"\n"
	script := "exec 9>'" + pipe + "'; echo >&9; sleep 1000 & wait"
	if err := os.CopyFS(dir, fstest.MapFS{"lock": {Data: []byte(lock)}, "images/tiny/build": {Data: []byte(script)}}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(within(t), os.Args[0])
	cmd.Env = append(os.Environ(), "LABRUN_TEST_ENSURE="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, started, "the recipe does not start")
	cmd.Process.Kill()
	cmd.Wait()
	await(t, ended, "the recipe still runs")
}

// lifeline makes a pipe that tells when somebody has written to it, and when
// all who had it open for writing are gone.
func lifeline(t *testing.T) (path string, started, ended <-chan struct{}) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	begin, end := make(chan struct{}), make(chan struct{})
	go func() {
		f, err := os.Open(path)
		if err != nil {
			return // await tells
		}
		defer f.Close()
		if _, err := io.ReadFull(f, make([]byte, 1)); err != nil {
			return
		}
		close(begin)
		if _, err := io.Copy(io.Discard, f); err == nil {
			close(end)
		}
	}()
	return path, begin, end
}

func await(t *testing.T, event <-chan struct{}, complaint string) {
	t.Helper()
	select {
	case <-event:
	case <-within(t).Done():
		t.Fatal(complaint)
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
