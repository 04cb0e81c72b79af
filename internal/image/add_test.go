package image

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// made is a disk in another format, by QEMU's own tool.
func made(t *testing.T, format, content string, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	raw, other := filepath.Join(dir, "raw"), filepath.Join(dir, "other")
	if err := os.WriteFile(raw, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(append([]string{"convert", "-f", "raw", "-O", format}, options...), raw, other)
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img %v: %v: %s", args, err, out)
	}
	return contents(t, other)
}

// changed is a file with a byte of it changed.
func changed(text string, at int, b byte) string {
	return text[:at] + string([]byte{b}) + text[at+1:]
}

// rawDisk is a disk with a boot sector, and these bytes after it.
func rawDisk(rest string) string {
	return "\xeb\xfe" + strings.Repeat("\x00", 508) + "\x55\xaa" + rest
}

func TestAdd(t *testing.T) {
	s := tiny(t, `echo recipe >"$OUT/disk.img"; echo k >"$OUT/vmlinuz"`, &notes{})
	raw := rawDisk(strings.Repeat("\x00", 1<<20) + "end " + strings.Repeat("\x00", 1<<20-4))
	url, _ := serve(t, raw)
	whole := made(t, "qcow2", raw)
	for _, c := range []struct{ format, content, from, source string }{
		{"raw", raw, "", "file my.img (added)"},
		{"qcow2", whole, "", "file my.img (added)"},
		{"raw", raw, url + "/a/my.img?x=1", "download my.img (added)"},
	} {
		if c.from == "" {
			c.from = filepath.Join(t.TempDir(), "my.img")
			os.WriteFile(c.from, []byte(c.content), 0o600)
		}
		img, err := s.Add(within(t), "box", c.from, Wish{})
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256([]byte(c.content)); img.DiskSHA256 != fmt.Sprintf("%x", sum) {
			t.Errorf("%s: its sha256 is said to be %s", c.from, img.DiskSHA256)
		}
		if c.format != "" && img.DiskFormat != c.format || !img.BIOS || img.Source != c.source || img.Kernel != "" || img.Control != "" || img.StandIn != "" {
			t.Errorf("%s: %+v", c.from, img)
		}
		if contents(t, img.Disk) != c.content {
			t.Errorf("%s: the copy differs", c.from)
		}
		if got, err := s.Ensure(within(t), "box"); err != nil || got.Digest != img.Digest {
			t.Errorf("Ensure after Add: %+v, %v", got, err)
		}
		if err := s.Verify(within(t), "box"); err != nil {
			t.Error(err)
		}
		if _, err := s.GC(within(t)); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Build(within(t), "box", true); err == nil || !strings.Contains(err.Error(), "images remove box") {
		t.Errorf("Build of an added image: %v", err)
	}
	if img, err := s.Build(within(t), "box", false); err != nil || !img.BIOS {
		t.Errorf("Build of all that is missing, where an image was added: %+v, %v", img, err)
	}
	if was, err := s.Remove(within(t), "box"); err != nil || was != "download my.img (added)" {
		t.Fatalf("removed %q, %v", was, err)
	}
	if img, err := s.Ensure(within(t), "box"); err != nil || img.BIOS || contents(t, img.Disk) != "recipe\n" {
		t.Errorf("after Remove: %+v, %v", img, err)
	}
	if _, err := s.Remove(within(t), "box"); err == nil {
		t.Error("removed twice")
	}
}

// The profile says what the real image wants, a source what a stand-in does, and
// who adds a disk what that one does, which is remembered.
func TestHardware(t *testing.T) {
	text := strings.Replace(goodLock, `stand_in = "tiny"`, "stand_in = \"tiny\"\nmemory = 32\nnic_model = \"e1000\"", 1)
	l, err := ParseLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, StoreOptions{Lock: l, Recipes: recipes(), Mirror: t.TempDir()})
	img, err := s.Ensure(within(t), "box")
	if want := (Hardware{Memory: 32, CPUs: 1, NICModel: "e1000"}); err != nil || img.StandIn == "" || img.Hardware != want {
		t.Fatalf("a stand-in: %+v, %v", img, err)
	}
	file := filepath.Join(t.TempDir(), "my.img")
	os.WriteFile(file, []byte(rawDisk("")), 0o600)
	for _, said := range []Hardware{{}, {Memory: 512, CPUs: 4, NICModel: "rtl8139", DiskBus: "ide"}} {
		if _, err := s.Add(within(t), "box", file, Wish{Hardware: said}); err != nil {
			t.Fatal(err)
		}
		again := open(t, StoreOptions{Dir: s.Dir(), Lock: l, Recipes: recipes()})
		img, err := again.Ensure(within(t), "box")
		if want := said.or(Hardware{Memory: 64, CPUs: 1}); err != nil || img.Hardware != want {
			t.Errorf("added with %+v: %+v, %v", said, img.Hardware, err)
		}
	}
	if text := img.Hardware.Describe() + "; " + (Hardware{Memory: 512, CPUs: 4, DiskBus: "ide"}).Describe(); text != "32 MiB, 1 CPU, network cards e1000; 512 MiB, 4 CPUs, disk on ide" {
		t.Errorf("for people: %s", text)
	}
}

