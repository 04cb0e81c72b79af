package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/labrun/labrun/internal/image/registrytest"
)

// boxed is a store with the image box, of that content, ready.
func boxed(t *testing.T, content string) (*Store, *Image) {
	t.Helper()
	url, _ := serve(t, content)
	s := open(t, StoreOptions{Lock: box(t, url+"/data", content)})
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	return s, img
}

// elsewhere is a store of another computer with the same lock, which can make nothing by
// itself.
func elsewhere(t *testing.T, content string, o StoreOptions) *Store {
	t.Helper()
	if o.Lock == nil {
		o.Lock = box(t, refused()+"/data", content)
	}
	return open(t, o)
}

// left is what a store has besides what it always has.
func left(t *testing.T, s *Store) (files []string) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(s.dir, path); strings.Contains(rel, "/") && !strings.HasPrefix(rel, "locks") {
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// random is content that no compression makes smaller.
func random(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(registrytest.Digest(fmt.Sprint(i))[7:])
	}
	return b.String()[:size]
}

func push(t *testing.T, s *Store, ref string) Bundle {
	t.Helper()
	b, err := s.Push(within(t), "box", ref)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Another computer has the image as if it had been built there.
func TestPushAndPull(t *testing.T) {
	reg := registrytest.New(t)
	reg.Login("ada", "secret")
	docker := t.TempDir()
	t.Setenv("DOCKER_CONFIG", docker)
	if _, err := open(t, StoreOptions{Lock: box(t, refused(), "hello")}).Push(within(t), "box", reg.Host+"/course/box"); err == nil ||
		!strings.Contains(err.Error(), "image box is not here yet: `labrun images fetch box`") {
		t.Errorf("without the image: %v", err)
	}
	from, was := boxed(t, "hello")
	if _, err := from.Push(within(t), "box", reg.Host+"/course/box:v1"); err == nil ||
		!strings.Contains(err.Error(), "needs a login") || !strings.Contains(err.Error(), "docker login "+reg.Host) {
		t.Errorf("without a login: %v", err)
	}
	login := base64.StdEncoding.EncodeToString([]byte("ada:secret"))
	os.WriteFile(filepath.Join(docker, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, reg.Host, login), 0o600)
	pushed := push(t, from, reg.Host+"/course/box:v1")
	if !strings.HasPrefix(pushed.Ref, reg.Host+"/course/box@sha256:") || pushed.Bytes == 0 {
		t.Errorf("pushed %+v", pushed)
	}
	reg.Log()
	if again := push(t, from, reg.Host+"/course/box:v2"); again.Digest != pushed.Digest {
		t.Errorf("another digest at the second time: %s, %s", again.Digest, pushed.Digest)
	}
	if log := reg.Log(); slices.ContainsFunc(log, func(r string) bool { return strings.HasPrefix(r, "POST") }) {
		t.Errorf("sent again what is there: %q", log)
	}

	to := elsewhere(t, "hello", StoreOptions{})
	got, err := to.Pull(within(t), reg.Host+"/course/box:v1", "")
	if err != nil || got.Digest != pushed.Digest || got.Here || got.Image != "box" {
		t.Fatalf("pulled %+v, %v", got, err)
	}
	img, err := to.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	if img.Digest != was.Digest || img.Hardware != was.Hardware || img.Cmdline != was.Cmdline || img.Control != was.Control ||
		img.StandIn != "" || contents(t, img.Disk) != "hello" || contents(t, img.Kernel) != "kernel\n" {
		t.Errorf("it was %+v and is %+v", was, img)
	}
	if img.Source != "recipe box (bundle "+reg.Host+"/course/box)" {
		t.Errorf("its source is %s", img.Source)
	}
	if err := to.Verify(within(t), "box"); err != nil {
		t.Error(err)
	}
	if files := left(t, to); slices.ContainsFunc(files, func(f string) bool { return !strings.HasPrefix(f, "builds/box-") }) {
		t.Errorf("left: %v", files)
	}
	if r, err := to.GC(within(t)); err != nil || len(r.Removed) > 0 {
		t.Errorf("gc removed %v, %v", r.Removed, err)
	}
	if again, err := to.Pull(within(t), pushed.Ref, ""); err != nil || !again.Here {
		t.Errorf("again: %+v, %v", again, err)
	}
	if third := push(t, to, reg.Host+"/course/box:v3"); third.Digest != pushed.Digest {
		t.Errorf("what was pulled is another bundle: %s, %s", third.Digest, pushed.Digest)
	}
}

// A push that breaks off leaves no bundle, and the next sends what is missing. A helper of Docker's
// that is not there keeps nobody from a registry that asks for no login.
func TestPushBreaksOff(t *testing.T) {
	reg := registrytest.New(t)
	docker := t.TempDir()
	t.Setenv("DOCKER_CONFIG", docker)
	os.WriteFile(filepath.Join(docker, "config.json"), fmt.Appendf(nil, `{"credHelpers":{%q:"not-there"}}`, reg.Host), 0o600)
	s, _ := boxed(t, random(100_000))
	var n notes
	s.progress = n.add
	var puts atomic.Int32
	reg.Lie(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && puts.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		reg.Serve(w, r)
	})
	if _, err := s.Push(within(t), "box", reg.Host+"/course/box:v1"); err == nil || !strings.Contains(err.Error(), "broke off") ||
		!strings.Contains(err.Error(), "try again") {
		t.Errorf("got %v", err)
	}
	if _, err := elsewhere(t, "hello", StoreOptions{}).Pull(within(t), reg.Host+"/course/box:v1", ""); err == nil || !strings.Contains(err.Error(), "no such bundle") {
		t.Errorf("half a bundle is there: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Join(s.dir, "work")); len(files) > 0 {
		t.Errorf("left %v", files)
	}
	puts.Store(2)
	push(t, s, reg.Host+"/course/box:v1")
	if puts := puts.Load(); puts != 5 { // of kernel, disk and configuration the two that were missing, and the manifest
		t.Errorf("%d requests with content in all", puts)
	}

	reg.Login("ada", "secret")
	if _, err := s.Push(within(t), "box", reg.Host+"/course/box:v2"); err == nil || !strings.Contains(err.Error(), "needs a login") {
		t.Errorf("without a login: %v", err)
	}
	if !n.has(PhaseNote, "Docker's login cannot be read, so labrun asks without one") {
		t.Error("that the helper is not there is not told")
	}
}

// What a lock names by its digest comes first; it may be a stand-in.
func TestBundleSource(t *testing.T) {
	reg := registrytest.New(t)
	s, was := boxed(t, "hello")
	pushed := push(t, s, reg.Host+"/course/box")
	text := strings.Replace(goodLock, "[[images.box.sources]]", "[[images.box.sources]]\nbundle = \""+pushed.Ref+"\"\n[[images.box.sources]]", 1)
	lock, err := ParseLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	to := elsewhere(t, "", StoreOptions{Lock: lock})
	img, err := to.Ensure(within(t), "box")
	if err != nil || img.Digest != was.Digest || !strings.Contains(img.Disk, "/builds/bundle-") {
		t.Fatalf("%+v, %v", img, err)
	}
	if got, err := to.Pull(within(t), pushed.Ref, ""); err != nil || !got.Here {
		t.Errorf("pulled besides: %+v, %v", got, err)
	}
	if r, err := to.GC(within(t)); err != nil || len(r.Removed) > 0 {
		t.Errorf("gc removed %v, %v", r.Removed, err)
	}
	if got := to.Sources("box")[0]; got != "bundle "+reg.Host+"/course/box" {
		t.Errorf("it is called %s", got)
	}

	// Where it cannot be had, the next source is tried.
	reg.Lie(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	img, err = elsewhere(t, "", StoreOptions{Lock: lock}).Ensure(within(t), "box")
	if err != nil || img.StandIn != "tiny" || !strings.Contains(img.Why, "says 500 Internal Server Error") {
		t.Errorf("without it: %+v, %v", img, err)
	}

	for _, fault := range []struct{ line, want string }{
		{`bundle = "ghcr.io/course/debian:v1"`, "is not HOST/PATH@sha256:DIGEST"},
		{`bundle = "` + pushed.Ref + "\"\nurl = \"https://example.org\"", "not two of them"},
		{`bundle = "` + pushed.Ref + "\"\nboot = \"bios\"", "a bundle says itself what it is"},
	} {
		_, err := ParseLock([]byte(strings.Replace(goodLock, `recipe = "box"`, fault.line, 1)))
		if err == nil || !strings.Contains(err.Error(), fault.want) {
			t.Errorf("%s: %v", fault.line, err)
		}
	}
}

// What no source here would yield takes their place, as an added image does; a stand-in stays one.
func TestPullInPlace(t *testing.T) {
	reg := registrytest.New(t)
	lock := box(t, refused(), "hello")
	s := open(t, StoreOptions{Lock: lock})
	if _, err := s.Ensure(within(t), "box"); err != nil { // the stand-in
		t.Fatal(err)
	}
	ref := push(t, s, reg.Host+"/course/tiny").Ref
	changed := recipes()
	changed["lib.sh"] = &fstest.MapFile{Data: append([]byte("# newer\n"), changed["lib.sh"].Data...)}
	to := open(t, StoreOptions{Lock: lock, Recipes: changed})
	if _, err := to.Pull(within(t), ref, ""); err != nil {
		t.Fatal(err)
	}
	img, err := to.Ensure(within(t), "box")
	if err != nil || img.StandIn != "tiny" || img.Why == "" || contents(t, img.Disk) != "tiny\n" || !strings.Contains(img.Disk, "/added/box/") {
		t.Errorf("%+v, %v", img, err)
	}
	if img, ok := to.Cached("box"); !ok || img.Why == "" {
		t.Errorf("without a reason: %+v", img)
	}
	strict := open(t, StoreOptions{Dir: to.dir, Lock: lock, Recipes: changed, Strict: true})
	if _, err := strict.Ensure(within(t), "box"); err == nil || !strings.Contains(err.Error(), "only real images") {
		t.Errorf("strict: %v", err)
	}
	if was, err := to.Remove(within(t), "box"); err != nil || !strings.Contains(was, "bundle") {
		t.Errorf("removed %s, %v", was, err)
	}

	other, err := ParseLock([]byte(strings.ReplaceAll(goodLock, "images.box", "images.case")))
	if err != nil {
		t.Fatal(err)
	}
	to = open(t, StoreOptions{Lock: other, Recipes: changed})
	if _, err := to.Pull(within(t), ref, ""); err == nil || !strings.Contains(err.Error(), "say with --as which image") {
		t.Errorf("of an unknown name: %v", err)
	}
	if got, err := to.Pull(within(t), ref, "case"); err != nil || got.Image != "case" {
		t.Errorf("as another: %+v, %v", got, err)
	}
}

// What is damaged here is not sent to others.
func TestPushOfDamagedImage(t *testing.T) {
	reg := registrytest.New(t)
	s, img := boxed(t, "hello")
	info, err := os.Stat(img.Disk)
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(img.Disk, 0o644)
	os.WriteFile(img.Disk, []byte("hellO"), 0o644)
	os.Chtimes(img.Disk, info.ModTime(), info.ModTime())
	_, err = s.Push(within(t), "box", reg.Host+"/course/box")
	if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "labrun images verify box") {
		t.Errorf("got %v", err)
	}
	if log := reg.Log(); len(log) > 0 {
		t.Errorf("sent something of it: %q", log)
	}
	if files, _ := os.ReadDir(filepath.Join(s.dir, "work")); len(files) > 0 {
		t.Errorf("left %v", files)
	}
}

// A file takes images to where there is no network; one that is damaged on the way is refused.
func TestExportAndImport(t *testing.T) {
	s, was := boxed(t, random(100_000))
	path := filepath.Join(t.TempDir(), "images.tar")
	list, err := s.Export(within(t), path, "box")
	if err != nil || len(list) != 1 || list[0].Image != "box" {
		t.Fatalf("%+v, %v", list, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(whole)); ; {
		head, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		names = append(names, head.Name)
	}
	if len(names) != 6 || !slices.Contains(names, "oci-layout") || !slices.Contains(names, "index.json") { // kernel, disk, configuration, manifest
		t.Errorf("it has %v", names)
	}
	if _, err := s.Export(within(t), filepath.Join(filepath.Dir(path), "again.tar"), "box"); err != nil {
		t.Error(err)
	} else if again := contents(t, filepath.Join(filepath.Dir(path), "again.tar")); again != string(whole) {
		t.Error("it is another file at the second time")
	}

	to := elsewhere(t, random(100_000), StoreOptions{})
	if list, err = to.Import(within(t), path); err != nil || len(list) != 1 || list[0].Image != "box" || list[0].Here {
		t.Fatalf("%+v, %v", list, err)
	}
	if img, ok := to.Cached("box"); !ok || img.Digest != was.Digest || img.Source != "recipe box (bundle images.tar)" {
		t.Errorf("it is %+v", img)
	}

	middle := len(whole) / 2
	changed := slices.Clone(whole)
	changed[middle] ^= 1
	for _, c := range []struct {
		name, want string
		content    []byte
	}{
		{"cut", "cut short", whole[:middle]},
		{"cut at a block", "cut short", whole[:1024]},
		{"changed", "is not what the bundle says", changed},
		{"nothing", "cut short", nil},
		{"text", "no file of `labrun images export`", []byte(strings.Repeat("hello\n", 1000))},
	} {
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		to := elsewhere(t, "hello", StoreOptions{})
		if _, err := to.Import(within(t), path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if files := left(t, to); len(files) > 0 {
			t.Errorf("%s: left %v", c.name, files)
		}
	}
	if _, err := s.Export(within(t), filepath.Join(path, "x.tar"), "box"); err == nil {
		t.Error("exported into a file")
	}
	if _, err := s.Export(within(t), path, "bax"); err == nil || !strings.Contains(err.Error(), "no such image") {
		t.Errorf("exported nothing: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 2 {
		t.Errorf("left %v", files)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Export(ctx, path, "box"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

// Where images cannot be made, it is said how to get finished ones.
func TestNoWayToMakeImages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := elsewhere(t, "hello", StoreOptions{}).Ensure(within(t), "box")
	if err == nil || !strings.Contains(err.Error(), "this computer has no apt-get") || !strings.Contains(err.Error(), "`labrun images pull HOST/PATH:TAG`") {
		t.Errorf("got %v", err)
	}
}
