package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/labrun/labrun/internal/image/registrytest"
)

// A registry that lies, or does not answer, is told of with what to do, and nothing is kept
// that could be taken for an image.
func TestPullRefused(t *testing.T) {
	reg := registrytest.New(t)
	from, _ := boxed(t, random(100_000))
	ref := push(t, from, reg.Host+"/course/box:v1").Ref
	manifest := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	// changed serves what is asked for otherwise.
	changed := func(when func(*http.Request) bool, change func(body []byte) []byte) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if !when(r) {
				reg.Serve(w, r)
				return
			}
			answer := &recorder{header: w.Header()}
			reg.Serve(answer, r)
			w.Header().Del("Content-Length")
			w.Write(change(answer.body.Bytes()))
		}
	}
	blob := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }
	for _, c := range []struct {
		name, ref string
		lie       http.HandlerFunc
		want      []string
	}{
		{"unauthorized", ref, status(401), []string{"needs a login", "docker login " + reg.Host}},
		{"forbidden", ref, status(403), []string{"needs a login"}},
		{"nothing there", reg.Host + "/course/bax:v1", nil, []string{"there is no such bundle; compare its name"}},
		{"broken", ref, status(500), []string{"says 500 Internal Server Error", "try again later"}},
		{"too many", ref, status(429), []string{"429", "wait a while"}},
		{"no name", "box", nil, []string{"HOST/PATH:TAG"}},
		{"no registry", strings.TrimPrefix(refused(), "http://") + "/course/box:v1", nil, []string{"cannot be reached", "connection refused"}},
		{
			"another manifest", ref,
			changed(manifest, func(body []byte) []byte {
				return bytes.Replace(body, []byte("labrun image"), []byte("labrun imagE"), 1)
			}),
			[]string{"sent something else than it has promised", "try again"},
		},
		{
			"another manifest behind a tag", reg.Host + "/course/box:v1",
			changed(manifest, func(body []byte) []byte { return []byte(`{"schemaVersion":2}`) }),
			[]string{"sent something else than it has promised"},
		},
		{
			"a wrong configuration", ref,
			changed(blob, func(body []byte) []byte { body[len(body)/2] ^= 1; return body }),
			[]string{"sent something else than it has promised"},
		},
		{
			"a wrong file", ref,
			changed(blob, func(body []byte) []byte {
				if len(body) > 50_000 {
					body[len(body)/2] ^= 1
				}
				return body
			}),
			[]string{"disk.img of " + reg.Host + "/course/box: wrong digest: sha256 is", "as the bundle says", "so it was not kept: try again"},
		},
		{
			"a long file", ref,
			changed(blob, func(body []byte) []byte {
				if len(body) > 50_000 {
					body = append(body, 'x')
				}
				return body
			}),
			[]string{"disk.img of " + reg.Host + "/course/box: wrong digest: it is longer than", "so it was not kept: try again"},
		},
	} {
		reg.Lie(c.lie)
		s := elsewhere(t, "hello", StoreOptions{})
		_, err := s.Pull(within(t), c.ref, "")
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.name, err, want)
			}
		}
		for _, file := range left(t, s) {
			if !strings.HasPrefix(file, "blobs/") {
				t.Errorf("%s: left %s", c.name, file)
			}
		}
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(int)             {}

