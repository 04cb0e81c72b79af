package image

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A mission's folder can have a disk of its own, and a profile for one that its user adds.
func TestFolder(t *testing.T) {
	own, err := ParseLock([]byte(goodLock))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if l, err := own.WithFolder(dir); err != nil || l != own {
		t.Errorf("without a lock: %v", err)
	}
	disk := rawDisk(strings.Repeat("\x00", 1440<<10-512))
	os.WriteFile(filepath.Join(dir, "hello.img"), []byte(disk), 0o600)
	lock := func(text string) (*Lock, error) {
		os.WriteFile(filepath.Join(dir, LockFileName), []byte(text), 0o600)
		return own.WithFolder(dir)
	}
	text := fmt.Sprintf(`version = 1
[images.hello]
summary = "says hello"
memory  = 16
cpus    = 1
display = "vga"

[[images.hello.sources]]
file   = "hello.img"
size   = %d
sha256 = "%x"

[images.dos]
summary   = "DOS"
memory    = 16
cpus      = 1
board     = "isapc"
display   = "vga"
original  = "download it"

[images.dos.console]
shell = '^[A-Z]:.*>$'
`, len(disk), sha256.Sum256([]byte(disk)))
	l, err := lock(text)
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(l.Names(), " "); names != "box dos hello" {
		t.Errorf("there are %s", names)
	}
	s := open(t, StoreOptions{Lock: l})
	img, err := s.Ensure(within(t), "hello")
	if err != nil || img.Source != "file hello.img" || img.Medium != "floppy" || contents(t, img.Disk) != disk {
		t.Errorf("%+v, %v", img, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hello.img")); err != nil {
		t.Errorf("the folder's own file: %v", err)
	}
	if _, err := s.Ensure(within(t), "dos"); err == nil || !strings.Contains(err.Error(), "download it") {
		t.Errorf("before it was added: %v", err)
	}
	// The profile counts, and not what would be guessed; what is added says which medium it is.
	img, err = s.Add(within(t), "dos", filepath.Join(dir, "hello.img"), Wish{Hardware: Hardware{Memory: 32}})
	if want := (Hardware{Memory: 32, CPUs: 1, NICModel: "ne2k_isa", DiskBus: "ide", Display: "vga", Medium: "floppy", Board: "isapc"}); err != nil ||
		img.Hardware != want || img.Console.ShellPrompt == nil {
		t.Errorf("added: %+v, %v", img, err)
	}

	for _, c := range []struct{ old, new, want string }{
		{"[images.dos]", "[images.box]", "images.lock:13: box: labrun has an image of that name"},
		{"hello.img", "../hello.img", `images.lock:9: hello: file "../hello.img" is not in the mission's folder`},
		{"hello.img", "/etc/passwd", "is not in the mission's folder"},
		{`file   = "hello.img"`, `recipe = "evil"`, "can name labrun's recipes as they are"},
		{`file   = "hello.img"`, "file = \"hello.img\"\nurl = \"https://example.org/x\"", "not two of them"},
		{`original  = "download it"`, "", "images.lock:13: dos: no sources"},
		{"version = 1", "version = 2", "images.lock:1: version is 2"},
		{"isapc", "amiga", `images.lock:17: dos: there is no board "amiga"`},
		{"sha256", "sha255", "unknown key"},
		{"= 16", "= =", "images.lock:4: "},
	} {
		_, err := lock(strings.Replace(text, c.old, c.new, 1))
		var faults *LockError
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), dir) {
			t.Errorf("%q for %q: got %v, want %q", c.new, c.old, err, c.want)
		}
	}
	if l, err := lock(goodLock); err != nil || l != own {
		t.Errorf("labrun's own lock: %v", err)
	}
	os.Remove(filepath.Join(dir, LockFileName))
	os.Mkdir(filepath.Join(dir, LockFileName), 0o700)
	if _, err := own.WithFolder(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder of that name: %v", err)
	}
}

