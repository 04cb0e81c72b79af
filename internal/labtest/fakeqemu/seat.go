//go:build linux

package fakeqemu

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// A seat is what keeps somebody logged in at a further serial port, when its guest is saved.
type seat struct {
	Terminal string   // ttyS2
	Command  []string // what was started there; none: nothing
	Stage    string   // of its login prompt; empty: it has none
	Folder   string   // the shell's; empty: there is none
}

// plugSerial gives the guest one more serial port, as Linux shows it.
func (k *kernel) plugSerial(channel string) error {
	name := fmt.Sprintf("ttyS%d", 2+len(k.seats))
	master, tty, err := k.port(name)
	if err == nil {
		err = os.MkdirAll(fmt.Sprintf("/sys/bus/pci/devices/0000:00:1%d.0/tty/%s", len(k.seats), name), 0o755)
	}
	if err != nil {
		return fmt.Errorf("serial port: %w", err)
	}
	k.mu.Lock()
	k.seats = append(k.seats, name)
	k.mu.Unlock()
	// As a real port, it is there also while nobody has it open.
	k.open = append(k.open, tty)
	outside := os.NewFile(uintptr(k.Ports[channel]), channel)
	go k.outward(outside, master)
	go k.inward(master, outside, nil)
	return nil
}

// seated is what is at the further serial ports. The caller holds k.mu.
func (k *kernel) seated() (all []seat) {
	for _, name := range k.seats {
		s := seat{Terminal: name}
		if pid, err := os.ReadFile("/run/labrun/" + name + ".pid"); err == nil {
			line, _ := os.ReadFile("/proc/" + string(bytes.TrimSpace(pid)) + "/cmdline")
			s.Command = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		}
		if stage, err := os.ReadFile("/run/stage-" + name); err == nil {
			s.Stage = strings.TrimSpace(string(stage))
		}
		if shell, err := os.ReadFile("/run/shell-" + name); err == nil {
			s.Folder, _ = os.Readlink("/proc/" + string(bytes.TrimSpace(shell)) + "/cwd")
		}
		all = append(all, s)
	}
	return all
}

// resumeSeats has what was at the serial ports go on.
func (k *kernel) resumeSeats(all []seat) error {
	for _, s := range all {
		if len(s.Command) == 0 || s.Command[0] == "" {
			continue
		}
		for name, text := range map[string]string{"resume": s.Stage, "folder": s.Folder} {
			if text == "" {
				continue
			}
			if err := os.WriteFile("/run/"+name+"-"+s.Terminal, []byte(text), 0o600); err != nil {
				return err
			}
		}
		command := exec.Command(s.Command[0], s.Command[1:]...)
		command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := command.Start(); err != nil {
			return err
		}
		go command.Wait()
	}
	return nil
}
