package qemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
)

func TestArgv(t *testing.T) {
	spec := Spec{
		Name: "a,b", Memory: 128, CPUs: 2, Accel: TCG, Kernel: "/k", Initrd: "/i", Cmdline: "root=/dev/vda quiet",
		Disk: "/x,y.qcow2", DiskFormat: "qcow2", Control: true,
		NICs: []NIC{{MAC: "52:55:00:d1:55:03", User: true}, {MAC: "52:55:00:d1:55:04"}},
	}
	got := spec.Argv(Descriptors{QMP: 3, Console: 4, Control: 5, NICs: []int{6}})
	want := strings.Fields(`-name a,,b,process=labrun-a,,b -nodefaults -no-user-config -display none -vga none
		-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
		-machine pc,usb=off,vmport=off,dump-guest-core=off,memory-backend=ram -m 128 -smp 2 -object memory-backend-ram,id=ram,size=128M -accel tcg,thread=multi,tb-size=256 -cpu max
		-kernel /k -append CMDLINE -initrd /i
		-chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control
		-chardev socket,id=console,fd=4 -serial chardev:console -chardev socket,id=control,fd=5 -serial chardev:control
		-device virtio-rng-pci
		-drive if=none,id=disk,cache=unsafe,discard=unmap,format=qcow2,file=/x,,y.qcow2 -device virtio-blk-pci,drive=disk,bootindex=1
		-netdev user,id=nic0 -device virtio-net-pci,netdev=nic0,mac=52:55:00:d1:55:03,romfile=
		-netdev stream,id=nic1,addr.type=fd,addr.str=6 -device virtio-net-pci,netdev=nic1,mac=52:55:00:d1:55:04,romfile=`)
	want[slices.Index(want, "CMDLINE")] = spec.Cmdline
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if again := spec.Argv(Descriptors{QMP: 3, Console: 4, Control: 5, NICs: []int{6}}); !slices.Equal(got, again) {
		t.Error("the same specification gave other arguments")
	}

	bios := Spec{Name: "b", Memory: 256, CPUs: 1, Accel: KVM, Disk: "/d", DiskFormat: "qcow2"}
	line := strings.Join(bios.Argv(Descriptors{QMP: 3, Console: 4}), " ")
	for _, absent := range []string{"-kernel", "-append", "id=control", "-netdev", "tcg"} {
		if strings.Contains(line, absent) {
			t.Errorf("a machine that boots its disk under KVM has %s: %s", absent, line)
		}
	}
}

// TestArgvOfSavedMemory: what a guest writes never reaches the file that it is restored
// from, and a QEMU that can do without is not given the right to write to it.
func TestArgvOfSavedMemory(t *testing.T) {
	spec := Spec{Name: "m", Memory: 128, CPUs: 1, Accel: TCG, Disk: "/d", DiskFormat: "qcow2", Saved: &Saved{Memory: "/a,b/memory", State: "/state"}}
	const private = "memory-backend-file,id=ram,size=128M,share=off,mem-path=/a,,b/memory"
	if args := spec.Argv(Descriptors{}); !slices.Contains(args, private) {
		t.Errorf("an earlier QEMU gets %q", args)
	}
	spec.Saved.ReadOnly = true
	if args := spec.Argv(Descriptors{}); !slices.Contains(args, private+",readonly=on,rom=off") {
		t.Errorf("a later QEMU gets %q", args)
	}

	spec.NICs = []NIC{{MAC: "52:55:00:d1:55:03", User: true}}
	const card, network = "virtio-net-pci,netdev=nic0,mac=52:55:00:d1:55:03,romfile=", "user,id=nic0"
	if args := spec.Argv(Descriptors{}); slices.Contains(args, card) || slices.Contains(args, network) {
		t.Errorf("where the cards are plugged in later, QEMU gets %q", args)
	}
	spec.Saved.Wired = true
	if args := spec.Argv(Descriptors{}); !slices.Contains(args, card) || !slices.Contains(args, network) {
		t.Errorf("where the cards are part of what was saved, QEMU gets %q", args)
	}
	spec.Savable = true
	if err := spec.Validate(); err == nil {
		t.Error("what has its cards already may be saved as if it had none")
	}
	spec.Saved.Wired = false
	if args := spec.Argv(Descriptors{Memory: 9}); spec.Validate() != nil || slices.Contains(args, private) || !slices.Contains(args, "defer") {
		t.Errorf("where another state is made of one, QEMU gets %q, %v", args, spec.Validate())
	}
}

func TestVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright": false,
		"QEMU emulator version 8.1.5\n":                                          false,
		"QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1.4)\n":           true,
		"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\n":                  true,
		"emulator": false,
	} {
		if got := readVersion(version).AtLeast(8, 2); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestForeignHardware(t *testing.T) {
	for _, c := range []struct{ bus, model, want string }{
		{"virtio", "", "-device virtio-blk-pci,drive=disk,bootindex=1 -netdev user,id=nic0 -device virtio-net-pci,netdev=nic0,mac=M,romfile="},
		{"ide", "e1000", "-device ide-hd,bus=ide.0,drive=disk,bootindex=1 -netdev user,id=nic0 -device e1000,netdev=nic0,mac=M,romfile="},
		{"sata", "e1000e", "-device ahci,id=sata -device ide-hd,bus=sata.0,drive=disk,bootindex=1 -netdev user,id=nic0 -device e1000e,"},
		{"scsi", "rtl8139", "-device virtio-scsi-pci,id=scsi -device scsi-hd,bus=scsi.0,drive=disk,bootindex=1 -netdev user,id=nic0 -device rtl8139,"},
	} {
		spec := Spec{Name: "b", Memory: 64, CPUs: 1, Accel: TCG, Disk: "/d", DiskFormat: "qcow2", DiskBus: c.bus, NICModel: c.model, NICs: []NIC{{MAC: "M", User: true}}}
		if line := strings.Join(spec.Argv(Descriptors{}), " "); !strings.Contains(line, c.want) {
			t.Errorf("%s, %s: %s", c.bus, c.model, line)
		}
	}
	// An image can ask for all of them, and for no other.
	if !slices.Equal(image.NICModels, nicModels) {
		t.Errorf("an image may want the network cards %v; there are %v", image.NICModels, nicModels)
	}
	if got := slices.Sorted(maps.Keys(disks)); !slices.Equal(got, slices.Sorted(slices.Values(image.DiskBuses))) {
		t.Errorf("an image may want a disk on %v; there are %v", image.DiskBuses, got)
	}
}

func TestValidate(t *testing.T) {
	good := Spec{Name: "m", Memory: 64, CPUs: 1, Accel: TCG, Kernel: "/k"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for says, spoil := range map[string]func(*Spec){
		"name is empty":   func(s *Spec) { s.Name = "" },
		"memory is 8 MiB": func(s *Spec) { s.Memory = 8 },
		"0 CPUs":          func(s *Spec) { s.CPUs = 0 },
		"neither":         func(s *Spec) { s.Kernel = "" },
		"accelerator":     func(s *Spec) { s.Accel = "hvf" },
		"disk bus":        func(s *Spec) { s.DiskBus = "usb" },
		"network card":    func(s *Spec) { s.NICModel = "ne" },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", bad, err, says)
		}
	}
}

// kernel is one that boots: the router image's.
func kernel(t *testing.T) string { return cached(t, "router7").Kernel }

// cached is an image from the cache; it is made if it is not there.
func cached(t *testing.T, name string) *image.Image {
	t.Helper()
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	found, err := store.Ensure(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestProbeRemembersItsVerdict(t *testing.T) {
	k, dir := kernel(t), t.TempDir()
	verdict, err := Probe(limited(t), Arches[0], k, dir)
	if err != nil || verdict.Reason == "" || (verdict.Accel != KVM && verdict.Accel != TCG) {
		t.Fatalf("got %+v, %v", verdict, err)
	}
	if accessible() {
		// A kernel that cannot boot would be found broken: the verdict is not made anew.
		again, err := Probe(limited(t), Arches[0], "/none", dir)
		if err != nil || again != verdict {
			t.Errorf("the second time it is %+v, %v; first %+v", again, err, verdict)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "accel.json"), []byte(`{"accel":"kvm","reason":"?","boot":"another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh, err := Probe(limited(t), Arches[0], k, dir)
	if err != nil || fresh.Boot != host.BootID() {
		t.Errorf("a verdict of another boot of the host was believed: %+v, %v", fresh, err)
	}
}

func start(t *testing.T) *Process {
	t.Helper()
	p, err := Start(limited(t), Spec{
		Name: "probe", Memory: 128, CPUs: 1, Accel: TCG, Kernel: kernel(t), Cmdline: "console=ttyS0 root=/dev/none", Control: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// bootSector says "booted" on the first serial port, and halts.
var bootSector = func() []byte {
	code := []byte("\xfc\x31\xc0\x8e\xd8" + // cld; xor ax, ax; mov ds, ax
		"\xbe\x15\x7c" + // mov si, text
		"\xac\x84\xc0\x74\x06" + // next: lodsb; test al, al; jz end
		"\xba\xf8\x03\xee\xeb\xf5" + // mov dx, 0x3f8; out dx, al; jmp next
		"\xf4\xfdbooted\x00") // end: hlt; text
	return append(append(code, make([]byte, 510-len(code))...), 0x55, 0xaa)
}()

// The BIOS finds a disk on every bus, and QEMU has every network card.
func TestForeignDiskBoots(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk.img")
	if err := os.WriteFile(disk, append(bootSector, make([]byte, 1<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, bus := range image.DiskBuses {
		t.Run(bus, func(t *testing.T) {
			spec := Spec{Name: bus, Memory: 32, CPUs: 1, Accel: TCG, Disk: disk, DiskFormat: "raw", DiskBus: bus, NICs: []NIC{{MAC: "52:55:00:00:00:01", User: true}}}
			spec.NICModel = image.NICModels[i%len(image.NICModels)]
			p, err := Start(limited(t), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			defer context.AfterFunc(limited(t), p.Kill)()
			said := make([]byte, len("booted"))
			if _, err := io.ReadFull(p.Console(), said); err != nil || string(said) != "booted" {
				t.Errorf("the console says %q, %v", said, err)
			}
		})
	}
}

func TestProcess(t *testing.T) {
	p := start(t)
	var seen []byte
	chunk := make([]byte, 4096)
	for !bytes.Contains(seen, []byte("Linux version")) {
		n, err := p.Console().Read(chunk)
		if err != nil {
			t.Fatalf("the console ended: %v after %q", err, seen)
		}
		seen = append(seen, chunk[:n]...)
	}
	var status struct{ Running bool }
	if err := p.Command(limited(t), "query-status", nil, &status); err != nil || !status.Running {
		t.Errorf("status: %+v, %v", status, err)
	}
	if err := p.Command(limited(t), "no-such-command", nil, nil); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("an unknown QMP command: %v", err)
	}
	usage, err := p.Usage()
	if err != nil || usage.CPU <= 0 || usage.Resident < 16<<20 || usage.Private > usage.Resident || usage.Alive <= 0 || usage.Waited == 0 || len(p.vcpus) != 1 {
		t.Errorf("usage: %+v, %v", usage, err)
	}
	p.Quit(limited(t))
	if exit := p.Exit(); exit == nil || exit.Reason != Stopped {
		t.Errorf("after Quit: %v", exit)
	}
	if err := p.Command(limited(t), "query-status", nil, nil); err == nil {
		t.Error("a dead machine answered")
	}
}

func TestStartOfWhatCannotRun(t *testing.T) {
	kernel(t)
	_, err := Start(limited(t), Spec{Name: "m", Memory: 64, CPUs: 1, Accel: TCG, Kernel: "/none"})
	if err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("QEMU's own words are missing: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Start(limited(t), Spec{Name: "m", Memory: 64, CPUs: 1, Accel: TCG, Kernel: "/k"}); !errors.Is(err, ErrNoQEMU) {
		t.Errorf("without QEMU: %v", err)
	}
}
