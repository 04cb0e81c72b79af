package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/image/registrytest"
)

// A disk that fills while a bundle is unpacked, which was not to be seen beforehand, is told
// of; nothing half stays, and what was got is not got again once there is room. The disk is
// one in memory, which a child of the test mounts where nobody else sees it.
func TestPullFillsDisk(t *testing.T) {
	reg := registrytest.New(t)
	from, _ := boxed(t, random(400_000))
	ref := push(t, from, reg.Host+"/course/box").Ref
	child := exec.CommandContext(within(t), os.Args[0])
	child.Env = append(os.Environ(), "LABRUN_TEST_SMALL_DISK="+t.TempDir(), "LABRUN_TEST_BUNDLE="+ref)
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	reg.Log()
	out, err := child.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("this user may not mount a disk of its own: %v", err)
	}
	for _, want := range []string{"without room: pull ", "needed; make room", "left blobs/sha256-", "with room: <nil>"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in what it says: %s", want, out)
		}
	}
	if strings.Contains(string(out), "left work") || strings.Contains(string(out), "left builds") {
		t.Errorf("something half stays: %s", out)
	}
	asked := map[string]int{}
	for _, request := range reg.Log() {
		asked[request]++
	}
	if disk := "GET course/box/blobs/" + layerOf(t, from, ref, "disk"); asked[disk] != 1 {
		t.Errorf("got the disk %d times: %v", asked[disk], asked)
	}
}

// pullToSmallDisk is the child.
func pullToSmallDisk(dir, ref string) {
	pull := func() error {
		lock, err := ParseLock([]byte(goodLock))
		if err != nil {
			return err
		}
		s, err := Open(StoreOptions{Dir: dir, Lock: lock, Recipes: recipes()})
		if err != nil {
			return err
		}
		defer s.Close()
		s.free = func(string) (int64, error) { return 1 << 40, nil } // as far as it can see
		_, err = s.Pull(context.Background(), ref, "")
		return err
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k")
	}
	if err != nil {
		os.Exit(1)
	}
	fmt.Println("without room:", pull())
	for _, folder := range []string{"work", "builds", "added", "blobs"} {
		files, _ := os.ReadDir(filepath.Join(dir, folder))
		for _, f := range files {
			fmt.Println("left", folder+"/"+f.Name())
		}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=4m"); err != nil {
		fmt.Println(err)
	}
	fmt.Println("with room:", pull())
}

// layerOf is the digest of a layer of a bundle.
func layerOf(t *testing.T, s *Store, ref, role string) string {
	t.Helper()
	d, err := s.depot(ref)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.fetch(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return p.layers[role].Digest.String()
}
