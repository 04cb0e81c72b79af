package image

import (
	"os"
	"strings"
	"testing"
)

const goodLock = `version = 1
[images.box]
summary = "a box"
memory  = 64
cpus    = 1
cmdline = "root=/dev/vda"
nics    = [{ name = "eth0", mac = "52:55:00:aa:00:10" }]

[images.box.console]
user  = "root"
login = '^box login: $'
shell = '^# $'

[images.box.control]
port = "ttyS1"

[[images.box.sources]]
recipe = "box"
[[images.box.sources.inputs]]
name = "data"
url = "https://example.org/data"
size = 5
sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

[[images.box.sources]]
recipe   = "tiny"
stand_in = "tiny"

[images.box.guest]
address = "ifconfig"
`

func TestParseLock(t *testing.T) {
	l, err := ParseLock([]byte(goodLock))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := l.Profile("box")
	if !ok || p.Name != "box" || p.Memory != 64 || p.Control != "ttyS1" || p.Guest.Address != "ifconfig" || p.NICs[0].MAC != "52:55:00:aa:00:10" ||
		!p.Console.LoginPrompt.MatchString("box login: ") || p.Console.PasswordPrompt != nil {
		t.Errorf("profile: %+v", p)
	}
	p.NICs[0].Name = "changed"
	if again, _ := l.Profile("box"); again.NICs[0].Name != "eth0" {
		t.Error("a caller can change the lock's NICs")
	}
	if _, ok := l.Profile("bax"); ok {
		t.Error("found an image that is not there")
	}
}

func TestParseLockFaults(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"version = 1", "version = 2", "images.lock:1: version is 2"},
		{"version = 1", "version = ", "images.lock:1: "},
		{"memory  = 64", "memory = 64\nmemroy = 64", `images.lock:5: unknown key "images.box.memroy"`},
		{"memory  = 64", "memory  = 0", "images.lock:4: box: memory is 0"},
		{"memory  = 64", "memory  = 8", "images.lock:4: box: memory is 8 MiB"},
		{`recipe = "box"`, "recipe = \"box\"\ndebian = \"Debian 12\"", `images.lock:19: box: debian "Debian 12" is not the name`},
		{`stand_in = "tiny"`, "stand_in = \"tiny\"\ncpus = 65", "images.lock:28: box: cpus is 65"},
		{`stand_in = "tiny"`, "stand_in = \"tiny\"\nnic_model = \"ne\"", "images.lock:28: box: there is no network card \"ne\"; it is one of virtio-net-pci, e1000"},
		{"memory  = 64", "memory  = 64\ndisk_bus = \"usb\"", "images.lock:5: box: there is no disk bus \"usb\"; it is one of virtio, ide"},
		{"52:55:00:aa:00:10", "52:55:00:aa:00", "images.lock:7: box: MAC"},
		{"52:55:00:aa:00:10", "53:55:00:aa:00:10", "multicast"},
		{"'^# $'", "'^(# $'", "images.lock:12: error parsing regexp"},
		{"shell = '^# $'", "", "images.lock:9: box: the console's shell prompt is missing"},
		{"size = 5", "size = -5", "size -5"},
		{"2cf24d", "2CF24D", "lower-case hexadecimal"},
		{"https://example.org/data", "ftp://example.org/data", "not an http"},
		{`recipe   = "tiny"`, `recipe = "../x"`, `images.lock:26: box: recipe "../x"`},
		{`recipe   = "tiny"`, ``, "images.lock:25: box: a source needs a bundle, a recipe or a url"},
		{`name = "data"`, `name = "Da ta"`, `input name "Da ta"`},
		{`recipe = "box"`, "recipe = \"box\"\nurl = \"https://example.org/x\"", "images.lock:19: box: a source is a recipe or a url, not both"},
		{`recipe   = "tiny"`, "url = \"https://example.org/x\"\nsize = 1\nsha256 = \"00\"\nformat = \"vmdk\"\nboot = \"uefi\"", "images.lock:28: box: sha256 of https://example.org/x is not 64"},
		{`recipe   = "tiny"`, "url = \"https://example.org/x\"\nsize = 1\nsha256 = \"00\"\nformat = \"vhdd\"\nboot = \"uefi\"", "images.lock:29: box: format is \"vhdd\""},
		{`url = "https://example.org/data"`, `gomod = "example.org/data"`, "needs a version"},
		{`name = "data"`, "name = \"data\"\nimage = \"box\"", "input data is one of a gomod, a url and an image"},
		{`stand_in = "tiny"`, "stand_in = \"tiny\"\ninputs = [{ name = \"x\", image = \"bax\" }]", `images.lock:28: box: input x: image "bax" is not one whose best source`},
		{`recipe   = "tiny"`, "recipe = \"tiny\"\nboot = \"uefi\"", `images.lock:27: box: boot is "uefi"`},
		{`cmdline = "root=/dev/vda"`, ``, `images.lock:18: box: a recipe's kernel needs a cmdline`},
		{`port = "ttyS1"`, `prot = "ttyS1"`, `images.lock:15: unknown key "images.box.control.prot"`},
	} {
		text := strings.Replace(goodLock, c.old, c.new, 1)
		_, err := ParseLock([]byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: got %v, want %q", c.new, c.old, err, c.want)
		}
	}
}

// The repository's own lock must parse and give the lab its fixed addresses.
func TestOwnLock(t *testing.T) {
	data, err := os.ReadFile("../../images.lock")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ParseLock(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, mac := range map[string]string{"debian": "52:55:00:aa:00:10", "alpine": "52:55:00:aa:00:11", "router7": "52:55:00:d1:55:03"} {
		p, ok := l.Profile(name)
		if !ok || len(p.NICs) == 0 || p.NICs[0].MAC != mac || p.Control == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p, _ := l.Profile("alpine"); p.Console.Line != 1022 {
		t.Errorf("alpine's shell keeps %d bytes of a line", p.Console.Line)
	}
	for _, e := range l.images {
		for _, src := range e.Sources {
			if src.Recipe != "" && src.Debian == "" {
				t.Errorf("the release of Debian that recipe %s takes packages of is not locked", src.Recipe)
			}
		}
	}
	if p, _ := l.Profile("debian"); !p.Console.ShellPrompt.MatchString("root@os25:/etc# ") || p.Console.ShellPrompt.MatchString("os25 login: ") {
		t.Error("debian's shell prompt")
	}
}