// What is refused, however it came, leaves what was added before.
func TestRefusedDiskLeavesTheOldOne(t *testing.T) {
	s := tiny(t, "exit 75", &notes{})
	file := filepath.Join(t.TempDir(), "my.img")
	good := rawDisk(strings.Repeat("good", 128))
	os.WriteFile(file, []byte(good), 0o600)
	if _, err := s.Add(within(t), "box", file, Wish{}); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(file, []byte("text\n"), 0o600)
	url, _ := serve(t, "text\n")
	for _, from := range []string{file, url + "/my.img", file + ".absent"} {
		if _, err := s.Add(within(t), "box", from, Wish{}); err == nil {
			t.Errorf("%s was taken", from)
		}
		if img, err := s.Ensure(within(t), "box"); err != nil || contents(t, img.Disk) != good {
			t.Errorf("after %s: %+v, %v", from, img, err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	s := tiny(t, "exit 75", &notes{})
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	whole := made(t, "qcow2", rawDisk(""))
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		os.WriteFile(path, []byte(content), 0o600)
		return path
	}
	for _, c := range []struct{ from, want string }{
		{filepath.Join(dir, "absent"), "no such file"},
		{dir, "not a regular file"},
		{fifo, "not a regular file"},
		{file("empty", ""), "empty"},
		{file("backed", changed(whole, 15, 104)), "backing file"},
		{file("external", changed(whole, 79, 4)), "another file"},
		{file("text", "text\n"), "only 5 bytes"},
		{file("long text", strings.Repeat("text\n", 1000)), "no boot signature"},
		{file("partitioned", strings.Repeat("\x00", 446)+"\x80"+strings.Repeat("\x00", 63)+"\x55\xaa"+strings.Repeat("\x00", 4096)), "no program"},
	} {
		_, err := s.Add(within(t), "box", c.from, Wish{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.from, err, c.want)
		}
	}
	for _, bad := range []Hardware{{Memory: 8}, {CPUs: -1}, {NICModel: "ne"}, {DiskBus: "usb"}} {
		if _, err := s.Add(within(t), "box", file("disk", rawDisk("")), Wish{Hardware: bad}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, sub := range []string{"added", "work"} {
		if left, _ := os.ReadDir(filepath.Join(s.dir, sub)); len(left) != 0 {
			t.Errorf("left in %s: %v", sub, left)
		}
	}
}

// A damaged image that was added cannot be made again, so it is an error.
func TestAddedIsDamaged(t *testing.T) {
	s := tiny(t, `echo recipe >"$OUT/disk.img"; echo k >"$OUT/vmlinuz"`, &notes{})
	file := filepath.Join(t.TempDir(), "my.img")
	os.WriteFile(file, []byte(rawDisk("")), 0o600)
	img, err := s.Add(within(t), "box", file, Wish{})
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(img.Disk, 0o644)
	os.WriteFile(img.Disk, []byte("dis"), 0o644)
	if _, err := s.Ensure(within(t), "box"); err == nil || !strings.Contains(err.Error(), "labrun images add box") {
		t.Errorf("got %v", err)
	}
	if img, err := s.Ensure(within(t), "box"); err != nil || img.BIOS {
		t.Errorf("afterwards: %+v, %v", img, err)
	}
}

func TestDiskImageSource(t *testing.T) {
	whole := made(t, "qcow2", rawDisk(""))
	for _, c := range []struct{ format, content, fault string }{
		{"raw", rawDisk(""), ""},
		{"raw", "raw disk", "only 8 bytes"},
		{"qcow2", whole, ""},
		{"", whole, ""},
		{"qcow2", rawDisk(""), "its format is raw, not qcow2"},
		{"qcow2", changed(whole, 15, 104), "backing file"},
	} {
		url, _ := serve(t, c.content)
		sum := sha256.Sum256([]byte(c.content))
		text := strings.Replace(goodLock[:strings.Index(goodLock, "[[images.box.sources]]")], "cmdline", "# cmdline", 1) + fmt.Sprintf(`[[images.box.sources]]
url    = "%s/my.img"
size   = %d
sha256 = "%x"
format = "%s"
boot   = "bios"
`, url, len(c.content), sum, c.format)
		l, err := ParseLock([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, StoreOptions{Lock: l})
		img, err := s.Ensure(within(t), "box")
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.format != "" && img.DiskFormat != c.format || !img.BIOS || img.Source != "download my.img" || contents(t, img.Disk) != c.content {
			t.Errorf("image: %+v", img)
		}
	}
}

func TestOverlay(t *testing.T) {
	s := tiny(t, `head -c 65536 /dev/zero >"$OUT/disk.img"; echo k >"$OUT/vmlinuz"`, &notes{})
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "overlay.qcow2")
	if _, err := exec.LookPath("qemu-img"); err == nil {
		if err := img.Overlay(within(t), path); err != nil {
			t.Fatal(err)
		}
		if text := contents(t, path); !strings.HasPrefix(text, "QFI\xfb") || !strings.Contains(text, img.Disk) {
			t.Error("the overlay does not name its absolute backing file")
		}
		// What labrun itself makes is what Add must refuse.
		if _, err := s.Add(within(t), "box", path, Wish{}); err == nil || !strings.Contains(err.Error(), "backing file") {
			t.Errorf("Add of an overlay: %v", err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := img.Overlay(within(t), path); err == nil || !strings.Contains(err.Error(), "qemu-utils") {
		t.Errorf("without qemu-img: %v", err)
	}
}
