package cli

import (
	"slices"
	"strings"
	"testing"
)

// Who only plays labs does not get a browser, nor npm's hundreds of packages; labrun's own tests have all.
func TestNeededTools(t *testing.T) {
	for _, test := range []struct {
		wanted        use
		npm, chromium bool
	}{{labs, false, false}, {page, true, false}, {test, true, true}} {
		has := func(pkg string) bool {
			return slices.ContainsFunc(needed(test.wanted), func(t tool) bool { return t.pkg == pkg })
		}
		if !has("qemu-utils") || has("npm") != test.npm || has("chromium") != test.chromium {
			t.Errorf("for use %d: %v", test.wanted, needed(test.wanted))
		}
	}
}

// Machines with another processor need its emulator, and who builds kernels a compiler as well.
func TestWish(t *testing.T) {
	for _, test := range []struct {
		wanted            wish
		emulator          string
		compiler, certain bool
	}{
		{wish{}, "", false, false},
		{wish{arches: []string{"aarch64"}}, "qemu-system-arm", true, false},
		{wish{arches: []string{"riscv64"}, builds: true}, "qemu-system-misc", true, true},
	} {
		emulator, compiler, certain := "", false, false
		for _, tool := range test.wanted.tools() {
			if strings.HasPrefix(tool.pkg, "qemu-system-") && tool.pkg != "qemu-system-x86" {
				emulator = tool.pkg
			}
			if strings.HasPrefix(tool.pkg, "gcc-") {
				compiler, certain = true, tool.need == must
			}
		}
		if emulator != test.emulator || compiler != test.compiler || certain != test.certain {
			t.Errorf("%+v: %q, compiler %v, needed %v", test.wanted, emulator, compiler, certain)
		}
	}
}

// Without apt nothing is asked for that makes images: finished ones are to be had.
func TestDoctorWithoutApt(t *testing.T) {
	isolate(t)
	t.Setenv("PATH", t.TempDir())
	got := invoke("doctor")
	for _, want := range []string{
		"mend it: install with this system's own package manager what Debian calls qemu-system-x86",
		"image debian: not here, and this computer cannot make it", "labrun images pull HOST/PATH:TAG", "labrun images import FILE",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("doctor does not say %q: %s%s", want, got.out, got.err)
		}
	}
	for _, needless := range []string{"mmdebstrap", "fakeroot", "apt-get install"} {
		if strings.Contains(got.out, needless) {
			t.Errorf("doctor asks for %s: %s", needless, got.out)
		}
	}
	if got := invoke("doctor", "--mend"); got.code != exitEnvironment || !strings.Contains(got.err, "has no apt-get: install with this system's own") ||
		strings.Contains(got.err, "mmdebstrap") {
		t.Errorf("doctor --mend: exit %d, %s", got.code, got.err)
	}
}