// forge pushes a bundle again, whose configuration says something else.
func forge(t *testing.T, s *Store, ref string, change func(string) string) string {
	t.Helper()
	d, err := s.depot(ref)
	if err != nil {
		t.Fatal(err)
	}
	read := func(desc ocispec.Descriptor, body io.ReadCloser, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		text, err := content.ReadAll(body, desc)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	desc, body, err := d.repo.Manifests().FetchReference(within(t), d.repo.Reference.Reference)
	var m ocispec.Manifest
	if err := json.Unmarshal(read(desc, body, err), &m); err != nil {
		t.Fatal(err)
	}
	body, err = d.repo.Blobs().Fetch(within(t), m.Config)
	config := change(string(read(m.Config, body, err)))
	m.Config = content.NewDescriptorFromBytes(m.Config.MediaType, []byte(config))
	if err := d.repo.Blobs().Push(within(t), m.Config, strings.NewReader(config)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	desc = content.NewDescriptorFromBytes(ocispec.MediaTypeImageManifest, text)
	if err := d.repo.Manifests().PushReference(within(t), desc, bytes.NewReader(text), "forged"); err != nil {
		t.Fatal(err)
	}
	return d.name() + ":forged"
}

// A bundle whose maker lies, or whose computer was broken, is refused before it has a name here.
func TestForgedBundles(t *testing.T) {
	reg := registrytest.New(t)
	from, img := boxed(t, "hello")
	ref := push(t, from, reg.Host+"/course/box").Ref
	for _, c := range []struct{ old, new, want string }{
		{img.DiskSHA256, strings.Repeat("0", 64), "disk.img is not what the bundle says (wrong digest: sha256 is " + img.DiskSHA256},
		{`"size":5`, `"size":4`, "disk.img is not what the bundle says"},
		{`"size":5`, `"size":6`, "disk.img is not what the bundle says"},
		{`"size":5`, `"size":999999999999999`, "disk.img has 999999999999999 bytes"},
		{`"disk.img"`, `"../../disk.img"`, "its file disk"},
		{`"kernel":{`, `"firmware":{`, "it has nothing to boot"},
		{`"name":"box"`, `"name":"../box"`, `its name is "../box"`},
		{`"build":"box-`, `"build":"../box-`, "its build is"},
		{`"format":"raw"`, `"format":"vmdk"`, `its disk's format is "vmdk"`},
		{`"format":"raw"`, `"format":"qcow2"`, "its format is raw, and the bundle says qcow2"},
		{`"format":"raw"`, `"format":"raw","hardware":{"memory":4}`, "memory is 4 MiB"},
		{`"bundle":1`, `"bundle":2`, "its format is 2, and this labrun reads 1: get a newer labrun"},
		{`{`, `[`, "its configuration cannot be read"},
	} {
		forged := forge(t, from, ref, func(config string) string {
			if !strings.Contains(config, c.old) {
				t.Fatalf("%s is not in %s", c.old, config)
			}
			return strings.Replace(config, c.old, c.new, 1)
		})
		s := elsewhere(t, "hello", StoreOptions{})
		if _, err := s.Pull(within(t), forged, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.new, err)
		}
		for _, file := range left(t, s) {
			if !strings.HasPrefix(file, "blobs/") {
				t.Errorf("%s: left %s", c.new, file)
			}
		}
	}
}

// A pull that breaks off goes on where it was, at once and at the next time.
func TestPullBreaksOff(t *testing.T) {
	reg := registrytest.New(t)
	from, _ := boxed(t, random(300_000))
	ref := push(t, from, reg.Host+"/course/box").Ref
	var ranges []string
	breaks := 0
	reg.Lie(func(w http.ResponseWriter, r *http.Request) {
		if from := r.Header.Get("Range"); from != "" {
			ranges = append(ranges, from)
		}
		answer := &recorder{header: http.Header{}}
		reg.Serve(answer, r)
		if answer.body.Len() < 100_000 {
			w.Header().Set("Content-Type", answer.header.Get("Content-Type"))
			w.Write(answer.body.Bytes())
			return
		}
		breaks++
		w.Header().Set("Content-Length", fmt.Sprint(answer.body.Len()))
		if answer.header.Get("Content-Range") != "" {
			w.Header().Set("Content-Range", answer.header.Get("Content-Range"))
			w.WriteHeader(http.StatusPartialContent)
		}
		if breaks < 3 { // then there is no more of it today
			w.Write(answer.body.Bytes()[:50_000])
		}
	})
	s := elsewhere(t, random(300_000), StoreOptions{})
	_, err := s.Pull(within(t), ref, "")
	if err == nil || !strings.Contains(err.Error(), "connection broke off after 100000 ") || !strings.Contains(err.Error(), "goes on from there") {
		t.Errorf("breaks off: %v", err)
	}
	if !slices.Equal(ranges, []string{"bytes=50000-", "bytes=100000-"}) {
		t.Errorf("asked for %q", ranges)
	}
	if _, ok := s.Cached("box"); ok {
		t.Error("half an image counts as one")
	}
	reg.Lie(func(w http.ResponseWriter, r *http.Request) {
		if from := r.Header.Get("Range"); from != "" {
			ranges = append(ranges, from)
		}
		reg.Serve(w, r)
	})
	if _, err := s.Pull(within(t), ref, ""); err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 3 || ranges[2] != "bytes=100000-" {
		t.Errorf("then asked for %q", ranges)
	}
	if img, err := s.Ensure(within(t), "box"); err != nil || contents(t, img.Disk) != random(300_000) {
		t.Errorf("not the image: %v", err)
	}
}

// Blobs may be elsewhere, as GHCR's are; the login does not go there.
func TestPullRedirected(t *testing.T) {
	reg, store := registrytest.New(t), registrytest.New(t)
	from, _ := boxed(t, "hello")
	ref := push(t, from, reg.Host+"/course/box").Ref
	push(t, from, store.Host+"/course/box")
	reg.Lie(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://"+store.Host+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		reg.Serve(w, r)
	})
	if _, err := elsewhere(t, "hello", StoreOptions{}).Pull(within(t), ref, ""); err != nil {
		t.Error(err)
	}
}

// A disk without room is told of before anything is sent; one that fills gives back what it has.
// /dev/full is one that is full. (What fills while files are unpacked takes the same way.)
func TestPullWithoutRoom(t *testing.T) {
	reg := registrytest.New(t)
	from, _ := boxed(t, random(100_000))
	ref := push(t, from, reg.Host+"/course/box").Ref
	reg.Log()
	s := elsewhere(t, "hello", StoreOptions{})
	s.free = func(string) (int64, error) { return 1000, nil }
	_, err := s.Pull(within(t), ref, "")
	if err == nil || !strings.Contains(err.Error(), "MiB are needed; make room") || !strings.Contains(err.Error(), "LABRUN_CACHE") {
		t.Errorf("without room: %v", err)
	}
	if log := reg.Log(); len(log) != 2 { // the manifest and the configuration
		t.Errorf("asked for %q", log)
	}

	s = elsewhere(t, "hello", StoreOptions{})
	d, err := s.depot(ref)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.fetch(within(t))
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(s.dir, "blobs", d.blob(p.layers["disk"], "").id()+".part")
	if err := os.Symlink("/dev/full", part); err != nil {
		t.Fatal(err)
	}
	_, err = s.Pull(within(t), ref, "")
	var full *spaceError
	if !errors.As(err, &full) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("a full disk: %v", err)
	}
	if _, err := os.Lstat(part); err == nil {
		t.Error("the part stays on the full disk")
	}
	for _, file := range left(t, s) {
		if !strings.HasPrefix(file, "blobs/") {
			t.Errorf("left %s", file)
		}
	}
}
