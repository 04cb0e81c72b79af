package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMain lets the test's program be one that starts a child, tells its process id
// and waits.
func TestMain(m *testing.M) {
	if os.Getenv("HOST_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	child := exec.Command("sleep", "600")
	if err := StartChild(child); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(child.Process.Pid)
	io.Copy(io.Discard, os.Stdin)
}

func TestChildEndsWithItsParent(t *testing.T) {
	parent := exec.Command("/proc/self/exe")
	parent.Env = append(os.Environ(), "HOST_TEST_PARENT=1")
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	said, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	var child int
	if _, scan := fmt.Sscan(line, &child); err != nil || scan != nil {
		t.Errorf("the parent says %q, %v", line, err)
	}
	parent.Process.Kill()
	parent.Wait()
	// Whoever inherits the child may leave it as a zombie for a moment.
	for child > 0 && syscall.Kill(child, 0) == nil {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		var pid int
		var name, state string
		if _, scan := fmt.Sscan(string(stat), &pid, &name, &state); err == nil && scan == nil && state == "Z" {
			break
		}
	}
}

func TestPeerUID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if uid, err := PeerUID(server); err != nil || uid != os.Getuid() {
		t.Errorf("user %d, %v; want %d", uid, err, os.Getuid())
	}
	server.Close()
	if uid, err := PeerUID(server); err == nil {
		t.Errorf("of a closed connection: user %d", uid)
	}
}

// What a child inherits ends with it: nothing beside it holds it open.
func TestChildAloneInherits(t *testing.T) {
	ours, its, err := SocketPair("channel")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	child := exec.Command("sh", "-c", "echo here >&3; ! read -r _")
	child.ExtraFiles = []*os.File{its}
	if err := StartChild(child); err != nil {
		t.Fatal(err)
	}
	its.Close()
	if said, err := io.ReadAll(ours); err != nil || string(said) != "here\n" {
		t.Errorf("it says %q, %v", said, err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("it has a standard input: %v", err)
	}
	if err := StartChild(exec.Command("no-such-program")); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("without a program: %v", err)
	}
}
