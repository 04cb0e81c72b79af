//go:build linux

package fakeqemu

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Description is what the kernel file of a fake image says of its guest, in JSON.
type Description struct {
	Hostname string
	Password string            // root's; empty: there is no login, but a console that wants Enter
	Prompt   string            // of the shell, in which \h is the host's name and \w the folder
	Folders  []string          // besides the usual ones
	Names    map[string]string // of network cards, by their MAC; others are eth0, eth1, …
	Address  map[string]string // of network cards, with the length of the prefix, by their name
	DHCP     string            // «client», or a server's file of leases; empty: none
}

// begin is the first that the emulator says to a guest.
type begin struct {
	Description
	Fault   Fault
	Machine string
	Files   []byte // a tar archive; nil: the disk is new
	Saved   *state // nil: it boots
	Plugged []plug
	Serials []string // the channels of the further serial ports that it has
	Control bool
	Sockets map[int]int    // the descriptors of the cards on a network of the lab, by card
	Ports   map[string]int // those of the channels of further serial ports, plugged in or not
}

// order is what the emulator says to a guest later.
type order struct {
	What   string // run, pause, plug, serial, cable, button, synced
	Plug   plug
	Serial string
}

// report is what a guest says to the emulator.
type report struct {
	What   string // done, after an order was obeyed; sync, off, reset, failed
	Files  []byte
	Memory memory
	Text   string
}

// guest is the emulator's handle on its guest.
type guest struct {
	command *exec.Cmd
	orders  *json.Encoder
	link    *os.File
	done    chan report
	over    chan struct{} // closed when it says nothing more
	saved   memory        // as of the last pause
}

// confined are the namespaces of a guest. Its root is another user outside: never the host's root, to whom too
// many files
// of the kernel belong (/proc/sysrq-trigger, to name one).
func confined() *syscall.SysProcAttr {
	user, group := os.Getuid(), os.Getgid()
	privileged := user == 0
	if privileged {
		const nobody = 65534
		user, group = nobody, nobody
	}
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: group, Size: 1}},
		GidMappingsEnableSetgroups: privileged,
		Credential:                 &syscall.Credential{NoSetGroups: !privileged},
	}
}

// The descriptors of the guest's process.
const (
	linkFD    = 3 // the connection to the emulator
	consoleFD = 4
	controlFD = 5
)

// startGuest starts a guest. Everything in it ends with its process, the first of its namespace, and that one when the
// emulator closes the link, or dies.
func startGuest(e *emulator, start begin) (*guest, error) {
	ours, theirs, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	command := exec.Command("/proc/self/exe")
	command.Args = []string{guestName}
	command.ExtraFiles = []*os.File{theirs, e.console, e.control}
	start.Sockets, start.Ports = map[int]int{}, map[string]int{}
	for i, c := range e.cards {
		command.ExtraFiles = append(command.ExtraFiles, c.inside)
		start.Sockets[i] = 2 + len(command.ExtraFiles)
	}
	for id, file := range e.ports {
		command.ExtraFiles = append(command.ExtraFiles, file)
		start.Ports[id] = 2 + len(command.ExtraFiles)
	}
	command.Stderr = os.Stderr
	command.Env = []string{"TZ=UTC"}
	command.SysProcAttr = confined()
	if err := command.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the fake guest: %w", err)
	}
	g := &guest{
		command: command, orders: json.NewEncoder(ours), link: ours, done: make(chan report, 1),
		over: make(chan struct{}),
	}
	go func() {
		defer close(g.over)
		for reports := json.NewDecoder(ours); ; {
			var said report
			if reports.Decode(&said) != nil {
				return
			}
			if said.What == "done" {
				g.done <- said
			} else {
				go e.heard(g, said)
			}
		}
	}()
	if err := g.orders.Encode(start); err != nil {
		g.kill()
		return nil, fmt.Errorf("start the fake guest: %w", err)
	}
	return g, nil
}

// obeyLimit is how long a guest may take for an order.
const obeyLimit = 30 * time.Second

// order has the guest do something, and returns when that is done. One order is given at a time.
func (g *guest) order(o order) (report, error) {
	if err := g.orders.Encode(o); err != nil {
		return report{}, errNoGuest
	}
	limit := time.NewTimer(obeyLimit)
	defer limit.Stop()
	select {
	case said := <-g.done:
		return said, nil
	case <-g.over:
		return report{}, errNoGuest
	case <-limit.C:
		return report{}, fmt.Errorf("the fake guest does not %s", o.What)
	}
}

// kill ends the guest with all its processes.
func (g *guest) kill() {
	g.command.Process.Kill()
	g.command.Wait()
	g.link.Close()
	<-g.over
}

// pair returns two connected Unix sockets, ours in Go's poller.
func pair(kind int) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, os.NewSyscallError("set non-blocking", err)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}
