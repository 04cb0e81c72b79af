package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/qemu"
)

// These tests have fake machines: package fakeqemu tells what they are.

var fakeDebian = MachineConfig{Name: "debian", Image: "debian", NICs: []NICConfig{{Network: "lan"}}}

// fakes boots a lab of fake machines, cold.
func fakes(t *testing.T, machines ...MachineConfig) (context.Context, *Lab) {
	t.Helper()
	ctx := context5(t)
	l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: machines}, Options{Store: labtest.Store(t), Records: t.TempDir(), Cold: true})
	if err := l.Boot(ctx, l.Machines()...); err != nil {
		t.Fatal(err)
	}
	return ctx, l
}

// TestFakeGuestIsConfined: commands in a fake guest are real, and change nothing of the computer, whoever runs the test.
func TestFakeGuestIsConfined(t *testing.T) {
	labtest.Parallel(t)
	ctx, l := fakes(t, fakeDebian)
	m := l.Machine("debian")
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("untouched"), 0o666); err != nil {
		t.Fatal(err)
	}
	maxPID, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for command, want := range map[string]string{
		"hostname elsewhere; hostname":            "elsewhere\n",
		"date -s @86400; /bin/date -s @86400":     "",
		"ls -d /root/* /home/* " + precious:       "",
		"echo > " + precious:                      "",
		"touch /usr/bin/x /bin/x /lib/x":          "",
		"echo 1000 >/proc/sys/kernel/pid_max":     "",
		"mount -o remount,rw /usr; touch /usr/x":  "",
		"cat /etc/shadow; ls /old":                "",
		"echo 1 >/sys/bus/pci/rescan; echo done":  "done\n",
		"ls /sys/class/net":                       "eth0\nlo\n",
		"id -u; cat /proc/1/comm | cut -c 1-3":    "0\nexe\n",
		"rm -rf /root /home /tmp; ls -d /root":    "",
		"grep -c . /proc/net/route; cat /proc/$$": "1\n",
	} {
		r, err := m.Run(ctx, command, time.Minute)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if !strings.HasPrefix(command, "date") && r.Stdout != want {
			t.Errorf("%s: %+v", command, r)
		}
	}
	if _, err := m.Run(ctx, "kill -9 -1; sleep 600", time.Minute); err == nil {
		t.Error("a command outlived the end of all processes")
	}
	if after, err := os.Hostname(); err != nil || after != name {
		t.Errorf("this computer is called %s now, %v", after, err)
	}
	if now := time.Now().Round(0); now.Before(began.Round(0)) || now.Sub(began.Round(0)) > time.Since(began)+time.Minute {
		t.Errorf("this computer's clock says %v", now)
	}
	if data, err := os.ReadFile(precious); err != nil || string(data) != "untouched" {
		t.Errorf("a file of this computer holds %q, %v", data, err)
	}
	if after, err := os.ReadFile("/proc/sys/kernel/pid_max"); err != nil || string(after) != string(maxPID) {
		t.Errorf("a setting of this computer is %q, %v", after, err)
	}
}

func TestPowersOffInMidWait(t *testing.T) {
	labtest.Parallel(t)
	ctx, l := fakes(t, MachineConfig{Name: "router7", Image: "router7"})
	router := l.Machine("router7")
	if _, err := router.WaitPrompt(ctx); err != nil {
		t.Fatal(err)
	}
	c, _ := router.Console()
	if err := c.Send(ctx, "poweroff -f\n"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Expect(ctx, console.Text("what never comes"))
	var exit *qemu.ExitError
	if !errors.As(err, &exit) || exit.Reason != qemu.PoweredOff {
		t.Errorf("the wait ended with %v", err)
	}
	if _, err := router.Run(ctx, "true", time.Minute); !errors.As(err, &exit) {
		t.Errorf("a command on a machine that is off: %v", err)
	}
}

func TestShutdownKeepsTheDisk(t *testing.T) {
	labtest.Parallel(t)
	ctx, l := fakes(t, fakeDebian)
	m := l.Machine("debian")
	if err := m.WriteFile(ctx, "/root/kept", []byte("still here"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Shutdown(ctx); err != nil || m.Running() {
		t.Fatalf("it was shut down: %v, and runs: %v", err, m.Running())
	}
	if err := l.Boot(ctx, m); err != nil {
		t.Fatal(err)
	}
	if data, err := m.ReadFile(ctx, "/root/kept"); err != nil || string(data) != "still here" {
		t.Errorf("after the reboot the file holds %q, %v", data, err)
	}
}

// TestTypingWhenItDies: whoever types at a machine whose QEMU has just died is told that, not what became of a socket.
func TestTypingWhenItDies(t *testing.T) {
	labtest.Parallel(t)
	ctx, l := fakes(t, fakeDebian)
	m := l.Machine("debian")
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.current()
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(g.qemu().Pid())
	if err != nil {
		t.Fatal(err)
	}
	process.Kill()
	for err = nil; err == nil; {
		err = c.SendRaw(ctx, []byte("x"))
	}
	if exit := new(qemu.ExitError); !errors.As(err, &exit) || exit.Reason != qemu.Killed {
		t.Errorf("typing ended with %v", err)
	}
}
