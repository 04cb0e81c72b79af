package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// data is the download of the lock's only input.
func data(s *Store) download { return s.lock.images["box"].Sources[0].Inputs[0].download }

func TestDownloadResumesAfterBreak(t *testing.T) {
	content := strings.Repeat("0123456789", 10000)
	var ranges []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
		w.Header().Set("ETag", `"v1"`)
		if len(ranges) == 1 {
			// Cut in half: the handler promises all and stops.
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			io.WriteString(w, content[:50000])
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}))
	defer srv.Close()
	s := open(t, StoreOptions{Lock: box(t, srv.URL+"/data", content)})
	file, err := s.download(within(t), "box", data(s))
	if err != nil {
		t.Fatal(err)
	}
	if contents(t, file) != content {
		t.Error("wrong content")
	}
	if len(ranges) != 2 || ranges[1] != `bytes=50000- "v1"` {
		t.Errorf("requests: %q", ranges)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "blobs", "*.part*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Parts of an earlier run: right, wrong, too long, whole; and servers that do
// not resume.
func TestDownloadContinuesPart(t *testing.T) {
	const content = "hello world"
	ranged := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}
	whole := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, content) }
	for _, c := range []struct {
		name, part string
		handler    http.HandlerFunc
		requests   int64
	}{
		{"right", "hello ", ranged, 1},
		{"wrong", "jello ", ranged, 2},
		{"too long", "hello world and more", ranged, 1},
		{"whole", content, ranged, 0},
		{"whole but wrong", "hello_world", ranged, 1},
		{"no ranges", "hello ", whole, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var count atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				count.Add(1)
				c.handler(w, r)
			}))
			defer srv.Close()
			s := open(t, StoreOptions{Lock: box(t, srv.URL+"/data", content)})
			part := filepath.Join(s.dir, "blobs", data(s).id()+".part")
			if err := os.WriteFile(part, []byte(c.part), 0o644); err != nil {
				t.Fatal(err)
			}
			file, err := s.download(within(t), "box", data(s))
			if err != nil {
				t.Fatal(err)
			}
			if contents(t, file) != content || count.Load() != c.requests {
				t.Errorf("%q after %d requests, want %d", contents(t, file), count.Load(), c.requests)
			}
		})
	}
}

func TestWrongDigestIsRefused(t *testing.T) {
	url, _ := serve(t, "jello")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello")})
	_, err := s.download(within(t), "box", data(s))
	if err == nil || !strings.Contains(err.Error(), "sha256 is ") || !strings.Contains(err.Error(), url) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "blobs")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	// A length that differs is told from the header, before anything comes.
	longer, _ := serve(t, "hello, world")
	s = open(t, StoreOptions{Lock: box(t, longer+"/data", "hello")})
	if _, err := s.download(within(t), "box", data(s)); err == nil || !strings.Contains(err.Error(), "12 bytes, not 5") {
		t.Errorf("got %v", err)
	}
}

func TestMirror(t *testing.T) {
	upstream, asked := serve(t, "hello")
	good, _ := serve(t, "hello")
	bad, _ := serve(t, "jello")
	folder := t.TempDir()
	os.Mkdir(filepath.Join(folder, "sub"), 0o755)
	os.WriteFile(filepath.Join(folder, "sub", "data"), []byte("hello"), 0o644)
	for _, c := range []struct {
		name, mirror string
		upstream     int64
		note         string
	}{
		{"url", good + "/", 0, ""},
		{"folder", folder, 0, ""},
		{"wrong digest", bad, 1, "refused what " + bad + "/sub/data"},
		{"empty folder", t.TempDir(), 1, ""},
		{"gone", refused(), 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			var n notes
			s := open(t, StoreOptions{Lock: box(t, upstream+"/sub/data", "hello"), Mirror: c.mirror, Progress: n.add})
			file, err := s.download(within(t), "box", data(s))
			if err != nil {
				t.Fatal(err)
			}
			if contents(t, file) != "hello" || asked.Load() != c.upstream {
				t.Errorf("upstream was asked %d times, want %d", asked.Load(), c.upstream)
			}
			if c.note != "" && !n.has(PhaseNote, c.note) {
				t.Errorf("no note %q in %+v", c.note, n.list)
			}
		})
	}
}

func TestStalledServer(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "he")
		w.(http.Flusher).Flush()
		<-release
	}))
	defer srv.Close()
	defer close(release)
	s := open(t, StoreOptions{Lock: box(t, srv.URL+"/data", "hello")})
	s.stallTimeout = 100 * time.Millisecond
	_, err := s.download(within(t), "box", data(s))
	if err == nil || !strings.Contains(err.Error(), "nothing came for 100ms") {
		t.Errorf("got %v", err)
	}
	part := filepath.Join(s.dir, "blobs", data(s).id()+".part")
	if contents(t, part) != "he" {
		t.Error("what came was not kept")
	}
}

func TestCancelledDownload(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer srv.Close()
	s := open(t, StoreOptions{Lock: box(t, srv.URL+"/data", "hello")})
	if _, err := s.Ensure(ctx, "box"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "failed")); len(left) != 0 {
		t.Error("an interruption was remembered as a failure")
	}
}

// /dev/full is a disk without any room left.
func TestFullDisk(t *testing.T) {
	url, _ := serve(t, "hello")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello")})
	part := filepath.Join(s.dir, "blobs", data(s).id()+".part")
	if err := os.Symlink("/dev/full", part); err != nil {
		t.Fatal(err)
	}
	_, err := s.Ensure(within(t), "box")
	var full *spaceError
	if !errors.As(err, &full) || !strings.Contains(err.Error(), "labrun images gc") {
		t.Errorf("got %v; a full disk must not lead to the stand-in", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "blobs")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestTooLittleSpace(t *testing.T) {
	url, asked := serve(t, "hello")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello")})
	s.free = func(string) (int64, error) { return 3, nil }
	if _, err := s.Ensure(within(t), "box"); err == nil || !strings.Contains(err.Error(), "free") || asked.Load() != 0 {
		t.Errorf("got %v after %d requests", err, asked.Load())
	}
}
