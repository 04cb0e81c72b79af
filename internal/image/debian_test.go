package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// Whatever release the machine has, its archives are asked for the locked one.
func TestDebianArchives(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("apt-get is not installed")
	}
	const mirror, security, other = "http://mirror.example/debian/", "http://security.example/debian-security/", "http://other.example/apt/"
	own := "bookworm bookworm-updates " + mirror + "\nbookworm-security " + security + "\n"
	for _, c := range []struct{ name, machine, sources, mirrors, want string }{
		{"bookworm", "ID=debian\nVERSION_CODENAME=bookworm", "deb M bookworm main contrib\ndeb M bookworm-updates main\ndeb S bookworm-security main\ndeb O cloud-bookworm main", "", own},
		{"trixie", "ID=debian\nVERSION_CODENAME=trixie", "deb M trixie main\ndeb M trixie-backports main\ndeb S trixie-security main", "", own},
		{"sid", "ID=debian\nVERSION_CODENAME=forky", "deb M unstable main\ndeb-src M unstable main", "", "bookworm bookworm-updates " + mirror + "\n"},
		{"by other names", "ID=debian\nVERSION_CODENAME=trixie", "deb M stable main\ndeb S stable-security main", "", own},
		{"not main, not here", "ID=debian\nVERSION_CODENAME=trixie", "deb M trixie contrib\ndeb [arch=arm64] M trixie main\ndeb cdrom:[Debian]/ trixie main", "", ""},
		{"another system", "ID=ubuntu\nVERSION_CODENAME=noble", "deb M noble main\ndeb O stable main", "", ""},
		{"another system with Debian's sources", "ID=ubuntu\nVERSION_CODENAME=noble", "deb O noble main\ndeb M bookworm main", "", "bookworm bookworm-updates " + mirror + "\n"},
		{"named by the user", "ID=debian\nVERSION_CODENAME=trixie", "deb M trixie main", other + " " + security,
			"bookworm bookworm-updates bookworm-security " + other + "\nbookworm bookworm-updates bookworm-security " + security + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, sub := range []string{"etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
				os.MkdirAll(filepath.Join(dir, sub), 0o755)
			}
			sources := strings.NewReplacer("M", mirror, "S", security, "O", other).Replace(c.sources)
			for name, text := range map[string]string{
				"etc/apt/sources.list": sources + "\n",
				"os-release":           c.machine + "\n",
				"var/lib/dpkg/status":  "",
				"apt.conf":             "Dir \"" + dir + "\";\nAPT::Architecture \"amd64\";\nAPT::Architectures { \"amd64\"; };\n",
			} {
				os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
			}
			cmd := exec.CommandContext(within(t), "sh", "-euc", `. ./lib.sh; os_release=$1/os-release; debian_archives`, "sh", dir)
			cmd.Dir = "../../images"
			cmd.Env = append(os.Environ(), "APT_CONFIG="+dir+"/apt.conf", "DEBIAN=bookworm", "LABRUN_DEBIAN="+c.mirrors)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil || string(out) != c.want {
				t.Errorf("got %q, %v; want %q", out, err, c.want)
			}
		})
	}
}

// debianDisk is a recipe whose disk says that it has the package, and is of the
// release, and whose list has the other package.
const debianDisk = `PATH=$PATH:/usr/sbin:/sbin
mkdir -p root/var/lib/dpkg root/usr/lib
printf 'Package: bash\nStatus: install ok installed\nVersion: 5.2\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n' >root/var/lib/dpkg/status
printf 'ID=debian\nVERSION_CODENAME=RELEASE\n' >root/usr/lib/os-release
mke2fs -q -t ext4 -d root "$OUT/disk.img" 8M
printf 'LIST\n' >"$OUT/packages"
echo k >"$OUT/vmlinuz"`

// Two builds of one recipe for different releases are different images, and one whose
// disk is not what its list says is damaged.
func TestPackages(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, tool := range []string{"mke2fs", "debugfs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	digests := map[string]bool{}
	for _, c := range []struct{ release, list, fault string }{
		{"bookworm", `bash 5.2\nlinux 6.1`, ""},
		{"bookworm", `bash 5.1`, "packages that are not in its list: bash 5.2"},
		{"trixie", `bash 5.2`, "does not have Debian's release bookworm"},
	} {
		script := strings.NewReplacer("RELEASE", c.release, "LIST", c.list).Replace(debianDisk)
		s := tiny(t, script, &notes{})
		e := s.lock.images["box"]
		e.Sources[0].Debian = "bookworm"
		img, err := s.Ensure(within(t), "box")
		if err != nil {
			t.Fatal(err)
		}
		if img.Debian != "bookworm" || contents(t, img.Packages) != strings.ReplaceAll(c.list, `\n`, "\n")+"\n" {
			t.Errorf("%+v", img)
		}
		err = s.Verify(within(t), "box")
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%+v: %v", c, err)
		}
		for _, release := range []string{"bookworm", "trixie"} {
			dir, err := s.buildDir(source{Recipe: "tiny", Debian: release})
			if err != nil {
				t.Fatal(err)
			}
			digests[filepath.Base(dir)] = true
		}
	}
	if len(digests) != 6 {
		t.Errorf("the folders of three recipes for two releases: %v", digests)
	}
}

// What the machine cannot give is said in the words of the recipe.
func TestCheckDebian(t *testing.T) {
	text := strings.Replace(goodLock, `recipe = "box"`, "recipe = \"box\"\ndebian = \"bookworm\"", 1)
	l, err := ParseLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]string{
		`[ "$DEBIAN" = bookworm ] && [ "$LABRUN_DEBIAN" = here ]`: "",
		"echo no mirror has $DEBIAN >&2; exit 75":                 "no mirror has bookworm",
	} {
		all := recipes()
		all["sources/build"] = &fstest.MapFile{Data: []byte(script)}
		t.Setenv("LABRUN_DEBIAN", "here")
		s := open(t, StoreOptions{Lock: l, Recipes: all})
		releases, err := s.CheckDebian(within(t), "box")
		if strings.Join(releases, " ") != "bookworm" || want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, %v", script, releases, err)
		}
		if left, _ := os.ReadDir(filepath.Join(s.dir, "work")); len(left) != 0 {
			t.Errorf("left in work: %v", left)
		}
	}
}

// Who does what a failure advises is not told of that failure again.
func TestNamedMirrorIsTriedAtOnce(t *testing.T) {
	url, _ := serve(t, "hello")
	all := recipes()
	all["box/build"] = &fstest.MapFile{Data: []byte(`. "$RECIPES/lib.sh"; [ -n "${LABRUN_DEBIAN:-}" ] || { echo no source >&2; exit 75; }; echo box >"$OUT/disk.img"; finish`)}
	t.Setenv("LABRUN_DEBIAN", "")
	s := open(t, StoreOptions{Lock: box(t, url+"/data", "hello"), Recipes: all})
	for _, mirror := range []string{"", "http://mirror.example/debian"} {
		t.Setenv("LABRUN_DEBIAN", mirror)
		img, err := s.Ensure(within(t), "box")
		if err != nil || (img.StandIn == "") != (mirror != "") {
			t.Errorf("with LABRUN_DEBIAN=%s: %+v, %v", mirror, img, err)
		}
	}
}
