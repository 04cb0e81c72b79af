//go:build linux

package fakeqemu

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
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

// plug gives the guest a network card: one end of a pair, whose other end is in a network namespace that only the
// frames
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
	if err := ip("link set lo up\n"); err != nil {
		return err
	}
	var port int
	made := make(chan error)
	go func() {
		// The thread stays in the outer network namespace, so it ends with this goroutine.
		runtime.LockOSThread()
		var err error
		port, err = outerEnd(name, p.MAC)
		made <- err
	}()
	if err := <-made; err != nil {
		return fmt.Errorf("card %d: %w", p.Card, err)
	}
	if err := sumsItself(name); err != nil {
		return fmt.Errorf("card %d: %w", p.Card, err)
	}
	out := &atomic.Bool{}
	socket, joined := k.Sockets[p.Card]
	send := func(frame []byte) {
		if joined && !out.Load() {
			unix.Write(socket, frame) // what does not fit is lost, as on a cable
		}
	}
	k.cables[p.Card] = cable{out, make(chan struct{}, 1), send}
	if err := k.move(p); err != nil || !joined {
		return err
	}
	d, err := k.network(p, send)
	if err != nil {
		return fmt.Errorf("card %d: %w", p.Card, err)
	}
	go frames(port, send)
	go frames(socket, func(frame []byte) {
		if !out.Load() && (d == nil || !d.take(frame)) {
			unix.Write(port, frame)
		}
	})
	return nil
}

// cable is what a card is joined to the network by.
type cable struct {
	out  *atomic.Bool
	in   chan struct{} // has a token when it was put in
	send func(frame []byte)
}

// move puts the card's cable in, or pulls it out. A machine whose card finds a network says there who it is.
func (k *kernel) move(p plug) error {
	name, carrier := k.name(p), "1\n"
	if p.Out {
		carrier = "0\n"
	}
	c := k.cables[p.Card]
	if was := c.out.Swap(p.Out); was && !p.Out {
		select {
		case c.in <- struct{}{}:
		default: // nobody has heard of the last time
		}
	}
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		return err
	}
	for _, address := range k.addresses()[name] {
		if own, _, err := net.ParseCIDR(address); err == nil {
			c.send(announcement(mac, own.To4()))
		}
	}
	return os.WriteFile("/sys/class/net/"+name+"/carrier", []byte(carrier), 0o644)
}

// announcement is a frame that tells everybody whose an address is (a gratuitous ARP).
func announcement(mac net.HardwareAddr, own net.IP) []byte {
	frame := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(frame, gopacket.SerializeOptions{},
		&layers.Ethernet{SrcMAC: mac, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6,
			ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: mac, SourceProtAddress: own, DstHwAddress: make([]byte, 6), DstProtAddress: own,
		})
	if err != nil {
		panic(err) // all parts are our own
	}
	return frame.Bytes()
}

// frames passes on the frames that arrive at a socket.
func frames(from int, pass func([]byte)) {
	frame := make([]byte, 64<<10)
	for {
		n, sender, err := unix.Recvfrom(from, frame, 0)
		link, _ := sender.(*unix.SockaddrLinklayer)
		switch {
		case err == unix.EINTR || err == unix.ENETDOWN:
		case err != nil || n == 0:
			return
		case link == nil || link.Pkttype != unix.PACKET_OUTGOING:
			pass(frame[:n])
		}
	}
}

// outerEnd makes a pair of interfaces, of which one is the guest's, and returns a socket for the frames of the other.
func outerEnd(name, mac string) (int, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return 0, os.NewSyscallError("unshare", err)
	}
	err := ip(
		fmt.Sprintf(
			"link add port type veth peer name %s address %s netns 1\nlink set port addrgenmode none\nlink set port up\n", name, mac,
		),
	)
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
	if _, _, errno := unix.Syscall(
		unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)),
	); errno != 0 {
		return os.NewSyscallError("ethtool", errno)
	}
	return nil
}
