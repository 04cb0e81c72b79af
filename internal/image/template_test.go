package image

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// templated is a store with the image box and a template of it called key, whose
// file memory is large and mostly holes.
func templated(t *testing.T) (*Store, *Image) {
	t.Helper()
	s := open(t, StoreOptions{Lock: box(t, "http://127.0.0.1:1/data", "hello")})
	img, err := s.Ensure(t.Context(), "box")
	if err != nil {
		t.Fatal(err)
	}
	makeTemplate(t, s, img, "key")
	return s, img
}

func makeTemplate(t *testing.T, s *Store, img *Image, key string) {
	t.Helper()
	d, err := s.NewTemplate(t.Context(), "box", key, 1<<20, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir(), "state"), []byte("devices"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(d.Dir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{0, 5 << 20, 8<<20 - 3} {
		if _, err := f.WriteAt([]byte("abc"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Keep(t.Context(), img, "a box", "memory"); err != nil {
		t.Fatal(err)
	}
}

func TestTemplate(t *testing.T) {
	s, _ := templated(t)
	if _, err := s.Template(t.Context(), "other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a template that is not there: %v", err)
	}
	tpl, err := s.Template(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(tpl.Path("state")); err != nil || string(data) != "devices" {
		t.Errorf("its state is %q, %v", data, err)
	}
	for name, want := range map[string]fs.FileMode{"state": 0o444, "memory": 0o644} {
		if info, err := os.Stat(tpl.Path(name)); err != nil || info.Mode() != want {
			t.Errorf("the mode of %s is %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	list, err := s.Templates()
	if err != nil || len(list) != 1 || list[0].Image != "box" || list[0].Shape != "a box" || list[0].Size == 0 {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "work")); len(left) != 0 {
		t.Errorf("left in work: %v", left)
	}
}

// alter writes into a file and sets its time back.
func alter(t *testing.T, path string, at int64, text string) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
	// It hides its time.
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedTemplate alters a template in each way that a disk or a person may.
func TestDamagedTemplate(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, s *Store, dir string){
		"one byte of the memory": func(t *testing.T, _ *Store, dir string) { alter(t, filepath.Join(dir, "memory"), 5<<20, "x") },
		"a hole filled":          func(t *testing.T, _ *Store, dir string) { alter(t, filepath.Join(dir, "memory"), 3<<20, "x") },
		"memory truncated": func(t *testing.T, _ *Store, dir string) {
			if err := os.Truncate(filepath.Join(dir, "memory"), 4<<20); err != nil {
				t.Fatal(err)
			}
		},
		"the small file":  func(t *testing.T, _ *Store, dir string) { alter(t, filepath.Join(dir, "state"), 0, "D") },
		"a file missing":  func(t *testing.T, _ *Store, dir string) { os.Remove(filepath.Join(dir, "state")) },
		"a link in place": func(t *testing.T, _ *Store, dir string) { relink(t, filepath.Join(dir, "memory")) },
		"its manifest": func(t *testing.T, _ *Store, dir string) {
			os.Remove(filepath.Join(dir, templateName))
			if err := os.WriteFile(filepath.Join(dir, templateName), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"its image gone": func(t *testing.T, s *Store, _ string) {
			images, err := filepath.Glob(filepath.Join(s.Dir(), "builds", "*"))
			if err != nil || len(images) != 1 {
				t.Fatal(images, err)
			}
			if err := os.RemoveAll(images[0]); err != nil {
				t.Fatal(err)
			}
		},
		"memory altered in an earlier boot of the host": func(t *testing.T, _ *Store, dir string) {
			alter(t, filepath.Join(dir, "memory"), 5<<20, "x")
			is, err := look(filepath.Join(dir, "memory"))
			if err != nil {
				t.Fatal(err)
			}
			writeSeen(t, dir, seenRecord{Boot: "earlier", Files: map[string]host.FileState{"memory": is}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := templated(t)
			dir := s.templateDir("key")
			spoil(t, s, dir)
			if _, err := s.Template(t.Context(), "key"); !errors.Is(err, errDamaged) {
				t.Fatalf("the damaged template: %v", err)
			}
			if _, err := s.Template(t.Context(), "key"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the second time: %v", err)
			}
			if left, _ := os.ReadDir(filepath.Join(s.Dir(), "work")); len(left) != 0 {
				t.Errorf("left in work: %v", left)
			}
			if img, err := s.Ensure(t.Context(), "box"); err != nil {
				t.Error(err)
			} else {
				makeTemplate(t, s, img, "key")
			}
			if _, err := s.Template(t.Context(), "key"); err != nil {
				t.Errorf("made anew: %v", err)
			}
		})
	}
}

func relink(t *testing.T, path string) {
	t.Helper()
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".moved", path); err != nil {
		t.Fatal(err)
	}
}

func writeSeen(t *testing.T, dir string, r seenRecord) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, seenName), encode(t, r), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTemplateIsReadOnce shows that the record of what was seen is believed: it
// says of an altered file that it was found intact.
func TestTemplateIsReadOnce(t *testing.T) {
	s, _ := templated(t)
	memory := filepath.Join(s.templateDir("key"), "memory")
	alter(t, memory, 5<<20, "x")
	is, err := look(memory)
	if err != nil {
		t.Fatal(err)
	}
	writeSeen(t, s.templateDir("key"), seenRecord{Boot: host.BootID(), Files: map[string]host.FileState{"memory": is}})
	if _, err := s.Template(t.Context(), "key"); err != nil {
		t.Errorf("a file that was seen intact was read: %v", err)
	}
	if err := s.Verify(t.Context(), "box"); err == nil || !strings.Contains(err.Error(), "memory was changed") {
		t.Errorf("verify reads all: %v", err)
	}
}

func TestTemplateIsMadeOnce(t *testing.T) {
	s := open(t, StoreOptions{Lock: box(t, "http://127.0.0.1:1/data", "hello")})
	other := open(t, StoreOptions{Dir: s.Dir(), Lock: box(t, "http://127.0.0.1:1/data", "hello")})
	img, err := s.Ensure(t.Context(), "box")
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.NewTemplate(t.Context(), "box", "key", 1, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.NewTemplate(t.Context(), "box", "key", 1, false); !errors.Is(err, ErrTemplateBusy) {
		t.Errorf("a second maker: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := other.NewTemplate(short, "box", "key", 1, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second maker that waits for too long: %v", err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		late, err := other.NewTemplate(t.Context(), "box", "key", 1, true)
		if err != nil {
			t.Error(err)
			return
		}
		defer late.Drop()
		if _, err := other.Template(t.Context(), "key"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
	if err := os.WriteFile(filepath.Join(d.Dir(), "state"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Keep(t.Context(), img, ""); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
}

func TestTemplateWithoutRoom(t *testing.T) {
	s, _ := templated(t)
	s.free = func(string) (int64, error) { return 10 << 20, nil }
	_, err := s.NewTemplate(t.Context(), "box", "next", 11<<20, false)
	if full := new(spaceError); !errors.As(err, &full) {
		t.Errorf("with too little room: %v", err)
	}
	d, err := s.NewTemplate(t.Context(), "box", "next", 10<<20, false)
	if err != nil {
		t.Fatal(err)
	}
	d.Drop()
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "work")); len(left) != 0 {
		t.Errorf("left in work: %v", left)
	}
}

func TestCollectTemplates(t *testing.T) {
	s, img := templated(t)
	if _, err := s.Template(t.Context(), "key"); err != nil { // in use from now on
		t.Fatal(err)
	}
	makeTemplate(t, s, img, "unused")
	makeTemplate(t, s, img, "orphan")
	dir := s.templateDir("orphan")
	m, err := readTemplate(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Base = "builds/older-0123456789abcdef"
	os.Remove(filepath.Join(dir, templateName))
	if err := os.WriteFile(filepath.Join(dir, templateName), encode(t, m), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := func() string {
		t.Helper()
		list, err := s.Templates()
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, st := range list {
			keys = append(keys, st.Key)
		}
		slices.Sort(keys)
		return strings.Join(keys, " ")
	}
	if _, err := open(t, StoreOptions{Dir: s.Dir(), Lock: s.lock}).GC(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := kept(), "key unused"; got != want {
		t.Errorf("gc kept %q, want %q", got, want)
	}
	// With too little room for two, the one in use stays, though it was used earlier.
	s.templateLimit = 1
	makeTemplate(t, s, img, "newest")
	if got, want := kept(), "key newest"; got != want {
		t.Errorf("with little room %q were kept, want %q", got, want)
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSparseSum(t *testing.T) {
	dir := t.TempDir()
	sum := func(name string, write func(f *os.File)) string {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Truncate(1 << 20); err != nil {
			t.Fatal(err)
		}
		write(f)
		got, err := sparseSum(t.Context(), f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	at := func(offset int64, data string) func(*os.File) {
		return func(f *os.File) {
			if _, err := f.WriteAt([]byte(data), offset); err != nil {
				t.Fatal(err)
			}
		}
	}
	holes := sum("holes", at(200_000, "x"))
	zeros := sum("zeros", func(f *os.File) { at(0, string(make([]byte, 1<<20)))(f); at(200_000, "x")(f) })
	if holes != zeros {
		t.Error("a hole and zeros have different digests")
	}
	for name, other := range map[string]string{
		"a block later": sum("later", at(200_000+64<<10, "x")), "a byte later": sum("byte", at(200_001, "x")), "another byte": sum("other", at(200_000, "y")),
	} {
		if other == holes {
			t.Errorf("%s, the digest is the same", name)
		}
	}
}
