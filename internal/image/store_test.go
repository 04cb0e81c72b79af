package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// box is a lock with the image box: recipe box with one input of the given
// content at url, else the stand-in tiny.
func box(t *testing.T, url, content string) *Lock {
	t.Helper()
	sum := sha256.Sum256([]byte(content))
	text := strings.Replace(goodLock, "https://example.org/data", url, 1)
	text = strings.Replace(text, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", hex.EncodeToString(sum[:]), 1)
	text = strings.Replace(text, "size = 5", fmt.Sprintf("size = %d", len(content)), 1)
	l, err := ParseLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// recipes are two recipes: box puts its input on its disk, tiny has none.
func recipes() fstest.MapFS {
	return fstest.MapFS{
		"lib.sh": {Data: []byte("finish() { echo kernel >\"$OUT/vmlinuz\"; }\n")},
		"box/build": {Data: []byte(`set -eu
. "$RECIPES/lib.sh"
echo '» copying'
cat "$INPUT_DATA" >"$OUT/disk.img"
finish
`)},
		"tiny/build": {Data: []byte(`. "$RECIPES/lib.sh"; echo tiny >"$OUT/disk.img"; finish`)},
	}
}

// notes collects progress.
type notes struct {
	mu   sync.Mutex
	list []Progress
}

func (n *notes) add(p Progress) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, p)
}

func (n *notes) has(phase, text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.list {
		if p.Phase == phase && strings.Contains(p.Note, text) {
			return true
		}
	}
	return false
}

func open(t *testing.T, o StoreOptions) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Recipes == nil {
		o.Recipes = recipes()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// serve answers every path with content, and counts.
func serve(t *testing.T, content string) (url string, count *atomic.Int64) {
	count = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, count
}

// refused is the URL of a server that is not there.
func refused() string {
	srv := httptest.NewServer(nil)
	srv.Close()
	return srv.URL
}

func TestCacheFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "xdg"))
	t.Setenv("LABRUN_CACHE", "")
	where := func(o StoreOptions) string {
		t.Helper()
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.Dir()
	}
	if got, want := where(StoreOptions{}), filepath.Join(dir, "xdg", "labrun"); got != want {
		t.Errorf("by default: %s, want %s", got, want)
	}
	t.Setenv("LABRUN_CACHE", filepath.Join(dir, "set"))
	if got, want := where(StoreOptions{}), filepath.Join(dir, "set"); got != want {
		t.Errorf("with LABRUN_CACHE: %s, want %s", got, want)
	}
	if got, want := where(StoreOptions{Dir: filepath.Join(dir, "option")}), filepath.Join(dir, "option"); got != want {
		t.Errorf("with Dir: %s, want %s", got, want)
	}
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	if _, err := Open(StoreOptions{Dir: filepath.Join(dir, "file")}); err == nil || !strings.Contains(err.Error(), "LABRUN_CACHE") {
		t.Errorf("in a file: %v", err)
	}
}

func TestEnsureBuildsOnce(t *testing.T) {
	url, count := serve(t, "hello")
	var n notes
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello"), Progress: n.add})
	if _, ok := s.Cached("box"); ok {
		t.Fatal("cached before it was built")
	}
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, img.Disk); got != "hello" {
		t.Errorf("disk has %q", got)
	}
	if img.StandIn != "" || img.DiskFormat != "raw" || img.Source != "recipe box" || img.Control != "ttyS1" || len(img.Digest) != 64 {
		t.Errorf("image: %+v", img)
	}
	if info, _ := os.Stat(img.Disk); info.Mode().Perm() != 0o444 {
		t.Errorf("disk has mode %v", info.Mode())
	}
	if !n.has(PhaseBuild, "copying") {
		t.Error("the recipe's note was not reported")
	}
	again, err := open(t, StoreOptions{Lock: s.lock, Dir: s.dir, Recipes: fstest.MapFS(recipes())}).Ensure(within(t), "box")
	if err != nil || again.Digest != img.Digest || count.Load() != 1 {
		t.Errorf("second Ensure: %v, %d downloads", err, count.Load())
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "work")); len(left) != 0 {
		t.Errorf("left in work: %v", left)
	}

	changed := recipes()
	changed["lib.sh"].Data = append(changed["lib.sh"].Data, "# changed\n"...)
	if _, ok := open(t, StoreOptions{Lock: s.lock, Dir: s.dir, Recipes: changed}).Cached("box"); ok {
		t.Error("a changed recipe still finds the old build")
	}
}

