package fakeqemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A card is a network card on a network of the lab: a stream to labrun, on which each frame follows its length, and a
// socket of datagrams to the guest, one for each frame.
type card struct {
	stream  *os.File
	outside *os.File
	inside  *os.File // what the guest inherits
}

func newCard(fd int) (*card, error) {
	outside, inside, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	c := &card{stream: os.NewFile(uintptr(fd), "card"), outside: outside, inside: inside}
	go c.receive()
	go c.send()
	return c, nil
}

// receive passes labrun's frames to the guest.
func (c *card) receive() {
	frame := make([]byte, 64<<10)
	for {
		if _, err := io.ReadFull(c.stream, frame[:4]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(frame)
		if int(n) > len(frame) {
			return
		}
		if _, err := io.ReadFull(c.stream, frame[:n]); err != nil {
			return
		}
		if n > 0 {
			c.outside.Write(frame[:n])
		}
	}
}

// send passes the guest's frames to labrun.
func (c *card) send() {
	frame := make([]byte, 4+64<<10)
	for {
		n, err := c.outside.Read(frame[4:])
		if err != nil || n == 0 {
			return
		}
		binary.BigEndian.PutUint32(frame, uint32(n))
		if _, err := c.stream.Write(frame[:4+n]); err != nil {
			return
		}
	}
}

// name is how the guest calls the card with that address.
func (k *kernel) name(p plug) string {
	if name := k.Names[p.MAC]; name != "" {
		return name
	}
	return fmt.Sprintf("eth%d", p.Card)
}

// plug gives the guest a network card: one end of a pair, whose other end is in a network namespace that only the frames
// know.
func (k *kernel) plug(p plug) error {
	name := k.name(p)
	folder := "/sys/class/net/" + name
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(folder+"/address", []byte(p.MAC+"\n"), 0o644); err != nil {
		return err
	}
	cable, ready := make(chan bool), make(chan error)
	go k.wire(p, cable, ready)
	if err := <-ready; err != nil {
		return fmt.Errorf("card %d: %w", p.Card, err)
	}
	k.cables[p.Card] = cable
	if err := sumsItself(name); err != nil {
		return fmt.Errorf("card %d: %w", p.Card, err)
	}
	commands := "link set lo up\n"
	if address := k.Address[name]; address != "" {
		commands += fmt.Sprintf("address replace %s dev %s\nlink set %s up\n", address, name, name)
	}
	if err := ip(commands); err != nil {
		return err
	}
	return k.cable(p)
}

// cable puts the card's cable in, or pulls it out.
func (k *kernel) cable(p plug) error {
	carrier := "1\n"
	if p.Out {
		carrier = "0\n"
	}
	k.cables[p.Card] <- !p.Out
	return os.WriteFile("/sys/class/net/"+k.name(p)+"/carrier", []byte(carrier), 0o644)
}

// wire makes the card and passes its frames; then it does with the cable as it is told. Its thread is in the outer network
// namespace, as are the programs that it starts.
func (k *kernel) wire(p plug, cable <-chan bool, ready chan<- error) {
	runtime.LockOSThread()
	fd, err := outerEnd(k.name(p), p.MAC)
	ready <- err
	if err != nil {
		return
	}
	if socket, ok := k.Sockets[p.Card]; ok {
		go frames(socket, fd)
		go frames(fd, socket)
	}
	for in := range cable {
		state := "down"
		if in {
			state = "up"
		}
		_ = ip("link set port " + state + "\n") // it is there
	}
}

// outerEnd makes a pair of interfaces, of which one is the guest's, and returns a socket for the frames of the other.
func outerEnd(name, mac string) (int, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return 0, os.NewSyscallError("unshare", err)
	}
	err := ip(fmt.Sprintf("link add port type veth peer name %s address %s netns 1\nlink set port addrgenmode none\n", name, mac))
	if err != nil {
		return 0, err
	}
	port, err := net.InterfaceByName("port")
	if err != nil {
		return 0, err
	}
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // big-endian
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	return fd, os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: port.Index}))
}

// frames passes frames from one socket to another.
func frames(to, from int) {
	frame := make([]byte, 64<<10)
	for {
		n, sender, err := unix.Recvfrom(from, frame, 0)
		link, _ := sender.(*unix.SockaddrLinklayer)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENETDOWN):
		case err != nil || n == 0:
			return
		case link == nil || link.Pkttype != unix.PACKET_OUTGOING:
			unix.Write(to, frame[:n]) // what does not fit is lost, as on a cable
		}
	}
}

// ip has iproute2 carry out commands, one a line, in the network namespace of this thread.
func ip(commands string) error {
	path, err := exec.LookPath("ip")
	if err != nil {
		return err
	}
	command := exec.Command(path, "-batch", "-")
	command.Stdin = strings.NewReader(commands)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", filepath.Base(path), commands, err, out)
	}
	return nil
}

// sumsItself has an interface sum up what it sends, which these pairs leave to hardware that there is none of.
func sumsItself(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{unix.ETHTOOL_STXCSUM, 0}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return os.NewSyscallError("ethtool", errno)
	}
	return nil
}
