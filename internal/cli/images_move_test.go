package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/image/registrytest"
)

// An image goes to another computer by a registry and by a file, and each command says what
// became of it.
func TestImagesMove(t *testing.T) {
	home := isolate(t)
	reg := registrytest.New(t)
	boot := write(t, "boot.img", "\xeb\xfe"+strings.Repeat("\x00", 508)+"\x55\xaa")
	run := func(code int, args ...string) outcome {
		t.Helper()
		got := invoke(append([]string{"images"}, args...)...)
		if got.code != code {
			t.Fatalf("images %v: exit %d, %s%s", args, got.code, got.out, got.err)
		}
		return got
	}
	has := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in %s", part, text)
			}
		}
	}
	file, ref := filepath.Join(home, "images.tar"), reg.Host+"/course/hello:v1"
	has(run(4, "export", file).err, "no image is here yet", "labrun images fetch")
	has(run(4, "push", "debian", ref).err, "labrun images fetch debian")
	run(0, "add", "hello", boot)
	has(run(2, "push", "helo", ref).err, "did you mean hello?")
	has(run(0, "export", file).out, "hello: ", " kB")
	pushed := run(0, "push", "hello", ref)
	has(pushed.out, "hello: ", ", as "+ref, `bundle = "`+reg.Host+"/course/hello@sha256:")
	has(pushed.err, "hello: pack disk.img", "hello: upload "+reg.Host+"/course/hello")

	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "pulled"))
	has(run(4, "pull", reg.Host+"/course/helo:v1").err, "there is no such bundle")
	has(run(2, "pull", ref, ref, "--as", "x").err, "--as is for one bundle")
	pulled := run(0, "pull", ref, "--json")
	var said moved
	if err := json.Unmarshal([]byte(pulled.out), &said); err != nil || said.Image != "hello" || said.Here || said.Bytes == 0 ||
		!strings.HasPrefix(said.Bundle, reg.Host+"/course/hello@sha256:") || said.Source != "file boot.img (added) (bundle "+reg.Host+"/course/hello)" {
		t.Errorf("%+v, %v: %s", said, err, pulled.out)
	}
	has(pulled.err, "hello: download disk.img", "hello: unpack disk.img")
	has(run(0, "pull", ref).out, "hello: it is here already")
	has(run(0, "list").out, "hello", "(bundle "+reg.Host+"/course/hello)")
	has(run(0, "remove", "hello").out, "labrun has no such image any more")

	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "imported"))
	has(run(0, "import", file).out, "hello: file boot.img (added) (bundle images.tar); `labrun images remove hello` forgets it")
	has(run(4, "import", boot).err, "this is no file of `labrun images export`")
	has(run(4, "import", file+"x").err, "no such file")
}
