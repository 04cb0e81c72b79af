package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lan"
)

// netdev is what a guest's card is connected to: a -netdev option called «net», and the file that it names, if any.
type netdev struct {
	option string
	files  []*os.File
}

const inherited = "stream,id=net,addr.type=fd,addr.str=3"

// wiring holds what runs, and ends it in reverse.
type wiring struct{ undo []func() }

func (w *wiring) later(f func()) { w.undo = append(w.undo, f) }

func (w *wiring) close() {
	for i := len(w.undo) - 1; i >= 0; i-- {
		w.undo[i]()
	}
}

// start starts a QEMU with files to inherit, from number 3, and a serial port or nil, and closes its own copies
// of them.
func (w *wiring) start(ctx context.Context, files []*os.File, serial *os.File, args ...string) error {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program, which ends them
	cmd.ExtraFiles = files
	for _, f := range files {
		defer f.Close()
	}
	if serial != nil {
		cmd.Stdin, cmd.Stdout = serial, serial
		defer serial.Close()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.later(func() { cmd.Process.Kill(); cmd.Wait() })
	return nil
}

// throughSwitch is how labrun wires its machines.
func throughSwitch(_ context.Context, w *wiring) (ends [2]netdev, err error) {
	network := lan.New("bench")
	w.later(func() { network.Close() })
	for i := range ends {
		own, its, err := socketPair()
		if err != nil {
			return ends, err
		}
		if _, err := network.Attach(fmt.Sprint("guest", i), own); err != nil {
			return ends, err
		}
		ends[i] = netdev{inherited, []*os.File{its}}
	}
	return ends, nil
}

// throughSocket is the older of QEMU's own ways, over TCP on this machine.
func throughSocket(_ context.Context, _ *wiring) (ends [2]netdev, err error) {
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return ends, err
	}
	address := port.Addr().String()
	if err := port.Close(); err != nil {
		return ends, err
	}
	return [2]netdev{{option: "socket,id=net,listen=" + address}, {option: "socket,id=net,connect=" + address}}, nil
}

// throughStream is a Unix socket from one QEMU to the other, with nothing between: it takes no third guest.
func throughStream(_ context.Context, _ *wiring) (ends [2]netdev, err error) {
	one, other, err := host.SocketPair("socket")
	return [2]netdev{{inherited, []*os.File{one}}, {inherited, []*os.File{other}}}, err
}

// throughHub is a QEMU that does nothing but repeat.
func throughHub(ctx context.Context, w *wiring) (ends [2]netdev, err error) {
	args := []string{"-machine", "none", "-nodefaults", "-display", "none"}
	var hubs []*os.File
	for i := range ends {
		guests, hubside, err := host.SocketPair("socket")
		if err != nil {
			return ends, err
		}
		ends[i] = netdev{inherited, []*os.File{guests}}
		hubs = append(hubs, hubside)
		args = append(args, "-netdev", fmt.Sprintf("stream,id=s%d,addr.type=fd,addr.str=%d", i, 3+i),
			"-netdev", fmt.Sprintf("hubport,id=h%d,hubid=0,netdev=s%d", i, i))
	}
	return ends, w.start(ctx, hubs, nil, args...)
}

// socketPair is the two ends of a Unix socket, one for this program and one for a QEMU.
func socketPair() (own net.Conn, its *os.File, err error) {
	f, its, err := host.SocketPair("socket")
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	own, err = net.FileConn(f)
	return own, its, err
}