func TestStandInAndRememberedFailure(t *testing.T) {
	content := "hello"
	count := new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer srv.Close()
	lock := box(t, srv.URL+"/sub/data", content)
	s := open(t, StoreOptions{Lock: lock})
	for range 2 {
		img, err := s.Ensure(within(t), "box")
		if err != nil {
			t.Fatal(err)
		}
		if img.StandIn != "tiny" || !strings.Contains(img.Why, "403") || contents(t, img.Disk) != "tiny\n" {
			t.Errorf("stand-in %q because %q", img.StandIn, img.Why)
		}
	}
	if count.Load() != 1 {
		t.Errorf("%d attempts, want the failure remembered", count.Load())
	}
	if img, ok := s.Cached("box"); !ok || !strings.Contains(img.Why, "403") {
		t.Errorf("Cached: %+v", img)
	}
	if _, err := s.Build(within(t), "box", false); err != nil || count.Load() != 2 {
		t.Errorf("Build: %v after %d attempts; it must try again", err, count.Load())
	}

	// An old record counts no more.
	file, _ := s.failedFile(lock.images["box"].Sources[0])
	old := strings.Replace(contents(t, file), time.Now().UTC().Format("2006-01-02"), "2001-01-01", 1)
	if err := os.WriteFile(file, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ensure(within(t), "box"); err != nil || count.Load() != 3 {
		t.Errorf("expired: %v after %d attempts", err, count.Load())
	}

	// A mirror makes the better source available at once.
	mirror := t.TempDir()
	os.Mkdir(filepath.Join(mirror, "sub"), 0o755)
	os.WriteFile(filepath.Join(mirror, "sub", "data"), []byte(content), 0o644)
	img, err := open(t, StoreOptions{Lock: lock, Dir: s.dir, Mirror: mirror}).Ensure(within(t), "box")
	if err != nil || img.StandIn != "" || img.Why != "" || count.Load() != 3 {
		t.Errorf("with a mirror: %v, %+v after %d attempts", err, img, count.Load())
	}
}

// A mirror folder may be filled after it was tried in vain.
func TestMirrorIsFilledLater(t *testing.T) {
	mirror := t.TempDir()
	s := open(t, StoreOptions{Lock: box(t, refused()+"/data", "hello"), Mirror: mirror})
	if img, err := s.Ensure(within(t), "box"); err != nil || img.StandIn != "tiny" {
		t.Fatalf("%+v, %v", img, err)
	}
	os.WriteFile(filepath.Join(mirror, "data"), []byte("hello"), 0o644)
	if img, err := s.Ensure(within(t), "box"); err != nil || img.StandIn != "" {
		t.Errorf("%+v, %v", img, err)
	}
}

func TestStrictRefusesStandIn(t *testing.T) {
	s := open(t, StoreOptions{Lock: box(t, refused()+"/data", "hello"), Strict: true})
	_, err := s.Ensure(within(t), "box")
	var un *UnavailableError
	if !errors.As(err, &un) || len(un.Failures) != 2 || !strings.Contains(err.Error(), "tiny: refused") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownImage(t *testing.T) {
	s := open(t, StoreOptions{Lock: box(t, refused()+"/data", "hello")})
	if _, err := s.Ensure(within(t), "bax"); err == nil || !strings.Contains(err.Error(), "there are box") {
		t.Errorf("got %v", err)
	}
}

func TestVerifySetsDamageAside(t *testing.T) {
	url, _ := serve(t, "hello")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello")})
	if err := s.Verify(within(t), "box"); err == nil || !strings.Contains(err.Error(), "not in the cache") {
		t.Errorf("before the build: %v", err)
	}
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(within(t), "box"); err != nil {
		t.Fatal(err)
	}
	damage := func() {
		t.Helper()
		info, _ := os.Stat(img.Disk)
		os.Chmod(img.Disk, 0o644)
		if err := os.WriteFile(img.Disk, []byte("hellO"), 0o644); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(img.Disk, info.ModTime(), info.ModTime())
	}
	damage()
	if err := s.Verify(within(t), "box"); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "disk.img has sha256") {
		t.Errorf("same size and time: %v", err)
	}
	if img, err = s.Ensure(within(t), "box"); err != nil || contents(t, img.Disk) != "hello" {
		t.Errorf("not made again: %v", err)
	}

	// Another time alone is no damage, another size is.
	now := time.Now().Add(time.Hour)
	os.Chtimes(img.Disk, now, now)
	if _, ok := s.Cached("box"); !ok {
		t.Error("a copied cache counts as damaged")
	}
	os.Chmod(img.Disk, 0o644)
	os.WriteFile(img.Disk, []byte("hell"), 0o644)
	if img, err = s.Ensure(within(t), "box"); err != nil || contents(t, img.Disk) != "hello" {
		t.Errorf("cut short: %v", err)
	}
}

func TestListAndGC(t *testing.T) {
	url, _ := serve(t, "hello")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello")})
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(within(t))
	if err != nil || len(list) != 1 || list[0].Image == nil || list[0].Size == 0 || len(list[0].Sources) != 2 {
		t.Errorf("List: %+v, %v", list, err)
	}
	os.WriteFile(filepath.Join(s.dir, "blobs", "sha256-00.part"), []byte("half"), 0o644)
	if r, err := s.GC(within(t)); err != nil || len(r.Removed) != 1 || r.Freed == 0 {
		t.Errorf("GC of what is wanted: %+v, %v", r, err)
	}

	// Another version of the lock wants another input; the old build goes, but
	// not while its user runs.
	other := open(t, StoreOptions{Lock: box(t, url+"/data", "other"), Dir: s.dir})
	r, err := other.GC(within(t))
	if err != nil || len(r.InUse) != 1 {
		t.Errorf("GC while in use: %+v, %v", r, err)
	}
	if contents(t, img.Disk) != "hello" {
		t.Error("removed in use")
	}
	s.Close()
	if r, err = other.GC(within(t)); err != nil || len(r.InUse) != 0 {
		t.Errorf("GC: %+v, %v", r, err)
	}
	if _, err := os.Stat(img.Disk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old build is still there: %v", err)
	}
}

// TestMain lets the test binary be another labrun that ensures an image.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LABRUN_TEST_SMALL_DISK"); dir != "" {
		pullToSmallDisk(dir, os.Getenv("LABRUN_TEST_BUNDLE"))
		os.Exit(0)
	}
	if dir := os.Getenv("LABRUN_TEST_ENSURE"); dir != "" {
		lock, err := os.ReadFile(filepath.Join(dir, "lock"))
		if err == nil {
			var l *Lock
			if l, err = ParseLock(lock); err == nil {
				var s *Store
				if s, err = Open(StoreOptions{Dir: filepath.Join(dir, "cache"), Lock: l, Recipes: os.DirFS(filepath.Join(dir, "images"))}); err == nil {
					io.Copy(io.Discard, os.Stdin) // until all are ready
					_, err = s.Ensure(context.Background(), "box")
				}
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTwoProcesses(t *testing.T) {
	url, count := serve(t, "hello")
	dir := t.TempDir()
	counter := filepath.Join(dir, "builds")
	r := recipes()
	r["box/build"].Data = append(r["box/build"].Data, "echo x >>'"+counter+"'\n"...)
	if err := os.CopyFS(filepath.Join(dir, "images"), r); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("hello"))
	text := strings.Replace(goodLock, "https://example.org/data", url+"/data", 1)
	if !strings.Contains(text, hex.EncodeToString(sum[:])) {
		t.Fatal("the lock's digest is not hello's")
	}
	os.WriteFile(filepath.Join(dir, "lock"), []byte(text), 0o644)
	var wait []func() error
	gate, opener, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cmd := exec.CommandContext(within(t), os.Args[0])
		cmd.Env = append(os.Environ(), "LABRUN_TEST_ENSURE="+dir)
		cmd.Stdin = gate
		var out strings.Builder
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wait = append(wait, func() error {
			if err := cmd.Wait(); err != nil {
				return fmt.Errorf("%w: %s", err, out.String())
			}
			return nil
		})
	}
	gate.Close()
	opener.Close()
	for _, w := range wait {
		if err := w(); err != nil {
			t.Error(err)
		}
	}
	if got := contents(t, counter); got != "x\n" || count.Load() != 1 {
		t.Errorf("%d builds, %d downloads", len(got)/2, count.Load())
	}
}

// A second store waits for the first, and says so.
func TestWaitIsReported(t *testing.T) {
	var n notes
	url, _ := serve(t, "hello")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello")})
	src := s.lock.images["box"].Sources[0]
	dir, err := s.buildDir(src)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := s.acquire(within(t), "box", filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan struct{})
	var once sync.Once
	other := open(t, StoreOptions{Lock: s.lock, Dir: s.dir, Progress: func(p Progress) {
		n.add(p)
		if p.Phase == PhaseWait {
			once.Do(func() { close(waiting) })
		}
	}})
	done := make(chan error, 1)
	go func() {
		_, err := other.Ensure(within(t), "box")
		done <- err
	}()
	select {
	case <-waiting:
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	}
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
