package host

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestEndSession(t *testing.T) {
	nowhere, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		"echo; cat",
		"trap '' HUP TERM; sleep 600 & echo; cat",
		"sh -c 'kill -STOP $$' & echo; wait",
		"exec echo", // has ended and is waited for
	} {
		command := exec.Command("sh", "-c", script)
		command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		stdin, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		said, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(said)
		if _, err := reader.ReadString('\n'); err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if err := EndSession(command.Process.Pid, nowhere); err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if left := session(command.Process.Pid, nowhere); len(left) > 0 {
			t.Errorf("%s: left are %v", script, left)
		}
		// All that had the pipe have ended.
		if _, err := reader.ReadString('\n'); err == nil {
			t.Errorf("%s: it still says something", script)
		}
		command.Wait()
	}
}