// An image of a mission's folder can be made of one of labrun's.
func TestFolderAdditions(t *testing.T) {
	own, err := ParseLock([]byte(strings.Replace(goodLock, "[images.box]", "[images.box]\nhas = [\"dpkg\", \"ls\"]\nlacks = [\"sudo\", \"gcc\"]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"install.sh": "true\n", "notes": "text", "windows.sh": "true\r\n"} {
		os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
	}
	lock := func(text string) (*Lock, error) {
		os.WriteFile(filepath.Join(dir, LockFileName), []byte(text), 0o600)
		return own.WithFolder(dir)
	}
	const text = `version = 1
[images.workshop]
from     = "box"
packages = ["sudo"]
files    = { "/notes" = "./notes", "/other" = ["notes", "daemon"] }
setup    = "./install.sh"
memory   = 128
has      = ["vi"]

[images.workshop.console]
login = '^other login: $'
`
	l, err := lock(text)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := l.Profile("workshop")
	if p.Summary != "box with sudo, files in /notes, /other, what install.sh does" || p.Memory != 128 || p.CPUs != 1 || fmt.Sprint(p.Has, p.Lacks) != "[vi] [gcc]" ||
		!p.Console.LoginPrompt.MatchString("other login: ") || !p.Console.ShellPrompt.MatchString("# ") || p.Control != "ttyS1" {
		t.Errorf("its profile: %+v", p)
	}
	if p, _ := l.Profile("box"); p.Memory != 64 || !p.Console.LoginPrompt.MatchString("box login: ") || fmt.Sprint(p.Has, p.Lacks) != "[dpkg ls] [sudo gcc]" {
		t.Errorf("box has changed: %+v", p)
	}
	s := open(t, StoreOptions{Lock: l, Recipes: recipes()})
	if sources := fmt.Sprint(s.Sources("workshop")); sources != "[recipe box, with additions recipe tiny, with additions (stand-in tiny)]" {
		t.Errorf("its sources: %s", sources)
	}
	bundle := "ghcr.io/course/workshop@sha256:" + strings.Repeat("0", 64)
	if l, err := lock(text + "[[images.workshop.sources]]\nbundle = \"" + bundle + "\"\n"); err != nil {
		t.Error(err)
	} else if sources := open(t, StoreOptions{Lock: l}).Sources("workshop"); len(sources) != 3 || sources[0] != "bundle ghcr.io/course/workshop" {
		t.Errorf("with a bundle of it: %q", sources)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"box"`, `"bix"`, `images.lock:3: workshop: from: labrun has no image "bix"`},
		{`from     = "box"`, "", "images.lock:4: workshop: packages changes another image"},
		{"./notes", "../notes", "images.lock:5: workshop: files: ../notes leads out of the mission's folder"},
		{`["notes", "daemon"]`, "[1]", "images.lock:5: workshop: files: want"},
		{"install.sh", "windows.sh", "images.lock:6: workshop: setup: windows.sh has the line ends of Windows"},
		{"install.sh", "none.sh", "images.lock:6: workshop: setup: none.sh: there is no such file"},
		{"sudo", "su do", `images.lock:3: workshop: from: package "su do": want a name`},
		{"memory   = 128", "sources = [{ recipe = \"tiny\" }]", "images.lock:3: workshop: it is made of box, or it has sources"},
		{"setup ", "setip ", "unknown key"},
		{`"./install.sh"`, "7", "images.lock:6: "},
	} {
		if _, err := lock(strings.Replace(text, c.old, c.new, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: got %v, want %q", c.new, c.old, err, c.want)
		}
	}
	if _, err := ParseLock([]byte(goodLock + "\n[images.other]\nfrom = \"box\"\npackages = [\"sudo\"]\n")); err == nil || !strings.Contains(err.Error(), "belongs to the images.lock of a mission's folder") {
		t.Errorf("in labrun's own lock: %v", err)
	}
}
